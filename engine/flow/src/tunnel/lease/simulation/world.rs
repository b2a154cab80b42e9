//! The world of one history: a ledger, agents, messages on their way, and what happens to them. Checks
//! the first property at every step.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    num::{NonZeroU32, NonZeroU64},
    time::Duration,
};

use super::{
    Chance,
    agent::{Agent, Clock},
    flaw::{Allocator, Flaw},
};
use crate::{
    rules::{ByteRate, Limits, RequestRate},
    tunnel::{
        bucket::burst_bytes,
        lease::{Both, Definition, Holder, LOOK, Rate, Record, THOUSANDTHS, TIME_TO_LIVE, record::Budget},
    },
};

/// Between two looks at what everybody moves.
const STEP: Duration = Duration::from_millis(50);
/// Between two things that happen in a storm.
const ACTS: (u64, u64) = (50_000, 600_000);
/// Clocks are at most half of 1 % from the truth.
const DRIFT: u64 = 5_000;
/// How long an agent waits for the ledger.
const PATIENCE: Duration = Duration::from_secs(1);
const TRIES: u32 = 4;
const MIB: u64 = 1 << 20;

/// Which property doesn't hold.
#[derive(Debug)]
#[allow(dead_code, reason = "shown when a history fails")]
pub(super) enum Broken {
    Rates { at: Duration, budget: Budget, sum: u64, allowed: u64 },
    Window { at: Duration, excess: f64, bursts: u64 },
    Alone { rate: u64, of: u64 },
    Unfair { rates: Vec<(u64, u32)>, limit: u64 },
}

/// What comes to pass, in order of its time.
enum Event {
    Look { agent: usize, awaits: u64 },
    Reads { agent: usize, awaits: u64 },
    Read { agent: usize, awaits: u64, record: Box<Record>, version: u64 },
    Swaps { agent: usize, awaits: u64, record: Box<Record>, version: u64 },
    Swapped { agent: usize, awaits: u64, done: bool },
    Impatient { agent: usize, awaits: u64 },
    Step,
    Act,
}

pub(super) struct World {
    flaw: Option<Flaw>,
    chance: Chance,
    now: Duration,
    record: Record,
    version: u64,
    agents: Vec<Agent>,
    /// Time, number, event: events are compared by the first two.
    queue: BinaryHeap<Reverse<(Duration, u64)>>,
    events: std::collections::HashMap<u64, Event>,
    number: u64,
    is_stormy: bool,
    /// Earlier limits, and until when old leases may have them.
    outgoing: Vec<(Duration, Limits)>,
    /// Bytes above the limit's share in the worst window that ends now.
    excess: f64,
    started: u64,
    largest_burst: u64,
}

// === impl World ===

impl World {
    pub(super) fn new(seed: u64, flaw: Option<Flaw>) -> Self {
        let mut chance = Chance(seed);
        let agents: Vec<Agent> = (0..chance.between(2, 5)).map(|number| agent(number, &mut chance)).collect();
        let mut definition = Definition::plain(limits(&mut chance));
        definition.floor = chance.percent(30).then_some(ByteRate(NonZeroU64::new(MIB / 2).expect("not nothing")));
        for agent in agents.iter().filter(|agent| agent.keeps_floor) {
            let weight = u32::try_from(chance.between(1, 4)).expect("small");
            definition.weights.insert(agent.name.clone(), NonZeroU32::new(weight).expect("not nothing"));
        }
        let mut world = Self {
            flaw,
            chance,
            now: Duration::ZERO,
            record: Record::new(definition),
            version: 1,
            agents,
            queue: BinaryHeap::new(),
            events: std::collections::HashMap::new(),
            number: 0,
            is_stormy: true,
            outgoing: Vec::new(),
            excess: 0.0,
            started: 0,
            largest_burst: 0,
        };
        world.note_burst();
        world.after(STEP, Event::Step);
        world.after(Duration::ZERO, Event::Act);
        (0..world.agents.len()).for_each(|agent| world.join(agent));
        world
    }

