use super::*;

fn now() -> Timestamp {
    "2026-11-25T12:00:00.25Z".parse().unwrap()
}

fn facts() -> Facts<'static> {
    Facts {
        generation: 3,
        accepted: Ok(()),
        notices: &[],
        refs: Some(&[]),
        serving: Serving::Current,
        served_generation: Some(3),
        finding: None,
        url: Some("https://hooks.example.com/sales/calls".to_owned()),
        path: Some("/sales/calls".to_owned()),
        verification: None,
        activity: Activity::default(),
    }
}

/// `Type=Status/Reason`, in order.
fn said(status: &WebhookSourceStatus) -> Vec<String> {
    status.conditions.iter().map(|c| format!("{}={}/{}", c.type_, c.status, c.reason)).collect()
}

fn judge(facts: Facts<'_>) -> Vec<String> {
    said(&of_source(facts, None, now()))
}

#[test]
fn a_source_that_is_served_as_written_is_ready_and_not_stalled() {
    assert_eq!(
        judge(facts()),
        ["Accepted=True/Accepted", "ResolvedRefs=True/ResolvedRefs", "Programmed=True/Programmed", "Ready=True/Ready"]
    );
}

#[test]
fn a_spec_that_stops_compiling_says_which_generation_serves() {
    let problem = Problems::from(Problem::new(Reason::UnknownProvider, "spec.provider", "\"xosun\" is unknown"));
    let serving = Facts { accepted: Err(&problem), serving: Serving::Previous, served_generation: Some(2), ..facts() };
    let status = of_source(serving, None, now());
    assert_eq!(
        said(&status),
        [
            "Accepted=False/UnknownProvider",
            "ResolvedRefs=True/ResolvedRefs",
            "Programmed=True/PreviousGeneration",
            "Ready=False/UnknownProvider",
            "Stalled=True/UnknownProvider",
        ]
    );
    assert_eq!((status.observed_generation, status.served_generation), (Some(3), Some(2)));
    assert!(status.conditions.iter().all(|c| c.observed_generation == Some(3)));
    assert!(find(&status.conditions, types::PROGRAMMED).unwrap().message.contains("Generation 2"));
    assert_eq!(find(&status.conditions, types::READY).unwrap().message, problem.to_string());
    // Never compiled here, and not even readable.
    let nothing =
        Facts { accepted: Err(&problem), refs: None, serving: Serving::Nothing, served_generation: None, ..facts() };
    assert_eq!(
        judge(nothing),
        [
            "Accepted=False/UnknownProvider",
            "Programmed=False/Invalid",
            "Ready=False/UnknownProvider",
            "Stalled=True/UnknownProvider"
        ]
    );
}

#[test]
fn a_ref_without_a_secret_closes_only_where_nothing_else_is_live() {
    let problems = [
        Problem::new(Reason::SecretExpired, "", "one expired"),
        Problem::new(Reason::KeyNotFound, "", "one has no key"),
    ];
    let rotating = of_source(Facts { refs: Some(&problems), ..facts() }, None, now());
    assert_eq!(
        said(&rotating),
        [
            "Accepted=True/Accepted",
            "ResolvedRefs=False/SecretExpired",
            "Programmed=True/Programmed",
            "Ready=True/Ready"
        ]
    );
    assert_eq!(find(&rotating.conditions, types::RESOLVED_REFS).unwrap().message, "one expired; one has no key");
    let closed = Facts { refs: Some(&problems), serving: Serving::Closed("no live secret".to_owned()), ..facts() };
    assert_eq!(
        judge(closed),
        [
            "Accepted=True/Accepted",
            "ResolvedRefs=False/SecretExpired",
            "Programmed=False/Invalid",
            "Ready=False/SecretExpired"
        ]
    );
}

#[test]
fn suspension_and_streams_show_in_programmed() {
    let programmed = |facts| {
        judge(facts).into_iter().filter(|c| c.starts_with("Prog") || c.starts_with("Ready")).collect::<Vec<_>>()
    };
    let suspended = Facts { serving: Serving::Suspended, ..facts() };
    assert_eq!(programmed(suspended), ["Programmed=False/Suspended", "Ready=False/Suspended"]);
    for reason in [Reason::NoStream, Reason::NotDurable] {
        let finding: &Finding = Box::leak(Box::new(Problem::new(reason, "", "no")));
        let expected = [format!("Programmed=False/{}", reason.as_str()), format!("Ready=False/{}", reason.as_str())];
        assert_eq!(programmed(Facts { finding: Some(finding), ..facts() }), expected);
    }
    let partly = Problem::new(Reason::PartlyCovered, "", "some");
    assert_eq!(
        programmed(Facts { finding: Some(&partly), ..facts() }),
        ["Programmed=True/PartlyCovered", "Ready=True/Ready"]
    );
}

