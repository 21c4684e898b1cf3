//! Manifests that must be refused, with the sentence that must say why, and manifests at the edge that must be taken.
#![allow(clippy::expect_used, reason = "a table of tests fails loudly")]

use hookgate::api::API_VERSION;
use hookgate::api::validate::Kind;
use serde_json::{Value, json};

/// One manifest.
pub struct Case {
    /// What is special about it.
    pub about: &'static str,
    pub kind: Kind,
    pub object: Value,
}

/// A manifest that is refused.
pub struct Wrong {
    pub case: Case,
    /// The field.
    pub at: &'static str,
    /// What both say.
    pub says: &'static str,
    /// What the server says, where Kubernetes has words of its own.
    pub server: &'static str,
}

fn case(kind: Kind, about: &'static str, spec: &str) -> Case {
    let spec: Value = serde_saphyr::from_str(spec).expect("YAML in the table");
    let mut object =
        json!({"apiVersion": API_VERSION, "kind": kind.as_str(), "metadata": {"name": "case"}, "spec": spec});
    if kind.namespaced() {
        object["metadata"]["namespace"] = json!("default");
    }
    Case { about, kind, object }
}

fn source(about: &'static str, spec: &str) -> Case {
    case(Kind::Source, about, spec)
}

fn provider(about: &'static str, spec: &str) -> Case {
    case(Kind::Provider, about, spec)
}

/// A source of provider `generic` with this under `verification`.
fn generic(about: &'static str, verification: &str) -> Case {
    source(about, &format!("{{provider: generic, verification: {verification}}}"))
}

/// A source of provider `generic`, method `hmac`, with this block.
fn hmac(about: &'static str, block: &str) -> Case {
    generic(about, &format!("{{method: hmac, secretRefs: [{{name: a, key: k}}], hmac: {block}}}"))
}

/// A source with this under `verification.secretRefs`.
fn refs(about: &'static str, list: &str) -> Case {
    source(about, &format!("{{provider: xosum, verification: {{secretRefs: {list}}}}}"))
}

/// A source with this member of the spec.
fn with(about: &'static str, member: &str) -> Case {
    source(about, &format!("{{provider: xosum, {member}}}"))
}

/// A provider with this under its one scheme.
fn scheme(about: &'static str, scheme: &str) -> Case {
    provider(about, &format!("{{displayName: Acme, methods: [{{name: m, anyOf: [{{allOf: [{scheme}]}}]}}]}}"))
}

/// A provider with this member of the spec.
fn provider_with(about: &'static str, member: &str) -> Case {
    provider(
        about,
        &format!("{{displayName: Acme, methods: [{{name: m, anyOf: [{{allOf: [{{none: {{}}}}]}}]}}], {member}}}"),
    )
}

/// Any object.
fn object(about: &'static str, object: Value) -> Case {
    let kind = if object["kind"] == "WebhookProvider" { Kind::Provider } else { Kind::Source };
    Case { about, kind, object }
}

fn named(about: &'static str, metadata: &Value) -> Case {
    object(
        about,
        json!({"apiVersion": API_VERSION, "kind": "WebhookSource", "metadata": metadata, "spec": {"provider": "xosum"}}),
    )
}

impl Case {
    fn wrong(self, at: &'static str, says: &'static str) -> Wrong {
        Wrong { case: self, at, says, server: says }
    }

    /// Refused by what Kubernetes itself checks, in its words.
    fn wrong_in_words(self, at: &'static str, says: &'static str, server: &'static str) -> Wrong {
        Wrong { case: self, at, says, server }
    }
}

const HMAC: &str = "algorithm: SHA256, signature: {header: X-Sig}";

pub fn wrong() -> Vec<Wrong> {
    let mut all = wrong_sources();
    all.extend(wrong_verification());
    all.extend(wrong_schemes());
    all.extend(wrong_providers());
    all
}

