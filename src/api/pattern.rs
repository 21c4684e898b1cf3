//! The patterns of the schemas, each with the sentence that says what it means.
//!
//! A schema's `pattern` tells editors; people get the sentence, which `crd` adds beside it as a CEL rule. A pattern
//! without a sentence is refused by a test. Classes such as `\s` are written out: RE2 and Rust disagree on them.

/// A pattern and its meaning.
#[derive(Clone, Copy, Debug)]
pub struct Pattern {
    /// The regular expression, in RE2's and Rust's common language, without a quotation mark.
    pub signs: &'static str,
    /// What to write, after "… is not allowed: ".
    pub sentence: &'static str,
}

const fn pattern(signs: &'static str, sentence: &'static str) -> Pattern {
    Pattern { signs, sentence }
}

/// Providers, methods and purposes.
pub const KEBAB: Pattern =
    pattern("^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", "write a name in kebab-case: lower-case letters, digits and '-'");
/// The rule of CEL for names of resources, and its sentence.
pub const NAME: &str =
    "self.metadata.name.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$') && self.metadata.name.size() <= 63";
/// What it says.
pub const NAME_SENTENCE: &str = "metadata.name must be a DNS label: lower-case letters, digits and '-', at most 63";
/// Headers and streams.
pub const WORD: Pattern = pattern("^[A-Za-z0-9_-]+$", "only letters, digits, '-' and '_' may stand here");
/// A JSON pointer that leads into a document (RFC 6901).
pub const POINTER: Pattern =
    pattern("^(/([^/~]|~[01])*)+$", "write a JSON pointer such as /data/id, with ~1 for '/' and ~0 for '~'");
/// A JSON pointer that may stand for the whole document.
pub const POINTER_OR_ALL: Pattern =
    pattern("^(/([^/~]|~[01])*)*$", "write a JSON pointer such as /data/items, or nothing for the whole document");
/// Paths of routes.
pub const PATH: Pattern = pattern(
    "^(/[A-Za-z0-9._~-]+)+$",
    "write a path such as /sales/calls: segments of letters, digits and '._~-', no '/' at the end",
);
/// Hosts of routes.
pub const HOSTNAME: Pattern = pattern(
    r"^(\*\.)?[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?(\.[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)*$",
    "write a DNS name in lower case without a port, such as hooks.example.com or *.example.com",
);
/// Subject templates.
pub const SUBJECT: Pattern = pattern(
    r"^([A-Za-z0-9_-]|\{(namespace|source|provider|type|subject)\})+(\.([A-Za-z0-9_-]|\{(namespace|source|provider|type|subject)\})+)*$",
    "write a subject such as webhooks.{namespace}.{source}.{type}: tokens of letters, digits, '-', '_' and the variables {namespace}, {source}, {provider}, {type} and {subject}, separated by '.'",
);
/// Names of Secrets.
pub const SECRET_NAME: Pattern = pattern(
    r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$",
    "write the name of a Secret: lower-case letters, digits, '-' and '.'",
);
/// Keys of Secrets.
pub const SECRET_KEY: Pattern =
    pattern("^[-._a-zA-Z0-9]+$", "write a key of the Secret: letters, digits, '-', '_' and '.'");
/// Public URLs of routes.
pub const EXTERNAL_URL: Pattern = pattern(
    "^https://[!-\"$-.0->@-~][!-\"$->@-~]*$",
    "write the https URL that the vendor calls, without query and fragment, such as https://hooks.example.com/in",
);
/// Fixed URLs of keys.
pub const HTTPS: Pattern = pattern("^https://[!-.0-~][!-~]*$", "write an https URL");
/// Media types of answers.
pub const MEDIA_TYPE: Pattern = pattern(
    "^(application/json|text/plain|application/xml|text/xml)(; ?charset=utf-8)?$",
    "write application/json, text/plain, application/xml or text/xml",
);
/// GEP-2257 durations.
pub const DURATION: Pattern =
    pattern("^([0-9]{1,5}(h|m|s|ms)){1,4}$", "write a duration such as 5m, 1h30m or 500ms, without fractions");
/// Quantities of bytes.
pub const SIZE: Pattern =
    pattern("^[1-9][0-9]{0,11}(k|M|G|Ki|Mi|Gi)?$", "write a size such as 512Ki, 1Mi or 1048576, without fractions");
/// Instants that every reader of RFC 3339 reads.
pub const INSTANT: Pattern = pattern(
    r"^[12][0-9]{3}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$",
    "write a time in RFC 3339 before the year 3000, such as 2026-12-31T00:00:00Z",
);
/// Days.
pub const DAY: Pattern = pattern("^20[0-9]{2}-[01][0-9]-[0-3][0-9]$", "write a day such as 2026-01-31");
/// Templates of signed content.
pub const CONTENT: Pattern = pattern(
    r"^([^{}]|\{\{|\}\}|\{[a-z][a-z0-9-]*(:[^{}]+)?\})*$",
    "write variables such as {body} or {header:X-Name}, and {{ for a brace",
);

/// All of them.
pub const ALL: [Pattern; 18] = [
    KEBAB,
    WORD,
    POINTER,
    POINTER_OR_ALL,
    PATH,
    HOSTNAME,
    SUBJECT,
    SECRET_NAME,
    SECRET_KEY,
    EXTERNAL_URL,
    HTTPS,
    MEDIA_TYPE,
    DURATION,
    SIZE,
    INSTANT,
    DAY,
    CONTENT,
    PARAMETER,
];

/// Names of parameters.
pub const PARAMETER: Pattern =
    pattern("^[A-Za-z][A-Za-z0-9-]*$", "write the name of a parameter: letters, digits and '-'");
