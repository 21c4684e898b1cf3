//! What namespaces may publish on (`--subject-policy`), and all that follows from the first policy, the root: the default subject, where
//! rejected items go, and what the operator's stream owns.
//!
//! Pure. A policy bounds a namespace, never a single source.

use super::{Part, SubjectTemplate};
use crate::subject::pattern::is_within;
use crate::subject::token::{is_token_char, push_token};

/// What stands for the namespace of a source.
const NAMESPACE: &str = "{namespace}";
/// The token of rejected items. No namespace and no source is called so, as a name cannot hold `_`.
const REJECTED: &str = "_rejected";

/// The subjects that namespaces may publish on, such as `webhooks.{namespace}.>`: one pattern or more, the first is the root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubjectPolicy {
    /// The tokens of the root before its `>`.
    root: Vec<String>,
    others: Vec<Vec<String>>,
    default: SubjectTemplate,
}

/// Why a text is no subject policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("--subject-policy {policy:?}: {reason}")]
pub struct PolicyError {
    /// The policy.
    pub policy: String,
    /// What is wrong, and what to write.
    pub reason: &'static str,
}

impl SubjectPolicy {
    /// Parses the policies, the root first.
    ///
    /// # Errors
    /// The first that is none, and what to write.
    pub fn parse(policies: &[impl AsRef<str>]) -> Result<Self, PolicyError> {
        let mut policies = policies.iter().map(AsRef::as_ref);
        let first = policies.next().unwrap_or_default();
        let root = tokens(first).and_then(root).map_err(|reason| PolicyError { policy: first.to_owned(), reason })?;
        let other = |policy: &str| tokens(policy).map_err(|reason| PolicyError { policy: policy.to_owned(), reason });
        Ok(Self { others: policies.map(other).collect::<Result<_, _>>()?, ..Self::of(root) })
    }

    fn of(root: Vec<String>) -> Self {
        let mut parts = Vec::new();
        for token in &root {
            parts.push(if token == NAMESPACE { Part::Namespace } else { Part::Text(token.as_str().into()) });
            parts.push(Part::Text(".".into()));
        }
        parts.extend([Part::Source, Part::Text(".".into()), Part::Type]);
        Self { root, others: Vec::new(), default: SubjectTemplate { parts } }
    }

    /// Every subject of `pattern` is one that this namespace may publish on. Subjects of NATS itself never are, nor those
    /// whose first token the sender chooses, since it could choose `_INBOX`.
    pub fn allows(&self, namespace: &str, pattern: &str) -> bool {
        let own = pattern.starts_with(['$', '*', '>']) || pattern.starts_with("_INBOX");
        !own && self.patterns(namespace).any(|allowed| is_within(pattern, &allowed))
    }

    /// What this namespace may publish on, as NATS patterns.
    pub fn patterns(&self, namespace: &str) -> impl Iterator<Item = String> {
        let name = token(namespace);
        let filled = move |tokens: &[String]| {
            tokens.iter().map(|token| token.replace(NAMESPACE, &name)).collect::<Vec<_>>().join(".")
        };
        let root = format!("{}.>", filled(&self.root));
        std::iter::once(root).chain(self.others.iter().map(move |tokens| filled(tokens)))
    }

    /// The subject of events that no rule names another for: the root with `{source}.{type}` for its `>`.
    pub fn default_subject(&self) -> &SubjectTemplate {
        &self.default
    }

    /// Where rejected items of a source go. Below a root that knows namespaces no consumer of one namespace's events meets them.
    pub fn rejected(&self, namespace: &str, source: &str) -> String {
        let (namespace, source) = (token(namespace), token(source));
        let mut tokens = Vec::with_capacity(self.root.len() + 2);
        let mut knows_namespaces = false;
        for part in &self.root {
            if part == NAMESPACE {
                knows_namespaces = true;
                tokens.push(REJECTED);
                tokens.push(&namespace);
            } else {
                tokens.push(part);
            }
        }
        if !knows_namespaces {
            tokens.push(REJECTED);
        }
        tokens.push(&source);
        tokens.join(".")
    }

    /// The subjects of the stream that the operator makes: the root with `*` for `{namespace}`.
    pub fn stream_subjects(&self) -> String {
        let tokens = self.root.iter().map(|token| if token == NAMESPACE { "*" } else { token });
        tokens.chain([">"]).collect::<Vec<_>>().join(".")
    }
}

impl Default for SubjectPolicy {
    /// `webhooks.{namespace}.>`.
    fn default() -> Self {
        Self::of(vec!["webhooks".to_owned(), NAMESPACE.to_owned()])
    }
}

fn token(value: &str) -> String {
    let mut token = String::new();
    push_token(&mut token, value);
    token
}

fn tokens(policy: &str) -> Result<Vec<String>, &'static str> {
    let tokens: Vec<String> = policy.split('.').map(str::to_owned).collect();
    for (index, token) in tokens.iter().enumerate() {
        match token.as_str() {
            "" => return Err("an empty token: there is something before, between and after all dots"),
            "*" => {}
            ">" if index + 1 == tokens.len() => {}
            ">" => return Err("> stands at the end only"),
            text if text.replace(NAMESPACE, "").chars().all(is_token_char) => {}
            _ => {
                return Err(
                    "write A-Z, a-z, 0-9, _, -, {namespace}, * for one token and > at the end, separated by dots",
                );
            }
        }
    }
    Ok(tokens)
}

