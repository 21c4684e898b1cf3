//! Globs on event types: `*` is any run of characters, dots included; everything else is itself. Case counts.

/// Compiled globs of one list.
#[derive(Clone, Debug, Default)]
pub struct Globs(Vec<Vec<String>>);

impl Globs {
    /// Compiles a list; every text is a glob.
    pub fn new<S: AsRef<str>>(patterns: &[S]) -> Self {
        Self(patterns.iter().map(|pattern| pattern.as_ref().split('*').map(str::to_owned).collect()).collect())
    }

    /// No glob at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether any of them matches the whole text.
    pub fn matches(&self, text: &str) -> bool {
        self.0.iter().any(|parts| matches(parts, text))
    }
}

fn matches(parts: &[String], text: &str) -> bool {
    let [first, middle @ .., last] = parts else {
        return parts.first().is_some_and(|only| only == text);
    };
    let Some(mut rest) = text.strip_prefix(first.as_str()) else { return false };
    for part in middle {
        match rest.find(part.as_str()) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.len() >= last.len() && rest.ends_with(last.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_any_run_and_everything_else_is_itself() {
        let check = |pattern: &str, text: &str| Globs::new(&[pattern]).matches(text);
        assert!(check("transcript.*", "transcript.ready"));
        assert!(check("*", ""));
        assert!(check("a*b*c", "a.x.b.c"));
        assert!(check("*.ready", "recording.transcript.ready"));
        assert!(check("issues", "issues"));
        for (pattern, text) in [
            ("transcript.*", "transcript"),
            ("a*a", "a"),
            ("Issues", "issues"),
            ("a?c", "abc"),
            ("[ab]", "a"),
            ("", "a"),
        ] {
            assert!(!check(pattern, text), "{pattern} {text}");
        }
        assert!(!Globs::default().matches("a"));
    }
}