    pub(super) fn storm(&mut self, time: Duration) -> Result<(), Broken> {
        self.run_for(time)
    }

    /// Everything works from now on, and everybody is there.
    pub(super) fn calm(&mut self) {
        self.is_stormy = false;
        for agent in 0..self.agents.len() {
            let it = &mut self.agents[agent];
            (it.cut, it.frozen) = (Duration::ZERO, Duration::ZERO);
            if it.allocator.is_none() {
                self.join(agent);
            } else {
                // What waited until it would move again is overtaken.
                self.rest(agent);
            }
        }
    }

    pub(super) fn run_for(&mut self, time: Duration) -> Result<(), Broken> {
        let end = self.now + time;
        while let Some(Reverse((at, number))) = self.queue.peek().copied().filter(|next| next.0.0 <= end) {
            self.queue.pop();
            self.now = self.now.max(at);
            let event = self.events.remove(&number).expect("queued");
            self.happen(event)?;
        }
        self.now = end;
        Ok(())
    }

    pub(super) fn leave_one_busy(&mut self) -> usize {
        let last = self.agents.len() as u64 - 1;
        let alone = usize::try_from(self.chance.between(0, last)).expect("small");
        self.agents.iter_mut().enumerate().for_each(|(number, agent)| agent.is_busy = number == alone);
        alone
    }

    pub(super) fn all_busy(&mut self) {
        self.agents.iter_mut().for_each(|agent| agent.is_busy = true);
    }

    /// 95 % of what isn't reserved for others.
    pub(super) fn has_nearly_all(&self, alone: usize) -> Result<(), Broken> {
        let limit = bytes_of(self.record.definition.limits);
        let floor = self.record.definition.floor.map_or(0, |floor| floor.0.get());
        let keepers = self.agents.iter().enumerate().filter(|(number, agent)| *number != alone && agent.keeps_floor);
        let of = limit - floor * keepers.count() as u64;
        let rate = self.agents[alone].rate(self.now).bytes.units();
        if rate.saturating_mul(100) < of * 95 { Err(Broken::Alone { rate, of }) } else { Ok(()) }
    }

    pub(super) fn shares_are_fair(&self) -> Result<(), Broken> {
        let weight = |agent: &Agent| self.record.definition.weights.get(&agent.name).map_or(1, |weight| weight.get());
        let rates = self.agents.iter().map(|agent| (agent.rate(self.now).bytes.units(), weight(agent)));
        let rates: Vec<(u64, u32)> = rates.collect();
        let limit = bytes_of(self.record.definition.limits);
        let weights: u64 = rates.iter().map(|(_, weight)| u64::from(*weight)).sum();
        let is_fair = rates.iter().all(|(rate, weight)| {
            let share = limit * u64::from(*weight) / weights;
            rate.abs_diff(share) * 100 <= share * 5
        });
        if is_fair { Ok(()) } else { Err(Broken::Unfair { rates, limit }) }
    }

    fn after(&mut self, time: Duration, event: Event) {
        self.number += 1;
        self.queue.push(Reverse((self.now + time, self.number)));
        self.events.insert(self.number, event);
    }

    fn happen(&mut self, event: Event) -> Result<(), Broken> {
        if let Some(until) = self.frozen_until(&event) {
            self.after(until - self.now, event);
            return Ok(());
        }
        match event {
            Event::Look { agent, awaits } if self.is_awaited(agent, awaits) => self.look(agent),
            Event::Reads { agent, awaits } => {
                let (record, version) = (Box::new(self.record.clone()), self.version);
                self.send(agent, Event::Read { agent, awaits, record, version });
            }
            Event::Read { agent, awaits, record, version } if self.is_awaited(agent, awaits) => {
                self.read(agent, &record, version);
            }
            Event::Swaps { agent, awaits, record, version } => {
                let done = version == self.version;
                if done {
                    self.record = *record;
                    self.version += 1;
                }
                self.send(agent, Event::Swapped { agent, awaits, done });
            }
            Event::Swapped { agent, awaits, done } if self.is_awaited(agent, awaits) => self.swapped(agent, done),
            Event::Impatient { agent, awaits } if self.is_awaited(agent, awaits) => self.rest(agent),
            Event::Step => return self.step(),
            Event::Act if self.is_stormy => self.act(),
            _ => {}
        }
        Ok(())
    }

