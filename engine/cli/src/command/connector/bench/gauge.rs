//! This process's time and memory, as Linux tells them. Measures nothing else.

use std::{
    cell::Cell,
    fs,
    time::{Duration, Instant},
};

use culvert_conformance::Gauge;
use rustix::time::{ClockId, clock_gettime};

/// Where writing a 5 makes the largest resident size begin anew (proc_pid_clear_refs(5)).
const CLEAR: &str = "/proc/self/clear_refs";
const STATUS: &str = "/proc/self/status";

/// This process.
#[derive(Debug)]
pub(super) struct Process {
    begin: Instant,
    /// Resident bytes at the last reset.
    resident: Cell<u64>,
}

// === impl Process ===

impl Process {
    pub(super) fn new() -> Self {
        Self { begin: Instant::now(), resident: Cell::new(0) }
    }
}

impl Gauge for Process {
    fn reset(&self) {
        // Where that isn't allowed, the largest size is that of the whole process.
        let _ = fs::write(CLEAR, "5");
        self.resident.set(field("VmRSS:"));
    }

    fn wall(&self) -> Duration {
        self.begin.elapsed()
    }

    fn cpu(&self) -> Duration {
        let time = clock_gettime(ClockId::ProcessCPUTime);
        Duration::try_from(time).unwrap_or_default()
    }

    fn memory(&self) -> u64 {
        field("VmHWM:").saturating_sub(self.resident.get())
    }
}

/// In bytes; none is 0.
fn field(name: &str) -> u64 {
    let status = fs::read_to_string(STATUS).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok());
    kib.unwrap_or_default() * 1024
}
