//! A tunnel under leases, with the keeper's own loop, a ledger in memory and a paused clock.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::{
    num::{NonZeroU32, NonZeroU64},
    sync::{Arc, Mutex},
    time::SystemTime,
};

use jiff::{
    Timestamp,
    civil::{Time, Weekday},
    tz::TimeZone,
};
use tokio::{
    task::LocalSet,
    time::{Instant, sleep, timeout},
};

use super::{keeper::Keeping, *};
use crate::{
    error::Code,
    records::{Records, SqliteRecords},
    rules::{ByteRate, Limits, RequestRate, Window},
    sync::{Cancel, lock},
    tunnel::Tunnel,
};

const MIB: u64 = 1 << 20;

/// A ledger in memory; none while it can't be reached.
#[derive(Debug, Clone)]
struct Memory(Arc<Mutex<(Option<Record>, u64, bool)>>);

impl Memory {
    fn new(definition: Definition) -> Self {
        Self(Arc::new(Mutex::new((Some(Record::new(definition)), 1, true))))
    }

    fn edit(&self, edit: impl FnOnce(&mut Record)) {
        let mut held = lock(&self.0);
        edit(held.0.as_mut().unwrap());
        held.1 += 1;
    }

    fn reach(&self, reachable: bool) {
        lock(&self.0).2 = reachable;
    }
}

impl Ledger for Memory {
    async fn read(&self) -> Result<Option<(Record, u64)>, Error> {
        let held = lock(&self.0);
        let (record, version, reachable) = &*held;
        if *reachable { Ok(record.clone().map(|record| (record, *version))) } else { Err(gone()) }
    }

    async fn swap(&self, version: u64, record: &Record) -> Result<bool, Error> {
        let mut held = lock(&self.0);
        if !held.2 {
            return Err(gone());
        }
        let fits = held.1 == version && held.0.is_some();
        if fits {
            *held = (Some(record.clone()), version + 1, true);
        }
        Ok(fits)
    }
}

fn gone() -> Error {
    Error::new(Code::UNAVAILABLE, "tunnel", "cut off")
}

fn bytes(rate: u64) -> Limits {
    Limits { max_bandwidth: NonZeroU64::new(rate).map(ByteRate), max_requests_per_second: None }
}

fn keep(ledger: &Memory, name: &str, keeps_floor: bool, stop: &Cancel) -> Tunnel {
    let tunnel = Tunnel::leased();
    let keeping = Keeping::new(ledger.clone(), Holder::new(name, keeps_floor, 0), tunnel.clone());
    let stop = stop.clone();
    tokio::task::spawn_local(async move { keeping.keep(&stop).await });
    tunnel
}

/// Moves all it may, for ever.
fn greedy(tunnel: &Tunnel) {
    let tunnel = tunnel.clone();
    tokio::task::spawn_local(async move {
        loop {
            let mut credit = tunnel.take_bytes(usize::MAX).await;
            credit.spend(usize::MAX);
        }
    });
}

/// Bytes per second over the next `time`.
async fn speed(tunnel: &Tunnel, time: Duration) -> f64 {
    let (before, begin) = (tunnel.usage().spent_bytes, Instant::now());
    sleep(time).await;
    let moved = u32::try_from(tunnel.usage().spent_bytes - before).unwrap();
    f64::from(moved) / begin.elapsed().as_secs_f64()
}

fn close(found: f64, expected: u64) {
    let expected = f64::from(u32::try_from(expected).unwrap());
    assert!((found / expected - 1.0).abs() < 0.02, "{found} instead of {expected}");
}

#[tokio::test(start_paused = true)]
async fn two_agents_share_and_one_alone_has_all() {
    let work = async {
        let ledger = Memory::new(Definition::plain(bytes(8 * MIB)));
        let (stop_one, stop_two) = (Cancel::new(), Cancel::new());
        let one = keep(&ledger, "one", false, &stop_one);
        greedy(&one);
        sleep(Duration::from_secs(1)).await;
        close(speed(&one, Duration::from_secs(2)).await, 8 * MIB);
        let two = keep(&ledger, "two", false, &stop_two);
        greedy(&two);
        sleep(Duration::from_secs(1)).await;
        let (first, second) = tokio::join!(speed(&one, Duration::from_secs(4)), speed(&two, Duration::from_secs(4)));
        close(first, 4 * MIB);
        close(second, 4 * MIB);
        ledger.edit(|record| record.definition.limits = bytes(2 * MIB));
        sleep(Duration::from_secs(1)).await;
        close(speed(&one, Duration::from_secs(4)).await, MIB);
        stop_two.cancel();
        sleep(Duration::from_millis(600)).await;
        close(speed(&one, Duration::from_secs(4)).await, 2 * MIB);
        assert_eq!(ledger.read().await.unwrap().unwrap().0.leases.len(), 1, "who left is gone");
    };
    LocalSet::new().run_until(work).await;
}

#[tokio::test(start_paused = true)]
async fn without_the_ledger_the_lease_is_spent_and_then_nothing_moves() {
    let work = async {
        let ledger = Memory::new(Definition::plain(bytes(8 * MIB)));
        let tunnel = keep(&ledger, "one", true, &Cancel::new());
        greedy(&tunnel);
        sleep(Duration::from_secs(2)).await;
        ledger.reach(false);
        sleep(TIME_TO_LIVE).await;
        let before = tunnel.usage().spent_bytes;
        sleep(Duration::from_secs(60)).await;
        assert_eq!(tunnel.usage().spent_bytes, before);
        ledger.reach(true);
        sleep(Duration::from_secs(1)).await;
        close(speed(&tunnel, Duration::from_secs(2)).await, 8 * MIB);
        // A tunnel that was deleted is no tunnel without limits.
        lock(&ledger.0).0 = None;
        sleep(TIME_TO_LIVE).await;
        let taken = timeout(Duration::from_secs(60), tunnel.take_request()).await;
        assert!(taken.is_err(), "nor a request");
    };
    LocalSet::new().run_until(work).await;
}