fn wrong_sources() -> Vec<Wrong> {
    let long = |length: usize| "x".repeat(length);
    let names = |count: usize| (0..count).map(|index| format!("h{index}.example.com")).collect::<Vec<_>>().join(", ");
    vec![
        // metadata
        named("name with a dot", &json!({"name": "a.b", "namespace": "default"})).wrong("", "metadata.name must be a DNS label"),
        named("name of 64 letters", &json!({"name": long(64), "namespace": "default"})).wrong("", "metadata.name must be a DNS label"),
        named("name in upper case", &json!({"name": "Calls", "namespace": "default"})).wrong_in_words(
            "",
            "metadata.name must be a DNS label",
            "a lowercase RFC 1123 subdomain",
        ),
        named("label that is too long", &json!({"name": "a", "namespace": "default", "labels": {"a": long(64)}})).wrong_in_words(
            "metadata.labels.a",
            "at most 63",
            "metadata.labels",
        ),
        named("annotation that is no text", &json!({"name": "a", "namespace": "default", "annotations": {"a": 1}})).wrong_in_words(
            "metadata.annotations.a",
            "put it in quotes",
            "annotations",
        ),
        named("unknown field of metadata", &json!({"name": "a", "namespace": "default", "lables": {}})).wrong_in_words(
            "metadata.lables",
            "is no field of metadata",
            "unknown field \"metadata.lables\"",
        ),
        object("no name", json!({"apiVersion": API_VERSION, "kind": "WebhookSource", "metadata": {"namespace": "default"}, "spec": {"provider": "xosum"}}))
            .wrong_in_words("metadata.name", "is required", "name or generateName is required"),
        object("no spec", json!({"apiVersion": API_VERSION, "kind": "WebhookSource", "metadata": {"name": "a", "namespace": "default"}}))
            .wrong_in_words("spec", "is required", "spec: Required value"),
        // types and unknown fields
        source("no provider", "{}").wrong_in_words("spec.provider", "is required", "spec.provider: Required value"),
        source("provider that is null", "{provider: null}").wrong_in_words("spec.provider", "is required", "spec.provider: Required value"),
        source("provider that is a number", "{provider: 5}").wrong_in_words("spec.provider", "put it in quotes", "must be of type string"),
        with("suspend in quotes", "suspend: 'true'").wrong_in_words("spec.suspend", "write true or false", "must be of type boolean"),
        with("unknown field", "paht: /a").wrong_in_words("spec.paht", "did you mean path?", "unknown field \"spec.paht\""),
        with("wrong case of a field", "verification: {externalUrl: 'https://a.example.com/'}").wrong_in_words(
            "spec.verification.externalUrl",
            "did you mean externalURL?",
            "unknown field \"spec.verification.externalUrl\"",
        ),
        with("unknown field in a list", "routing: {rules: [{filter: 'true', subject: a, subjects: b}]}").wrong_in_words(
            "spec.routing.rules[0].subjects",
            "did you mean subject?",
            "unknown field \"spec.routing.rules[0].subjects\"",
        ),
        with("list instead of object", "events: []").wrong_in_words("spec.events", "write an object", "must be of type object"),
        with("null in a list", "events: {include: [null]}").wrong_in_words("spec.events.include[0]", "write a text", "must be of type string"),
        // provider
        source("provider with a space", "{provider: xo sum}").wrong("spec.provider", "write a name in kebab-case"),
        source("provider in upper case", "{provider: GitHub}").wrong("spec.provider", "write a name in kebab-case"),
        source("empty provider", "{provider: ''}").wrong("spec.provider", "write a name in kebab-case"),
        source("provider of 64 letters", &format!("{{provider: {}}}", long(64))).wrong_in_words(
            "spec.provider",
            "at most 63",
            "may not be more than 63 bytes",
        ),
        // path
        with("path without a slash", "path: calls").wrong("spec.path", "write a path such as /sales/calls"),
        with("path with a slash at its end", "path: /calls/").wrong("spec.path", "write a path such as /sales/calls"),
        with("path that is one slash", "path: /").wrong("spec.path", "write a path such as /sales/calls"),
        with("path with an empty segment", "path: /a//b").wrong("spec.path", "write a path such as /sales/calls"),
        with("path with percent", "path: /a%20b").wrong("spec.path", "write a path such as /sales/calls"),
        with("path with a query", "path: '/a?b=c'").wrong("spec.path", "write a path such as /sales/calls"),
        with("path with a dot segment", "path: /a/./b").wrong("spec.path", "must not have the segments '.' or '..'"),
        with("path that climbs", "path: /a/..").wrong("spec.path", "must not have the segments '.' or '..'"),
        with("path of 257 letters", &format!("path: /{}", long(256))).wrong_in_words("spec.path", "at most 256", "may not be more than 256 bytes"),
        // hostnames
        with("host in upper case", "hostnames: [Hooks.example.com]").wrong("spec.hostnames[0]", "write a DNS name in lower case"),
        with("host with a port", "hostnames: ['hooks.example.com:8443']").wrong("spec.hostnames[0]", "without a port"),
        with("wildcard in the middle", "hostnames: ['a.*.example.com']").wrong("spec.hostnames[0]", "write a DNS name in lower case"),
        with("wildcard alone", "hostnames: ['*']").wrong("spec.hostnames[0]", "write a DNS name in lower case"),
        with("host with a final dot", "hostnames: [hooks.example.com.]").wrong("spec.hostnames[0]", "write a DNS name in lower case"),
        with("host twice", "hostnames: [a.example.com, b.example.com, a.example.com]").wrong_in_words(
            "spec.hostnames[2]",
            "write it once",
            "Duplicate value",
        ),
        with("17 hosts", &format!("hostnames: [{}]", names(17))).wrong_in_words("spec.hostnames", "at most 16", "must have at most 16 items"),
        // events
        with("empty glob", "events: {include: ['']}").wrong_in_words(
            "spec.events.include[0]",
            "must not be empty",
            "should be at least 1 chars long",
        ),
        with("65 globs", &format!("events: {{exclude: [{}]}}", vec!["a"; 65].join(", "))).wrong_in_words(
            "spec.events.exclude",
            "at most 64",
            "must have at most 64 items",
        ),
        with("empty filter", "events: {filter: ''}").wrong_in_words("spec.events.filter", "must not be empty", "should be at least 1 chars long"),
        with("filter of 4097 letters", &format!("events: {{filter: {}}}", long(4097))).wrong_in_words(
            "spec.events.filter",
            "at most 4096",
            "may not be more than 4096 bytes",
        ),
        // routing
        with("rule for every event", "routing: {rules: [{subject: a.b}]}").wrong("spec.routing.rules[0]", "a rule needs include or filter"),
        with("rule with an empty include", "routing: {rules: [{subject: a.b, include: []}]}")
            .wrong("spec.routing.rules[0]", "a rule needs include or filter"),
        with("rule without a subject", "routing: {rules: [{filter: 'true'}]}").wrong_in_words(
            "spec.routing.rules[0].subject",
            "is required",
            "spec.routing.rules[0].subject: Required value",
        ),
        with("subject of the server's own", "routing: {subject: $JS.API.a}").wrong("spec.routing.subject", "write a subject such as"),
        with("subject of an inbox", "routing: {subject: _INBOX.a}").wrong("spec.routing.subject", "must not begin with _INBOX"),
        with("rule to an inbox", "routing: {rules: [{filter: 'true', subject: _INBOX.a}]}")
            .wrong("spec.routing.rules[0].subject", "must not begin with _INBOX"),
        with("subject with a wildcard", "routing: {subject: 'webhooks.>'}").wrong("spec.routing.subject", "write a subject such as"),
        with("subject with an unknown variable", "routing: {subject: 'webhooks.{name}'}").wrong("spec.routing.subject", "{namespace}"),
        with("subject with an empty token", "routing: {subject: a..b}").wrong("spec.routing.subject", "write a subject such as"),
        with("subject with a space", "routing: {subject: 'a b'}").wrong("spec.routing.subject", "write a subject such as"),
        with("33 rules", &format!("routing: {{rules: [{}]}}", vec!["{filter: 'true', subject: a}"; 33].join(", "))).wrong_in_words(
            "spec.routing.rules",
            "at most 32",
            "must have at most 32 items",
        ),
        with("stream with a dot", "routing: {stream: a.b}").wrong("spec.routing.stream", "only letters, digits, '-' and '_'"),
        with("format in lower case", "routing: {format: binary}").wrong_in_words(
            "spec.routing.format",
            "write Binary or Structured",
            "supported values: \"Binary\", \"Structured\"",
        ),
        with("includeOriginal with Original", "routing: {data: Original, includeOriginal: true}")
            .wrong("spec.routing", "includeOriginal has no meaning with data Original"),
        // delivery
        with("outage in lower case", "delivery: {onOutage: spool}").wrong_in_words("spec.delivery.onOutage", "write Spool or Reject", "\"Spool\""),
        with("deadline below", "delivery: {deadline: 99ms}").wrong("spec.delivery.deadline", "deadline must be from 100ms to 60s"),
        with("deadline above", "delivery: {deadline: 1m1s}").wrong("spec.delivery.deadline", "deadline must be from 100ms to 60s"),
        with("deadline without a unit", "delivery: {deadline: '5'}").wrong("spec.delivery.deadline", "write a duration such as 5m"),
        with("deadline that is a number", "delivery: {deadline: 5}").wrong_in_words(
            "spec.delivery.deadline",
            "put it in quotes",
            "must be of type string",
        ),
        // limits
        with("size with a fraction", "limits: {maxBodySize: 1.5Mi}").wrong("spec.limits.maxBodySize", "write a size such as 512Ki"),
        with("size of nothing", "limits: {maxBodySize: 0}").wrong_in_words(
            "spec.limits.maxBodySize",
            "at least 1",
            "should be greater than or equal to 1",
        ),
        with("size of nothing as text", "limits: {maxBodySize: 0Mi}").wrong("spec.limits.maxBodySize", "write a size such as 512Ki"),
        with("size below nothing", "limits: {maxBodySize: -1}").wrong_in_words(
            "spec.limits.maxBodySize",
            "at least 1",
            "should be greater than or equal to 1",
        ),
        with("size with a fraction, bare", "limits: {maxBodySize: 1.5}").wrong_in_words(
            "spec.limits.maxBodySize",
            "write a whole number or a text",
            "must be of type",
        ),
        with("size in an unknown unit", "limits: {maxBodySize: 1MB}").wrong("spec.limits.maxBodySize", "write a size such as 512Ki"),
        with("no requests", "limits: {requestsPerSecond: 0}").wrong_in_words("spec.limits.requestsPerSecond", "at least 1", "greater than or equal to 1"),
        with("burst that is a text", "limits: {burst: '5'}").wrong_in_words("spec.limits.burst", "write a whole number", "must be of type integer"),
        with("in flight beyond int32", "limits: {maxInFlight: 2147483648}").wrong_in_words("spec.limits.maxInFlight", "at most 2147483647", "int32"),
        with("network with host bits", "limits: {allowedCIDRs: [10.0.0.1/8]}").wrong("spec.limits.allowedCIDRs", "without host bits"),
        with("address without bits", "limits: {allowedCIDRs: [10.0.0.1]}").wrong("spec.limits.allowedCIDRs", "allowedCIDRs are networks"),
        with("IPv6 with host bits", "limits: {allowedCIDRs: ['2001:db8::1/32']}").wrong("spec.limits.allowedCIDRs", "without host bits"),
        with("IPv4 in IPv6", "limits: {allowedCIDRs: ['::ffff:10.0.0.0/104']}").wrong("spec.limits.allowedCIDRs", "allowedCIDRs are networks"),
        with("too many bits", "limits: {allowedCIDRs: [10.0.0.0/33]}").wrong("spec.limits.allowedCIDRs", "allowedCIDRs are networks"),
        with("bits with a zero before", "limits: {allowedCIDRs: [10.0.0.0/08]}").wrong("spec.limits.allowedCIDRs", "allowedCIDRs are networks"),
        with("network twice", "limits: {allowedCIDRs: [10.0.0.0/8, 10.0.0.0/8]}").wrong_in_words(
            "spec.limits.allowedCIDRs[1]",
            "write it once",
            "Duplicate value",
        ),
        // response
        with("status of a redirect", "response: {status: 302}").wrong_in_words("spec.response.status", "at most 299", "less than or equal to 299"),
        with("status of an interim answer", "response: {status: 100}").wrong_in_words("spec.response.status", "at least 200", "greater than or equal to 200"),
        with("204 with a body", "response: {status: 204, body: ok}").wrong("spec.response", "status 204 and 205 have no body"),
        with("204 with a media type", "response: {status: 204, contentType: text/plain}").wrong("spec.response", "status 204 and 205 have no body"),
        with("answer in HTML", "response: {contentType: text/html, body: hello}").wrong("spec.response.contentType", "write application/json, text/plain"),
        with("media type in another charset", "response: {contentType: text/plain; charset=latin1}")
            .wrong("spec.response.contentType", "write application/json, text/plain"),
        with("body of 4097 letters", &format!("response: {{body: {}}}", long(4097))).wrong_in_words(
            "spec.response.body",
            "at most 4096",
            "may not be more than 4096 bytes",
        ),
    ]
}

