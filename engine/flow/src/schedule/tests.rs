//! Rounds and windows, against a plain model of a day and at the clocks' changes.

use std::{num::NonZeroU32, time::Duration};

use jiff::{
    civil::{Time, time},
    tz::TimeZone,
};
use proptest::prelude::*;

use super::*;

const MINUTES: u16 = 24 * 60;

/// The rules of Berlin, wherever the tests run.
fn berlin() -> TimeZone {
    TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").expect("a time zone")
}

fn at(text: &str) -> SystemTime {
    text.parse::<Timestamp>().expect("a time").into()
}

fn shown(time: Option<SystemTime>) -> String {
    time.map_or("none".to_owned(), |time| Timestamp::try_from(time).expect("a time").to_string())
}

fn window(start: (i8, i8), end: (i8, i8)) -> Window {
    Window { start: time(start.0, start.1, 0, 0), end: time(end.0, end.1, 0, 0) }
}

fn nightly() -> Schedule {
    Schedule { windows: vec![window((22, 0), (6, 0))], ..Schedule::default() }
}

fn hourly() -> Schedule {
    Schedule { every: Some(Duration::from_secs(3600)), ..Schedule::default() }
}

fn round(number: u32, start: &str) -> Option<Round> {
    Some(Round { number, start: at(start) })
}

#[test]
fn without_a_schedule_there_is_one_round_at_once() {
    let (now, schedule) = (at("2024-01-01T12:00:00Z"), Schedule::default());
    assert_eq!(next_start(now, None, &schedule), Some(now));
    assert_eq!(next_start(now, Some(Round { number: 1, start: now }), &schedule), None);
    assert_eq!(window_end(now, &schedule), None);
}

#[test]
fn rounds_follow_from_start_to_start() {
    let next = |now: &str, last| shown(next_start(at(now), last, &hourly()));
    assert_eq!(next("2024-01-01T12:10:00Z", round(1, "2024-01-01T12:00:00Z")), "2024-01-01T13:00:00Z");
    // One that took longer, or slept through several, is followed at once and once.
    assert_eq!(next("2024-01-01T17:10:00Z", round(1, "2024-01-01T12:00:00Z")), "2024-01-01T17:10:00Z");
    // A clock put back by a year doesn't stop the rounds for a year.
    assert_eq!(next("2023-01-01T12:10:00Z", round(1, "2024-01-01T12:00:00Z")), "2023-01-01T13:10:00Z");
}

#[test]
fn rounds_end_after_their_number() {
    let schedule = Schedule { rounds: NonZeroU32::new(24), ..hourly() };
    let next = |number| next_start(at("2024-01-01T12:10:00Z"), round(number, "2024-01-01T12:00:00Z"), &schedule);
    assert!(next(23).is_some());
    assert_eq!((next(24), next(25)), (None, None));
}

#[test]
fn a_round_waits_for_its_window() {
    let next = |now: &str| shown(next_start(at(now), None, &nightly()));
    assert_eq!(next("2024-01-01T12:00:00Z"), "2024-01-01T22:00:00Z");
    assert_eq!(next("2024-01-01T22:00:00Z"), "2024-01-01T22:00:00Z");
    assert_eq!(next("2024-01-01T05:59:59.999999999Z"), "2024-01-01T05:59:59.999999999Z");
    assert_eq!(next("2024-01-01T06:00:00Z"), "2024-01-01T22:00:00Z");
    let schedule = Schedule { windows: nightly().windows, ..hourly() };
    let last = round(7, "2024-01-01T05:30:00Z");
    assert_eq!(shown(next_start(at("2024-01-01T05:40:00Z"), last, &schedule)), "2024-01-01T22:00:00Z");
}

#[test]
fn a_window_ends_and_windows_that_touch_are_one() {
    let end = |now: &str, schedule: &Schedule| shown(window_end(at(now), schedule));
    assert_eq!(end("2024-01-01T23:00:00Z", &nightly()), "2024-01-02T06:00:00Z");
    assert_eq!(end("2024-01-01T03:00:00Z", &nightly()), "2024-01-01T06:00:00Z");
    assert_eq!(end("2024-01-01T12:00:00Z", &nightly()), "2024-01-01T12:00:00Z");
    let touching =
        [window((4, 0), (8, 30)), window((22, 0), (6, 0)), window((8, 30), (9, 0)), window((10, 0), (11, 0))];
    let schedule = Schedule { windows: touching.into(), ..Schedule::default() };
    assert_eq!(end("2024-01-01T23:00:00Z", &schedule), "2024-01-02T09:00:00Z");
    for windows in [vec![window((0, 0), (0, 0))], vec![window((6, 0), (18, 0)), window((18, 0), (6, 0))]] {
        let schedule = Schedule { windows, ..Schedule::default() };
        assert_eq!(end("2024-01-01T23:00:00Z", &schedule), "none", "it never closes");
    }
}

