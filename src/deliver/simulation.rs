//! Messages on their way while NATS comes and goes, in simulated time: connected, unknown, spooled, draining, acknowledged.
//!
//! What decides is what runs: `Course`, `Circuit` and `Lanes`. The server and the network are models; the spool keeps what it
//! took, which its own model proves. A failing history shrinks to a minimal one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::circuit::Circuit;
use super::course::{Course, Late, Next};
use super::lanes::{After, Lanes, Probe};
use super::spool::{AppendError, Position};
use super::{Outcome, Unavailable};
use crate::deadline::{Deadline, SHARE};

const STREAM: &str = "WEBHOOKS";
const DEADLINE: Duration = Duration::from_secs(4);
const STEP: Duration = Duration::from_millis(10);
/// As the drain has them.
const WINDOW: usize = 64;
const AWAY: Duration = Duration::from_millis(200);

/// The way to the server and back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Net {
    Fair,
    /// Acknowledgements are lost.
    Deaf,
    /// Everything is lost.
    Hole,
    /// The stream has no leader.
    Leaderless,
    /// There is no connection.
    Away,
}

#[derive(Clone, Debug)]
enum Act {
    /// A delivery of a source that may wait, or may not: a new one, or one sent again.
    Deliver {
        spools: bool,
        again: Option<u8>,
    },
    Net(Net),
    /// How long the server takes, in steps.
    Slow(u8),
    /// The disk is full, or not.
    Full(bool),
    /// So many steps pass.
    Wait(u8),
    /// The process is killed and starts again.
    Kill,
}

/// A message that was published and what will come of it, and when.
struct Flight {
    until: Instant,
    begun: Instant,
    result: Result<Outcome, Unavailable>,
}

struct Request {
    id: u64,
    spools: bool,
    begun: Instant,
    /// The spool had no place for it.
    full: bool,
    course: Course,
    flight: Option<Flight>,
}

struct Try {
    at: Position,
    probe: Probe,
    flight: Flight,
}

struct World {
    now: Instant,
    begun: Instant,
    net: Net,
    takes: Duration,
    full: bool,
    next: u64,
    /// What the stream holds: each id once, for it knows its ids.
    stored: BTreeSet<u64>,
    /// What lies in the spool: by position.
    spool: BTreeMap<u64, u64>,
    appended: u64,
    read: u64,
    acknowledged: BTreeSet<u64>,
    circuit: Circuit,
    lanes: Lanes,
    requests: Vec<Request>,
    tries: Vec<Try>,
    after: Option<Instant>,
}

impl World {
    fn new() -> Self {
        let now = Instant::now();
        Self {
            now,
            begun: now,
            net: Net::Fair,
            takes: STEP,
            full: false,
            next: 0,
            stored: BTreeSet::new(),
            spool: BTreeMap::new(),
            appended: 0,
            read: 0,
            acknowledged: BTreeSet::new(),
            circuit: Circuit::default(),
            lanes: Lanes::default(),
            requests: Vec::new(),
            tries: Vec::new(),
            after: None,
        }
    }

    fn millis(&self) -> u64 {
        u64::try_from((self.now - self.begun).as_millis()).unwrap()
    }

    fn is_diverted(&self) -> bool {
        self.circuit.is_diverted() && !self.spool.is_empty()
    }

    /// A message goes out, or cannot.
    fn publish(&mut self, id: u64, by: Instant) -> Flight {
        let at = |until, result| Flight { until, begun: self.now, result };
        if self.net == Net::Away {
            return at(self.now, Err(Unavailable::Disconnected));
        }
        if !self.circuit.lets_through(self.millis()) {
            return at(self.now, Err(Unavailable::Unresponsive));
        }
        let late = self.now + self.takes > by;
        match self.net {
            Net::Leaderless => at(by, Err(Unavailable::NoResponders)),
            Net::Hole | Net::Away => at(by, Err(Unavailable::TimedOut)),
            Net::Fair | Net::Deaf => {
                let stream: Arc<str> = STREAM.into();
                let outcome = match self.stored.insert(id) {
                    true => Outcome::Stored { stream, sequence: id },
                    false => Outcome::Duplicate { stream, sequence: id },
                };
                let lost = late || self.net == Net::Deaf;
                let flight = at(self.now + self.takes, Ok(outcome));
                if lost { Flight { until: by, result: Err(Unavailable::TimedOut), ..flight } } else { flight }
            }
        }
    }

