//! What an operator does, from one folder to another.

mod commands;
mod faults;
mod identity;
mod memory;
mod overwrite;
mod reports;
mod signals;
mod status;
mod verifying;
