use super::*;
use crate::control::status::coverage::Finding;

fn now() -> Timestamp {
    "2026-11-25T12:00:00.25Z".parse().unwrap()
}

fn facts() -> Facts {
    Facts {
        generation: 3,
        accepted: Ok(()),
        held: None,
        notices: Vec::new(),
        refs: Some(Vec::new()),
        ended: Vec::new(),
        serving: Serving::Current,
        served_generation: Some(3),
        finding: None,
        spool_missing: false,
        url: Some("https://hooks.example.com/sales/calls".to_owned()),
        path: Some("/sales/calls".to_owned()),
        verification: None,
        last_good: None,
        health: None,
    }
}

/// `Type=Status/Reason`, in order.
fn said(conditions: &[Condition]) -> Vec<String> {
    conditions.iter().map(|c| format!("{}={}/{}", c.type_, c.status, c.reason)).collect()
}

fn judge(facts: &Facts) -> Vec<String> {
    said(&of_source(facts, &[], now()))
}

/// Programmed and Ready alone.
fn programmed(facts: &Facts) -> Vec<String> {
    judge(facts).into_iter().filter(|c| c.starts_with("Prog") || c.starts_with("Ready")).collect()
}

#[test]
fn a_source_that_is_served_as_written_is_ready_and_not_stalled() {
    assert_eq!(
        judge(&facts()),
        ["Accepted=True/Accepted", "ResolvedRefs=True/ResolvedRefs", "Programmed=True/Programmed", "Ready=True/Ready"]
    );
}

#[test]
fn a_spec_that_stops_compiling_says_which_generation_serves() {
    let problem = Problems::from(Problem::new(Reason::UnknownMethod, "spec.verification.method", "\"x\" is no method"));
    let previous =
        Facts { accepted: Err(problem.clone()), serving: Serving::Previous, served_generation: Some(2), ..facts() };
    let conditions = of_source(&previous, &[], now());
    assert_eq!(
        said(&conditions),
        [
            "Accepted=False/UnknownMethod",
            "ResolvedRefs=True/ResolvedRefs",
            "Programmed=True/PreviousGeneration",
            "Ready=False/UnknownMethod",
            "Stalled=True/UnknownMethod",
        ]
    );
    assert!(conditions.iter().all(|c| c.observed_generation == Some(3)));
    assert!(find(&conditions, types::PROGRAMMED).unwrap().message.contains("Generation 2"));
    assert_eq!(find(&conditions, types::READY).unwrap().message, problem.to_string());
    // Never compiled here, and not even readable.
    let nothing =
        Facts { accepted: Err(problem), refs: None, serving: Serving::Nothing, served_generation: None, ..facts() };
    assert_eq!(
        judge(&nothing),
        [
            "Accepted=False/UnknownMethod",
            "Programmed=False/Invalid",
            "Ready=False/UnknownMethod",
            "Stalled=True/UnknownMethod"
        ]
    );
}

#[test]
fn stalled_is_said_only_while_the_owner_must_edit() {
    for (reason, stalled) in [
        (Reason::UnknownProvider, false),
        (Reason::PathConflict, false),
        (Reason::Invalid, true),
        (Reason::SubjectNotAllowed, true),
    ] {
        let refused =
            Facts { accepted: Err(Problem::new(reason, "", "no").into()), serving: Serving::Nothing, ..facts() };
        let said = judge(&refused);
        assert_eq!(said.iter().any(|c| c.starts_with("Stalled")), stalled, "{said:?}");
    }
}

#[test]
fn a_generation_that_no_stream_takes_waits_while_the_former_serves() {
    let held = Facts {
        held: Some(Problem::new(Reason::NoStream, "", "Stream NOPE does not exist.")),
        serving: Serving::Previous,
        served_generation: Some(2),
        ..facts()
    };
    assert_eq!(
        judge(&held),
        [
            "Accepted=True/Accepted",
            "ResolvedRefs=True/ResolvedRefs",
            "Programmed=True/PreviousGeneration",
            "Ready=False/NoStream"
        ]
    );
    let conditions = of_source(&held, &[], now());
    assert_eq!(find(&conditions, types::READY).unwrap().message, "Stream NOPE does not exist.");
    assert!(find(&conditions, types::PROGRAMMED).unwrap().message.contains("NOPE"));
    assert_eq!(programmed(&Facts { serving: Serving::Suspended, ..held })[1], "Ready=False/Suspended");
}