    /// What the publishing tells the circuit.
    fn tell(&self, flight: &Flight) {
        match &flight.result {
            Ok(outcome) => {
                let stored = matches!(outcome, Outcome::Stored { .. });
                self.circuit.answered(stored && self.now - flight.begun <= SHARE);
            }
            Err(Unavailable::TimedOut) => self.circuit.missed(self.millis()),
            Err(_) => {}
        }
    }

    fn deliver(&mut self, spools: bool, again: Option<u8>) {
        let id = match again {
            Some(back) if self.next > 0 => self.next - 1 - u64::from(back) % self.next,
            _ => {
                self.next += 1;
                self.next - 1
            }
        };
        let diverted = spools && self.is_diverted();
        let course = Course::new(Deadline::from(self.now, DEADLINE), spools, diverted);
        let request = Request { id, spools, begun: self.now, full: false, course, flight: None };
        if let Some(request) = self.drive(request) {
            assert!(!diverted || request.full, "who goes around waits for nobody");
            self.requests.push(request);
        }
    }

    /// Takes steps until it waits or is answered.
    fn drive(&mut self, mut request: Request) -> Option<Request> {
        loop {
            match request.course.next() {
                Next::Publish(by) => {
                    let flight = self.publish(request.id, by);
                    request.flight = Some(flight);
                    if let Err(kept) = self.landed(&mut request) {
                        return kept.then_some(request);
                    }
                }
                Next::Spool => {
                    request.full = self.full;
                    let result = if self.full { Err(AppendError::Full) } else { Ok(()) };
                    if result.is_ok() {
                        self.spool.insert(self.appended, request.id);
                        self.appended += 1;
                    }
                    request.course.spooled(result);
                }
                Next::End((result, _)) => {
                    let took = self.now - request.begun;
                    assert!(took <= DEADLINE, "answered after {took:?}");
                    match result {
                        Ok(_) => drop(self.acknowledged.insert(request.id)),
                        Err(error) => assert!(!request.spools || request.full, "refused although it may wait: {error}"),
                    }
                    return None;
                }
            }
        }
    }

    /// Hands over what came of a publish, where it is time: `Err(true)` while it is not.
    fn landed(&mut self, request: &mut Request) -> Result<(), bool> {
        let Some(flight) = request.flight.take_if(|flight| flight.until <= self.now) else { return Err(true) };
        self.tell(&flight);
        match request.course.published((flight.result, false)) {
            Some(Late::Stream | Late::Way) => self.circuit.divert(),
            None => {}
        }
        Ok(())
    }

    fn pass(&mut self) {
        self.now += STEP;
        for mut request in std::mem::take(&mut self.requests) {
            let kept = match self.landed(&mut request) {
                Ok(()) => self.drive(request),
                Err(_) => Some(request),
            };
            self.requests.extend(kept);
        }
        for Try { at, probe, flight } in
            self.tries.extract_if(.., |one| one.flight.until <= self.now).collect::<Vec<_>>()
        {
            self.tell(&flight);
            let after = After::of(&flight.result, probe.stuck.map_or(Duration::ZERO, |since| self.now - since));
            self.lanes.settle(&at, &probe, after, self.now - flight.begun, self.now);
            match after {
                After::Done => drop(self.spool.remove(&at.offset())),
                After::Reconnected => self.after = Some(self.now + AWAY),
                After::Held | After::Stuck => {}
                After::Declined | After::Refused | After::Unowned => panic!("nothing refuses it"),
            }
        }
        self.drain();
        for id in &self.acknowledged {
            let held = self.stored.contains(id) || self.spool.values().any(|waits| waits == id);
            assert!(held, "{id} was acknowledged and is nowhere");
        }
    }