fn wrong_verification() -> Vec<Wrong> {
    let parameters = |count: usize| (0..count).map(|index| format!("p{index}: v")).collect::<Vec<_>>().join(", ");
    let nine: Vec<String> = (0..9).map(|index| format!("{{name: a, key: k{index}}}")).collect();
    let nine_bearers: Vec<String> =
        (0..9).map(|index| format!("{{name: a, key: k{index}, purpose: bearer}}")).collect();
    let seventeen: Vec<String> =
        (0..17).map(|index| format!("{{name: a, key: k{index}, purpose: p{index}}}")).collect();
    vec![
        // method
        source("method in camel case", "{provider: xosum, verification: {method: webhookSecret}}").wrong("spec", "in kebab-case"),
        source("generic without verification", "{provider: generic}").wrong("spec", "provider generic needs verification.method"),
        generic("generic without method", "{secretRefs: [{name: a, key: k}]}").wrong("spec", "provider generic needs verification.method"),
        generic("generic with a method of nobody", "{method: webhook-secret, secretRefs: [{name: a, key: k}]}")
            .wrong("spec", "provider generic needs verification.method"),
        generic("generic without its block", "{method: hmac, secretRefs: [{name: a, key: k}]}")
            .wrong("spec", "takes the block named by verification.method"),
        generic("generic with another block", "{method: hmac, secretRefs: [{name: a, key: k}], token: {header: X-Token}}")
            .wrong("spec", "takes the block named by verification.method"),
        generic("generic with a second block", &format!("{{method: hmac, secretRefs: [{{name: a, key: k}}], hmac: {{{HMAC}}}, none: {{}}}}"))
            .wrong("spec", "and no other"),
        generic("generic without a key", &format!("{{method: hmac, hmac: {{{HMAC}}}}}")).wrong("spec", "needs secretRefs that hold the key"),
        generic("generic with a purpose", "{method: token, secretRefs: [{name: a, key: k, purpose: bearer}], token: {header: X-Token}}")
            .wrong("spec", "needs secretRefs that hold the key, without purpose"),
        generic("basic without its pair", "{method: basic, secretRefs: [{name: a, key: k}]}")
            .wrong("spec", "with the purposes username and password"),
        generic("generic with a capture", "{method: token, secretRefs: [{name: a, key: k}], token: {header: X-T}, captureSecretRef: {name: a, key: k, until: '2026-12-31T00:00:00Z'}}")
            .wrong("spec", "leave captureSecretRef out"),
        generic("parameters of a token", "{method: token, secretRefs: [{name: a, key: k}], token: {header: X-T}, parameters: {a: b}}")
            .wrong("spec", "have no meaning for methods token, basic and none"),
        generic("URL of a token", "{method: token, secretRefs: [{name: a, key: k}], token: {header: X-T}, externalURL: 'https://a.example.com/'}")
            .wrong("spec", "have no meaning for methods token, basic and none"),
        source("block beside a provider", &format!("{{provider: xosum, verification: {{hmac: {{{HMAC}}}}}}}"))
            .wrong("spec", "only provider generic takes an inline scheme"),
        source("extract beside a provider", "{provider: xosum, extract: {type: {value: a}}}").wrong("spec", "only provider generic takes extract"),
        // none
        source("none with keys", "{provider: post-call, verification: {method: none, secretRefs: [{name: a, key: k}]}}")
            .wrong("spec.verification", "method none proves nothing"),
        source("none with tolerance", "{provider: post-call, verification: {method: none, tolerance: 5m}}")
            .wrong("spec.verification", "tolerance has no meaning for method none"),
        source("none with a URL", "{provider: post-call, verification: {method: none, externalURL: 'https://a.example.com/'}}")
            .wrong("spec.verification", "externalURL has no meaning for method none"),
        // tolerance
        with("tolerance of nothing", "verification: {tolerance: 0s}").wrong("spec.verification.tolerance", "tolerance must be from 1s to 24h"),
        with("tolerance of two days", "verification: {tolerance: 48h}").wrong("spec.verification.tolerance", "tolerance must be from 1s to 24h"),
        with("tolerance with a fraction", "verification: {tolerance: 1.5h}").wrong("spec.verification.tolerance", "write a duration such as 5m"),
        with("tolerance in words", "verification: {tolerance: 1 day}").wrong("spec.verification.tolerance", "write a duration such as 5m"),
        generic("tolerance of a token", "{method: token, secretRefs: [{name: a, key: k}], token: {header: X-T}, tolerance: 5m}")
            .wrong("spec.verification", "tolerance has no meaning for token and basic"),
        generic("tolerance without a timestamp", &format!("{{method: hmac, secretRefs: [{{name: a, key: k}}], tolerance: 5m, hmac: {{{HMAC}}}}}"))
            .wrong("spec.verification", "tolerance needs hmac.timestamp"),
        hmac("tolerance of a provider", &format!("{{{HMAC}, content: '{{timestamp}}', timestamp: {{header: X-T, tolerance: 5m}}}}"))
            .wrong("spec.verification", "write verification.tolerance"),
        // URL and parameters
        with("URL without TLS", "verification: {externalURL: 'http://a.example.com/'}").wrong("spec.verification.externalURL", "write the https URL"),
        with("URL with a query", "verification: {externalURL: 'https://a.example.com/?a=b'}").wrong("spec.verification.externalURL", "without query"),
        with("URL with a fragment", "verification: {externalURL: 'https://a.example.com/#a'}").wrong("spec.verification.externalURL", "without query"),
        with("URL without a host", "verification: {externalURL: 'https:///in'}").wrong("spec.verification.externalURL", "write the https URL"),
        generic("URL that nothing signs", &format!("{{method: hmac, secretRefs: [{{name: a, key: k}}], externalURL: 'https://a.example.com/', hmac: {{{HMAC}}}}}"))
            .wrong("spec.verification", "externalURL has no meaning unless hmac.content holds {url}"),
        with("17 parameters", &format!("verification: {{parameters: {{{}}}}}", parameters(17))).wrong_in_words(
            "spec.verification.parameters",
            "at most 16",
            "must have at most 16 items",
        ),
        with("empty parameter", "verification: {parameters: {a: ''}}").wrong_in_words(
            "spec.verification.parameters.a",
            "must not be empty",
            "should be at least 1 chars long",
        ),
        with("parameter that is a number", "verification: {parameters: {a: 5}}").wrong_in_words(
            "spec.verification.parameters.a",
            "put it in quotes",
            "must be of type string",
        ),
        with("parameter with a strange name", "verification: {parameters: {'a b': c}}")
            .wrong("spec.verification.parameters", "names of parameters are letters"),
        with("parameter of 1025 letters", &format!("verification: {{parameters: {{a: {}}}}}", "x".repeat(1025))).wrong_in_words(
            "spec.verification.parameters.a",
            "at most 1024",
            "may not be more than 1024 bytes",
        ),
        // secretRefs
        refs("ref without a key", "[{name: a}]").wrong_in_words(
            "spec.verification.secretRefs[0].key",
            "is required",
            "spec.verification.secretRefs[0].key: Required value",
        ),
        refs("ref twice", "[{name: a, key: k}, {name: b, key: k}, {name: a, key: k, purpose: bearer}]").wrong_in_words(
            "spec.verification.secretRefs[2]",
            "has the same name and key as spec.verification.secretRefs[0]",
            "Duplicate value",
        ),
        refs("9 refs without a purpose", &format!("[{}]", nine.join(", "))).wrong("spec.verification.secretRefs", "at most 8 secretRefs of one purpose"),
        refs("9 refs of one purpose", &format!("[{}]", nine_bearers.join(", "))).wrong("spec.verification.secretRefs", "at most 8 secretRefs of one purpose"),
        refs("17 refs", &format!("[{}]", seventeen.join(", "))).wrong_in_words(
            "spec.verification.secretRefs",
            "at most 16",
            "must have at most 16 items",
        ),
        refs("username without a password", "[{name: a, key: u, purpose: username}]")
            .wrong("spec.verification.secretRefs", "needs one of purpose password in the same Secret"),
        refs("password in another Secret", "[{name: a, key: u, purpose: username}, {name: a, key: p, purpose: password}, {name: b, key: p, purpose: password}]")
            .wrong("spec.verification.secretRefs", "needs one of purpose username in the same Secret"),
        refs("two passwords of one Secret", "[{name: a, key: u, purpose: username}, {name: a, key: p, purpose: password}, {name: a, key: q, purpose: password}]")
            .wrong("spec.verification.secretRefs", "one Secret holds one username and one password"),
        refs("Secret in upper case", "[{name: Acme, key: k}]").wrong("spec.verification.secretRefs[0].name", "write the name of a Secret"),
        refs("key with a slash", "[{name: a, key: a/b}]").wrong("spec.verification.secretRefs[0].key", "write a key of the Secret"),
        refs("purpose in camel case", "[{name: a, key: k, purpose: webhookSecret}]").wrong("spec.verification.secretRefs[0].purpose", "in kebab-case"),
        refs("end without a time", "[{name: a, key: k, notAfter: '2026-12-31'}]").wrong_in_words(
            "spec.verification.secretRefs[0].notAfter",
            "write a time in RFC 3339",
            "must be of type date-time",
        ),
        refs("end on a day that is none", "[{name: a, key: k, notAfter: '2026-02-30T00:00:00Z'}]").wrong_in_words(
            "spec.verification.secretRefs[0].notAfter",
            "write a time in RFC 3339",
            "must be of type date-time",
        ),
        refs("end in a form that few read", "[{name: a, key: k, notAfter: '2026-12-31t00:00:00,5z'}]").wrong_in_words(
            "spec.verification.secretRefs[0].notAfter",
            "write a time in RFC 3339",
            "should match",
        ),
        with("capture without an end", "verification: {captureSecretRef: {name: a, key: k}}").wrong_in_words(
            "spec.verification.captureSecretRef.until",
            "is required",
            "until: Required value",
        ),
    ]
}

