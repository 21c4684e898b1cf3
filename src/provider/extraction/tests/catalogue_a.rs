//! What the definitions from 0 to k promise of identity, subjects, credentials and tests, vendor by vendor.

use base64::Engine;

use super::*;

/// Headers and body of a delivery.
type Sent = (&'static [(&'static str, &'static str)], &'static str);

fn event(provider: &str, (headers, body): Sent) -> Event {
    // Its body is a token.
    let token = format!("e30.{}.e30", base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(body));
    let body = if provider == "dialpad" { &token } else { body };
    let sent = headers.iter().fold(request(body), |sent, (name, value)| sent.header(name, value));
    sent.event(built_in(provider))
}

#[test]
fn two_deliveries_that_differ_little_are_two_events() {
    let cases: &[(&str, Sent, Sent)] = &[
        // The bytes of the first come again, and it is another event.
        (
            "alertmanager",
            (&[], r#"{"status":"firing","groupKey":"w"}"#),
            (&[], r#"{"status":"firing","groupKey":"w"}"#),
        ),
        ("grafana", (&[], r#"{"status":"firing","groupKey":"w"}"#), (&[], r#"{"status":"firing","groupKey":"w"}"#)),
        ("callrail", (&[], r#"{"resource_id":"C","tags":[]}"#), (&[], r#"{"resource_id":"C","tags":[]}"#)),
        (
            "clickup",
            (&[], r#"{"event":"taskDeleted","task_id":"1","webhook_id":"w"}"#),
            (&[], r#"{"event":"taskDeleted","task_id":"1","webhook_id":"w"}"#),
        ),
        ("dropbox", (&[], r#"{"list_folder":{"accounts":["a"]}}"#), (&[], r#"{"list_folder":{"accounts":["a"]}}"#)),
        ("ghost", (&[], "{}"), (&[], "{}")),
        (
            "harbor",
            (&[], r#"{"type":"PULL_ARTIFACT","occur_at":1}"#),
            (&[], r#"{"type":"PULL_ARTIFACT","occur_at":1}"#),
        ),
        (
            "hugging-face",
            (&[], r#"{"event":{"action":"update","scope":"discussion"}}"#),
            (&[], r#"{"event":{"action":"update","scope":"discussion"}}"#),
        ),
        (
            "hygraph",
            (&[], r#"{"operation":"publish","data":{"id":"1"}}"#),
            (&[], r#"{"operation":"publish","data":{"id":"1"}}"#),
        ),
        (
            "gitlab",
            (&[], r#"{"object_kind":"tag_push","after":"a"}"#),
            (&[], r#"{"object_kind":"tag_push","after":"a"}"#),
        ),
        ("cloudflare-notifications", (&[], r#"{"alert_type":"x","ts":1}"#), (&[], r#"{"alert_type":"x","ts":1}"#)),
        (
            "figma",
            (
                &[],
                r#"{"event_type":"LIBRARY_PUBLISH","webhook_id":"1","file_key":"k","timestamp":"2026-01-01T00:00:00Z","created_components":[]}"#,
            ),
            (
                &[],
                r#"{"event_type":"LIBRARY_PUBLISH","webhook_id":"1","file_key":"k","timestamp":"2026-01-01T00:00:00Z","created_styles":[]}"#,
            ),
        ),
        // The event stands in a header.
        (
            "discourse",
            (&[("x-discourse-event", "topic_created")], r#"{"topic":{"id":1}}"#),
            (&[("x-discourse-event", "topic_edited")], r#"{"topic":{"id":1}}"#),
        ),
        (
            "help-scout",
            (&[("x-helpscout-event", "convo.status")], r#"{"id":1}"#),
            (&[("x-helpscout-event", "convo.assigned")], r#"{"id":1}"#),
        ),
        (
            "buildkite",
            (&[("x-buildkite-request", "r-1")], r#"{"event":"build.running"}"#),
            (&[("x-buildkite-request", "r-2")], r#"{"event":"build.running"}"#),
        ),
        // The same second, and something beside it.
        (
            "figma",
            (
                &[],
                r#"{"event_type":"FILE_COMMENT","webhook_id":"1","comment_id":"8","timestamp":"2026-01-01T00:00:00Z"}"#,
            ),
            (
                &[],
                r#"{"event_type":"FILE_COMMENT","webhook_id":"1","comment_id":"9","timestamp":"2026-01-01T00:00:00Z"}"#,
            ),
        ),
        (
            "aircall",
            (&[], r#"{"event":"call.tagged","timestamp":1,"data":{"id":1,"tags":[{"id":1}]}}"#),
            (&[], r#"{"event":"call.tagged","timestamp":1,"data":{"id":1,"tags":[{"id":1},{"id":2}]}}"#),
        ),
        (
            "docusign",
            (
                &[],
                r#"{"event":"recipient-sent","generatedDateTime":"2026-01-01T00:00:00.1Z","data":{"envelopeId":"e","recipientId":"1"}}"#,
            ),
            (
                &[],
                r#"{"event":"recipient-sent","generatedDateTime":"2026-01-01T00:00:00.1Z","data":{"envelopeId":"e","recipientId":"2"}}"#,
            ),
        ),
        (
            "docker-hub",
            (
                &[],
                r#"{"push_data":{"pushed_at":1,"tag":"t"},"repository":{"repo_name":"a/b"},"callback_url":"https://h.example/1/"}"#,
            ),
            (
                &[],
                r#"{"push_data":{"pushed_at":1,"tag":"t"},"repository":{"repo_name":"a/b"},"callback_url":"https://h.example/2/"}"#,
            ),
        ),
        // One entity and state, later again.
        (
            "adyen",
            (
                &[],
                r#"{"pspReference":"p","eventCode":"REFUND","success":"true","eventDate":"2026-01-01T00:00:00+01:00"}"#,
            ),
            (
                &[],
                r#"{"pspReference":"p","eventCode":"REFUND","success":"true","eventDate":"2026-01-01T00:00:01+01:00"}"#,
            ),
        ),
        (
            "adyen",
            (
                &[],
                r#"{"type":"balancePlatform.transfer.updated","timestamp":"2026-01-01T00:00:00Z","data":{"id":"t","sequenceNumber":2}}"#,
            ),
            (
                &[],
                r#"{"type":"balancePlatform.transfer.updated","timestamp":"2026-01-01T00:00:00Z","data":{"id":"t","sequenceNumber":3}}"#,
            ),
        ),
        (
            "calendly",
            (
                &[],
                r#"{"event":"invitee_no_show.created","created_at":"2026-01-01T00:00:00.000001Z","payload":{"uri":"u"}}"#,
            ),
            (
                &[],
                r#"{"event":"invitee_no_show.created","created_at":"2026-01-01T00:00:00.000002Z","payload":{"uri":"u"}}"#,
            ),
        ),
        (
            "dialpad",
            (&[], r#"{"on_duty_status":"busy","event_timestamp":1,"target":{"id":7}}"#),
            (&[], r#"{"on_duty_status":"busy","event_timestamp":2,"target":{"id":7}}"#),
        ),
        (
            "elevenlabs",
            (&[], r#"{"type":"post_call_transcription","event_timestamp":1,"data":{"conversation_id":"c"}}"#),
            (&[], r#"{"type":"post_call_transcription","event_timestamp":2,"data":{"conversation_id":"c"}}"#),
        ),
        (
            "fireflies",
            (&[], r#"{"event":"meeting.summarized","meeting_id":"m","timestamp":1}"#),
            (&[], r#"{"event":"meeting.summarized","meeting_id":"m","timestamp":2}"#),
        ),
        (
            "gong",
            (&[], r#"{"callData":{"metaData":{"id":"1"}}}"#),
            (&[], r#"{"callData":{"metaData":{"id":"1"},"content":{"brief":"later"}}}"#),
        ),
        // One id under two owners.
        (
            "google-pubsub",
            (&[], r#"{"message":{"messageId":"1"},"subscription":"a"}"#),
            (&[], r#"{"message":{"messageId":"1"},"subscription":"b"}"#),
        ),
        (
            "azure-event-grid",
            (&[], r#"[{"id":"1","topic":"/a","eventType":"e"}]"#),
            (&[], r#"[{"id":"1","topic":"/b","eventType":"e"}]"#),
        ),
    ];
    for (provider, first, second) in cases {
        assert_ne!(event(provider, *first).id, event(provider, *second).id, "{provider}: {}", second.1);
    }
    let callback = |id: &str| {
        let json = format!(
            r#"{{"event":{{"event_time":"1","event_type":"signature_request_sent","event_hash":"h"}},"signature_request":{{"signature_request_id":"{id}"}}}}"#
        );
        let form = form_urlencoded::Serializer::new(String::new()).append_pair("json", &json).finish();
        let sent = request(form).header("content-type", "application/x-www-form-urlencoded");
        sent.event(built_in("dropbox-sign")).id
    };
    assert_ne!(callback("sr1"), callback("sr2"), "event_hash is that of the second and the type");
}

#[test]
fn what_changes_when_a_delivery_comes_again_is_no_part_of_its_id() {
    let cases: &[(&str, Sent, Sent)] = &[
        (
            "figma",
            (
                &[],
                r#"{"event_type":"FILE_UPDATE","webhook_id":"1","file_key":"k","timestamp":"2026-01-01T00:00:00Z","retries":0}"#,
            ),
            (
                &[],
                r#"{"event_type":"FILE_UPDATE","webhook_id":"1","file_key":"k","timestamp":"2026-01-01T00:00:00Z","retries":1}"#,
            ),
        ),
        (
            "docusign",
            (
                &[],
                r#"{"event":"envelope-sent","retryCount":0,"generatedDateTime":"2026-01-01T00:00:00.1Z","data":{"envelopeId":"e"}}"#,
            ),
            (
                &[],
                r#"{"event":"envelope-sent","retryCount":1,"generatedDateTime":"2026-01-01T00:00:00.1Z","data":{"envelopeId":"e"}}"#,
            ),
        ),
        (
            "hubspot",
            (&[], r#"[{"eventId":1,"subscriptionId":2,"portalId":3,"occurredAt":4,"attemptNumber":0}]"#),
            (&[], r#"[{"eventId":1,"subscriptionId":2,"portalId":3,"occurredAt":4,"attemptNumber":1}]"#),
        ),
        (
            "intercom",
            (&[], r#"{"id":"notif_1","delivery_attempts":1}"#),
            (&[], r#"{"id":"notif_1","delivery_attempts":2}"#),
        ),
        (
            "coinbase-commerce",
            (&[], r#"{"id":"a","attempt_number":1,"event":{"id":"e"}}"#),
            (&[], r#"{"id":"b","attempt_number":2,"event":{"id":"e"}}"#),
        ),
        (
            "google-pubsub",
            (&[], r#"{"deliveryAttempt":1,"message":{"messageId":"1"},"subscription":"a"}"#),
            (&[], r#"{"deliveryAttempt":2,"message":{"messageId":"1"},"subscription":"a"}"#),
        ),
        ("box", (&[("box-delivery-id", "1")], r#"{"id":"e"}"#), (&[("box-delivery-id", "2")], r#"{"id":"e"}"#)),
        (
            "cloudinary",
            (&[("x-cld-timestamp", "1")], r#"{"request_id":"r"}"#),
            (&[("x-cld-timestamp", "2")], r#"{"request_id":"r"}"#),
        ),
        (
            "jira",
            (&[("x-atlassian-webhook-identifier", "w")], "{}"),
            (&[("x-atlassian-webhook-identifier", "w"), ("x-atlassian-webhook-retry", "1")], "{}"),
        ),
        ("easypost", (&[], r#"{"id":"evt_1","pending_urls":["a"]}"#), (&[], r#"{"id":"evt_1","pending_urls":[]}"#)),
        ("convoy", (&[("x-convoy-idempotency-key", "k")], "{}"), (&[("x-convoy-idempotency-key", "k")], "{}")),
        ("firecrawl", (&[], r#"{"webhookId":"w","id":"j"}"#), (&[], r#"{"webhookId":"w","id":"j"}"#)),
        ("cashfree", (&[("x-idempotency-key", "k")], "{}"), (&[("x-idempotency-key", "k")], "{}")),
        ("flux", (&[], r#"{"reason":"r","message":"m"}"#), (&[], r#"{"reason":"r","message":"m"}"#)),
    ];
    for (provider, first, again) in cases {
        assert_eq!(event(provider, *first).id, event(provider, *again).id, "{provider}: {}", again.1);
    }
}

#[test]
fn the_entity_of_every_family_of_events_is_the_subject() {
    let cases: &[(&str, &str, &str)] = &[
        ("azure-devops", r#"{"resource":{"pushId":1,"repository":{"id":"r1"}}}"#, "r1"),
        ("azure-devops", r#"{"resource":{"comment":{"id":4},"pullRequest":{"pullRequestId":7}}}"#, "7"),
        ("azure-devops", r#"{"resource":{"id":2,"workItemId":55}}"#, "55"),
        ("azure-devops", r#"{"resource":{"pullRequestId":9,"repository":{"id":"r1"}}}"#, "9"),
        ("bitbucket-data-center", r#"{"eventKey":"repo:modified","new":{"slug":"web"}}"#, "web"),
        ("bitbucket-data-center", r#"{"eventKey":"project:modified","new":{"key":"P"}}"#, "P"),
        ("gitlab", r#"{"event_name":"user_create","username":"u","user_id":4}"#, "u"),
        ("gitlab", r#"{"event_name":"key_create","username":"u","id":4}"#, "u"),
        ("gitlab", r#"{"event_name":"subgroup_create","path":"s","full_path":"g/s","group_id":2}"#, "g/s"),
        ("gitlab", r#"{"event_name":"group_create","path":"g","group_id":78}"#, "78"),
        ("gitlab", r#"{"event_name":"user_add_to_group","group_path":"g","group_id":78,"user_username":"u"}"#, "g"),
        ("gitlab", r#"{"event_name":"user_add_to_team","project_path_with_namespace":"a/b","project_id":1}"#, "a/b"),
        ("gitlab", r#"{"event_name":"project_create","path_with_namespace":"a/b","project_id":1}"#, "a/b"),
        ("gitlab", r#"{"object_kind":"access_token","group":{"group_path":"g","group_id":3}}"#, "g"),
        ("github", r#"{"action":"created","installation":{"account":{"login":"acme"}}}"#, "acme"),
        ("github", r#"{"action":"created","enterprise":{"slug":"e"},"installation":{"id":1}}"#, "e"),
        ("ghost", r#"{"post":{"current":{},"previous":{"id":"p"}}}"#, "p"),
        ("hubspot", r#"[{"subscriptionType":"contact.associationChange","fromObjectId":5,"toObjectId":6}]"#, "5"),
        ("gocardless", r#"{"events":[{"id":"E","links":{"payment":"PM","subscription":"SB"}}]}"#, "SB"),
        ("gocardless", r#"{"events":[{"id":"E","links":{"mandate":"MD"}}]}"#, "MD"),
        ("jira", r#"{"webhookEvent":"project_created","project":{"key":"K"}}"#, "K"),
        ("jira", r#"{"webhookEvent":"sprint_started","sprint":{"id":3}}"#, "3"),
        ("discourse", r#"{"category":{"id":4}}"#, "4"),
        ("dodo-payments", r#"{"data":{"payment_id":"pay"}}"#, "pay"),
        ("cashfree", r#"{"data":{"order":{"order_id":"o"},"payment":{"cf_payment_id":12}}}"#, "12"),
        ("elevenlabs", r#"{"type":"speech_to_text_transcription","data":{"request_id":"r"}}"#, "r"),
        ("dialpad", r#"{"on_duty_status":"busy","target":{"id":7}}"#, "7"),
    ];
    for (provider, body, subject) in cases {
        assert_eq!(event(provider, (&[], body)).subject.as_deref(), Some(*subject), "{provider}: {body}");
    }
    let message =
        event("dialpad", (&[], r#"{"id":1,"from_number":"+1555","to_number":["+1556"],"direction":"inbound"}"#));
    assert_eq!((message.event_type.as_str(), message.subject.as_deref()), ("sms", Some("1")));
    let zoneless = event("discord", (&[], r#"{"event":{"timestamp":"2026-01-01T00:00:00.123456"}}"#));
    assert_eq!(zoneless.time.to_string(), "2026-01-01T00:00:00.123456Z");
}

#[test]
fn credentials_that_a_vendor_puts_into_a_body_are_cut() {
    let cases: &[(&str, &str)] = &[
        ("gitea", r#"{"secret":"cut-me","action":"opened"}"#),
        ("gogs", r#"{"secret":"cut-me","action":"opened"}"#),
        ("forgejo", r#"{"secret":"cut-me","action":"opened"}"#),
        (
            "easypost",
            r#"{"id":"evt_1","pending_urls":["https://u:cut-me@h.example/"],"completed_urls":["https://u:cut-me@h.example/"]}"#,
        ),
        ("justcall", r#"{"request_id":"1","webhook_url":"https://h.example/?token=cut-me"}"#),
        (
            "buildkite",
            r#"{"event":"build.running","pipeline":{"provider":{"webhook_url":"https://webhook.example/deliver/cut-me"}}}"#,
        ),
        (
            "heroku",
            r#"{"id":"1","data":{"log_input_url":"https://token:cut-me@l.example/","attach_url":"rendezvous://r.example/cut-me"}}"#,
        ),
    ];
    for (provider, body) in cases {
        let shown = event(provider, (&[], body)).data.original;
        assert!(!String::from_utf8_lossy(&shown).contains("cut-me"), "{provider}");
    }
    let form = request("payload=%7B%22secret%22%3A%22cut-me%22%7D")
        .header("content-type", "application/x-www-form-urlencoded");
    let shown = form.event(built_in("gitea")).data.original;
    assert!(!String::from_utf8_lossy(&shown).contains("cut-me"));
}

#[test]
fn what_a_test_button_sends_is_acknowledged_and_no_event() {
    for (provider, body) in [
        ("cal-com", r#"{"triggerEvent":"PING","createdAt":"2026-01-01T00:00:00.000Z","payload":{}}"#),
        ("iron", r#"{"type":"Ping"}"#),
        ("hcp-terraform", r#"{"payload_version":2,"trigger":"verification"}"#),
    ] {
        let batch = request(body).read(built_in(provider)).unwrap();
        assert_eq!((batch.dropped, batch.items.len()), (1, 0), "{provider}");
    }
}