    /// What concerns an agent that stands still has to wait.
    fn frozen_until(&self, event: &Event) -> Option<Duration> {
        let agent = match event {
            Event::Look { agent, .. } | Event::Read { agent, .. } => agent,
            Event::Swapped { agent, .. } | Event::Impatient { agent, .. } => agent,
            _ => return None,
        };
        Some(self.agents[*agent].frozen).filter(|until| *until > self.now)
    }

    fn is_awaited(&self, agent: usize, awaits: u64) -> bool {
        self.agents[agent].allocator.is_some() && self.agents[agent].awaits == awaits
    }

    /// To the ledger or from it: late, or never.
    fn send(&mut self, agent: usize, event: Event) {
        let mut delay = self.chance.micros(500, 20_000);
        if self.is_stormy {
            if self.agents[agent].cut > self.now || self.chance.percent(3) {
                return;
            }
            if self.chance.percent(6) {
                delay = self.chance.micros(20_000, 4_000_000);
            }
        }
        self.after(delay, event);
    }

    fn look(&mut self, agent: usize) {
        let it = &mut self.agents[agent];
        it.awaits += 1;
        let awaits = it.awaits;
        self.after(PATIENCE, Event::Impatient { agent, awaits });
        self.send(agent, Event::Reads { agent, awaits });
    }

    fn read(&mut self, agent: usize, record: &Record, version: u64) {
        let (now, it) = (self.now, &mut self.agents[agent]);
        let (wants, local, name, awaits) = (it.wants(), it.clock.at(now), it.name.clone(), it.awaits);
        let next = it.allocator.as_mut().and_then(|allocator| allocator.look(&name, record, wants, local));
        it.relet(now);
        match next {
            Some(next) => self.send(agent, Event::Swaps { agent, awaits, record: Box::new(next), version }),
            None => self.rest(agent),
        }
    }

    fn swapped(&mut self, agent: usize, done: bool) {
        let (now, it) = (self.now, &mut self.agents[agent]);
        if done {
            let local = it.clock.at(now);
            it.allocator.as_mut().expect("awaited").granted(local);
            it.relet(now);
        } else if it.tries < TRIES {
            it.tries += 1;
            return self.look(agent);
        }
        self.rest(agent);
    }

    /// Until the next look.
    fn rest(&mut self, agent: usize) {
        let it = &mut self.agents[agent];
        it.awaits += 1;
        it.tries = 0;
        let awaits = it.awaits;
        self.after(LOOK, Event::Look { agent, awaits });
    }

    fn join(&mut self, agent: usize) {
        let (sequence, flaw, now) = (self.chance.next() >> 1, self.flaw, self.now);
        let it = &mut self.agents[agent];
        if !it.keeps_floor {
            // Another process has another name.
            it.name = format!("{}-{sequence:x}", it.name.split('-').next().unwrap_or_default());
        }
        let holder = Holder::new(it.name.clone(), it.keeps_floor, sequence);
        it.start(Allocator::new(holder, flaw), now);
        let awaits = it.awaits;
        self.started += 1;
        self.after(Duration::ZERO, Event::Look { agent, awaits });
    }

    fn act(&mut self) {
        let last = self.agents.len() as u64 - 1;
        let agent = usize::try_from(self.chance.between(0, last)).expect("small");
        let (long, now) = (self.chance.micros(200_000, 6_000_000), self.now);
        let is_running = self.agents[agent].allocator.is_some();
        match self.chance.between(0, 6) {
            0 if is_running => self.leave(agent),
            1 if is_running => self.agents[agent].allocator = None,
            2 => self.agents[agent].frozen = now + long,
            3 => self.agents[agent].cut = now + long,
            4 => self.edit(),
            5 => self.agents[agent].is_busy = !self.agents[agent].is_busy,
            _ if !is_running => self.join(agent),
            _ => {}
        }
        let pause = self.chance.micros(ACTS.0, ACTS.1);
        self.after(pause, Event::Act);
    }

