//! Local to local beside `cp -r`, in turns, on a tmpfs: wall time, CPU seconds, peak memory; and what
//! a credit costs. `cargo bench -p engine`; `CULVERT_BENCH_ROUNDS` (default 5), `CULVERT_BENCH_DATA`
//! (default `large,small`; `empty` is the third), `CULVERT_BENCH_WORKERS` (default 4) and
//! `CULVERT_BENCH_DIR` (default `/dev/shm`, 6 GiB free) are its settings. Asserts only that every copy is
//! complete: times belong to the reader.
//!
//! Neither side calls fsync (`fsync = false`), since `cp` doesn't. One round before the first that
//! counts touches the memory and fills the compile cache.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark stops at the first surprise and prints")]
#![allow(clippy::cast_precision_loss, reason = "figures for people")]

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use culvert_flow::{
    rules::{ByteRate, Limits},
    tunnel::Tunnel,
};
use nix::sys::resource::{UsageWho, getrusage};

/// What one run of a command took.
#[derive(Debug, Clone, Copy)]
struct Took {
    wall: f64,
    cpu: f64,
    peak_mib: f64,
}

struct Dataset {
    /// For `CULVERT_BENCH_DATA`.
    word: &'static str,
    name: &'static str,
    files: usize,
    bytes_each: usize,
}

const DATASETS: [Dataset; 3] = [
    Dataset { word: "large", name: "2 x 1 GiB", files: 2, bytes_each: 1 << 30 },
    Dataset { word: "small", name: "20,000 x 4 KiB", files: 20_000, bytes_each: 4096 },
    Dataset { word: "empty", name: "500,000 x 0 B", files: 500_000, bytes_each: 0 },
];
/// What is measured unless something else is asked for.
const USUAL: &str = "large,small";

const TOOLS: [&str; 3] = ["cp -r", "engine, verify = size", "engine, verify = checksum"];

fn main() {
    let rounds: usize = std::env::var("CULVERT_BENCH_ROUNDS").map_or(5, |rounds| rounds.parse().unwrap());
    let base = std::env::var_os("CULVERT_BENCH_DIR").map_or_else(|| PathBuf::from("/dev/shm"), PathBuf::from);
    let folder = tempfile::Builder::new().prefix("culvert-bench-").tempdir_in(base).unwrap();
    let wanted = std::env::var("CULVERT_BENCH_DATA").unwrap_or_else(|_| USUAL.to_owned());
    for dataset in DATASETS.iter().filter(|dataset| wanted.split(',').any(|word| word == dataset.word)) {
        let source = folder.path().join("source");
        fill(&source, dataset);
        let mut took = TOOLS.map(|_| Vec::new());
        for round in 0..=rounds {
            for (tool, took) in TOOLS.iter().zip(&mut took) {
                let measured = copy(tool, folder.path(), &source, dataset);
                if round > 0 {
                    took.push(measured);
                }
            }
        }
        report(dataset, &took);
        fs::remove_dir_all(source).unwrap();
    }
    credits();
}

fn fill(source: &Path, dataset: &Dataset) {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for number in 0..dataset.files {
        let folder = source.join(format!("d{:03}", number / 200));
        fs::create_dir_all(&folder).unwrap();
        let mut file = fs::File::create(folder.join(format!("f{number:06}"))).unwrap();
        let mut left = dataset.bytes_each;
        while left > 0 {
            let mut block = [0_u8; 4096];
            for word in block.chunks_exact_mut(8) {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                word.copy_from_slice(&state.to_le_bytes());
            }
            file.write_all(&block[..left.min(4096)]).unwrap();
            left -= left.min(4096);
        }
    }
}

fn copy(tool: &str, folder: &Path, source: &Path, dataset: &Dataset) -> Took {
    let target = folder.join("target");
    let mut command = match tool.strip_prefix("engine, verify = ") {
        None => {
            let mut command = Command::new("cp");
            command.arg("-r").arg(source).arg(&target);
            command
        }
        Some(verify) => engine(folder, source, &target, verify),
    };
    let took = measure(&mut command);
    let copied = count(&target);
    assert_eq!(copied, (dataset.files, (dataset.files * dataset.bytes_each) as u64), "{tool} left something out");
    fs::remove_dir_all(target).unwrap();
    took
}

