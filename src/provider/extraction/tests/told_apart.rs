//! Deliveries that vendors send: those that must not be taken for one event, and repetitions that are one.

use super::*;
use crate::api::provider::DeliveryMethod;

/// Deliveries of a provider, each written as `?query` and header lines, an empty line, and the body; then how many
/// events they are, and whether each of them sent again is still that event.
type Told = (&'static str, &'static [&'static str], usize, bool);

const TOLD: &[Told] = &[
    (
        "netlify",
        &[
            "X-Netlify-Event: deploy_created\n\n{'id':'5b','state':'ready','updated_at':'2018-08-03T22:20:11.180Z'}",
            "X-Netlify-Event: deploy_locked\n\n{'id':'5b','state':'ready','updated_at':'2018-08-03T22:21:59.875Z'}",
            "X-Netlify-Event: deploy_unlocked\n\n{'id':'5b','state':'ready','updated_at':'2018-08-03T22:24:04.622Z'}",
        ],
        3,
        true,
    ),
    // Nothing tells these apart, so nothing is taken for a repetition.
    (
        "quay",
        &["{'repository':'a/b','updated_tags':['latest']}", "{'repository':'a/b','updated_tags':['latest']}"],
        2,
        false,
    ),
    ("woocommerce", &["{'id':1,'status':'paid'}", "{'id':1,'status':'paid'}"], 2, false),
    ("lemon-squeezy", &["{'meta':{'event_name':'subscription_updated'},'data':{'id':'1'}}"; 2], 2, false),
    ("plaid", &["{'webhook_type':'TRANSACTIONS','webhook_code':'SYNC_UPDATES_AVAILABLE','item_id':'i'}"; 2], 2, false),
    ("revolut", &["{'event':'ORDER_PAYMENT_FAILED','order_id':'o'}"; 2], 2, false),
    ("retell", &["{'event':'transcript_updated','call':{'call_id':'c'}}"; 2], 2, false),
    ("retell", &["{'event':'call_analyzed','call':{'call_id':'c','end_timestamp':1714608491736}}"; 2], 2, false),
    ("slack", &["{'type':'app_rate_limited','minute_rate_limited':1518467820}"; 2], 2, false),
    (
        "sinch-voice",
        &["{'event':'pie','callid':'c','timestamp':'2014-12-01T08:17:20Z','menuResult':{'value':'1'}}"; 2],
        2,
        false,
    ),
    // The vendor's own id, whatever else repeats or differs.
    (
        "modern-treasury",
        &["X-Webhook-ID: w-1\n\n{'event':'completed'}", "X-Webhook-ID: w-2\n\n{'event':'completed'}"],
        2,
        true,
    ),
    (
        "twilio",
        &["I-Twilio-Idempotency-Token: a\n\n{'CallSid':'CA1'}", "I-Twilio-Idempotency-Token: b\n\n{'CallSid':'CA1'}"],
        2,
        true,
    ),
    ("quo", &["webhook-id: attempt-1\n\n{'id':'EV1'}", "webhook-id: attempt-2\n\n{'id':'EV1'}"], 1, true),
    (
        "trello",
        &["{'action':{'id':'a'},'model':{'id':'board'}}", "{'action':{'id':'a'},'model':{'id':'card'}}"],
        2,
        true,
    ),
    // Entities, and what differs between their events.
    (
        "speechify",
        &[
            "{'event':'conversation.completed','timestamp':1729425600000,'conversation':{'id':'c'}}",
            "{'event':'session.errored','timestamp':1729425600000,'conversation':{'id':'c'}}",
            "{'id':'evt_1','type':'conversation.ended','data':{'conversation_id':'c'}}",
        ],
        3,
        true,
    ),
    (
        "speechmatics",
        &["?id=j&status=success\n\n{'format':'2.9','job':{'id':'j'}}", "?id=j&status=success\n\n{'job':{'id':'j'}}"],
        2,
        true,
    ),
    (
        "vapi",
        &[
            "{'message':{'type':'speech-update','status':'stopped','role':'assistant','timestamp':1,'call':{'id':'c'}}}",
            "{'message':{'type':'speech-update','status':'started','role':'user','timestamp':1,'call':{'id':'c'}}}",
            "{'message':{'type':'transcript','role':'user','transcript':'well','timestamp':1,'call':{'id':'c'}}}",
            "{'message':{'type':'transcript','role':'user','transcript':'well,','timestamp':1,'call':{'id':'c'}}}",
        ],
        4,
        true,
    ),
    (
        "retell",
        &[
            "{'event':'call_started','call':{'call_id':'c'}}",
            "{'event':'call_ended','call':{'call_id':'c','end_timestamp':2}}",
            "{'event':'chat_ended','chat':{'chat_id':'c'}}",
        ],
        3,
        true,
    ),
    (
        "vonage",
        &[
            "{'uuid':'u','status':'answered','timestamp':'2020-01-01T14:00:00.000Z'}",
            "{'uuid':'u','status':'completed','timestamp':'2020-01-01T14:00:00.000Z'}",
            "{'uuid':'u','dtmf':{'digits':'1'},'timestamp':'2020-01-01T14:00:00.001Z'}",
            "{'recording_url':'https://r.example','recording_uuid':'r'}",
            "{'recording_uuid':'r','status':'transcribed'}",
        ],
        5,
        true,
    ),
    (
        "vonage-sms",
        &[
            "{'messageId':'m','status':'buffered'}",
            "{'messageId':'m','status':'delivered'}",
            "{'messageId':'m','type':'text'}",
        ],
        3,
        true,
    ),
    (
        "viber",
        &[
            "{'event':'delivered','message_token':491266184665523145,'timestamp':1,'user_id':'u'}",
            "{'event':'delivered','message_token':491266184665523145,'timestamp':1,'user_id':'v'}",
            "{'event':'seen','message_token':491266184665523145,'timestamp':1,'user_id':'u'}",
            "{'event':'subscribed','timestamp':1,'user':{'id':'u'}}",
        ],
        4,
        true,
    ),
    // The time of a try differs in each, the body's own time does not.
    (
        "webflow",
        &[
            "x-webflow-timestamp: 1\n\n{'triggerType':'site_publish','payload':{'site':'s','publishTime':1653000000000}}",
            "x-webflow-timestamp: 2\n\n{'triggerType':'site_publish','payload':{'site':'s','publishTime':1653000000000}}",
            "x-webflow-timestamp: 2\n\n{'triggerType':'site_publish','payload':{'site':'s','publishTime':1653000000009}}",
        ],
        2,
        true,
    ),
    (
        "travis-ci",
        &[
            "content-type: application/x-www-form-urlencoded\n\npayload=%7B%22id%22:1,%22type%22:%22push%22,%22state%22:%22failed%22,%22finished_at%22:%222026-01-01T00:00:00Z%22%7D",
            "content-type: application/x-www-form-urlencoded\n\npayload=%7B%22id%22:1,%22type%22:%22push%22,%22state%22:%22errored%22,%22finished_at%22:%222026-01-01T00:00:00Z%22%7D",
        ],
        2,
        true,
    ),
    (
        "x",
        &[
            "{'for_user_id':'9','direct_message_events':[{'id':'a'}]}",
            "{'for_user_id':'9','favorite_events':[{'id':'a'}]}",
            "{'for_user_id':'8','favorite_events':[{'id':'a'}]}",
            "{'for_user_id':'9','follow_events':[{'type':'follow','created_timestamp':'1','source':{'id':'s'},'target':{'id':'t'}}]}",
            "{'for_user_id':'9','follow_events':[{'type':'unfollow','created_timestamp':'1','source':{'id':'s'},'target':{'id':'t'}}]}",
        ],
        5,
        true,
    ),
    // Lists whose items the vendor names.
    (
        "xero",
        &[
            "{'events':[{'tenantId':'t','eventCategory':'INVOICE','eventType':'UPDATE','resourceId':'r','eventDateUtc':'2017-06-21T01:15:39.902'}],'entropy':'A'}",
            "{'events':[{'tenantId':'t','eventCategory':'INVOICE','eventType':'UPDATE','resourceId':'r','eventDateUtc':'2017-06-21T01:15:39.903'}],'entropy':'A'}",
            "{'events':[{'tenantId':'t','eventCategory':'INVOICE','eventType':'UPDATE','resourceId':'r','eventDateUtc':'2017-06-21T01:15:39.902'}],'entropy':'B'}",
        ],
        2,
        true,
    ),
    (
        "pusher",
        &[
            "{'time_ms':1,'events':[{'name':'client_event','channel':'c','event':'client-typing','data':'1'},{'name':'client_event','channel':'c','event':'client-typing','data':'2'}]}",
        ],
        2,
        true,
    ),
    (
        "microsoft-graph",
        &[
            "{'value':[{'subscriptionId':'s','changeType':'updated','resource':'tasks/1','resourceData':{'@odata.etag':'W/1'}},{'subscriptionId':'s','changeType':'updated','resource':'tasks/2','resourceData':{'@odata.etag':'W/1'}}]}",
        ],
        2,
        true,
    ),
    ("microsoft-graph", &["{'value':[{'subscriptionId':'s','lifecycleEvent':'missed','resource':'r'}]}"; 2], 2, false),
    (
        "meta",
        &[
            "{'object':'page','entry':[{'id':'1','messaging':[{'sender':{'id':'s'},'timestamp':1,'message':{'mid':'m'}}]}]}",
            "{'object':'page','entry':[{'id':'1','messaging':[{'sender':{'id':'s'},'timestamp':1,'message':{'mid':'m','is_echo':true}}]}]}",
            "{'object':'instagram','entry':[{'id':'1','messaging':[{'sender':{'id':'s'},'timestamp':1,'message':{'mid':'m','is_deleted':true}}]}]}",
            "{'object':'whatsapp_business_account','entry':[{'id':'1','changes':[{'field':'messages','value':{'messages':[{'id':'w'}]}}]}]}",
            "{'object':'whatsapp_business_account','entry':[{'id':'1','changes':[{'field':'messages','value':{'statuses':[{'id':'w','status':'sent','timestamp':'1'}]}}]}]}",
            "{'object':'whatsapp_business_account','entry':[{'id':'1','changes':[{'field':'messages','value':{'statuses':[{'id':'w','status':'read','timestamp':'1'}]}}]}]}",
        ],
        6,
        true,
    ),
    (
        "meta",
        &["{'object':'page','entry':[{'id':'1','changes':[{'field':'feed','value':{'item':'reaction','verb':'add','created_time':1}}]}]}";
            2],
        2,
        false,
    ),
    // Equal but for their place: sent twice they are these again.
    (
        "pusher",
        &[
            "{'time_ms':1,'events':[{'name':'client_event','channel':'c','event':'client-ok','data':'1'},{'name':'client_event','channel':'c','event':'client-ok','data':'1'}]}",
        ],
        2,
        true,
    ),
    // Messages by their ids, events by all that they say.
    (
        "wechat",
        &[
            "content-type: text/xml\n\n<xml><FromUserName>u</FromUserName><CreateTime>1</CreateTime><MsgType>text</MsgType><Content>hi</Content><MsgId>7</MsgId></xml>",
            "content-type: text/xml\n\n<xml><FromUserName>u</FromUserName><CreateTime>1</CreateTime><MsgType>text</MsgType><Content>hi</Content><MsgId>8</MsgId></xml>",
            "content-type: text/xml\n\n<xml><FromUserName>u</FromUserName><CreateTime>1</CreateTime><MsgType>event</MsgType><Event>subscribe</Event></xml>",
            "content-type: text/xml\n\n<xml><FromUserName>u</FromUserName><CreateTime>2</CreateTime><MsgType>event</MsgType><Event>subscribe</Event></xml>",
            "content-type: text/xml\n\n<xml><FromUserName>u</FromUserName><CreateTime>2</CreateTime><MsgType>event</MsgType><Event>CLICK</Event><EventKey>a</EventKey></xml>",
            "content-type: text/xml\n\n<xml><FromUserName>u</FromUserName><CreateTime>2</CreateTime><MsgType>event</MsgType><Event>CLICK</Event><EventKey>b</EventKey></xml>",
        ],
        6,
        true,
    ),
    (
        "wecom",
        &[
            "content-type: text/xml\n\n<xml><FromUserName>u</FromUserName><CreateTime>1</CreateTime><MsgType>text</MsgType><MsgId>7</MsgId></xml>",
            "content-type: text/xml\n\n<xml><FromUserName>sys</FromUserName><CreateTime>1</CreateTime><MsgType>event</MsgType><Event>change_contact</Event><ChangeType>create_user</ChangeType><UserID>a</UserID></xml>",
            "content-type: text/xml\n\n<xml><FromUserName>sys</FromUserName><CreateTime>1</CreateTime><MsgType>event</MsgType><Event>change_contact</Event><ChangeType>create_user</ChangeType><UserID>b</UserID></xml>",
        ],
        3,
        true,
    ),
    (
        "braintree",
        &[
            "content-type: application/x-www-form-urlencoded\n\nbt_payload=PG5vdGlmaWNhdGlvbj48dGltZXN0YW1wIHR5cGU9ImRhdGV0aW1lIj4yMDI2LTAxLTAxVDAwOjAwOjAwWjwvdGltZXN0YW1wPjxraW5kPnN1YnNjcmlwdGlvbl9jYW5jZWxlZDwva2luZD48c3ViamVjdD48c3Vic2NyaXB0aW9uPjxpZD5zPC9pZD48L3N1YnNjcmlwdGlvbj48L3N1YmplY3Q%2BPC9ub3RpZmljYXRpb24%2B",
            "content-type: application/x-www-form-urlencoded\n\nbt_payload=PG5vdGlmaWNhdGlvbj48dGltZXN0YW1wIHR5cGU9ImRhdGV0aW1lIj4yMDI2LTAxLTAxVDAwOjAwOjAwWjwvdGltZXN0YW1wPjxraW5kPnN1YnNjcmlwdGlvbl9leHBpcmVkPC9raW5kPjxzdWJqZWN0PjxzdWJzY3JpcHRpb24%2BPGlkPnM8L2lkPjwvc3Vic2NyaXB0aW9uPjwvc3ViamVjdD48L25vdGlmaWNhdGlvbj4%3D",
            "content-type: application/x-www-form-urlencoded\n\nbt_payload=PG5vdGlmaWNhdGlvbj48dGltZXN0YW1wIHR5cGU9ImRhdGV0aW1lIj4yMDI2LTAxLTAxVDAwOjAwOjAxWjwvdGltZXN0YW1wPjxraW5kPnN1YnNjcmlwdGlvbl9jYW5jZWxlZDwva2luZD48c3ViamVjdD48c3Vic2NyaXB0aW9uPjxpZD5zPC9pZD48L3N1YnNjcmlwdGlvbj48L3N1YmplY3Q%2BPC9ub3RpZmljYXRpb24%2B",
        ],
        3,
        true,
    ),
    // The body's own clock.
    ("zoom", &["{'event':'meeting.started','event_ts':1}", "{'event':'meeting.started','event_ts':2}"], 2, true),
    (
        "zoom",
        &[
            "{'event':'recording.completed','event_ts':1,'download_token':'a'}",
            "{'event':'recording.completed','event_ts':1,'download_token':'b'}",
        ],
        1,
        true,
    ),
];

/// The ids of a delivery's events.
fn ids_of(provider: &str, written: &str) -> Vec<String> {
    let (head, body) = written.rsplit_once("\n\n").unwrap_or(("", written));
    let mut sent = request(body.replace('\'', "\""));
    for line in head.lines() {
        sent = match (line.strip_prefix('?'), line.split_once(": ")) {
            (Some(query), _) => sent.query(query),
            (None, Some((name, value))) => sent.header(&name.to_lowercase(), value),
            (None, None) => panic!("{line}"),
        };
    }
    ids(&sent.read(built_in(provider)).unwrap()).into_iter().map(|id| id.unwrap().to_owned()).collect()
}

#[test]
fn different_deliveries_are_different_events_and_a_repetition_is_the_same() {
    for (provider, deliveries, events, repeats) in TOLD {
        let sent = || deliveries.iter().flat_map(|written| ids_of(provider, written)).collect::<Vec<_>>();
        let (first, again) = (sent(), sent());
        let distinct: std::collections::BTreeSet<&String> = first.iter().collect();
        assert_eq!(distinct.len(), *events, "{provider}: {first:?}");
        assert_eq!(first == again, *repeats, "{provider}: {first:?} {again:?}");
    }
}

#[test]
fn credentials_that_vendors_put_into_their_bodies_are_cut() {
    for (provider, body) in [
        ("stripe", "{'id':'evt_1','data':{'object':{'id':'pi_1','client_secret':'cut-me'}}}"),
        ("retell", "{'event':'call_started','call':{'call_id':'c','access_token':'cut-me'}}"),
        ("mux", "{'id':'1','data':{'stream_key':'cut-me','simulcast_targets':[{'stream_key':'cut-me'}]}}"),
        ("livekit", "{'id':'1','ingressInfo':{'streamKey':'cut-me'}}"),
        ("livekit", "{'id':'1','egressInfo':{'roomComposite':{'fileOutputs':[{'s3':{'secret':'cut-me'}}]}}}"),
        (
            "vapi",
            "{'message':{'call':{'assistant':{'server':{'secret':'cut-me'}}},'phoneNumber':{'twilioAuthToken':'cut-me'}}}",
        ),
        (
            "ultravox",
            "{'event':'call.ended','call':{'callId':'c','medium':{'sip':{'outgoing':{'password':'cut-me'}}}}}",
        ),
        (
            "zoom",
            "{'event':'meeting.created','payload':{'object':{'encrypted_password':'cut-me','pstn_password':'cut-me'}}}",
        ),
        ("lark", "{'schema':'2.0','header':{'event_id':'1','token':'cut-me'}}"),
        ("slack-interactivity", "payload={'type':'block_actions','token':'cut-me','trigger_id':'1'}"),
    ] {
        let form = body.starts_with("payload=");
        let media = if form { "application/x-www-form-urlencoded" } else { "application/json" };
        let event = request(body.replace('\'', "\"")).header("content-type", media).event(built_in(provider));
        let shown = String::from_utf8_lossy(&event.data.original).into_owned();
        assert!(!shown.contains("cut-me"), "{provider}: {shown}");
    }
}

/// A form, and the type and subject of its event.
const FORMS: &[(&str, &str, [&str; 2])] = &[
    ("twilio", "CallSid=CA1&CallStatus=completed&From=%2B15550100", ["call.completed", "CA1"]),
    ("signalwire", "CallSid=CA1&CallStatus=completed", ["call.completed", "CA1"]),
    ("plivo", "CallUUID=c&CallStatus=completed", ["call.completed", "c"]),
    ("messagebird", "id=m&recipient=31600000000&status=delivered", ["received", "m"]),
    ("vonage-sms", "messageId=m&status=delivered&message-timestamp=2026-01-01+00%3A00%3A00", ["delivered", "m"]),
];

#[test]
fn callbacks_by_get_say_what_a_form_would() {
    for (provider, parameters, [event_type, subject]) in FORMS {
        let form = request(parameters).header("content-type", "application/x-www-form-urlencoded");
        let get = request("").query(parameters);
        let got = built_in(provider).read(&get.verified(), &get.head(&Method::GET), None).unwrap();
        for event in [&form.event(built_in(provider)), got.items[0].as_ref().unwrap()] {
            let shown = (event.event_type.as_str(), event.subject.as_deref());
            assert_eq!(shown, (*event_type, Some(*subject)), "{provider}");
        }
        let spec = catalogue::built_in(provider).unwrap().spec().unwrap();
        assert!(spec.http_methods.contains(&DeliveryMethod::GET), "{provider}");
    }
}

#[test]
fn mails_that_come_as_forms_are_events_without_what_signs_them() {
    let part =
        |name: &str, value: &str| format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
    let multipart = |fields: &[(&str, &str)]| {
        let body: String = fields.iter().map(|(name, value)| part(name, value)).collect();
        request(body + "--b--\r\n").header("content-type", "multipart/form-data; boundary=b")
    };
    let fields = [
        ("recipient", "b@x"),
        ("Message-Id", "<1@y>"),
        ("timestamp", "1795648474"),
        ("token", "cut-me"),
        ("signature", "cut-me"),
    ];
    let encoded = "recipient=b%40x&Message-Id=%3C1%40y%3E&timestamp=1795648474&token=cut-me&signature=cut-me";
    let form = request(encoded).header("content-type", "application/x-www-form-urlencoded");
    for mail in [multipart(&fields), form] {
        let event = mail.event(built_in("mailgun"));
        assert_eq!((event.event_type.as_str(), event.subject.as_deref()), ("inbound", Some("<1@y>")));
        assert_eq!(event.time.as_second(), 1_795_648_474);
        assert!(!String::from_utf8_lossy(&event.data.original).contains("cut-me"));
    }
    let parsed = multipart(&[("envelope", "{}"), ("from", "a@y"), ("text", "hi")]).event(built_in("sendgrid"));
    assert_eq!(parsed.event_type, "inbound");
}

#[test]
fn every_list_of_a_messenger_entry_is_events() {
    let body = r#"{"object":"page","entry":[{"id":"441","time":1554485258389,"standby":[{"sender":{"id":"203"},"timestamp":1554485257837,"message":{"mid":"w1"}},
        {"sender":{"id":"204"},"timestamp":1554485257900,"message":{"mid":"w2"}}]}]}"#;
    let batch = request(body).read(built_in("meta")).unwrap();
    assert_eq!(ids(&batch), [Ok("page:w1:1554485257837"), Ok("page:w2:1554485257900")]);
    let event = batch.items[0].as_ref().unwrap();
    assert_eq!((event.event_type.as_str(), event.subject.as_deref()), ("page.messaging", Some("203")));
    assert_eq!(event.time.as_millisecond(), 1_554_485_257_837);
}
