//! Which events of a source are published, and on which subject.

use super::filter::{Filter, FilterError, Variables};
use super::subject::SubjectTemplate;
use crate::glob::Globs;

/// `spec.events`, compiled.
#[derive(Debug, Default)]
pub struct Selection {
    /// Absent or empty: all.
    pub include: Globs,
    /// Wins over `include`.
    pub exclude: Globs,
    /// Judged last.
    pub filter: Option<Filter>,
}

impl Selection {
    /// Whether globs let an event type through.
    pub fn lets_through(&self, event_type: &str) -> bool {
        (self.include.is_empty() || self.include.matches(event_type)) && !self.exclude.matches(event_type)
    }
}

/// `spec.routing`, compiled.
#[derive(Debug)]
pub struct Routing {
    /// In order; the first that matches names the subject.
    pub rules: Vec<Rule>,
    /// The subject of all others.
    pub subject: SubjectTemplate,
}

/// One rule.
#[derive(Debug)]
pub struct Rule {
    /// Absent or empty: every type.
    pub include: Globs,
    /// An error is no match.
    pub filter: Option<Filter>,
    /// Its subject.
    pub subject: SubjectTemplate,
}

impl Routing {
    /// Every template that an event may take.
    pub fn templates(&self) -> impl Iterator<Item = &SubjectTemplate> {
        self.rules.iter().map(|rule| &rule.subject).chain([&self.subject])
    }
}

/// What becomes of an event.
#[derive(Debug)]
pub(crate) enum Selected<'r> {
    /// It is published on this subject. So many filters of rules failed on it before, each of which was no match.
    Published(&'r SubjectTemplate, u64),
    /// `events` leaves it out.
    LeftOut,
    /// `events.filter` failed on it.
    Failed,
    /// The request's time is over before it was known.
    Late,
}

/// Bytes of `data` above which even finding what filters name takes long.
const LARGE: usize = 64 << 10;

/// The most steps that judging an event takes; a step takes at most some 10 ns. Without a look at data that is large.
pub(crate) fn steps(selection: &Selection, routing: &Routing, event: &Variables<'_>) -> u64 {
    let filters = selection.filter.iter().chain(routing.rules.iter().filter_map(|rule| rule.filter.as_ref()));
    filters.fold(0, |sum, filter| {
        let large = event.data.len() > LARGE && filter.reads_data();
        sum.saturating_add(if large { u64::MAX } else { filter.steps(event) })
    })
}

