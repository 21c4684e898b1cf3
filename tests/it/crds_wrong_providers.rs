//! Schemes and WebhookProviders that must be refused, with the sentence that must say why.

use hookgate::api::API_VERSION;
use serde_json::json;

use crate::crds_cases::{HMAC, Wrong, generic, hmac, object, provider, provider_with, scheme, source};

pub fn schemes() -> Vec<Wrong> {
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
        hmac("prefix with a stray brace", "{algorithm: SHA256, signature: {header: X-Sig, prefix: 'a{b'}}")
            .wrong("spec.verification.hmac.signature.prefix", "{{ for a brace"),
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

pub fn providers() -> Vec<Wrong> {
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
        provider_with("value from two places", "map: [{kind: call, set: {title: {pointer: /a, value: b}}}]").wrong("spec.map[0].set.title", "write exactly one of header, pointer, value"),
        provider_with("answer in HTML", "respond: {contentType: text/html}").wrong("spec.respond.contentType", "write application/json"),
    ]
}