#[tokio::test(start_paused = true)]
async fn a_floor_stays_with_the_agent_that_was_cut_off_and_is_kept_from_the_others() {
    let work = async {
        let mut definition = Definition::plain(bytes(8 * MIB));
        definition.floor = NonZeroU64::new(MIB).map(ByteRate);
        let (ledger, cut) = (Memory::new(definition), Memory::new(Definition::default()));
        let lost = keep(&ledger, "lost", true, &Cancel::new());
        greedy(&lost);
        sleep(Duration::from_secs(1)).await;
        // The agent that's cut off and the one that isn't see two ledgers from here on.
        *lock(&cut.0) = lock(&ledger.0).clone();
        ledger.reach(false);
        let other = keep(&cut, "other", true, &Cancel::new());
        greedy(&other);
        sleep(TIME_TO_LIVE * 2).await;
        let (floor, rest) = tokio::join!(speed(&lost, Duration::from_secs(4)), speed(&other, Duration::from_secs(4)));
        close(floor, MIB);
        close(rest, 7 * MIB);
    };
    LocalSet::new().run_until(work).await;
}

#[tokio::test(start_paused = true)]
async fn a_request_a_second_is_shared_by_four() {
    let work = async {
        let requests = Limits { max_bandwidth: None, max_requests_per_second: NonZeroU32::new(1).map(RequestRate) };
        let ledger = Memory::new(Definition::plain(requests));
        let tunnels = ["a", "b", "c", "d"].map(|name| keep(&ledger, name, false, &Cancel::new()));
        for tunnel in &tunnels {
            let tunnel = tunnel.clone();
            tokio::task::spawn_local(async move {
                loop {
                    tunnel.take_request().await.spend();
                }
            });
        }
        sleep(Duration::from_secs(2)).await;
        let before = tunnels.each_ref().map(|tunnel| tunnel.usage().requests);
        sleep(Duration::from_secs(40)).await;
        for (tunnel, before) in tunnels.iter().zip(before) {
            let sent = tunnel.usage().requests - before;
            assert!((9..=11).contains(&sent), "{sent} in 40 s");
        }
        assert_eq!(tunnels[0].take_bytes(10).await.bytes(), 10, "bytes are without limit");
    };
    LocalSet::new().run_until(work).await;
}

fn at(text: &str) -> SystemTime {
    text.parse::<Timestamp>().unwrap().into()
}

#[test]
fn a_schedule_has_days_and_a_record_keeps_it() {
    let window =
        |start: i8, end: i8| Window { start: Time::constant(start, 0, 0, 0), end: Time::constant(end, 0, 0, 0) };
    let zone = TimeZone::get("Europe/Berlin").unwrap();
    let night = Period::new(&[Weekday::Friday], window(22, 6), zone.clone(), None).unwrap();
    let work = [Weekday::Monday, Weekday::Friday];
    let day = Period::new(&work, window(8, 18), zone.clone(), Some(bytes(MIB))).unwrap();
    let mut definition = Definition::plain(bytes(2 * MIB));
    definition.schedule = vec![night, day];
    let record = Record { given: Some(definition.clone()), ..Record::new(definition) };
    let definition = Record::parse(&record.to_text().unwrap()).unwrap().given.unwrap();
    assert_eq!(definition, record.definition);
    // 2026-07-24 is a Friday; Berlin is two hours ahead.
    let rate = |text: &str| definition.limits_at(at(text)).max_bandwidth.map(|rate| rate.0.get() / MIB);
    assert_eq!(rate("2026-07-24T05:59:59Z"), Some(2));
    assert_eq!(rate("2026-07-24T06:00:00Z"), Some(1));
    assert_eq!(rate("2026-07-24T16:00:00Z"), Some(2));
    assert_eq!(rate("2026-07-24T20:00:00Z"), None, "without limit");
    assert_eq!(rate("2026-07-25T03:59:59Z"), None, "it opened on Friday");
    assert_eq!(rate("2026-07-25T20:00:00Z"), Some(2));
    assert!(Period::new(&[], window(8, 18), zone, None).is_none());
    assert_eq!(Record::parse("{\"definition\": {}}").unwrap_err().code, Code::CORRUPT);
}

#[test]
fn the_ledger_of_one_machine_is_a_ledger() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tunnels.sqlite");
    let records = SqliteRecords::open(&path, crate::records::Sync::Full).unwrap();
    let record = Record::new(Definition::plain(bytes(8 * MIB)));
    records.create(crate::records::Kind::Tunnel, "t", &record.to_text().unwrap()).unwrap();
    let tunnels: Vec<(Tunnel, Keeper)> = ["a", "b"]
        .map(|name| {
            let records = SqliteRecords::open(&path, crate::records::Sync::Lazy).unwrap();
            let tunnel = Tunnel::leased();
            let holder = Holder::new(name, false, 0);
            (tunnel.clone(), Keeper::start(SqliteLedger::new(records, "t"), holder, tunnel).unwrap())
        })
        .into();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for (tunnel, _) in &tunnels {
        let credit = runtime.block_on(async { timeout(Duration::from_secs(30), tunnel.take_bytes(10)).await });
        assert_eq!(credit.unwrap().bytes(), 10);
    }
    drop(tunnels);
    let left = records.read(crate::records::Kind::Tunnel, "t").unwrap().unwrap();
    assert_eq!(Record::parse(&left.value).unwrap(), record, "both gave their leases back");
}
