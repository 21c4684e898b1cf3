//! A label selector as `--selector` takes it, judged before the API server is asked.
//!
//! The grammar of `k8s.io/apimachinery/pkg/labels`: requirements that are joined with commas, each `key`, `!key`, `key=value`, `key==value`,
//! `key!=value`, `key in (a,b)` or `key notin (a,b)`.

use std::collections::BTreeSet;

use kube::core::Expression;
pub(crate) use kube::core::Selector;

/// What is selected; every requirement must hold.
///
/// # Errors
/// What is wrong with it, and what to write.
pub(crate) fn selector(text: &str) -> Result<Selector, String> {
    let read = |part: &str| {
        let wrong = || format!("{part:?} selects nothing: write such as team=sales, team in (sales,hr), !legacy");
        requirement(part).ok_or_else(wrong)
    };
    requirements(text.trim()).map(|part| read(part.trim())).collect::<Result<Vec<_>, _>>().map(|all| {
        let mut selector = Selector::default();
        selector.extend(all);
        selector
    })
}

/// What stands between the commas outside parentheses.
fn requirements(text: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0_usize;
    text.split(move |char| {
        match char {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        char == ',' && depth == 0
    })
}

fn requirement(text: &str) -> Option<Expression> {
    if let Some(name) = text.strip_prefix('!') {
        return Some(Expression::DoesNotExist(key(name)?));
    }
    if let Some(list) = text.strip_suffix(')') {
        let (name, values) = list.split_once('(')?;
        let values = values.split(',').map(value).collect::<Option<BTreeSet<String>>>()?;
        let name = name.trim_end();
        return match name.strip_suffix(" notin") {
            Some(name) => Some(Expression::NotIn(key(name)?, values)),
            None => Some(Expression::In(key(name.strip_suffix(" in")?)?, values)),
        };
    }
    if let Some((name, other)) = text.split_once("!=") {
        return Some(Expression::NotEqual(key(name)?, value(other)?));
    }
    match text.split_once("==").or_else(|| text.split_once('=')) {
        Some((name, other)) => Some(Expression::Equal(key(name)?, value(other)?)),
        None => key(text).map(Expression::Exists),
    }
}

/// A name, and before it perhaps a DNS name and `/`.
fn key(text: &str) -> Option<String> {
    let text = text.trim();
    let (prefix, name) = text.split_once('/').map_or((None, text), |(prefix, name)| (Some(prefix), name));
    let dns = |prefix: &str| {
        let label = |label: &str| {
            !label.is_empty() && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        };
        prefix.len() <= 253 && prefix.split('.').all(label)
    };
    value(name).filter(|name| !name.is_empty() && prefix.is_none_or(dns)).map(|_| text.to_owned())
}

/// At most 63 letters, digits, `-`, `_` and `.`, the first and last a letter or digit; or nothing.
fn value(text: &str) -> Option<String> {
    let text = text.trim();
    let bytes = text.as_bytes();
    let edge = |byte: Option<&u8>| byte.is_none_or(u8::is_ascii_alphanumeric);
    let right = bytes.len() <= 63
        && edge(bytes.first())
        && edge(bytes.last())
        && bytes.iter().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(b));
    right.then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_says_the_same_as_what_was_written() {
        for (written, read) in [
            ("team=blue", "team=blue"),
            ("team == blue,!legacy", "team=blue,!legacy"),
            ("x.io/team in (b, a)", "x.io/team in (a,b)"),
            ("team notin (a), team != c", "team notin (a),team!=c"),
            ("team", "team"),
        ] {
            assert_eq!(selector(written).unwrap().to_string(), read);
        }
    }

    #[test]
    fn what_kubectl_takes_is_taken_and_nothing_else() {
        for right in
            ["a", "!a", "! a", "a=b", "a == b", "a!=b", "a=", "a in (b, c)", "a notin (b)", "x.io/a=b,c", "a in (),b"]
        {
            assert!(selector(right).is_ok(), "{right}");
        }
        for wrong in [
            "", "a,", "a in", "a>1", "a in (b", "=b", "a=b c", "a=b=c", "a>x", "X/a", "/a", "a/", "-a", "a(b)",
            "a in b)",
        ] {
            assert!(selector(wrong).unwrap_err().contains("team=sales"), "{wrong:?}");
        }
    }
}
