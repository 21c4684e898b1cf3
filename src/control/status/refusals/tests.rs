use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::*;
use crate::metrics::{Metrics, Outcome};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn condition(health: &Health, since: Timestamp) -> Condition {
    let (status, message) = match health {
        Health::Good => ("True", String::new()),
        Health::AllRefused(message) => ("False", message.clone()),
    };
    Condition {
        type_: "Healthy".to_owned(),
        status: status.to_owned(),
        reason: String::new(),
        message,
        observed_generation: None,
        last_transition_time: Time(since),
    }
}

/// A replica, its counters, and what its status says.
struct Replica {
    metrics: std::sync::Arc<SourceMetrics>,
    refusals: Refusals,
    accepted: Option<Timestamp>,
    stands: Option<Condition>,
    vendor: Option<Disables>,
}

impl Replica {
    fn new() -> Self {
        let metrics = Metrics::new().source("sales", "calls", "xosum");
        Self { metrics, refusals: Refusals::default(), accepted: None, stands: None, vendor: None }
    }

    /// Requests came until this second. Returns what status says, as `True` or the sentence.
    fn step(&mut self, second: i64, outcomes: &[Outcome]) -> String {
        for outcome in outcomes {
            self.metrics.count(*outcome);
            if *outcome == Outcome::Accepted {
                self.accept(second);
            }
        }
        self.refusals.advance(&self.metrics, self.accepted, at(second));
        self.say(second)
    }

    fn accept(&mut self, second: i64) {
        self.accepted = self.accepted.max(Some(at(second)));
        self.refusals.end(at(second));
    }

    fn say(&mut self, second: i64) -> String {
        let Some(accepted) = self.accepted else { return "nothing".to_owned() };
        let vendor = self.vendor.as_ref().map(|disables| ("Acme", disables));
        let health = self.refusals.judge(accepted, vendor, self.stands.as_ref(), at(second));
        let changed = self.stands.as_ref().is_none_or(|stands| condition(&health, at(0)).status != stands.status);
        let told = self.stands.as_ref().is_some_and(|stands| condition(&health, at(0)).message == stands.message);
        if changed || !told {
            let since = if changed { at(second) } else { self.stands.as_ref().unwrap().last_transition_time.0 };
            self.stands = Some(condition(&health, since));
            self.refusals.change(at(second));
        }
        match health {
            Health::Good => "True".to_owned(),
            Health::AllRefused(sentence) => sentence,
        }
    }
}

const REFUSED: &[Outcome] = &[Outcome::BadSignature];

#[test]
fn five_requests_over_a_quarter_of_an_hour_that_are_all_refused_are_told_until_one_is_accepted() {
    let mut replica = Replica::new();
    assert_eq!(replica.step(0, REFUSED), "nothing", "it never accepted anything");
    assert_eq!(replica.step(10, &[Outcome::Accepted]), "True");
    for second in [100, 200, 300, 400] {
        assert_eq!(replica.step(second, REFUSED), "True");
    }
    assert_eq!(replica.step(990, REFUSED), "True", "five, and not for long enough");
    let told = replica.step(1000, REFUSED);
    assert!(told.starts_with("Every request since 2027-01-15T08:01:40Z was refused"), "{told}");
    // Silence changes nothing, and neither does one more.
    assert_eq!(replica.step(5000, &[]), told);
    assert_eq!(replica.step(5010, REFUSED), told);
    assert_eq!(replica.step(5020, &[Outcome::Accepted]), "True");
    assert_eq!(replica.step(9000, REFUSED), "True", "a new run");
}

#[test]
fn few_requests_and_those_that_are_no_deliveries_are_not_told() {
    let mut replica = Replica::new();
    replica.step(0, &[Outcome::Accepted]);
    for second in [100, 2000, 4000, 9000] {
        assert_eq!(replica.step(second, REFUSED), "True", "four");
    }
    let others = [
        Outcome::MethodNotAllowed,
        Outcome::AddressNotAllowed,
        Outcome::BadRequest,
        Outcome::Suspended,
        Outcome::Handshake,
    ];
    assert_eq!(replica.step(9100, &others), "True");
    assert_ne!(replica.step(9200, &[Outcome::Unavailable]), "True", "what is answered 503 is a failure to the vendor");
}