#[test]
fn a_condition_keeps_its_time_until_its_status_changes() {
    let first = of_source(facts(), None, now());
    let later: Timestamp = "2026-11-25T13:00:00Z".parse().unwrap();
    let problems = [Problem::new(Reason::SecretNotFound, "", "gone")];
    let second = of_source(
        Facts { generation: 4, served_generation: Some(4), refs: Some(&problems), ..facts() },
        Some(&first),
        later,
    );
    let since = |status: &WebhookSourceStatus, type_| {
        find(&status.conditions, type_).unwrap().last_transition_time.0.to_string()
    };
    assert_eq!(since(&second, types::ACCEPTED), "2026-11-25T12:00:00Z");
    assert_eq!(since(&second, types::READY), "2026-11-25T12:00:00Z");
    assert_eq!(since(&second, types::RESOLVED_REFS), "2026-11-25T13:00:00Z");
}

#[test]
fn a_comparison_ignores_when_and_order_and_nothing_else() {
    let one = of_source(facts(), None, now());
    let mut other = of_source(facts(), None, "2026-12-01T00:00:00Z".parse().unwrap());
    other.conditions.reverse();
    assert!(same_source(&one, &other));
    other.conditions[0].message.push('!');
    assert!(!same_source(&one, &other));
    let moved = WebhookSourceStatus { path: Some("/other".to_owned()), ..one.clone() };
    assert!(!same_source(&one, &moved));
}

#[test]
fn what_another_replica_saw_later_stays() {
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    let known = WebhookSourceStatus {
        last_accepted_time: Some(Time(at("2026-11-25T11:00:00Z"))),
        last_rejected: Some(LastRejected { time: Time(at("2026-11-25T11:00:00Z")), reason: "OverRate".to_owned() }),
        ..WebhookSourceStatus::default()
    };
    let activity = Activity {
        accepted: Some(at("2026-11-25T10:00:00Z")),
        rejected: Some((at("2026-11-25T11:30:00Z"), "BadSignature")),
    };
    let status = of_source(Facts { activity, ..facts() }, Some(&known), now());
    assert_eq!(status.last_accepted_time, known.last_accepted_time);
    assert_eq!(status.last_rejected.unwrap().reason, "BadSignature");
}

#[test]
fn a_provider_counts_its_sources_and_says_what_keeps_it_out() {
    let status = of_provider(1, Ok("Used by sources."), Some(2), None, now());
    assert_eq!((status.sources, status.conditions.len(), status.conditions[0].status.as_str()), (Some(2), 1, "True"));
    let shadow = Problems::from(Problem::new(Reason::ShadowsBuiltIn, "spec.overridesBuiltIn", "write true"));
    let refused = of_provider(1, Err(&shadow), None, Some(&status), now());
    let said: Vec<_> =
        refused.conditions.iter().map(|c| (c.type_.as_str(), c.status.as_str(), c.reason.as_str())).collect();
    assert_eq!(said, [("Accepted", "False", "ShadowsBuiltIn"), ("Stalled", "True", "ShadowsBuiltIn")]);
    assert!(!same_provider(&status, &refused));
}

#[test]
fn the_url_is_one_that_the_source_answers() {
    let hosts = |names: &[&str]| Host::parse_all(names);
    let base = Some("https://hooks.example.com/");
    assert_eq!(url(base, &hosts(&[]), "/a/b"), "https://hooks.example.com/a/b");
    assert_eq!(url(base, &hosts(&["x.test", "hooks.example.com"]), "/a"), "https://hooks.example.com/a");
    assert_eq!(
        url(Some("http://hooks.example.com:8443"), &hosts(&["*.example.com"]), "/a"),
        "http://hooks.example.com:8443/a"
    );
    assert_eq!(url(base, &hosts(&["*.x.test", "y.x.test"]), "/a"), "https://y.x.test/a");
    assert_eq!(url(base, &hosts(&["*.x.test"]), "/a"), "/a");
    assert_eq!(url(None, &hosts(&[]), "/a"), "/a");
    assert_eq!(url(None, &hosts(&["x.test"]), "/a"), "https://x.test/a");
}
