//! The bucket's arithmetic by properties, the tunnel's line under a paused clock.

use std::{
    cell::RefCell,
    num::{NonZeroU32, NonZeroU64},
    rc::Rc,
};

use proptest::prelude::*;
use tokio::{
    task::LocalSet,
    time::{sleep, timeout},
};

use super::*;
use crate::rules::{ByteRate, RequestRate};

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

fn rate(bytes: u64) -> ByteRate {
    ByteRate(NonZeroU64::new(bytes).expect("not nothing"))
}

fn limited(bytes: u64) -> Tunnel {
    Tunnel::new(Limits { max_bandwidth: Some(rate(bytes)), max_requests_per_second: None })
}

fn requests(number: u32) -> RequestRate {
    RequestRate(NonZeroU32::new(number).expect("not nothing"))
}

/// Grants with the time of each.
type Grants = Vec<(Duration, u64)>;

/// The most that any window of this length granted.
fn most_in(window: Duration, grants: &Grants) -> u64 {
    let (mut first, mut sum, mut most) = (0, 0, 0);
    for (at, units) in grants {
        sum += units;
        while *at - grants[first].0 >= window {
            sum -= grants[first].1;
            first += 1;
        }
        most = most.max(sum);
    }
    most
}

fn bound_holds(grants: &Grants, rate: u64, burst: u64) -> Result<(), TestCaseError> {
    for (first, (begin, _)) in grants.iter().enumerate() {
        let mut sum = 0;
        for (at, units) in &grants[first..] {
            sum += u128::from(*units);
            let nanos = (*at - *begin).as_nanos();
            let allowed = u128::from(rate) * nanos / 1_000_000_000 + u128::from(burst) + 1;
            prop_assert!(sum <= allowed, "{sum} of {allowed} in {nanos} ns");
        }
    }
    Ok(())
}

/// Takers that arrive at any time, wait as told and wake up late.
fn grants(bucket: &mut Bucket, arrivals: &[(u64, u64, u64)]) -> Grants {
    let (mut now, mut grants) = (Duration::ZERO, Grants::new());
    for (idle, wanted, oversleep) in arrivals {
        now += Duration::from_nanos(*idle);
        let units = loop {
            match bucket.take(*wanted, now) {
                Ok(units) => break units,
                Err(pause) => now += pause + Duration::from_nanos(*oversleep),
            }
        };
        grants.push((now, units));
    }
    grants
}

fn arrivals() -> impl Strategy<Value = Vec<(u64, u64, u64)>> {
    let idle = prop_oneof![4 => Just(0), 2 => 0u64..3_000_000, 1 => 0u64..3_000_000_000];
    proptest::collection::vec((idle, 1u64..400_000, 0u64..20_000_000), 1..120)
}

proptest! {
    #[test]
    fn no_window_grants_more_than_its_share_and_a_burst(
        bytes in prop_oneof![1u64..10_000, 10_000..100 * MIB, 100 * MIB..20_000 * MIB],
        arrivals in arrivals(),
    ) {
        let rate = rate(bytes);
        let grants = grants(&mut Bucket::of_bytes(rate, Duration::ZERO), &arrivals);
        for (_, units) in &grants {
            prop_assert!(*units <= chunk_bytes(rate) / 2);
        }
        bound_holds(&grants, bytes, burst_bytes(rate))?;
    }

    #[test]
    fn no_window_grants_more_requests(number in 1u32..5_000, arrivals in arrivals()) {
        let grants = grants(&mut Bucket::of_requests(requests(number), Duration::ZERO), &arrivals);
        bound_holds(&grants, u64::from(number), 1 + u64::from(number).div_ceil(100))?;
    }

    /// A busy taker gets all of the rate although its timer fires late, by up to half a chunk's time.
    #[test]
    fn late_timers_lose_nothing(
        bytes in prop_oneof![KIB..MIB, MIB..100 * MIB, 100 * MIB..4_000 * MIB],
        late in proptest::collection::vec(0.0f64..0.98, 50..51),
    ) {
        let rate = rate(bytes);
        let mut bucket = Bucket::of_bytes(rate, Duration::ZERO);
        let (mut now, mut granted) = (Duration::ZERO, 0);
        let most_late = Duration::from_secs_f64((chunk_bytes(rate) / 2) as f64 / bytes as f64);
        for round in 0..4_000 {
            match bucket.take(u64::MAX, now) {
                Ok(units) => granted += units,
                Err(pause) => now += pause + most_late.mul_f64(late[round % late.len()]),
            }
        }
        let share = now.as_secs_f64() * bytes as f64;
        prop_assert!(granted as f64 >= share * 0.99 - burst_bytes(rate) as f64, "{granted} of {share}");
    }

    #[test]
    fn giving_back_never_makes_more_than_there_was(
        bytes in 4 * KIB..100 * MIB,
        steps in proptest::collection::vec((0u64..50_000_000, 1u64..300_000, 0u64..300_000), 1..80),
    ) {
        let mut bucket = Bucket::of_bytes(rate(bytes), Duration::ZERO);
        let (mut now, mut net) = (Duration::ZERO, 0);
        for (pause, wanted, back) in steps {
            now += Duration::from_nanos(pause);
            if let Ok(units) = bucket.take(wanted, now) {
                bucket.give_back(back.min(units));
                net += u128::from(units - back.min(units));
            }
            let allowed = u128::from(bytes) * now.as_nanos() / 1_000_000_000 + u128::from(burst_bytes(rate(bytes)));
            prop_assert!(net <= allowed + 1);
        }
    }
}