/// Judges an event.
pub(crate) fn select<'r>(selection: &Selection, routing: &'r Routing, event: &Variables<'_>) -> Selected<'r> {
    if !selection.lets_through(event.event_type) {
        return Selected::LeftOut;
    }
    match selection.filter.as_ref().map_or(Ok(true), |filter| filter.holds(event)) {
        Ok(true) => {}
        Ok(false) => return Selected::LeftOut,
        Err(FilterError::Late) => return Selected::Late,
        Err(FilterError::Failed | FilterError::TooLarge) => return Selected::Failed,
    }
    let mut failed = 0;
    for rule in &routing.rules {
        if !rule.include.is_empty() && !rule.include.matches(event.event_type) {
            continue;
        }
        match rule.filter.as_ref().map_or(Ok(true), |filter| filter.holds(event)) {
            Ok(true) => return Selected::Published(&rule.subject, failed),
            Ok(false) => {}
            Err(FilterError::Late) => return Selected::Late,
            Err(_) => failed += 1,
        }
    }
    Selected::Published(&routing.subject, failed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route::filter::{Data, Places};

    fn globs(written: &[&str]) -> Globs {
        Globs::new(&written.iter().map(|glob| (*glob).to_owned()).collect::<Vec<_>>())
    }

    fn template(text: &str) -> SubjectTemplate {
        SubjectTemplate::parse(text).unwrap()
    }

    /// What becomes of an event of type `call.ended` with this data.
    fn selected(events: (&[&str], &[&str], &str), rules: &[(&[&str], &str)], data: &str) -> String {
        let mut places = Places::default();
        let mut filter = |text: &str| (!text.is_empty()).then(|| Filter::compile(text, &mut places).unwrap());
        let (include, exclude, text) = events;
        let selection = Selection { include: globs(include), exclude: globs(exclude), filter: filter(text) };
        let rules = rules.iter().enumerate().map(|(position, (include, text))| Rule {
            include: globs(include),
            filter: filter(text),
            subject: template(&format!("rule.{position}")),
        });
        let routing = Routing { rules: rules.collect(), subject: template("rest") };
        let event = Variables { event_type: "call.ended", ..Variables::new(Data::new(&places, data.as_bytes())) };
        match select(&selection, &routing, &event) {
            Selected::Published(subject, failed) => format!("{} {failed}", subject.pattern("n", "s", "p")),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn exclude_wins_over_include() {
        let all: (&[&str], &[&str], &str) = (&[], &[], "");
        assert_eq!(selected(all, &[], "{}"), "rest 0");
        assert_eq!(selected((&["call.*"], &[], ""), &[], "{}"), "rest 0");
        assert_eq!(selected((&["sms.*"], &[], ""), &[], "{}"), "LeftOut");
        assert_eq!(selected((&["call.*"], &["*.ended"], ""), &[], "{}"), "LeftOut");
        assert_eq!(selected((&[], &["call.*"], ""), &[], "{}"), "LeftOut");
    }

    #[test]
    fn a_filter_that_fails_is_told_and_one_that_is_false_leaves_out() {
        let only = |filter| selected((&[], &[], filter), &[], r#"{"n": 1}"#);
        assert_eq!(only("data.n == 1"), "rest 0");
        assert_eq!(only("data.n == 2"), "LeftOut");
        assert_eq!(only("data.m == 2"), "Failed");
        assert_eq!(only("data.n"), "Failed");
        assert_eq!(selected((&["sms.*"], &[], "data.m == 2"), &[], "{}"), "LeftOut", "globs come first");
    }

    #[test]
    fn the_first_rule_that_matches_names_the_subject_and_an_error_is_no_match() {
        let rules: &[(&[&str], &str)] =
            &[(&["sms.*"], ""), (&[], "data.m == 1"), (&["call.*"], "data.n == 1"), (&["call.*"], "data.n > 0")];
        let all: (&[&str], &[&str], &str) = (&[], &[], "");
        assert_eq!(selected(all, rules, r#"{"n": 1}"#), "rule.2 1");
        assert_eq!(selected(all, rules, r#"{"n": 2, "m": 2}"#), "rule.3 0");
        assert_eq!(selected(all, rules, "{}"), "rest 3");
    }

    #[test]
    fn what_may_take_long_is_known_before() {
        let steps = |text: &str, data: &str| {
            let mut places = Places::default();
            let filter = Some(Filter::compile(text, &mut places).unwrap());
            let routing = Routing { rules: Vec::new(), subject: template("a") };
            let event = Variables::new(Data::new(&places, data.as_bytes()));
            steps(&Selection { filter, ..Selection::default() }, &routing, &event)
        };
        let data = |padding| {
            format!(r#"{{"action": "opened", "commits": [{{"files": ["a", "b"]}}], "x": [{}1]}}"#, "1,".repeat(padding))
        };
        assert!(steps("data.action == 'opened' && type != 'x'", &data(20_000)) < 500);
        let walks = "data.commits.exists(c, c.files.exists(f, f.contains('a')))";
        assert!(steps(walks, &data(20_000)) < 2_000);
        assert!(steps(walks, &data(40_000)) == u64::MAX);
        assert!(steps("type == 'a'", &data(40_000)) < 500);
        assert!(steps("data.x.exists(x, x == 2)", &data(900)) > 5_000);
    }
}