    /// In order: it uses nothing any more, and says so.
    fn leave(&mut self, agent: usize) {
        let (record, version) = (self.record.clone(), self.version);
        let it = &mut self.agents[agent];
        let awaits = it.awaits;
        let next = it.allocator.take().and_then(|mut allocator| allocator.leave(&record));
        if let Some(next) = next {
            self.send(agent, Event::Swaps { agent, awaits, record: Box::new(next), version });
        }
    }

    fn edit(&mut self) {
        // The slowest clock takes half of 1 % longer over a time to live.
        let until = self.now + TIME_TO_LIVE + TIME_TO_LIVE / 190;
        self.outgoing.push((until, self.record.definition.limits));
        self.record.definition.limits = limits(&mut self.chance);
        self.version += 1;
        self.note_burst();
    }

    fn note_burst(&mut self) {
        let burst = self.record.definition.limits.max_bandwidth.map_or(0, burst_bytes);
        self.largest_burst = self.largest_burst.max(burst);
    }

    fn step(&mut self) -> Result<(), Broken> {
        let now = self.now;
        self.outgoing.retain(|(until, _)| *until + STEP > now);
        let all = || self.outgoing.iter().map(|(_, limits)| *limits).chain([self.record.definition.limits]);
        let bytes = all().map(bytes_of).max().unwrap_or_default();
        let requests = all().map(requests_of).max().unwrap_or_default();
        let allowed = Both { bytes: Rate::of(bytes), requests: Rate::of(requests) };
        for budget in [Budget::Bytes, Budget::Requests] {
            let rates = self.agents.iter().map(|agent| agent.rate(now).of(budget).units());
            let (sum, allowed) = (rates.fold(0, u64::saturating_add), allowed.of(budget).units());
            if sum > allowed {
                return Err(Broken::Rates { at: now, budget, sum, allowed });
            }
        }
        let moved: u64 = self.agents.iter_mut().map(|agent| agent.moved(now)).sum();
        // A clock that's fast makes its own seconds.
        let seconds = STEP.as_secs_f64() * (1.0 + as_float(DRIFT) / 1e6);
        self.excess = (self.excess + as_float(moved) - as_float(bytes) * seconds).max(0.0);
        let bursts = self.started * self.largest_burst;
        if self.excess > as_float(bursts) {
            return Err(Broken::Window { at: now, excess: self.excess, bursts });
        }
        self.after(STEP, Event::Step);
        Ok(())
    }
}

#[allow(clippy::cast_precision_loss, reason = "bytes of seconds are far below 2^53")]
fn as_float(number: u64) -> f64 {
    number as f64
}

fn agent(number: u64, chance: &mut Chance) -> Agent {
    let drift = i64::try_from(chance.between(0, 2 * DRIFT)).expect("small") - i64::try_from(DRIFT).expect("small");
    let clock = Clock { offset: chance.micros(0, 1_000_000_000), drift };
    Agent::new(format!("agent{number}"), chance.percent(50), clock)
}

fn limits(chance: &mut Chance) -> Limits {
    let bytes = NonZeroU64::new(chance.between(4, 40) * MIB);
    let requests = NonZeroU32::new(u32::try_from(chance.between(1, 300)).expect("small"));
    Limits { max_bandwidth: bytes.map(ByteRate), max_requests_per_second: requests.map(RequestRate) }
}

fn bytes_of(limits: Limits) -> u64 {
    limits.max_bandwidth.map_or(0, |rate| rate.0.get())
}

fn requests_of(limits: Limits) -> u64 {
    limits.max_requests_per_second.map_or(0, |rate| u64::from(rate.0.get()) * THOUSANDTHS)
}