#[test]
fn chunks_and_bursts() {
    assert_eq!(chunk_bytes(rate(KIB)), 4 * KIB);
    assert_eq!(chunk_bytes(rate(MIB)), MIB / 20);
    assert_eq!((chunk_bytes(rate(20 * MIB)), burst_bytes(rate(20 * MIB))), (256 * KIB, 256 * KIB));
    assert_eq!(burst_bytes(rate(1000 * MIB)), 5 * MIB);
}

/// Of a tunnel whose chunk is the smallest: two credits.
async fn spend_the_burst(tunnel: &Tunnel) {
    for _ in 0..2 {
        tunnel.take_bytes(2048).await.spend(2048);
    }
}

/// Runs takers side by side for a time and tells what was granted when.
async fn take_for(tunnel: &Tunnel, takers: usize, seconds: u64, wanted: impl Fn(usize) -> usize) -> Grants {
    let grants = Rc::new(RefCell::new(Grants::new()));
    let begin = Instant::now();
    let local = LocalSet::new();
    for taker in 0..takers {
        let (tunnel, grants, wanted) = (tunnel.clone(), Rc::clone(&grants), wanted(taker));
        local.spawn_local(async move {
            loop {
                let mut credit = tunnel.take_bytes(wanted).await;
                let bytes = credit.bytes();
                credit.spend(bytes);
                grants.borrow_mut().push((begin.elapsed(), bytes as u64));
            }
        });
    }
    let _ = timeout(Duration::from_secs(seconds), local).await;
    grants.take()
}

#[tokio::test(start_paused = true)]
async fn twenty_mebibytes_a_second_with_1_and_16_takers() {
    const RATE: u64 = 20 * MIB;
    for takers in [1, 16] {
        // Small and large objects mixed.
        let wanted = |taker| if taker % 2 == 0 { MAX_CHUNK_BYTES } else { 4096 };
        let grants = take_for(&limited(RATE), takers, 10, wanted).await;
        let sum: u64 = grants.iter().map(|(_, bytes)| bytes).sum();
        assert!(sum.abs_diff(10 * RATE) * 100 <= 10 * RATE, "{sum} bytes with {takers} takers");
        let second = most_in(Duration::from_secs(1), &grants);
        assert!(second * 100 <= RATE * 105, "{second} bytes in a second with {takers} takers");
        let tenth = most_in(Duration::from_millis(100), &grants);
        assert!(tenth <= RATE / 10 + 256 * KIB, "{tenth} bytes in 100 ms with {takers} takers");
    }
}

#[tokio::test(start_paused = true)]
async fn a_fast_and_a_very_slow_tunnel_keep_their_rate() {
    let grants = take_for(&limited(1000 * MIB), 4, 2, |_| MAX_CHUNK_BYTES).await;
    let sum: u64 = grants.iter().map(|(_, bytes)| bytes).sum();
    assert!(sum.abs_diff(2000 * MIB) * 100 <= 2000 * MIB, "{sum} bytes");

    let grants = take_for(&limited(KIB), 16, 600, |_| MAX_CHUNK_BYTES).await;
    let sum: u64 = grants.iter().map(|(_, bytes)| bytes).sum();
    assert!((600 * KIB - 2 * KIB..=600 * KIB + 4 * KIB).contains(&sum), "{sum} bytes");
    assert!(grants.iter().all(|(_, bytes)| *bytes == 2 * KIB));
}

#[tokio::test(start_paused = true)]
async fn fifty_requests_a_second_with_1_and_16_takers() {
    for takers in [1, 16] {
        let tunnel = Tunnel::new(Limits { max_bandwidth: None, max_requests_per_second: Some(requests(50)) });
        let grants = Rc::new(RefCell::new(Grants::new()));
        let begin = Instant::now();
        let local = LocalSet::new();
        for _ in 0..takers {
            let (tunnel, grants) = (tunnel.clone(), Rc::clone(&grants));
            local.spawn_local(async move {
                loop {
                    tunnel.take_request().await.spend();
                    grants.borrow_mut().push((begin.elapsed(), 1));
                }
            });
        }
        let _ = timeout(Duration::from_secs(10), local).await;
        let grants = grants.take();
        assert!(grants.len().abs_diff(500) <= 5, "{} requests", grants.len());
        assert!(most_in(Duration::from_secs(1), &grants) <= 52);
        assert!(most_in(Duration::from_millis(100), &grants) <= 6);
        assert_eq!(tunnel.usage().requests, grants.len() as u64);
    }
}

