//! Tunnels across processes: what they guarantee, and the commands that make and change them.

mod addresses;
mod agents;
mod apply;
mod commands;
mod metrics;
mod sharing;
mod tasks;

use crate::harness::Ended;

/// A command that was refused before it touched anything, and said so.
fn refused(ended: &Ended, says: &str) {
    ended.expect_code(1);
    assert!(ended.errors.contains(says), "{}", ended.errors);
}