fn wrong_schemes() -> Vec<Wrong> {
    const AT: &str = "spec.verification.hmac";
    vec![
        hmac("hmac without an algorithm", "{signature: {header: X-Sig}}").wrong_in_words(
            "spec.verification.hmac.algorithm",
            "is required",
            "algorithm: Required value",
        ),
        hmac("hmac with MD5", "{algorithm: MD5, signature: {header: X-Sig}}").wrong_in_words(
            "spec.verification.hmac.algorithm",
            "write SHA1, SHA256 or SHA512",
            "supported values: \"SHA1\", \"SHA256\", \"SHA512\"",
        ),
        hmac("timestamp that is not signed", &format!("{{{HMAC}, timestamp: {{header: X-T}}}}")).wrong(AT, "content must hold {timestamp}"),
        hmac("signed timestamp without a place", &format!("{{{HMAC}, content: '{{timestamp}}.{{body}}'}}"))
            .wrong(AT, "say where it stands in timestamp"),
        hmac("timestamp in two places", &format!("{{{HMAC}, content: '{{timestamp}}', timestamp: {{header: X-T, key: t}}}}"))
            .wrong("spec.verification.hmac.timestamp", "write exactly one of header, key"),
        hmac("timestamp in the pairs of no header", "{algorithm: SHA256, signature: {query: sig}, content: '{timestamp}', timestamp: {key: t}}")
            .wrong(AT, "write signature.header"),
        hmac("timestamp at an index of no list", &format!("{{{HMAC}, content: '{{timestamp}}', timestamp: {{index: 0}}}}"))
            .wrong(AT, "timestamp.index needs signature.separator"),
        hmac("content with a stray brace", &format!("{{{HMAC}, content: 'a{{b'}}")).wrong("spec.verification.hmac.content", "{{ for a brace"),
        hmac("signature nowhere", "{algorithm: SHA256, signature: {prefix: a}}")
            .wrong("spec.verification.hmac.signature", "write exactly one of header, query, pointer or form"),
        hmac("signature in two places", "{algorithm: SHA256, signature: {header: X-Sig, query: sig}}")
            .wrong("spec.verification.hmac.signature", "write exactly one of header, query, pointer or form"),
        hmac("signature by key and index", "{algorithm: SHA256, signature: {header: X-Sig, key: v1, index: 0, separator: ','}}")
            .wrong("spec.verification.hmac.signature", "write key or index, not both"),
        hmac("signature by index of no list", "{algorithm: SHA256, signature: {header: X-Sig, index: 0}}")
            .wrong("spec.verification.hmac.signature", "index needs a separator"),
        hmac("header with a colon", "{algorithm: SHA256, signature: {header: 'X-Sig:'}}")
            .wrong("spec.verification.hmac.signature.header", "only letters, digits, '-' and '_'"),
        hmac("pointer without a slash", "{algorithm: SHA256, signature: {pointer: a.b}}")
            .wrong("spec.verification.hmac.signature.pointer", "write a JSON pointer"),
        generic("token nowhere", "{method: token, secretRefs: [{name: a, key: k}], token: {}}")
            .wrong("spec.verification.token", "write exactly one of header, query, pointer or form"),
        generic("token in two places", "{method: token, secretRefs: [{name: a, key: k}], token: {header: X-T, query: t}}")
            .wrong("spec.verification.token", "write exactly one of header, query, pointer or form"),
        generic("jwt without algorithms", "{method: jwt, secretRefs: [{name: a, key: k}], jwt: {algorithms: []}}").wrong_in_words(
            "spec.verification.jwt.algorithms",
            "at least 1",
            "should have at least 1 items",
        ),
        generic("jwt that needs no key", "{method: jwt, secretRefs: [{name: a, key: k}], jwt: {algorithms: [none]}}").wrong_in_words(
            "spec.verification.jwt.algorithms[0]",
            "write HS256",
            "Unsupported value: \"none\"",
        ),
        generic("jwt with fetched keys", "{method: jwt, secretRefs: [{name: a, key: k}], jwt: {algorithms: [RS256], fetch: {url: 'https://a.example.com/jwks'}}}")
            .wrong("spec.verification", "keys are fetched only by providers"),
        generic("public key that is fetched", "{method: publicKey, secretRefs: [{name: a, key: k}], publicKey: {algorithm: Ed25519, signature: {header: X-Sig}, fetch: {url: 'https://a.example.com/key'}}}")
            .wrong("spec.verification", "keys are fetched only by providers"),
        generic("PEM with an encoding", "{method: publicKey, secretRefs: [{name: a, key: k}], publicKey: {algorithm: Ed25519, keyEncoding: Hex, signature: {header: X-Sig}}}")
            .wrong("spec.verification.publicKey", "keyEncoding has no meaning for a PEM key"),
        generic("field in an empty block", "{method: none, none: {why: not}}").wrong_in_words(
            "spec.verification.none.why",
            "nothing may stand here",
            "unknown field \"spec.verification.none.why\"",
        ),
        source("type in two places", "{provider: generic, verification: {method: none}, extract: {type: {header: X-E, pointer: /e}}}")
            .wrong("spec.extract.type", "write exactly one of header, pointer"),
        source("id of fixed texts", "{provider: generic, verification: {method: none}, extract: {id: [{value: a}]}}")
            .wrong("spec.extract.id", "the same for every delivery"),
        source("time without a place", "{provider: generic, verification: {method: none}, extract: {time: {unit: Seconds}}}")
            .wrong("spec.extract.time", "write exactly one of header, pointer"),
    ]
}