#[test]
fn ready_gives_the_reason_that_stops_serving() {
    let problems = vec![
        Problem::new(Reason::SecretExpired, "", "one expired"),
        Problem::new(Reason::KeyNotFound, "", "one has no key"),
    ];
    let rotating = Facts { refs: Some(problems), ..facts() };
    let conditions = of_source(&rotating, &[], now());
    assert_eq!(
        said(&conditions),
        [
            "Accepted=True/Accepted",
            "ResolvedRefs=False/SecretExpired",
            "Programmed=True/Programmed",
            "Ready=True/Ready"
        ]
    );
    assert_eq!(find(&conditions, types::RESOLVED_REFS).unwrap().message, "one expired; one has no key");
    // Others of the purposes live: it is the stream that stops it.
    let uncovered = Facts { finding: Some(Problem::new(Reason::NoStream, "", "no stream")), ..rotating.clone() };
    assert_eq!(programmed(&uncovered), ["Programmed=False/NoStream", "Ready=False/NoStream"]);
    let closed = Facts { serving: Serving::Closed("no live secret".to_owned()), ..rotating };
    assert_eq!(
        judge(&closed),
        [
            "Accepted=True/Accepted",
            "ResolvedRefs=False/SecretExpired",
            "Programmed=False/Invalid",
            "Ready=False/SecretExpired"
        ]
    );
}

#[test]
fn what_a_rotation_leaves_behind_is_a_note_and_no_alert() {
    let rotated = Facts { ended: vec!["spec.verification.secretRefs[0] expired".to_owned()], ..facts() };
    let conditions = of_source(&rotated, &[], now());
    let refs = find(&conditions, types::RESOLVED_REFS).unwrap();
    assert_eq!(refs.status, "True");
    assert!(refs.message.contains("Note: spec.verification.secretRefs[0] expired"), "{}", refs.message);
}

#[test]
fn suspension_and_streams_show_in_programmed() {
    let suspended = Facts { serving: Serving::Suspended, ..facts() };
    assert_eq!(programmed(&suspended), ["Programmed=False/Suspended", "Ready=False/Suspended"]);
    let found = |reason| Some(Finding::new(reason, "", "no"));
    for reason in [Reason::NoStream, Reason::NotDurable] {
        let expected = [format!("Programmed=False/{}", reason.as_str()), format!("Ready=False/{}", reason.as_str())];
        assert_eq!(programmed(&Facts { finding: found(reason), ..facts() }), expected);
    }
    assert_eq!(
        programmed(&Facts { finding: found(Reason::PartlyCovered), ..facts() }),
        ["Programmed=True/PartlyCovered", "Ready=True/Ready"]
    );
    assert_eq!(
        programmed(&Facts { spool_missing: true, ..facts() }),
        ["Programmed=True/SpoolMissing", "Ready=True/Ready"]
    );
}

#[test]
fn what_can_answer_2xx_counts_as_serving_and_nothing_else() {
    use crate::metrics::SourceStanding;
    let state = |facts: Facts| facts.state();
    assert_eq!(state(facts()), SourceStanding::Serving);
    let found = |reason| Facts { finding: Some(Finding::new(reason, "", "no")), ..facts() };
    assert_eq!(state(found(Reason::PartlyCovered)), SourceStanding::Serving);
    assert_eq!(state(found(Reason::NoStream)), SourceStanding::NotServed);
    assert_eq!(state(Facts { serving: Serving::Closed(String::new()), ..facts() }), SourceStanding::NotServed);
    assert_eq!(state(Facts { serving: Serving::Previous, ..facts() }), SourceStanding::Previous);
    assert_eq!(state(Facts { serving: Serving::Suspended, ..found(Reason::NoStream) }), SourceStanding::Suspended);
}

#[test]
fn a_condition_keeps_its_time_until_its_status_changes() {
    let first = of_source(&facts(), &[], now());
    let later: Timestamp = "2026-11-25T13:00:00Z".parse().unwrap();
    let problems = vec![Problem::new(Reason::SecretNotFound, "", "gone")];
    let second =
        of_source(&Facts { generation: 4, served_generation: Some(4), refs: Some(problems), ..facts() }, &first, later);
    let since = |conditions: &[Condition], type_| find(conditions, type_).unwrap().last_transition_time.0.to_string();
    assert_eq!(since(&second, types::ACCEPTED), "2026-11-25T12:00:00Z");
    assert_eq!(since(&second, types::READY), "2026-11-25T12:00:00Z");
    assert_eq!(since(&second, types::RESOLVED_REFS), "2026-11-25T13:00:00Z");
}

#[test]
fn a_comparison_ignores_when_and_order_and_nothing_else() {
    let one = of_source(&facts(), &[], now());
    let mut other = of_source(&facts(), &[], "2026-12-01T00:00:00Z".parse().unwrap());
    other.reverse();
    assert!(same(&one, &other));
    assert!(!same(&one, &other[1..]));
    other[0].message.push('!');
    assert!(!same(&one, &other));
}

#[test]
fn a_provider_says_what_keeps_it_out() {
    let shadow = Problems::from(Problem::new(Reason::ShadowsBuiltIn, "", "write overridesBuiltIn: true"));
    assert_eq!(said(&of_provider(1, Ok(()), &[], now())), ["Accepted=True/Accepted"]);
    assert_eq!(
        said(&of_provider(1, Err(&shadow), &[], now())),
        ["Accepted=False/ShadowsBuiltIn", "Stalled=True/ShadowsBuiltIn"]
    );
}
