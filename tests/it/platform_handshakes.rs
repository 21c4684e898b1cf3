//! Vendors that test a URL before they use it hear what they want, and nobody else gets more than an echo.
#![allow(clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;

use hookgate::provider::catalogue::Catalogue;
use hookgate::provider::handshake::{Handshake, Shake};
use hookgate::provider::request::{Head, RequestView};
use hookgate::provider::verify::keys::KeyRef;
use hookgate::provider::verify::{Given, Verifier};
use hookgate::secret::SecretBytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use jiff::Timestamp;

/// HMAC-SHA256 of the challenges below under "secret", computed elsewhere.
const ZOOM: &str = "72cef096bfd47c0b8664df30d07721641e4abd7e885ba432204260db477a9a3e";
const CRC: &str = "UO8m2pi08S+xL271Tzlp9l8JWD2FlCo3oF6Rd60xxrw=";

struct Ask {
    provider: &'static str,
    method: &'static str,
    query: Option<&'static str>,
    header: Option<(&'static str, &'static str)>,
    body: &'static str,
}

fn ask(provider: &'static str, body: &'static str) -> Ask {
    Ask { provider, method: "POST", query: None, header: None, body }
}

impl Ask {
    fn method(self, method: &'static str) -> Self {
        Self { method, ..self }
    }

    fn query(self, query: &'static str) -> Self {
        Self { query: Some(query), ..self }
    }

    fn header(self, name: &'static str, value: &'static str) -> Self {
        Self { header: Some((name, value)), ..self }
    }

