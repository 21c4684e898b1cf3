//! Patterns of subjects: in one `*` stands for one token and a final `>` for one token or more.
//!
//! Pure, and allocates nothing. Held to a naive matcher by the properties beside `coverage`.

/// The pattern matches the subject, which has no wildcards.
pub(crate) fn matches(pattern: &str, subject: &str) -> bool {
    is_within(subject, pattern)
}

/// Every subject that `inner` matches is matched by `outer`.
pub(crate) fn is_within(inner: &str, outer: &str) -> bool {
    let mut inner = inner.split('.');
    let mut outer = outer.split('.');
    loop {
        match (inner.next(), outer.next()) {
            (None, None) => return true,
            (Some(_), Some(">")) => return true,
            (Some(">"), Some(_)) => return false,
            (Some(_), Some("*")) => {}
            (Some(token), Some(wanted)) if token == wanted => {}
            _ => return false,
        }
    }
}

/// Some subject is matched by both.
pub(crate) fn overlaps(one: &str, other: &str) -> bool {
    let mut one = one.split('.');
    let mut other = other.split('.');
    loop {
        match (one.next(), other.next()) {
            (None, None) => return true,
            (Some(">"), Some(_)) | (Some(_), Some(">")) => return true,
            (Some("*"), Some(_)) | (Some(_), Some("*")) => {}
            (Some(token), Some(wanted)) if token == wanted => {}
            _ => return false,
        }
    }
}
