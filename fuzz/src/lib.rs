//! Everything that reads bytes of strangers, one function a reader: none of them may panic, hang or eat memory.
//!
//! `cargo fuzz run NAME` runs one for as long as you like; the tests run each of them for a second, from the same
//! seeds and without any tool.

mod bodies;
mod documents;
mod proofs;
mod texts;
mod vendors;

pub use bodies::{bodies, cloud_events, compressed, extraction, multipart};
pub use documents::{compact, cuts, pointers};
pub use proofs::{forms, handshakes, key_sets, requests, signatures, tokens};
pub use texts::{captures, manifests, times, traces};

/// A reader under test.
pub type Target = fn(&[u8]);

/// All of them, by name.
pub const TARGETS: &[(&str, Target)] = &[
    ("signatures", signatures),
    ("requests", requests),
    ("forms", forms),
    ("tokens", tokens),
    ("key_sets", key_sets),
    ("pointers", pointers),
    ("cuts", cuts),
    ("compact", compact),
    ("bodies", bodies),
    ("multipart", multipart),
    ("compressed", compressed),
    ("cloud_events", cloud_events),
    ("extraction", extraction),
    ("handshakes", handshakes),
    ("captures", captures),
    ("traces", traces),
    ("times", times),
    ("manifests", manifests),
];

/// Inputs that reach deep; mutations start from them.
pub const SEEDS: &[&[u8]] = &[
    b"",
    b"{\"id\":\"evt_1\",\"type\":\"a.b\",\"data\":{\"object\":{\"id\":1}},\"list\":[{\"a\":1},{\"a\":2}],\"t\":1.5e3}",
    b"[{\"id\":\"1\",\"event\":\"x\",\"timestamp\":1780000000},{\"id\":\"2\"}]",
    b"{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\",\"type\":\"t\",\"data_base64\":\"e30=\"}",
    b"payload=%7B%22id%22%3A1%7D&a=1&a=2&b=%ff+x&sig=00",
    b"t=1780000000,v1=00ff,v1=5257a869e7ecebeda32affa62cdca3fa51cad7e77a0e56ff536d0ce8e108d8bd",
    b"v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4= v1a,AA== v2,x",
    b"sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
    b"eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJleHAiOjE3ODAwMDAzMDAsImlhdCI6MTc4MDAwMDAwMH0.c2ln",
    b"{\"keys\":[{\"kty\":\"RSA\",\"kid\":\"a\",\"n\":\"0vx7agoebGcQSuuPiLJXZpt\",\"e\":\"AQAB\"},{\"kty\":\"EC\",\"crv\":\"P-256\"}]}",
    b"--b\r\nContent-Disposition: form-data; name=\"json\"\r\n\r\n{\"event\":{\"event_type\":\"x\"}}\r\n--b--\r\n",
    b"<?xml version='1.0'?><xml a='1'><Encrypt><![CDATA[4ByGGj+sVCYcvGeQYhaKIg==]]></Encrypt><list><a>1</a><a>&lt;&#65;</a></list><id/></xml>",
    b"payload=PHhtbD48aWQ%2BMTwvaWQ%2BPHR5cGU%2BYTwvdHlwZT48L3htbD4%3D%0A&bt_payload=PG4vPg%3D%3D&bt_signature=p%7C00",
    b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xab\xae\x05\x00\x43\xbf\xa6\xa3\x02\x00\x00\x00",
    b"POST /in?a=1 HTTP/1.1\r\nContent-Type: application/json\r\nX-Hub-Signature-256: sha256=00\r\nContent-Length: 2\r\n\r\n{}",
    b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    b"Tue, 14 Nov 2023 22:13:20 GMT",
    b"2023-11-14T22:13:20.123456789+01:00",
    b"apiVersion: hookgate.dev/v1alpha1\nkind: WebhookSource\nmetadata: {name: a}\nspec:\n  provider: github\n  path: /a\n---\na: &x [*x]\n",
    b"{\"challenge\":\"abc\",\"type\":\"url_verification\",\"token\":\"t\",\"event\":\"endpoint.url_validation\",\"payload\":{\"plainToken\":\"p\"}}",
    b"-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE\n-----END PUBLIC KEY-----\n",
];
