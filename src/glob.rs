//! Globs: `*` is any run of characters, dots included; everything else is itself. Case counts.

/// The globs of one list.
#[derive(Clone, Debug, Default)]
pub struct Globs(Vec<String>);

impl Globs {
    /// A list; every text is a glob.
    pub fn new<S: AsRef<str>>(patterns: &[S]) -> Self {
        Self(patterns.iter().map(|pattern| pattern.as_ref().to_owned()).collect())
    }

    /// No glob at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether any of them matches the whole text.
    pub fn matches(&self, text: &str) -> bool {
        self.0.iter().any(|glob| matches(glob, text))
    }
}

impl std::fmt::Display for Globs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.join(" or "))
    }
}

/// Whether one glob matches the whole text.
pub(crate) fn matches(glob: &str, text: &str) -> bool {
    let mut parts = glob.split('*');
    let Some(mut rest) = text.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        // The leftmost place leaves the most for what follows.
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
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