#[test]
fn windows_follow_the_clocks_of_their_zone() {
    let schedule = Schedule { timezone: berlin(), ..nightly() };
    let start = |now: &str| shown(opening(at(now), &schedule));
    let end = |now: &str| shown(window_end(at(now), &schedule));
    assert_eq!((start("2024-01-10T12:00:00Z"), end("2024-01-10T22:00:00Z")).0, "2024-01-10T21:00:00Z");
    assert_eq!(start("2024-07-10T12:00:00Z"), "2024-07-10T20:00:00Z");
    // The short night and the long one.
    assert_eq!(end("2024-03-30T22:00:00Z"), "2024-03-31T04:00:00Z");
    assert_eq!(end("2024-10-26T21:00:00Z"), "2024-10-27T05:00:00Z");
    // The clocks jump from two to three on the 31st: over the whole of this window.
    let jumped = Schedule { windows: vec![window((2, 50), (3, 10))], timezone: berlin(), ..Schedule::default() };
    assert_eq!(shown(opening(at("2024-03-30T12:00:00Z"), &jumped)), "2024-04-01T00:50:00Z");
}

fn minute(minute: u16) -> Time {
    let part = |number: u16| i8::try_from(number).expect("below 60");
    time(part(minute / 60), part(minute % 60), 0, 0)
}

fn schedules(timezone: TimeZone) -> impl Strategy<Value = Schedule> {
    let window = (0..MINUTES, 0..MINUTES).prop_map(|(start, end)| Window { start: minute(start), end: minute(end) });
    let every = prop::option::of((1_u64..100_000).prop_map(Duration::from_secs));
    (prop::collection::vec(window, 0..4), every, prop::option::of(1_u32..9)).prop_map(
        move |(windows, every, rounds)| Schedule {
            every,
            rounds: rounds.and_then(NonZeroU32::new),
            windows,
            timezone: timezone.clone(),
        },
    )
}

/// Any second from 2024 to 2030.
fn moments() -> impl Strategy<Value = SystemTime> {
    (1_704_067_200_u64..1_893_456_000).prop_map(|seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
}

/// By the clock on the wall, and nothing else.
fn is_open(moment: SystemTime, schedule: &Schedule) -> bool {
    let now = schedule.timezone.to_datetime(Timestamp::try_from(moment).expect("a time")).time();
    let holds = |window: &Window| match window {
        Window { start, end } if end <= start => now >= *start || now < *end,
        Window { start, end } => (*start..*end).contains(&now),
    };
    schedule.windows.is_empty() || schedule.windows.iter().any(holds)
}

/// The minutes strictly between two moments, and the first moment itself.
fn minutes(from: SystemTime, to: SystemTime) -> impl Iterator<Item = SystemTime> {
    std::iter::successors(Some(from), |time| Some(*time + Duration::from_secs(60))).take_while(move |time| *time < to)
}

proptest! {
    /// In UTC the wall knows everything: open from the opening to the end, and shut before and after.
    #[test]
    fn windows_are_as_the_clock_says(schedule in schedules(TimeZone::UTC), now in moments()) {
        let start = opening(now, &schedule).expect("an opening");
        prop_assert!(start >= now && is_open(start, &schedule));
        prop_assert!(minutes(now, start).all(|minute| !is_open(minute, &schedule)));
        match window_end(start, &schedule) {
            Some(end) => {
                prop_assert!(end > start && !is_open(end, &schedule));
                prop_assert!(minutes(start, end).all(|minute| is_open(minute, &schedule)));
            }
            None => {
                let week = start + Duration::from_secs(7 * 86_400);
                prop_assert!(minutes(start, week).all(|minute| is_open(minute, &schedule)));
            }
        }
        prop_assert_eq!(window_end(now, &schedule) == Some(now), !is_open(now, &schedule));
    }

    /// Where clocks change: what opens is open, and what ends is shut.
    #[test]
    fn windows_hold_together_in_any_zone(schedule in schedules(berlin()), now in moments()) {
        let start = opening(now, &schedule).expect("an opening");
        prop_assert!(start >= now);
        prop_assert!(start <= now + Duration::from_secs(3 * 86_400), "a window opens every day but one");
        if let Some(end) = window_end(start, &schedule) {
            prop_assert!(end > start);
            prop_assert_eq!(window_end(end, &schedule), Some(end));
            prop_assert!(opening(end, &schedule).expect("an opening") > end);
        }
    }

    #[test]
    fn a_round_starts_when_it_is_due_and_may(schedule in schedules(berlin()), now in moments(), ago in 0_u64..200_000, number in 1_u32..9) {
        let last = Round { number, start: now - Duration::from_secs(ago) };
        let has_next = schedule.every.is_some() && schedule.rounds.is_none_or(|rounds| number < rounds.get());
        let next = next_start(now, Some(last), &schedule);
        prop_assert_eq!(next.is_some(), has_next);
        if let (Some(next), Some(every)) = (next, schedule.every) {
            let due = (last.start + every).max(now);
            prop_assert!(next >= due);
            prop_assert_eq!(Some(next), opening(due, &schedule));
            prop_assert!(window_end(next, &schedule) != Some(next));
        }
    }
}