fn wrong_providers() -> Vec<Wrong> {
    vec![
        object("provider called generic", json!({"apiVersion": API_VERSION, "kind": "WebhookProvider", "metadata": {"name": "generic"}, "spec": {"displayName": "a", "methods": [{"name": "m", "anyOf": [{"allOf": [{"none": {}}]}]}]}}))
            .wrong("", "choose another name"),
        provider("no methods", "{displayName: Acme}").wrong_in_words("spec.methods", "is required", "spec.methods: Required value"),
        provider("empty methods", "{displayName: Acme, methods: []}").wrong_in_words("spec.methods", "at least 1", "should have at least 1 items"),
        provider("method twice", "{displayName: Acme, methods: [{name: m, anyOf: [{allOf: [{none: {}}]}]}, {name: m, anyOf: [{allOf: [{basic: {}}]}]}]}")
            .wrong_in_words("spec.methods[1]", "has the same name as spec.methods[0]", "Duplicate value"),
        scheme("scheme of nothing", "{}").wrong("spec.methods[0].anyOf[0].allOf[0]", "write exactly one of hmac, digest"),
        scheme("two schemes in one", "{none: {}, basic: {}}").wrong("spec.methods[0].anyOf[0].allOf[0]", "write exactly one of hmac, digest"),
        scheme("digest without the secret", "{digest: {algorithm: SHA256, content: '{body}', signature: {header: X-Sig}}}")
            .wrong("spec.methods[0].anyOf[0].allOf[0].digest", "content must hold {secret}"),
        scheme("fetch from hosts of anybody", "{publicKey: {algorithm: Ed25519, signature: {header: X-Sig}, fetch: {header: X-Key-URL}}}")
            .wrong("spec.methods[0].anyOf[0].allOf[0].publicKey.fetch", "needs hosts"),
        scheme("fetch without TLS", "{publicKey: {algorithm: Ed25519, signature: {header: X-Sig}, fetch: {url: 'http://a.example.com/key'}}}")
            .wrong("spec.methods[0].anyOf[0].allOf[0].publicKey.fetch.url", "write an https URL"),
        scheme("tolerance of two days", "{hmac: {algorithm: SHA256, content: '{timestamp}', signature: {header: X-Sig}, timestamp: {header: X-T, tolerance: 48h}}}")
            .wrong("spec.methods[0].anyOf[0].allOf[0].hmac.timestamp.tolerance", "tolerance must be from 1s to 24h"),
        scheme("token of the body and form", "{jwt: {algorithms: [RS256], wholeBody: true, header: Authorization}}")
            .wrong("spec.methods[0].anyOf[0].allOf[0].jwt", "the token is the body"),
        provider_with("text that is mapped", "decode: {formats: [Text]}, map: [{kind: call}]").wrong("spec", "text cannot be mapped"),
        provider_with("unknown kind", "map: [{kind: Call}]").wrong_in_words("spec.map[0].kind", "write call, recording", "supported values: \"call\""),
        provider_with("value from two places", "map: [{kind: call, set: {title: {pointer: /a, value: b}}}]").wrong("spec.map[0].set.title", "write pointer or value"),
        provider_with("answer in HTML", "respond: {contentType: text/html}").wrong("spec.respond.contentType", "write application/json"),
    ]
}

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
        provider_with(
            "answers, maps and drops",
            "respond: {status: 202, body: '{\"ok\": true}', headers: {X-A: b}}, drop: [{pointer: /type, equals: ping}], map: [{kind: call, set: {title: {pointer: /a}}}], retries: Never, deadline: 3s",
        ),
    ]
}