#[tokio::test(start_paused = true)]
async fn first_come_first_served_also_when_some_leave() {
    let tunnel = limited(KIB);
    spend_the_burst(&tunnel).await;
    let order = Rc::new(RefCell::new(Vec::new()));
    let local = LocalSet::new();
    let mut tasks = Vec::new();
    for number in 0..6 {
        let (tunnel, order) = (tunnel.clone(), Rc::clone(&order));
        tasks.push(local.spawn_local(async move {
            let mut credit = tunnel.take_bytes(1024).await;
            credit.spend(1024);
            order.borrow_mut().push(number);
        }));
    }
    let begin = Instant::now();
    local
        .run_until(async {
            sleep(Duration::from_millis(100)).await;
            assert_eq!(tunnel.usage().waiting, 6);
            // The first in line and one in the middle.
            tasks[0].abort();
            tasks[3].abort();
            for task in tasks {
                let _ = task.await;
            }
        })
        .await;
    assert_eq!(*order.borrow(), [1, 2, 4, 5]);
    // Nothing was lost with those who left, and nothing was granted twice.
    assert_eq!(begin.elapsed(), Duration::from_secs(4));
    let spent = (4 + 4) * KIB;
    assert_eq!(
        tunnel.usage(),
        Usage { granted_bytes: spent, spent_bytes: spent, requests: 0, waiting: 0, ..tunnel.usage() }
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_not_spent_is_given_back_to_whoever_waits() {
    let tunnel = limited(KIB);
    let mut kept = tunnel.take_bytes(2048).await;
    kept.spend(512);
    let rest = tunnel.take_bytes(2048).await;
    assert_eq!((kept.bytes(), rest.bytes()), (1536, 2048));
    let begin = Instant::now();
    let wait = tunnel.take_bytes(2048);
    let give = async {
        sleep(Duration::from_millis(10)).await;
        drop(rest);
    };
    let (credit, ()) = tokio::join!(wait, give);
    assert_eq!(begin.elapsed(), Duration::from_millis(10));
    drop(credit);
    drop(kept);
    assert_eq!(
        tunnel.usage(),
        Usage { granted_bytes: 512, spent_bytes: 512, requests: 0, waiting: 0, ..tunnel.usage() }
    );
    // It never holds more than a burst, whatever comes back.
    sleep(Duration::from_secs(60)).await;
    let begin = Instant::now();
    for _ in 0..3 {
        let mut credit = tunnel.take_bytes(2048).await;
        credit.spend(2048);
    }
    assert_eq!(begin.elapsed(), Duration::from_secs(2));
}

#[tokio::test(start_paused = true)]
async fn limits_change_at_once_for_those_in_line_too() {
    let tunnel = limited(KIB);
    spend_the_burst(&tunnel).await;
    let begin = Instant::now();
    let change = async {
        sleep(Duration::from_millis(20)).await;
        tunnel.set_limits(Limits { max_bandwidth: Some(rate(100 * MIB)), ..Limits::default() });
    };
    let (credit, ()) = tokio::join!(tunnel.take_bytes(2048), change);
    drop(credit);
    assert!(begin.elapsed() < Duration::from_millis(23), "{:?}", begin.elapsed());

    tunnel.set_limits(Limits::default());
    assert_eq!(tunnel.take_bytes(usize::MAX).await.bytes(), MAX_CHUNK_BYTES);
    // Where there was no limit nothing was saved up.
    tunnel.set_limits(Limits { max_bandwidth: Some(rate(KIB)), ..Limits::default() });
    let begin = Instant::now();
    let credit = tunnel.take_bytes(1024).await;
    assert_eq!(begin.elapsed(), Duration::from_secs(1));
    drop(credit);
}

#[tokio::test(start_paused = true)]
async fn lifting_a_limit_frees_everybody_in_line() {
    let tunnel = limited(1);
    spend_the_burst(&tunnel).await;
    let take = async || drop(tunnel.take_bytes(2048).await);
    let lift = async {
        sleep(Duration::from_secs(1)).await;
        tunnel.set_limits(Limits::default());
    };
    let begin = Instant::now();
    tokio::join!(take(), take(), take(), lift);
    assert_eq!(begin.elapsed(), Duration::from_secs(1));
}