#[test]
fn replicas_add_up_what_each_of_them_refused_and_one_that_accepted_ends_it() {
    let (mut one, mut two) = (Replica::new(), Replica::new());
    one.step(0, &[Outcome::Accepted]);
    two.accept(0);
    two.step(0, &[]);
    let mut said = Vec::new();
    for second in [100, 400, 800, 1100] {
        one.step(second, REFUSED);
        two.step(second + 1, REFUSED);
        let (mine, theirs) = (one.refusals.tell(), two.refusals.tell());
        assert_eq!((mine.count, theirs.count), (1, 1), "what was told is told once");
        one.refusals.hear(theirs, one.accepted);
        two.refusals.hear(mine, two.accepted);
        said.push((one.say(second + 2), two.say(second + 2)));
    }
    assert!(said[..3].iter().all(|(one, two)| one == "True" && two == "True"), "{said:?}");
    assert!(said[3].0 != "True" && said[3].0 == said[3].1, "both say the same: {said:?}");
    one.accept(1110);
    two.accept(1110);
    assert_eq!((one.say(1170), two.say(1170)), ("True".to_owned(), "True".to_owned()));
    // What was refused before a delivery was accepted, and is heard afterwards, counts for nothing.
    one.refusals.hear(Run { count: 9, since: at(1105).as_second(), last: at(3000).as_second() }, one.accepted);
    assert_eq!(one.say(3000), "True");
}

#[test]
fn it_changes_once_a_minute_at_most() {
    let mut replica = Replica::new();
    replica.step(0, &[Outcome::Accepted]);
    for second in [100, 300, 500, 700] {
        replica.step(second, REFUSED);
    }
    let told = replica.step(1000, REFUSED);
    assert_ne!(told, "True");
    assert_eq!(replica.step(1010, &[Outcome::Accepted]), told);
    assert_eq!(replica.step(1050, &[]), told);
    assert_eq!(replica.step(1060, &[]), "True");
}

#[test]
fn a_replica_that_starts_later_goes_on_from_what_was_said() {
    let mut first = Replica::new();
    first.step(0, &[Outcome::Accepted]);
    for second in [100, 300, 500, 700] {
        first.step(second, REFUSED);
    }
    let told = first.step(1000, REFUSED);
    let mut next = Replica { accepted: Some(at(0)), stands: first.stands.clone(), ..Replica::new() };
    assert_eq!(next.step(1200, &[]), told);
    assert_eq!(next.step(1300, REFUSED), told);
    assert_eq!(next.step(1400, &[Outcome::Accepted]), "True");
    // One that was accepted just before it was told, and is heard of afterwards, ends it too.
    let mut late = Replica { accepted: Some(at(0)), stands: first.stands, ..Replica::new() };
    late.accept(995);
    assert_eq!(late.say(1100), "True");
}

#[test]
fn the_earliest_time_at_which_the_vendor_stops_is_told() {
    let told = |failures: Option<u32>, after: Option<&str>| {
        let after = after.map(|after| DurationString(after.to_owned()));
        let mut replica = Replica { vendor: Some(Disables { failures, after }), ..Replica::new() };
        replica.step(0, &[Outcome::Accepted]);
        let mut last = String::new();
        for n in 0..12 {
            last = replica.step(100 + n * 100, REFUSED);
        }
        last.split_once("says why. ").expect("what the vendor does").1.to_owned()
    };
    let look = ": look there whether the webhook is still switched on.";
    assert_eq!(
        told(Some(4), None),
        format!("Acme stops sending after 4 failures in a row, as early as 2027-01-15T08:06:40Z{look}")
    );
    assert_eq!(
        told(None, Some("24h")),
        format!("Acme stops sending after 24h without a success, as early as 2027-01-16T08:01:40Z{look}")
    );
    let both = "Acme stops sending after 10 failures in a row and 168h without a success";
    assert_eq!(told(Some(10), Some("168h")), format!("{both}, as early as 2027-01-22T08:01:40Z{look}"));
    assert_eq!(told(Some(50), None), "Acme stops sending after 50 failures in a row.");
}
