//! What an operator does, from one folder to another.

mod commands;
mod faults;
mod identity;
mod journal;
mod memory;
mod mirroring;
mod only;
mod overwrite;
mod reports;
mod rounds;
mod selecting;
mod signals;
mod status;
mod verifying;

/// Names below a folder that a sink gives to what isn't whole yet.
pub(crate) fn temporary_files(folder: &std::path::Path) -> Vec<String> {
    let snapshot = crate::harness::tree::Snapshot::of(folder);
    let names = snapshot.items().keys().map(|path| path.to_string_lossy().into_owned());
    names.filter(|path| path.contains(".culvert-")).collect()
}
