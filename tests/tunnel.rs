//! Tunnels across processes: what they guarantee, and the commands that make and change them.

mod commands;
mod sharing;