fn engine(folder: &Path, source: &Path, target: &Path, verify: &str) -> Command {
    let workers = std::env::var("CULVERT_BENCH_WORKERS").unwrap_or_else(|_| "4".to_owned());
    let (source, target) = (source.display(), target.display());
    let pipeline = folder.join("pipeline.toml");
    let text = format!(
        "name = \"bench\"\n[tunnel]\n[source]\nconnector = \"local\"\npath = \"{source}\"\n[sink]\nconnector = \
         \"local\"\npath = \"{target}\"\nfsync = false\n[transfer]\noverwrite = \"always\"\nverify = \
         \"{verify}\"\nworkers = {workers}\npart_size = \"256 MiB\"\n"
    );
    fs::write(&pipeline, text).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_engine"));
    command.arg("run").arg(pipeline).arg("--state-dir").arg(folder.join("state"));
    command
}

fn measure(command: &mut Command) -> Took {
    let before = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap();
    let begin = Instant::now();
    let mut child = command.stdout(Stdio::null()).spawn().unwrap();
    let status_path = format!("/proc/{}/status", child.id());
    let mut peak_kib = 0.0_f64;
    let status = loop {
        if let Some(kib) = fs::read_to_string(&status_path).ok().and_then(|status| high_water_kib(&status)) {
            peak_kib = peak_kib.max(kib);
        }
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    let wall = begin.elapsed().as_secs_f64();
    assert!(status.success(), "{command:?} ended with {status}");
    let after = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap();
    let seconds = |time: nix::sys::time::TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    let cpu = seconds(after.user_time()) + seconds(after.system_time())
        - seconds(before.user_time())
        - seconds(before.system_time());
    Took { wall, cpu, peak_mib: peak_kib / 1024.0 }
}

fn high_water_kib(status: &str) -> Option<f64> {
    status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.trim().parse().ok())
}

fn count(folder: &Path) -> (usize, u64) {
    let mut total = (0, 0);
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let metadata = entry.metadata().unwrap();
        let (files, bytes) = if metadata.is_dir() { count(&entry.path()) } else { (1, metadata.len()) };
        total = (total.0 + files, total.1 + bytes);
    }
    total
}

fn report(dataset: &Dataset, took: &[Vec<Took>; 3]) {
    println!("\n{}, medians of {}", dataset.name, took[0].len());
    println!("{:<28} {:>8} {:>8} {:>10} {:>14}", "", "wall s", "CPU s", "peak MiB", "speed / cp -r");
    let reference = median(&took[0], |took| took.wall);
    for (tool, took) in TOOLS.iter().zip(took) {
        let wall = median(took, |took| took.wall);
        let (cpu, peak) = (median(took, |took| took.cpu), median(took, |took| took.peak_mib));
        println!("{tool:<28} {wall:>8.3} {cpu:>8.3} {peak:>10.1} {:>14.2}", reference / wall);
    }
}

fn median(took: &[Took], figure: impl Fn(&Took) -> f64) -> f64 {
    let mut figures: Vec<f64> = took.iter().map(figure).collect();
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// What taking and spending a credit costs, without a limit and below a limit that's never reached.
fn credits() {
    const CREDITS: u32 = 1_000_000;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let fast = ByteRate(std::num::NonZeroU64::new(1 << 50).unwrap());
    println!("\ncost of a credit, mean of {CREDITS}");
    for (name, max_bandwidth) in [("no limit", None), ("limit of 1 PiB/s", Some(fast))] {
        let tunnel = Tunnel::new(Limits { max_bandwidth, max_requests_per_second: None });
        let begin = Instant::now();
        runtime.block_on(async {
            for _ in 0..CREDITS {
                let mut credit = tunnel.take_bytes(4096).await;
                credit.spend(4096);
            }
        });
        println!("{name:<28} {:>8.0} ns", begin.elapsed().as_secs_f64() / f64::from(CREDITS) * 1e9);
    }
}
