//! One token of a subject: what may stand in it, and what becomes of everything else.

/// May stand in a token as it is.
pub(crate) fn is_token_char(char: char) -> bool {
    char.is_ascii_alphanumeric() || char == '_' || char == '-'
}

/// Adds a value as one token: whatever is not allowed in one becomes `_`, and so does nothing at all.
pub(crate) fn push_token(subject: &mut String, value: &str) {
    if value.is_empty() {
        subject.push('_');
    }
    subject.extend(value.chars().map(|char| if is_token_char(char) { char } else { '_' }));
}
