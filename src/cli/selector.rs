//! A label selector as `--selector` takes it, judged before the API server is asked.
//!
//! The grammar of `k8s.io/apimachinery/pkg/labels`: requirements that are joined with commas, each `key`, `!key`, `key=value`, `key==value`,
//! `key!=value`, `key in (a,b)`, `key notin (a,b)`, `key>1` or `key<1`.

/// The selector as it was written.
///
/// # Errors
/// What is wrong with it, and what to write.
pub(super) fn selector(text: &str) -> Result<String, String> {
    let text = text.trim();
    for requirement in requirements(text) {
        if !is_requirement(requirement.trim()) {
            return Err(format!(
                "{:?} selects nothing: write such as team=sales, team in (sales,hr), !legacy",
                requirement.trim()
            ));
        }
    }
    Ok(text.to_owned())
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

fn is_requirement(text: &str) -> bool {
    if let Some(key) = text.strip_prefix('!') {
        return is_key(key.trim());
    }
    if let Some(list) = text.strip_suffix(')') {
        let Some((key, values)) = list.split_once('(') else { return false };
        let key = key.trim_end();
        let key = key.strip_suffix(" notin").or_else(|| key.strip_suffix(" in"));
        return key.is_some_and(|key| is_key(key.trim())) && values.split(',').all(|value| is_value(value.trim()));
    }
    for operator in ["!=", "==", "="] {
        if let Some((key, value)) = text.split_once(operator) {
            return is_key(key.trim()) && is_value(value.trim());
        }
    }
    if let Some((key, value)) = text.split_once(['>', '<']) {
        return is_key(key.trim()) && value.trim().parse::<i64>().is_ok();
    }
    is_key(text)
}

/// A name, and before it perhaps a DNS name and `/`.
fn is_key(text: &str) -> bool {
    let (prefix, name) = text.split_once('/').map_or((None, text), |(prefix, name)| (Some(prefix), name));
    let dns = |prefix: &str| {
        let label = |label: &str| {
            !label.is_empty() && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        };
        prefix.len() <= 253 && prefix.split('.').all(label)
    };
    !name.is_empty() && is_value(name) && prefix.is_none_or(dns)
}

/// At most 63 letters, digits, `-`, `_` and `.`, the first and last a letter or digit; or nothing.
fn is_value(text: &str) -> bool {
    let edge = |byte: Option<&u8>| byte.is_none_or(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    bytes.len() <= 63
        && edge(bytes.first())
        && edge(bytes.last())
        && bytes.iter().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_kubectl_takes_is_taken_and_nothing_else() {
        for right in [
            "a",
            "!a",
            "! a",
            "a=b",
            "a == b",
            "a!=b",
            "a=",
            "a in (b, c)",
            "a notin (b)",
            "a>1",
            "x.io/a=b,c",
            "a in (),b",
        ] {
            assert!(selector(right).is_ok(), "{right}");
        }
        for wrong in
            ["", "a,", "a in", "a in (b", "=b", "a=b c", "a=b=c", "a>x", "X/a", "/a", "a/", "-a", "a(b)", "a in b)"]
        {
            assert!(selector(wrong).unwrap_err().contains("team=sales"), "{wrong:?}");
        }
    }
}
