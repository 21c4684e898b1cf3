//! One table of manifests: what `check`, the operator of a folder and the operator of a cluster say of each.
#![allow(clippy::expect_used, reason = "a table of tests fails loudly")]

/// How a manifest fares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The API server refuses it.
    Refused,
    /// Accepted is False with this reason.
    NotAccepted(&'static str),
    /// ResolvedRefs is False with this reason, and `check` refuses it.
    Unresolved(&'static str),
    /// ResolvedRefs is False with this reason, which only a cluster or a later time can tell: a note.
    Noted(&'static str),
    /// Nothing is wrong.
    Good,
}

use Fate::{Good, NotAccepted, Noted, Refused, Unresolved};

/// One object, by the spec of it.
pub struct Case {
    /// Its name.
    pub name: &'static str,
    /// WebhookProviders live in no namespace.
    pub is_provider: bool,
    pub spec: &'static str,
    pub fate: Fate,
    /// The fields of which something is said; empty: of the source as a whole.
    pub fields: &'static [&'static str],
}

const fn source(name: &'static str, fate: Fate, fields: &'static [&'static str], spec: &'static str) -> Case {
    Case { name, is_provider: false, spec, fate, fields }
}

const fn provider(name: &'static str, fate: Fate, fields: &'static [&'static str], spec: &'static str) -> Case {
    Case { name, is_provider: true, spec, fate, fields }
}

/// The quota of the namespace: what all cases but one have of filters.
pub const QUOTA: &str = "filters=5";

/// The Secrets beside them.
pub const SECRETS: &str = "
---
{apiVersion: v1, kind: Secret, metadata: {name: s, namespace: NAMESPACE}, stringData: {k: value, e: '', other: x, aes: kWxPEV2UEDyxWpmPdKC3F4dgPDmOvfKX1HGnEUDS1aR}}
---
{apiVersion: v1, kind: Secret, metadata: {name: release, namespace: NAMESPACE}, type: helm.sh/release.v1, stringData: {k: value}}
";

/// Purposes, parameters and keys are those of built-in providers; `NAMESPACE` is the namespace.
pub const CASES: &[Case] = &[
    // What one object says wrong of itself.
    source(
        "media-type-of-nothing",
        NotAccepted("Invalid"),
        &["spec.response.contentType"],
        "{provider: stripe, verification: {secretRefs: [{name: s, key: k}]}, response: {contentType: text/plain}}",
    ),
    source("no-provider", Refused, &["spec.provider"], "{verification: {}}"),
    source(
        "long-tolerance",
        Refused,
        &["spec.verification.tolerance"],
        "{provider: stripe, verification: {tolerance: 48h, secretRefs: [{name: s, key: k}]}}",
    ),
    source(
        "unknown-field",
        Refused,
        &["spec.tolerance"],
        "{provider: github, tolerance: 5m, verification: {secretRefs: [{name: s, key: k}]}}",
    ),
    source(
        "unknown-field-and-more",
        Refused,
        &[
            "spec.tolerance",
            "spec.verification.secretRefs[0].purpose",
            "spec.verification.parameters.one",
            "spec.verification.parameters.two",
            "spec.verification.externalURL",
        ],
        "{provider: github, tolerance: 5m, verification: {secretRefs: [{name: s, key: k, purpose: nosuch}],
          parameters: {one: a, two: b}, externalURL: 'https://hooks.example.com/in'}}",
    ),
    source(
        "all-parameters-missing-at-once",
        NotAccepted("Invalid"),
        &["spec.verification.parameters.audience", "spec.verification.parameters.issuer"],
        "{provider: azure-event-grid, verification: {method: jwt}}",
    ),
    source(
        "no-original-of-nothing-mapped",
        Good,
        &["spec.routing.includeOriginal"],
        "{provider: github, verification: {secretRefs: [{name: s, key: k}]}, routing: {includeOriginal: false}}",
    ),
    source(
        "bad-path",
        Refused,
        &["spec.path"],
        "{provider: github, path: /NAMESPACE//x, verification: {secretRefs: [{name: s, key: k}]}}",
    ),
    source(
        "bad-host",
        Refused,
        &["spec.hostnames[0]"],
        "{provider: github, hostnames: [Hooks_X], verification: {secretRefs: [{name: s, key: k}]}}",
    ),
    source(
        "long-deadline",
        Refused,
        &["spec.delivery.deadline"],
        "{provider: github, delivery: {deadline: 2m}, verification: {secretRefs: [{name: s, key: k}]}}",
    ),
    source(
        "generic-blockless",
        Refused,
        &["spec"],
        "{provider: generic, verification: {method: hmac, secretRefs: [{name: s, key: k}]}}",
    ),
    source(
        "bad-status",
        Refused,
        &["spec.response.status"],
        "{provider: github, response: {status: 404}, verification: {secretRefs: [{name: s, key: k}]}}",
    ),
    source(
        "rule-for-all",
        Refused,
        &["spec.routing.rules[0]"],
        "{provider: github, routing: {rules: [{subject: webhooks.NAMESPACE.x}]}, verification: {secretRefs: [{name: s, key: k}]}}",
    ),
    source(
        "word-for-truth",
        Refused,
        &["spec.suspend"],
        "{provider: github, suspend: 'yes', verification: {secretRefs: [{name: s, key: k}]}}",
    ),
    source(
        "subject-of-nats",
        Refused,
        &["spec.routing.subject"],
        "{provider: github, routing: {subject: $JS.API}, verification: {secretRefs: [{name: s, key: k}]}}",
    ),
    source(
        "refs-twice",
        Refused,
        &["spec.verification.secretRefs[1]"],
        "{provider: github, verification: {secretRefs: [{name: s, key: k}, {name: s, key: k}]}}",
    ),
    provider("blank", Refused, &["spec.methods"], "{displayName: Acme}"),
    // What providers, policies and other objects decide.
    source(
        "unknown-provider",
        NotAccepted("UnknownProvider"),
        &["spec.provider"],
        "{provider: githubb, verification: {secretRefs: [{name: s, key: k}]}}",
    ),
    source(
        "unknown-method",
        NotAccepted("UnknownMethod"),
        &["spec.verification.method"],
        "{provider: github, verification: {method: teleport, secretRefs: [{name: s, key: k}]}}",
    ),
    source("method-unwritten", NotAccepted("Invalid"), &["spec.verification.method"], "{provider: post-call}"),
    source(
        "foreign-path",
        NotAccepted("PathNotAllowed"),
        &["spec.path"],
        "{provider: github, path: /other/x, verification: {secretRefs: [{name: s, key: k}]}}",
    ),
    source(
        "foreign-subject",
        NotAccepted("SubjectNotAllowed"),
        &["spec.routing.subject"],
        "{provider: github, routing: {subject: 'webhooks.other.{type}'}, verification: {secretRefs: [{name: s, key: k}]}}",
    ),
    source(
        "foreign-rule",
        NotAccepted("SubjectNotAllowed"),
        &["spec.routing.rules[0].subject"],
        "{provider: github, routing: {rules: [{include: ['a'], subject: other.x}]}, verification: {secretRefs: [{name: s, key: k}]}}",
    ),
    source(
        "filter-syntax",
        NotAccepted("Invalid"),
        &["spec.events.filter"],
        "{provider: github, events: {filter: 'type =='}, verification: {secretRefs: [{name: s, key: k}]}}",
    ),
    source(
        "filter-variable",
        NotAccepted("Invalid"),
        &["spec.events.filter"],
        "{provider: github, events: {filter: \"headers.x == 'a'\"}, verification: {secretRefs: [{name: s, key: k}]}}",
    ),
    source(
        "rule-syntax",
        NotAccepted("Invalid"),
        &["spec.routing.rules[0].filter"],
        "{provider: github, routing: {rules: [{filter: '((', subject: webhooks.NAMESPACE.x}]}, verification: {secretRefs: [{name: s, key: k}]}}",
    ),
    source(
        "unknown-purpose",
        NotAccepted("Unsupported"),
        &["spec.verification.secretRefs[1].purpose"],
        "{provider: github, verification: {secretRefs: [{name: s, key: k}, {name: s, key: other, purpose: bearer}]}}",
    ),
    source(
        "purpose-missing",
        NotAccepted("Unsupported"),
        &["spec.verification.secretRefs[0]"],
        "{provider: focus-push, verification: {method: basic, secretRefs: [{name: s, key: k}]}}",
    ),
    source(
        "half-of-basic",
        Refused,
        &["spec.verification.secretRefs"],
        "{provider: focus-push, verification: {method: basic, secretRefs: [{name: s, key: k, purpose: username}]}}",
    ),
    source(
        "unknown-parameter",
        NotAccepted("Unsupported"),
        &["spec.verification.parameters.color"],
        "{provider: github, verification: {parameters: {color: red}, secretRefs: [{name: s, key: k}]}}",
    ),
    // A life is bounded where nobody judges the age.
    source(
        "lifetime-of-the-aged",
        NotAccepted("Unsupported"),
        &["spec.verification.parameters.maxLifetime"],
        "{provider: vonage, verification: {parameters: {maxLifetime: 2h}, secretRefs: [{name: s, key: k}]}}",
    ),
    source(
        "parameter-of-a-fetch",
        NotAccepted("Unsupported"),
        &["spec.verification.parameters.clientId"],
        "{provider: plaid, verification: {parameters: {clientId: c}, secretRefs: [{name: s, key: k}]}}",
    ),
    source(
        "secret-of-a-fetch",
        NotAccepted("Unsupported"),
        &["spec.verification.secretRefs[1]"],
        "{provider: plaid, verification: {secretRefs: [{name: s, key: k}, {name: s, key: other, purpose: api-secret}]}}",
    ),
    source(
        "no-receiver",
        NotAccepted("Invalid"),
        &["spec.verification.parameters.receiveId"],
        "{provider: wecom, verification: {secretRefs: [{name: s, key: k}, {name: s, key: aes, purpose: encoding-aes-key}]}}",
    ),
    source(
        "no-cipher-key",
        NotAccepted("Invalid"),
        &["spec.verification.secretRefs"],
        "{provider: wecom, verification: {parameters: {receiveId: ww1}, secretRefs: [{name: s, key: k}]}}",
    ),
    source(
        "receiver-of-the-plain",
        NotAccepted("Unsupported"),
        &["spec.verification.parameters.appId"],
        "{provider: wechat, verification: {method: plain, parameters: {appId: wx1}, secretRefs: [{name: s, key: k}]}}",
    ),
    source(
        "key-of-the-wrong-length",
        Unresolved("SecretInvalid"),
        &["spec.verification.secretRefs[1]"],
        "{provider: wecom, verification: {parameters: {receiveId: ww1}, secretRefs: [{name: s, key: k}, {name: s, key: other, purpose: encoding-aes-key}]}}",
    ),
    source(
        "receiver",
        Good,
        &[],
        "{provider: wecom, verification: {parameters: {receiveId: ww1}, secretRefs: [{name: s, key: k}, {name: s, key: aes, purpose: encoding-aes-key}]}}",
    ),
    source(
        "missing-parameter",
        NotAccepted("Invalid"),
        &["spec.verification.parameters.webhookId"],
        "{provider: paypal}",
    ),
    source(
        "timeless-tolerance",
        NotAccepted("Unsupported"),
        &["spec.verification.tolerance"],
        "{provider: github, verification: {tolerance: 5m, secretRefs: [{name: s, key: k}]}}",
    ),
    source(
        "url-unsigned",
        NotAccepted("Unsupported"),
        &["spec.verification.externalURL"],
        "{provider: github, verification: {externalURL: 'https://x.example.com/y', secretRefs: [{name: s, key: k}]}}",
    ),
    source(
        "url-missing",
        NotAccepted("Invalid"),
        &["spec.verification.externalURL"],
        "{provider: square, verification: {secretRefs: [{name: s, key: k}]}}",
    ),
    source("no-refs", NotAccepted("Invalid"), &["spec.verification.secretRefs"], "{provider: github}"),
    source(
        "nothing-captured",
        NotAccepted("Unsupported"),
        &["spec.verification.captureSecretRef"],
        "{provider: github, verification: {captureSecretRef: {name: s, key: x, until: '2099-01-01T00:00:00Z'}, secretRefs: [{name: s, key: k}]}}",
    ),
    source(
        "no-id-to-go-by",
        NotAccepted("Unsupported"),
        &["spec.delivery.deduplicate"],
        "{provider: generic, verification: {method: token, token: {header: X-T}, secretRefs: [{name: s, key: k}]}, delivery: {deduplicate: Id}}",
    ),
    source(
        "generic-content",
        NotAccepted("Invalid"),
        &["spec.verification.hmac.content"],
        "{provider: generic, verification: {method: hmac, secretRefs: [{name: s, key: k}], hmac: {algorithm: SHA256, signature: {header: X-S}, content: '{nothing}'}}}",
    ),
    source(
        "conflict-a",
        Good,
        &[],
        "{provider: github, path: /NAMESPACE/conflict, verification: {secretRefs: [{name: s, key: k}]}}",
    ),
    source(
        "conflict-b",
        NotAccepted("PathConflict"),
        &["spec.path"],
        "{provider: github, path: /NAMESPACE/conflict, verification: {secretRefs: [{name: s, key: k}]}}",
    ),
    source(
        "all-at-once",
        NotAccepted("PathNotAllowed"),
        &["spec.path", "spec.provider", "spec.events.filter", "spec.routing.subject", "spec.routing.rules[0].filter"],
        "{provider: nobody, path: /other/y, events: {filter: '(('}, routing: {subject: other.x, rules: [{filter: '))', subject: webhooks.NAMESPACE.x}]}}",
    ),
    source(
        "of-the-broken",
        NotAccepted("UnknownProvider"),
        &["spec.provider"],
        "{provider: NAMESPACE-broken, verification: {secretRefs: [{name: s, key: k}]}}",
    ),
    provider(
        "broken",
        NotAccepted("Invalid"),
        &["spec.methods[0].anyOf[0].allOf[0].hmac.content"],
        "{displayName: Acme, methods: [{name: m, anyOf: [{allOf: [{hmac: {algorithm: SHA256, signature: {header: X-S}, content: '{nothing}'}}]}]}]}",
    ),
    // What others need of the namespace's quota: no field is at fault.
    source(
        "beyond-quota",
        NotAccepted("QuotaExceeded"),
        &[""],
        "{provider: github, routing: {rules: [{filter: \"type == 'a'\", subject: webhooks.NAMESPACE.x}, {filter: \"type == 'a'\", subject: webhooks.NAMESPACE.x}, {filter: \"type == 'a'\", subject: webhooks.NAMESPACE.x}, {filter: \"type == 'a'\", subject: webhooks.NAMESPACE.x}, {filter: \"type == 'a'\", subject: webhooks.NAMESPACE.x}, {filter: \"type == 'a'\", subject: webhooks.NAMESPACE.x}]}, verification: {secretRefs: [{name: s, key: k}]}}",
    ),
    // What Secrets decide.
    source(
        "secret-gone",
        Noted("SecretNotFound"),
        &["spec.verification.secretRefs[0]"],
        "{provider: github, verification: {secretRefs: [{name: gone, key: k}]}}",
    ),
    source(
        "secret-past",
        Noted("SecretExpired"),
        &["spec.verification.secretRefs[0]"],
        "{provider: github, verification: {secretRefs: [{name: s, key: k, notAfter: '2020-01-01T00:00:00Z'}]}}",
    ),
    source(
        "key-gone",
        Unresolved("KeyNotFound"),
        &["spec.verification.secretRefs[0]"],
        "{provider: github, verification: {secretRefs: [{name: s, key: nothing}]}}",
    ),
    source(
        "secret-empty",
        Unresolved("SecretInvalid"),
        &["spec.verification.secretRefs[0]"],
        "{provider: github, verification: {secretRefs: [{name: s, key: e}]}}",
    ),
    source(
        "secret-of-helm",
        Unresolved("SecretInvalid"),
        &["spec.verification.secretRefs[0]"],
        "{provider: github, verification: {secretRefs: [{name: release, key: k}]}}",
    ),
    source(
        "secret-unfit",
        Unresolved("SecretInvalid"),
        &["spec.verification.secretRefs[0]", "spec.verification.secretRefs[1]"],
        "{provider: generic, verification: {method: hmac, secretRefs: [{name: s, key: other}, {name: s, key: k}], hmac: {algorithm: SHA256, keyEncoding: Hex, signature: {header: X-S}}}}",
    ),
    // What is right.
    source("plain", Good, &[], "{provider: github, verification: {secretRefs: [{name: s, key: k}]}}"),
    source(
        "generic",
        Good,
        &[],
        "{provider: generic, verification: {method: token, token: {header: X-T}, secretRefs: [{name: s, key: k}]}}",
    ),
    source("of-a-file", Good, &[], "{provider: NAMESPACE-good, verification: {secretRefs: [{name: s, key: k}]}}"),
    source("unproven", Good, &[], "{provider: post-call, verification: {method: none}}"),
    provider(
        "good",
        Good,
        &[],
        "{displayName: Acme, methods: [{name: m, anyOf: [{allOf: [{token: {header: X-T}}]}]}]}",
    ),
];

impl Case {
    /// The whole manifest.
    pub fn manifest(&self, namespace: &str) -> String {
        let spec = self.spec.replace("NAMESPACE", namespace);
        let (kind, metadata) = match self.is_provider {
            true => ("WebhookProvider", format!("{{name: {namespace}-{}}}", self.name)),
            false => ("WebhookSource", format!("{{name: {}, namespace: {namespace}}}", self.name)),
        };
        format!("---\napiVersion: hookgate.dev/v1alpha1\nkind: {kind}\nmetadata: {metadata}\nspec: {spec}\n")
    }

    /// As messages call it.
    pub fn called(&self, namespace: &str) -> String {
        match self.is_provider {
            true => format!("WebhookProvider {namespace}-{}", self.name),
            false => format!("WebhookSource {namespace}/{}", self.name),
        }
    }
}
