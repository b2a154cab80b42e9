//! The same tunnels, agents and runs on many machines: what one machine keeps in its state folder is kept in
//! NATS JetStream. Knows no pipeline file, no connector and no TOML, and moves no object.
//!
//! One fleet is one account of a NATS server, or of a cluster of them.

mod connection;
mod ledger;
mod records;
mod run;
mod seat;
mod server;

pub use self::{
    connection::Fleet,
    ledger::FleetLedger,
    run::{FleetRun, Joiner, RunRecord, Terms},
    seat::{Seat, Taken},
    server::{Credentials, Secret, Server},
};
