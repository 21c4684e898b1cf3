//! WebhookSources that must be refused, with the sentence that must say why.

use hookgate::api::API_VERSION;
use serde_json::json;

use crate::crds_cases::{HMAC, Wrong, generic, hmac, named, object, refs, source, with};

pub fn sources() -> Vec<Wrong> {
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
        with("burst without a rate", "limits: {burst: 5}").wrong("spec.limits", "without requestsPerSecond there is none"),
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

pub fn verification() -> Vec<Wrong> {
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
        generic("a token without an end", "{method: jwt, secretRefs: [{name: a, key: k}], jwt: {algorithms: [HS256], withoutExpiry: true}}")
            .wrong("spec.verification", "jwt.withoutExpiry needs jwt.maxAge"),
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