    fn drain(&mut self) {
        if self.net == Net::Away || self.after.is_some_and(|after| after > self.now) {
            return;
        }
        while self.tries.len() < WINDOW {
            let name = Arc::from(STREAM);
            let next = self.lanes.next(self.now).or_else(|| {
                while self.read < self.appended {
                    let at = Position::new(1, self.read..self.read + 1);
                    self.read += 1;
                    if self.spool.contains_key(&at.offset())
                        && let Some(probe) = self.lanes.enter(&name, self.circuit.is_diverted(), &at, self.now)
                    {
                        return Some((at, probe));
                    }
                }
                None
            });
            let Some((at, probe)) = next else { return };
            let flight = self.publish(self.spool[&at.offset()], self.now + probe.patience);
            self.tries.push(Try { at, probe, flight });
        }
    }

    fn act(&mut self, act: &Act) {
        match *act {
            Act::Deliver { spools, again } => self.deliver(spools, again),
            Act::Net(net) => {
                if net == Net::Away {
                    // Who waited is told that the outcome is unknown.
                    let (now, lost) = (self.now, Err(Unavailable::TimedOut));
                    let flights = self.requests.iter_mut().filter_map(|request| request.flight.as_mut());
                    for flight in flights.chain(self.tries.iter_mut().map(|one| &mut one.flight)) {
                        (flight.until, flight.result) = (now, lost.clone());
                    }
                }
                self.net = net;
            }
            Act::Slow(steps) => self.takes = STEP * u32::from(steps),
            Act::Full(full) => self.full = full,
            Act::Wait(steps) => (0..steps).for_each(|_| self.pass()),
            Act::Kill => {
                (self.requests, self.tries) = Default::default();
                (self.circuit, self.lanes) = Default::default();
                (self.read, self.after) = (0, None);
            }
        }
    }

    /// Once all is well again everything arrives, and what comes next goes straight to its stream.
    fn heals(&mut self) {
        (self.net, self.takes, self.full) = (Net::Fair, STEP, false);
        let well = self.now;
        while !(self.spool.is_empty() && self.requests.is_empty()) {
            assert!(self.now - well < Duration::from_secs(20), "{} wait still", self.spool.len());
            self.pass();
        }
        assert!(self.acknowledged.is_subset(&self.stored));
        (0..50).for_each(|_| self.pass());
        let id = self.next;
        self.deliver(true, None);
        assert!(self.stored.contains(&id), "it goes to its stream");
        self.pass();
        assert!(self.acknowledged.contains(&id) && self.spool.is_empty(), "and is acknowledged at once");
    }
}

fn act() -> impl Strategy<Value = Act> {
    let net = prop_oneof![
        3 => Just(Net::Fair),
        2 => Just(Net::Deaf),
        2 => Just(Net::Hole),
        1 => Just(Net::Leaderless),
        2 => Just(Net::Away),
    ];
    prop_oneof![
        8 => (any::<bool>(), prop::option::weighted(0.2, any::<u8>()))
            .prop_map(|(spools, again)| Act::Deliver { spools, again }),
        4 => (0..150_u8).prop_map(Act::Wait),
        3 => net.prop_map(Act::Net),
        1 => (0..120_u8).prop_map(Act::Slow),
        1 => any::<bool>().prop_map(Act::Full),
        1 => Just(Act::Kill),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_acknowledged_arrives_once_and_nobody_who_may_wait_is_refused(
        acts in prop::collection::vec(act(), 1..60),
    ) {
        let mut world = World::new();
        for act in &acts {
            world.act(act);
        }
        world.heals();
    }
}