    /// Whether it is answered before any proof, the status, and the answer's body or headers; `None` where it is refused.
    fn answer(&self) -> Option<(bool, u16, String)> {
        let provider = Catalogue::default().get(self.provider).expect("a built-in");
        let method = provider.method(None).expect("a method that proves something");
        let key = |purpose: Option<&str>, value: &str| KeyRef {
            secret: "vendor".to_owned(),
            key: "key".to_owned(),
            purpose: purpose.map(str::to_owned),
            not_after: None,
            value: Some(SecretBytes::new(value.as_bytes().to_vec())),
        };
        // Public keys are those of nobody: only what is answered is looked at here.
        let secret = if self.provider.starts_with("discord") { "00".repeat(32) } else { "secret".to_owned() };
        let others: Vec<&str> = provider.handshakes.iter().filter_map(Handshake::purpose).collect();
        let mut keys: Vec<KeyRef> = others.iter().map(|purpose| key(Some(purpose), "verify me")).collect();
        if method.purposes().contains(&None) && !self.provider.starts_with("azure") {
            keys.push(key(None, &secret));
        }
        // What names the customer where the vendor's key signs for all of them.
        let parameters = ["issuer", "audience"].map(|name| (name.to_owned(), "ours".to_owned()));
        let parameters = if self.provider.starts_with("azure") { parameters.into() } else { BTreeMap::new() };
        let given = Given {
            keys: &keys,
            other_purposes: &others,
            parameters: &parameters,
            tolerance: None,
            external_url: method.needs_url().then_some("https://hooks.example.com/in"),
        };
        let (verifier, _) =
            Verifier::new(method, &given).unwrap_or_else(|problem| panic!("{}: {problem}", self.provider));
        let mut headers = HeaderMap::new();
        if let Some((name, value)) = self.header {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        let http_method: Method = self.method.parse().expect("a method");
        let now = Timestamp::now();
        let head = Head { method: &http_method, path: "/in", query: self.query, headers: &headers, received: now };
        let request = RequestView { head, body: self.body.as_bytes() };
        if let Some(handshake) = provider.handshake(&request) {
            match handshake.answer(&request, &verifier, now) {
                Shake::Refused(_) => return None,
                Shake::Answer(reply, _) => {
                    let always = [
                        http::header::CONTENT_TYPE,
                        http::header::X_CONTENT_TYPE_OPTIONS,
                        http::header::CONTENT_SECURITY_POLICY,
                    ];
                    let own = reply.headers.iter().filter(|(name, _)| !always.contains(*name));
                    let own = own.map(|(n, v)| format!("{n}: {}", v.to_str().unwrap_or_default()));
                    let body = String::from_utf8_lossy(&reply.body).into_owned();
                    let kind = reply.headers.get(http::header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
                    let kind = kind.unwrap_or_default();
                    assert!(!kind.contains("html"), "{}", self.provider);
                    let mut said: Vec<String> = own.collect();
                    said.sort();
                    said.extend((!body.is_empty()).then_some(body));
                    return Some((handshake.unsigned, reply.status.as_u16(), said.join("\n")));
                }
            }
        }
        None
    }
}

#[test]
fn challenges_are_answered_as_each_vendor_wants() {
    let zoom = r#"{"event":"endpoint.url_validation","payload":{"plainToken":"qgg8vlvZRS6UYooatFL8Aw"}}"#;
    let grid = r#"[{"id":"1","eventType":"x","data":{"validationCode":"512d38b6"}}]"#;
    let form = "application/x-www-form-urlencoded";
    let cases = [
        (ask("zoom", zoom), Some((false, 200, r#"{"plainToken":"qgg8vlvZRS6UYooatFL8Aw","encryptedToken":"ZOOM"}"#))),
        (ask("x", "").method("GET").query("crc_token=crc-1"), Some((true, 200, r#"{"response_token":"sha256=XCRC"}"#))),
        // A challenge that could be a body is never signed.
        (ask("x", "").method("GET").query("crc_token=%7B%22a%22%3A1%7D"), None),
        (ask("slack", r#"{"type":"url_verification","challenge":"c-1"}"#), Some((false, 200, "c-1"))),
        (
            ask("twitch", r#"{"challenge":"c-2"}"#)
                .header("twitch-eventsub-message-type", "webhook_callback_verification"),
            Some((false, 200, "c-2")),
        ),
        (
            ask("okta", "").method("GET").header("x-okta-verification-challenge", "c-3"),
            Some((true, 200, r#"{"verification":"c-3"}"#)),
        ),
        (ask("meta", "").method("GET").query("hub.mode=subscribe&hub.challenge=1&hub.verify_token=wrong"), None),
        (
            ask("azure-event-grid", grid).header("aeg-event-type", "SubscriptionValidation"),
            Some((false, 200, r#"{"validationResponse":"512d38b6"}"#)),
        ),
        (
            ask("azure-event-grid-cloudevents", "")
                .method("OPTIONS")
                .header("webhook-request-origin", "eventgrid.azure.net"),
            Some((true, 200, "webhook-allowed-origin: eventgrid.azure.net\nwebhook-allowed-rate: *")),
        ),
        (ask("discord", r#"{"version":1,"type":0}"#), Some((false, 204, ""))),
        (ask("discord-interactions", r#"{"type":1}"#), Some((false, 200, r#"{"type":1}"#))),
        (
            ask("bitbucket-data-center", r#"{"test": true}"#).header("x-event-key", "diagnostics:ping"),
            Some((true, 200, "")),
        ),
        // A test that is only a text is answered after the proof; what says what it is about is an event.
        (ask("cloudflare-notifications", r#"{"text":"Hello World!"}"#), Some((false, 200, ""))),
        (ask("cloudflare-notifications", r#"{"text":"x","alert_type":"universal_ssl_event_type","ts":1}"#), None),
        (ask("mandrill", "").method("HEAD"), Some((true, 200, ""))),
        (ask("mandrill", "mandrill_events=%5B%5D").header("content-type", form), Some((true, 200, ""))),
        (ask("mandrill", "mandrill_events=%5B1%5D").header("content-type", form), None),
        // Slack checks the certificate of a command's URL, signed or not; a command is none.
        (ask("slack", "token=t&ssl_check=1").header("content-type", form), Some((true, 200, ""))),
        (ask("slack", "token=t&command=%2Fdeploy&text=ssl_check%3D1").header("content-type", form), None),
        (ask("slack-interactivity", "token=t&ssl_check=1").header("content-type", form), Some((true, 200, ""))),
    ];
    for (request, expected) in cases {
        let expected = expected.map(|(unsigned, status, text)| {
            let text = text.replace("ZOOM", ZOOM).replace("XCRC", CRC);
            (unsigned, status, text)
        });
        assert_eq!(request.answer(), expected, "{} {:?} {}", request.provider, request.query, request.body);
    }
    let right =
        ask("meta", "").method("GET").query("hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=verify%20me");
    assert_eq!(right.answer(), Some((true, 200, "1158201444".to_owned())));
}