/// The tokens of the root before its `>`.
fn root(mut tokens: Vec<String>) -> Result<Vec<String>, &'static str> {
    let namespaces = tokens.iter().filter(|token| *token == NAMESPACE).count();
    if tokens.len() < 2 || tokens.pop().as_deref() != Some(">") {
        return Err("the first policy is the root of all subjects and ends in .>, as webhooks.{namespace}.> does");
    }
    match tokens.first().map(String::as_str) {
        None | Some("*" | NAMESPACE) => {
            return Err("the first policy is the root of all subjects: it begins with a token such as webhooks");
        }
        Some(first) if first.starts_with("_INBOX") => {
            return Err("must not begin with _INBOX, which belongs to NATS itself");
        }
        Some(_) => {}
    }
    if tokens.iter().any(|token| token == "*") {
        return Err("the first policy is the root of all subjects and has no *");
    }
    if namespaces > 1 || tokens.iter().any(|token| token != NAMESPACE && token.contains(NAMESPACE)) {
        return Err("the first policy is the root of all subjects: {namespace} is one token of it, once at most");
    }
    Ok(tokens)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(policies: &[&str]) -> SubjectPolicy {
        SubjectPolicy::parse(policies).expect("a policy")
    }

    #[test]
    fn all_that_follows_from_the_root_follows_another_root_too() {
        let of = |root: &str| {
            let policy = policy(&[root]);
            let default = policy.default_subject().pattern("sales", "calls.eu", "xosum");
            (policy.rejected("sales", "calls.eu"), default, policy.stream_subjects())
        };
        let three = |one: &str, two: &str, three: &str| (one.to_owned(), two.to_owned(), three.to_owned());
        let usual = three("webhooks._rejected.sales.calls_eu", "webhooks.sales.calls_eu.>", "webhooks.*.>");
        assert_eq!(of("webhooks.{namespace}.>"), usual);
        assert_eq!(policy(&["webhooks.{namespace}.>"]), SubjectPolicy::default());
        let within = three("acme.in._rejected.sales.eu.calls_eu", "acme.in.sales.eu.calls_eu.>", "acme.in.*.eu.>");
        assert_eq!(of("acme.in.{namespace}.eu.>"), within);
        assert_eq!(of("acme.>"), three("acme._rejected.calls_eu", "acme.calls_eu.>", "acme.>"));
        // Whatever follows from the root is allowed by it, but the rejected items of a namespace are no namespace's to write.
        for root in ["webhooks.{namespace}.>", "acme.in.{namespace}.eu.>"] {
            let policy = policy(&[root]);
            assert!(policy.allows("sales", &policy.default_subject().pattern("sales", "calls", "xosum")));
            assert!(!policy.allows("sales", &policy.rejected("sales", "calls")));
        }
    }

    #[test]
    fn a_first_policy_that_is_no_root_is_refused_with_what_to_write() {
        for (wrong, said) in [
            ("", "empty token"),
            ("webhooks..x", "empty token"),
            ("a.>.b", "end only"),
            ("a b.>", "write A-Z"),
            ("$JS.>", "write A-Z"),
            ("a.{source}.>", "write A-Z"),
            ("webhooks.{namespace}", "ends in .>"),
            (">", "ends in .>"),
            ("*.>", "begins with"),
            ("{namespace}.>", "begins with"),
            ("_INBOX.>", "_INBOX"),
            ("webhooks.*.>", "no *"),
            ("a.{namespace}.{namespace}.>", "once at most"),
            ("team-{namespace}.>", "one token"),
        ] {
            let error = SubjectPolicy::parse(&[wrong]).unwrap_err().to_string();
            assert!(error.starts_with(&format!("--subject-policy {wrong:?}: ")) && error.contains(said), "{error}");
        }
        let error = SubjectPolicy::parse(&["webhooks.{namespace}.>", "a..b"]).unwrap_err();
        assert_eq!(error.policy, "a..b");
        assert!(SubjectPolicy::parse(&[""; 0]).is_err());
    }

    #[test]
    fn a_namespace_publishes_only_within_its_policies() {
        let policy = policy(&["webhooks.{namespace}.>", "team-{namespace}.*.>", "shared.x"]);
        let allows = |template: &str| {
            let pattern = SubjectTemplate::parse(template).unwrap().pattern("sales", "calls", "xosum");
            policy.allows("sales", &pattern)
        };
        for allowed in ["webhooks.{namespace}.{source}.{type}", "webhooks.sales.x", "team-sales.x.y", "shared.x"] {
            assert!(allows(allowed), "{allowed}");
        }
        for refused in [
            "webhooks.{namespace}",
            "webhooks.hr.x",
            "webhooks.{subject}.x",
            "webhooks.{type}",
            "webhooks.{namespace}-{subject}.x",
            "other.sales.x",
            "shared.y",
        ] {
            assert!(!allows(refused), "{refused}");
        }
    }

    #[test]
    fn no_policy_opens_what_belongs_to_nats() {
        let policy = policy(&["webhooks.{namespace}.>", ">"]);
        assert!(policy.allows("sales", "anything.at.all"));
        for pattern in ["$JS.API.STREAM.DELETE.X", "$SYS.>", "_INBOX.x", "_INBOX", "*", ">", "*.x"] {
            assert!(!policy.allows("sales", pattern), "{pattern}");
        }
    }
}
