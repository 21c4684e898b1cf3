//! Deliveries of forges, messengers and platforms, in the shapes that their documents show.

use super::*;

/// Header, body, and the type, id and subject that come of it; `#` stands for an id that the vendor did not send.
type Case = (&'static str, &'static [(&'static str, &'static str)], &'static str, [&'static str; 3]);

fn form(body: &str) -> Request {
    request(body).header("content-type", "application/x-www-form-urlencoded")
}

fn shown(event: &Event) -> [String; 3] {
    let ours = event.id.starts_with("sha256-") || event.id.starts_with("once-");
    let id = if ours { "#".to_owned() } else { event.id.clone() };
    [event.event_type.clone(), id, event.subject.clone().unwrap_or_default()]
}

fn types(batch: &Batch) -> Vec<&str> {
    batch.items.iter().map(|item| item.as_ref().unwrap().event_type.as_str()).collect()
}

#[test]
fn each_vendor_says_type_id_and_subject_where_its_documents_say() {
    let cases: &[Case] = &[
        (
            "gitlab",
            &[("idempotency-key", "k-1")],
            r#"{"object_kind":"merge_request","project":{"path_with_namespace":"a/b"},"object_attributes":{"action":"open"}}"#,
            ["merge_request.open", "k-1", "a/b"],
        ),
        ("gitlab", &[], r#"{"event_name":"user_create","username":"u"}"#, ["user_create", "#", "u"]),
        (
            "gitea",
            &[("x-gitea-event", "issues"), ("x-gitea-delivery", "d-1")],
            r#"{"action":"opened","repository":{"full_name":"a/b"}}"#,
            ["issues.opened", "d-1", "a/b"],
        ),
        (
            "heroku",
            &[],
            r#"{"id":"x","resource":"release","action":"update","webhook_metadata":{"event":{"id":"e-1"}},"data":{"app":{"name":"app"}}}"#,
            ["release.update", "e-1", "app"],
        ),
        (
            "hcp-terraform",
            &[],
            r#"{"payload_version":1,"notification_configuration_id":"nc-1","run_id":"run-1","notifications":[{"trigger":"run:planning","run_updated_at":"2026-03-01T11:00:00Z"}]}"#,
            ["run:planning", "nc-1:run-1:run:planning:2026-03-01T11:00:00Z", "run-1"],
        ),
        (
            "docker-hub",
            &[],
            r#"{"push_data":{"pushed_at":1417566161,"tag":"latest"},"repository":{"repo_name":"a/b"},"callback_url":"https://h.example/1/"}"#,
            ["push", "a/b:latest:1417566161:https://h.example/1/", "a/b"],
        ),
        (
            "flux",
            &[],
            r#"{"involvedObject":{"kind":"Kustomization","name":"web"},"reason":"ReconciliationSucceeded"}"#,
            ["Kustomization.ReconciliationSucceeded", "#", "web"],
        ),
        (
            "pagerduty",
            &[],
            r#"{"event":{"id":"01D","event_type":"incident.triggered","data":{"id":"PGR"}}}"#,
            ["incident.triggered", "01D", "PGR"],
        ),
        (
            "sentry",
            &[("sentry-hook-resource", "issue"), ("request-id", "r-1")],
            r#"{"action":"created","data":{"issue":{"id":"7"}}}"#,
            ["issue.created", "r-1", "7"],
        ),
        (
            "slack",
            &[],
            r#"{"type":"event_callback","token":"t","event_id":"Ev1","event":{"type":"message","channel":"C1"}}"#,
            ["message", "Ev1", "C1"],
        ),
        ("discord-interactions", &[], r#"{"id":"1","type":2,"data":{"name":"deploy"}}"#, ["command", "1", "deploy"]),
        (
            "x",
            &[],
            r#"{"for_user_id":"9","favorite_events":[{"id":"a","timestamp_ms":1530000000000}]}"#,
            ["favorite_events", "9:favorite:a", "9"],
        ),
        ("x", &[], r#"{"for_user_id":"9","something_events":[]}"#, ["activity", "#", "9"]),
        ("postmark", &[], r#"{"RecordType":"Delivery","MessageID":"m-1"}"#, ["Delivery", "#", "m-1"]),
        ("postmark", &[], r#"{"MessageID":"m-1","Subject":"hi"}"#, ["inbound", "#", "m-1"]),
        (
            "twitch",
            &[("twitch-eventsub-message-id", "m-1")],
            r#"{"subscription":{"id":"s","type":"channel.follow","status":"enabled"},"event":{"broadcaster_user_id":"5"}}"#,
            ["channel.follow", "m-1", "5"],
        ),
        (
            "twitch",
            &[("twitch-eventsub-message-id", "m-2")],
            r#"{"subscription":{"id":"s","type":"channel.follow","status":"authorization_revoked"}}"#,
            ["revocation.channel.follow", "m-2", "s"],
        ),
        (
            "aws-sns",
            &[("content-type", "text/plain; charset=UTF-8")],
            r#"{"Type":"Notification","MessageId":"m-1","TopicArn":"arn:t","Message":"hi"}"#,
            ["Notification", "m-1", "arn:t"],
        ),
        (
            "google-pubsub",
            &[],
            r#"{"message":{"attributes":{"eventType":"OBJECT_FINALIZE","objectId":"o"},"data":"e30=","messageId":"1"},"subscription":"s"}"#,
            ["OBJECT_FINALIZE", "s:1", "o"],
        ),
        (
            "cloudevents",
            &[("content-type", "application/cloudevents+json")],
            r#"{"specversion":"1.0","type":"a.b","source":"/s","id":"1","subject":"x"}"#,
            ["a.b", "/s:1", "x"],
        ),
        ("convoy", &[], r#"{"event_type":"invoice.paid"}"#, ["invoice.paid", "#", ""]),
    ];
    for (provider, headers, body, expected) in cases {
        let sent = headers.iter().fold(request(body), |sent, (name, value)| sent.header(name, value));
        assert_eq!(shown(&sent.event(built_in(provider))), *expected, "{provider}: {body}");
    }
}

#[test]
fn pings_of_the_platforms_are_dropped() {
    for (provider, body) in [
        ("circleci", r#"{"type":"ping"}"#),
        ("buildkite", r#"{"event":"ping"}"#),
        ("pagerduty", r#"{"event":{"event_type":"pagey.ping"}}"#),
        ("hcp-terraform", r#"{"run_id":null,"notifications":[{"trigger":"verification"}]}"#),
        ("viber", r#"{"event":"webhook","timestamp":1457764197627}"#),
    ] {
        let batch = request(body).read(built_in(provider)).unwrap();
        assert_eq!((batch.dropped, batch.items.len()), (1, 0), "{provider}");
    }
}

#[test]
fn twilio_forms_say_what_they_are_about() {
    let twilio = built_in("twilio");
    let recording = "AccountSid=AC1&CallSid=CA1&RecordingSid=RE1&RecordingUrl=https%3A%2F%2Fapi.twilio.example%2FRE1\
        &RecordingStatus=completed&RecordingDuration=42&RecordingStartTime=Thu%2C+13+Jun+2019+10%3A00%3A00+%2B0000";
    let event = form(recording).event(twilio);
    assert_eq!(shown(&event), ["recording.completed", "#", "CA1"]);
    assert!(!event.unsigned.event_type, "the form is signed");

    let call = "CallSid=CA1&CallStatus=completed&CallDuration=49&Direction=outbound-api&From=%2B15551&To=%2B15552&CallToken=secret\
        &Timestamp=Sun%2C+25+Mar+2018+09%3A53%3A19+%2B0000&CallbackSource=call-progress-events";
    let event = form(call).event(twilio);
    assert_eq!(shown(&event), ["call.completed", "#", "CA1"]);
    assert_eq!(event.time.to_string(), "2018-03-25T09:53:19Z");
    assert!(!String::from_utf8_lossy(&event.data.original).contains("secret"));

    for (body, expected) in [
        ("MessageSid=SM1&MessageStatus=delivered", "message.delivered"),
        ("MessageSid=SM1&SmsStatus=received&Body=hi", "message.received"),
        ("ConferenceSid=CF1&StatusCallbackEvent=conference-end", "conference.end"),
        ("TranscriptionSid=GT1&CallSid=CA1&TranscriptionEvent=transcription-content", "transcription.content"),
        ("EventType=onMessageAdded&ConversationSid=CH1&MessageSid=IM1", "onMessageAdded"),
        ("AccountSid=AC1", "received"),
    ] {
        assert_eq!(form(body).event(twilio).event_type, expected, "{body}");
    }
}

#[test]
fn telnyx_forms_are_events_beside_its_json() {
    let telnyx = built_in("telnyx");
    let call = form("CallSid=v3%3A1&CallStatus=completed&CallDuration=4").event(telnyx);
    assert_eq!(shown(&call), ["call.completed", "#", "v3:1"]);
    let recording = form("CallSid=v3%3A1&RecordingSid=r1&RecordingStatus=completed").event(telnyx);
    assert_eq!(shown(&recording), ["recording.completed", "#", "v3:1"]);
    let answered = request(r#"{"data":{"event_type":"call.answered","id":"1","payload":{"call_session_id":"s"}}}"#);
    assert_eq!(shown(&answered.event(telnyx)), ["call.answered", "1", "s"]);
}

#[test]
fn zoom_cuts_what_opens_a_recording() {
    let body = r#"{"event":"recording.completed","event_ts":1711800000000,"download_token":"cut-me","payload":{"account_id":"A","object":{
        "uuid":"abc123==","id":98765432101234567,"password":"cut-me","recording_play_passcode":"cut-me"}}}"#;
    let event = request(body).event(built_in("zoom"));
    assert_eq!(shown(&event), ["recording.completed", "#", "abc123=="]);
    assert!(!String::from_utf8_lossy(&event.data.original).contains("cut-me"));
    assert!(request(r#"{"event":"user.created","payload":{}}"#).event(built_in("zoom")).data.mapped.is_none());
}

#[test]
fn lists_of_the_platforms_become_events() {
    let meta = request(
        r#"{"object":"whatsapp_business_account","entry":[{"id":"1","changes":[{"field":"messages","value":{"messages":[{"id":"w1"}]}},
        {"field":"account_update","value":{}}]},{"id":"2","messaging":[{"sender":{"id":"s"},"timestamp":1711800000000}]}]}"#,
    );
    let batch = meta.read(built_in("meta")).unwrap();
    assert_eq!(
        types(&batch),
        [
            "whatsapp_business_account.messages",
            "whatsapp_business_account.account_update",
            "whatsapp_business_account.messaging"
        ]
    );

    let items = r#"{"log_id":"1","data":{"type":"s"}}"#;
    for (media, body) in [
        ("application/json", format!("[{items}]")),
        ("application/json", format!(r#"{{"logs":[{items}]}}"#)),
        ("application/x-ndjson", format!("{items}\n")),
    ] {
        let event = request(&body).header("content-type", media).event(built_in("auth0"));
        assert_eq!(shown(&event), ["s", "1", ""], "{body}");
    }

    let pusher = request(
        r#"{"time_ms":1711800000000,"events":[{"name":"member_added","channel":"c","user_id":"1"},
        {"name":"member_added","channel":"c","user_id":"2"},{"name":"channel_occupied","channel":"c"}]}"#,
    );
    let batch = pusher.read(built_in("pusher")).unwrap();
    let expected = [
        "1711800000000:member_added:c:1:-:-:-:-#0",
        "1711800000000:member_added:c:2:-:-:-:-#1",
        "1711800000000:channel_occupied:c:-:-:-:-:-#2",
    ];
    assert_eq!(ids(&batch), expected.map(Ok));

    let drops =
        request(r#"{"subscription":{"id":"s","type":"drop.entitlement.grant"},"events":[{"id":"a"},{"id":"b"}]}"#)
            .header("twitch-eventsub-message-id", "m");
    let batch = drops.read(built_in("twitch")).unwrap();
    assert_eq!((ids(&batch), types(&batch)), (vec![Ok("m#0"), Ok("m#1")], vec!["drop.entitlement.grant"; 2]));

    let clicks =
        form("mandrill_events=%5B%7B%22event%22%3A%22click%22%2C%22_id%22%3A%22x%22%7D%5D").event(built_in("mandrill"));
    assert_eq!(shown(&clicks), ["click", "#", "x"]);
    for (provider, body) in [("line", r#"{"destination":"d","events":[]}"#), ("emailit", "[]"), ("sendgrid", "[]")] {
        assert_eq!(request(body).read(built_in(provider)).unwrap().items.len(), 0, "{provider}");
    }
}

#[test]
fn what_could_sign_or_confirm_anything_is_cut() {
    for (provider, body) in [
        (
            "mailgun",
            r#"{"signature":{"timestamp":"1","token":"cut-me","signature":"s"},"event-data":{"event":"opened","id":"1"}}"#,
        ),
        ("aws-sns", r#"{"Type":"Notification","MessageId":"1","UnsubscribeURL":"https://sns.example/?cut-me"}"#),
        ("slack", r#"{"token":"cut-me","event":{"type":"message"}}"#),
        (
            "livekit",
            r#"{"event":"egress_ended","id":"1","egressInfo":{"web":{"fileOutputs":[{},{"s3":{"secret":"cut-me","sessionToken":"cut-me"}},
                {"azure":{"accountKey":"cut-me"}},{"gcp":{"credentials":"cut-me"}}],"streamOutputs":[{"urls":["rtmp://x/cut-me"]}]}}}"#,
        ),
        (
            "mux",
            r#"{"type":"video.live_stream.active","id":"1","data":{"srt_passphrase":"cut-me","simulcast_targets":[{},{},{"stream_key":"cut-me"}]}}"#,
        ),
        (
            "vapi",
            r#"{"message":{"type":"status-update","timestamp":1,"call":{"id":"c","phoneNumber":{"serverUrlSecret":"cut-me","server":{"secret":"cut-me"}},
                "monitor":{"controlUrl":"https://x.example/cut-me"}}}}"#,
        ),
        (
            "stripe",
            r#"{"id":"1","type":"charge.succeeded","data":{"object":{"id":"c","source":{"client_secret":"cut-me"}},"previous_attributes":{"client_secret":"cut-me"}}}"#,
        ),
        (
            "calendly",
            r#"{"event":"invitee.created","payload":{"uri":"u","scheduled_event":{"location":{"data":{"password":"cut-me"}}}}}"#,
        ),
        (
            "cal-com",
            r#"{"triggerEvent":"BOOKING_CREATED","createdAt":"x","payload":{"uid":"u","videoCallData":{"password":"cut-me"}}}"#,
        ),
        ("clerk", r#"{"type":"email.created","data":{"id":"e","otp_code":"cut-me"}}"#),
    ] {
        let event = request(body).event(built_in(provider));
        assert!(!String::from_utf8_lossy(&event.data.original).contains("cut-me"), "{provider}");
    }
    let command = form("token=cut-me&command=%2Fdeploy&text=now").event(built_in("slack"));
    assert_eq!(shown(&command), ["command", "#", "/deploy"]);
    assert!(!String::from_utf8_lossy(&command.data.original).contains("cut-me"));
}

#[test]
fn a_type_chosen_by_an_unsigned_place_is_unsigned() {
    let rule = "extract: {typeRules: [{when: [{header: X-Kind, equals: b}], type: [{value: b}]}], type: [{value: a}]}";
    let definition = definition(rule).unwrap();
    for (kind, expected) in [("a", "a"), ("b", "b")] {
        let event = request("{}").header("x-kind", kind).event(&definition);
        assert_eq!((event.event_type.as_str(), event.unsigned.event_type), (expected, true));
    }
    let wrong = super::definition("extract: {typeRules: [{when: [{pointer: a}], type: [{value: b}]}]}").unwrap_err();
    assert!(wrong[0].contains("spec.extract.typeRules[0].when[0]"), "{wrong:?}");
}
