//! Manifests at the edge that must be taken.

use hookgate::api::API_VERSION;
use serde_json::json;

use crate::crds_cases::{Case, HMAC, generic, hmac, object, provider_with, refs, scheme, source, with};

pub fn right() -> Vec<Case> {
    let eight: Vec<String> = (0..8)
        .map(|index| format!("{{name: a, key: k{index}}}, {{name: a, key: b{index}, purpose: bearer}}"))
        .collect();
    vec![
        source("the least", "{provider: xosum}"),
        source(
            "nulls count as absent",
            "{provider: xosum, path: null, verification: {method: null, secretRefs: null}, limits: null}",
        ),
        source(
            "empty objects and lists",
            "{provider: xosum, verification: {}, events: {include: []}, routing: {rules: []}, limits: {allowedCIDRs: []}, response: {}}",
        ),
        source("name of 63 letters", &format!("{{provider: {}}}", "x".repeat(63))),
        with("path of 256 letters", &format!("path: /{}", "x".repeat(255))),
        with("path with every character", "path: /A-Z.a_z~0/...a/.b"),
        with("hosts", "hostnames: [localhost, '*.example.com', a-1.b.example.com, xn--bcher-kva.example]"),
        refs("sixteen refs, eight a purpose", &format!("[{}]", eight.join(", "))),
        refs(
            "two pairs",
            "[{name: a, key: u, purpose: username}, {name: a, key: p, purpose: password}, {name: b, key: u, purpose: username}, {name: b, key: p, purpose: password}]",
        ),
        refs(
            "ends with zones and fractions",
            "[{name: a, key: k, notAfter: '2026-12-31T00:00:00Z'}, {name: a, key: l, notAfter: '2026-12-31T00:00:00.123456789+05:30'}]",
        ),
        with("bounds of durations", "verification: {tolerance: 24h}, delivery: {deadline: 100ms}"),
        with("several units", "verification: {tolerance: 1h59m59s999ms}, delivery: {deadline: 60s}"),
        with("other bounds of durations", "verification: {tolerance: 1000ms}, delivery: {deadline: 1m}"),
        with("sizes as numbers and texts", "limits: {maxBodySize: 1048576, requestsPerSecond: 1, burst: 2147483647}"),
        with("size as a text of digits", "limits: {maxBodySize: '1048576'}"),
        with("size in decimal units", "limits: {maxBodySize: 10M}"),
        with("networks", "limits: {allowedCIDRs: [0.0.0.0/0, 203.0.113.7/32, '2001:db8::/32', '::/0']}"),
        with("204 without a body", "response: {status: 204}"),
        with("204 with an empty body", "response: {status: 204, body: ''}"),
        with(
            "answer in XML with a charset",
            "response: {status: 299, contentType: application/xml; charset=utf-8, body: <ok/>}",
        ),
        with(
            "subject of every variable",
            "routing: {subject: 'a.{namespace}-{source}.{provider}.{type}.{subject}', stream: MY_STREAM-1}",
        ),
        with("rule with include alone", "routing: {rules: [{include: ['*'], subject: a}]}"),
        with("original alone", "routing: {format: Structured, data: Original}"),
        with(
            "sixteen parameters",
            &format!(
                "verification: {{parameters: {{{}}}}}",
                (0..16).map(|i| format!("p-{i}: v")).collect::<Vec<_>>().join(", ")
            ),
        ),
        with("external URL with a port", "verification: {externalURL: 'https://hooks.example.com:8443/acme/in'}"),
        source("none where it is written", "{provider: post-call, verification: {method: none}}"),
        generic("generic none without a block", "{method: none}"),
        generic(
            "generic basic without a block",
            "{method: basic, secretRefs: [{name: a, key: u, purpose: username}, {name: a, key: p, purpose: password}]}",
        ),
        hmac("hmac with defaults", &format!("{{{HMAC}}}")),
        hmac(
            "hmac with a timestamp in its pairs",
            "{algorithm: SHA512, signature: {header: X-Sig, key: v1}, content: '{timestamp}.{body}', timestamp: {key: t}}",
        ),
        hmac("content with braces", &format!("{{{HMAC}, content: '{{{{{{body}}}}}}{{header:X-Name}}'}}")),
        generic(
            "hmac over the URL",
            "{method: hmac, secretRefs: [{name: a, key: k}], externalURL: 'https://a.example.com/in', tolerance: 5m, hmac: {algorithm: SHA1, signature: {query: sig, encoding: Base64URL}, content: '{timestamp}{url}', timestamp: {query: ts, unit: Milliseconds}}}",
        ),
        generic(
            "generic jwt",
            "{method: jwt, secretRefs: [{name: a, key: k}], tolerance: 1m, parameters: {maxLifetime: 2h}, jwt: {algorithms: [HS256, ES256], issuer: acme, audiences: [us]}}",
        ),
        generic(
            "generic jwt without an end",
            "{method: jwt, secretRefs: [{name: a, key: k}], jwt: {algorithms: [HS256], withoutExpiry: true, maxAge: 5m}}",
        ),
        generic(
            "generic public key",
            "{method: publicKey, secretRefs: [{name: a, key: k}], publicKey: {algorithm: Ed25519, format: Raw, keyEncoding: Hex, signature: {header: X-Sig}}}",
        ),
        source(
            "extraction",
            "{provider: generic, verification: {method: none}, extract: {type: {header: X-E, else: {value: none}}, id: [{value: a}, {pointer: /id}], time: {pointer: /a~1b/0}, subject: {query: s}}}",
        ),
        object(
            "a name of 63 letters",
            json!({"apiVersion": API_VERSION, "kind": "WebhookSource", "metadata": {"name": "x".repeat(63), "namespace": "default", "labels": {"example.com/team": "", "a": "B_c.d-e"}, "annotations": {"a": "any text: \n"}}, "spec": {"provider": "xosum"}}),
        ),
        object(
            "a status that is dropped",
            json!({"apiVersion": API_VERSION, "kind": "WebhookSource", "metadata": {"name": "a", "namespace": "default"}, "spec": {"provider": "xosum"}, "status": {"path": "/a"}}),
        ),
        scheme(
            "all of several",
            "{purpose: bearer, optional: true, require: [{header: X-V, equals: '1'}], token: {header: Authorization, prefix: 'Bearer '}}, {hmac: {algorithm: SHA256, signature: {header: X-Sig}}}",
        ),
        scheme(
            "sorted parts and a parameter in a prefix",
            "{digest: {algorithm: SHA1, signature: {query: s, prefix: '{parameter:id}|'}, content: '{secret}{timestamp}{query:n}{pointer:/e}', sorted: true, timestamp: {query: t, tolerance: 5m}}}",
        ),
        provider_with(
            "frames, fields and handshakes with a proof",
            "decode: {formats: [Form, XML], field: a, fieldBase64: true, fieldFormat: XML, decrypt: {pointer: /e, key: Base64, frame: {parameter: id}}}, extract: {idNumbered: true}, handshakes: [{method: GET, when: [{query: e}], proof: {digest: {algorithm: SHA1, signature: {query: s}, content: '{secret}{query:e}', sorted: true}}, challenge: '[0-9]+', respond: {body: '{hmac-sha1-hex:query:e}{decrypted:query:e}'}}]",
        ),
        provider_with(
            "answers, maps and drops",
            "respond: {status: 202, body: '{\"ok\": true}', headers: {X-A: b}}, drop: [{pointer: /type, equals: ping}], map: [{kind: call, set: {title: {pointer: /a}}}], retries: Never, deadline: 3s",
        ),
    ]
}
