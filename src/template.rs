//! Templates: text with `{…}` variables, of which each use knows its own.
//!
//! `{{` is a brace. An unknown variable is an error of whoever wrote it, never an empty string at run time.
//! Strict for the content of a scheme and for subjects; not for the body of an answer, where a `{` that begins no
//! variable is itself.

/// A piece of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// Text as it stands.
    Literal(String),
    /// A variable: its name and what follows the first colon.
    Variable(String, Option<String>),
}

/// Splits a template into pieces.
///
/// # Errors
/// A sentence that names the variable or the brace that is wrong.
pub(crate) fn parse(template: &str, strict: bool) -> Result<Vec<Piece>, String> {
    let mut pieces = Vec::new();
    let mut literal = String::new();
    let mut rest = template;
    while let Some(at) = rest.find(['{', '}']) {
        literal.push_str(&rest[..at]);
        rest = &rest[at..];
        if rest.starts_with("{{") || strict && rest.starts_with("}}") {
            literal.push_str(&rest[..1]);
            rest = &rest[2..];
        } else if let Some((name, argument, length)) = variable(rest) {
            if !literal.is_empty() {
                pieces.push(Piece::Literal(std::mem::take(&mut literal)));
            }
            pieces.push(Piece::Variable(name.to_owned(), argument.map(str::to_owned)));
            rest = &rest[length..];
        } else if strict {
            return Err(format!("{rest:?} begins no variable: write {{{{ for a brace"));
        } else {
            literal.push_str(&rest[..1]);
            rest = &rest[1..];
        }
    }
    literal.push_str(rest);
    if !literal.is_empty() {
        pieces.push(Piece::Literal(literal));
    }
    Ok(pieces)
}

/// The name in a text that is `{parameter:NAME}` and nothing else.
pub(crate) fn parameter(text: &str) -> Option<&str> {
    match variable(text)? {
        ("parameter", Some(name), length) if length == text.len() => Some(name),
        _ => None,
    }
}

/// A text that is fixed but for parameters of the source.
///
/// # Errors
/// A sentence that names what else it holds.
pub(crate) fn fixed(text: &str) -> Result<Vec<Piece>, String> {
    let pieces = parse(text, true)?;
    let other =
        |piece: &&Piece| matches!(piece, Piece::Variable(name, argument) if name != "parameter" || argument.is_none());
    match pieces.iter().find(other) {
        Some(Piece::Variable(name, _)) => Err(format!("{{{name}}} cannot stand here: {{parameter:NAME}} alone can")),
        _ => Ok(pieces),
    }
}

/// `{name}` or `{name:argument}` at the front: its parts and its length.
fn variable(text: &str) -> Option<(&str, Option<&str>, usize)> {
    let inner = text.strip_prefix('{')?;
    let end = inner.find('}')?;
    let inner = &inner[..end];
    let (name, argument) = match inner.split_once(':') {
        Some((name, argument)) => (name, Some(argument)),
        None => (inner, None),
    };
    let named = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    (named && argument != Some("")).then_some((name, argument, end + 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn var(name: &str, argument: Option<&str>) -> Piece {
        Piece::Variable(name.to_owned(), argument.map(str::to_owned))
    }

    #[test]
    fn reads_variables_braces_and_literals() {
        assert_eq!(
            parse("v0:{timestamp}:{header:X-A}{{}}{body}", true),
            Ok(vec![
                Piece::Literal("v0:".into()),
                var("timestamp", None),
                Piece::Literal(":".into()),
                var("header", Some("X-A")),
                Piece::Literal("{}".into()),
                var("body", None)
            ])
        );
    }

    #[test]
    fn a_json_answer_keeps_its_braces() {
        assert_eq!(
            parse(r#"{"accepted": {items}}"#, false),
            Ok(vec![Piece::Literal(r#"{"accepted": "#.into()), var("items", None), Piece::Literal("}".into())])
        );
    }

    #[test]
    fn a_strict_template_refuses_stray_braces() {
        for wrong in ["{", "{Body}", "{body", "a}b", "{header:}"] {
            assert!(parse(wrong, true).is_err(), "{wrong}");
        }
    }
}
