//! The documents of a file: where each begins, and what its YAML says.
//!
//! Documents are cut apart before they are parsed, so that a broken one harms no other and every line is known.

use serde_saphyr::options::DuplicateKeyPolicy;
use zeroize::Zeroizing;

use super::tree::Node;

/// One document of a file.
pub(super) struct Document {
    /// The line of its first content, counted from 1.
    pub line: usize,
    /// What it says, or where its YAML is wrong.
    pub content: Result<Node, Syntax>,
}

/// Where and why a document is no YAML.
pub(super) struct Syntax {
    pub line: usize,
    pub column: Option<usize>,
    pub message: String,
}

/// The documents of a text. Those that say nothing are left out.
pub(super) fn documents(text: &str) -> Vec<Document> {
    pieces(text.strip_prefix('\u{feff}').unwrap_or(text))
        .into_iter()
        .filter_map(|(line, text)| parse(line, &text))
        .collect()
}

/// The text between the markers `---` and `...`, which at the start of a line are markers wherever they stand (YAML 1.2,
/// section 9.1.2), with the line each piece begins on.
fn pieces(text: &str) -> Vec<(usize, Zeroizing<String>)> {
    let mut pieces = vec![(1, Zeroizing::new(String::new()))];
    for (index, line) in text.split_inclusive('\n').enumerate() {
        let marker = ["---", "..."].iter().any(|marker| {
            line.strip_prefix(marker).is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n']))
        });
        if marker {
            pieces.push((index + 1, Zeroizing::new(format!("   {}", &line[3..]))));
        } else if let Some((_, piece)) = pieces.last_mut() {
            // A directive, which only a document's beginning can hold, says nothing that matters here.
            let directive = line.starts_with('%') && piece.lines().all(is_blank);
            piece.push_str(if directive { "\n" } else { line });
        }
    }
    pieces
}

fn is_blank(line: &str) -> bool {
    let line = line.trim();
    line.is_empty() || line.starts_with('#')
}

fn parse(start: usize, text: &str) -> Option<Document> {
    let first = start + text.lines().position(|line| !is_blank(line))?;
    let options = serde_saphyr::options! {
        duplicate_keys: DuplicateKeyPolicy::Error,
        // As kubectl reads: `yes` and `on` are booleans and 010 is eight, unless they are quoted.
        strict_booleans: false,
        legacy_octal_numbers: true,
        // A snippet could show a Secret.
        with_snippet: false,
    };
    let content = match serde_saphyr::from_str_with_options::<Node>(text, options) {
        Ok(node) if node.is_null() => return None,
        Ok(mut node) => {
            node.move_down(start - 1);
            Ok(node)
        }
        Err(error) => Err(syntax(&error, start, first)),
    };
    Some(Document { line: first, content })
}

fn syntax(error: &serde_saphyr::Error, start: usize, first: usize) -> Syntax {
    let text = error.without_snippet().to_string();
    let message = text.lines().next().unwrap_or_default();
    // The place is told once, and in lines of the file.
    let end = [" at line ", " (line "].iter().filter_map(|place| message.find(place)).min().unwrap_or(message.len());
    let message = message[..end].trim_start_matches("error: ").to_owned();
    let place = error.location();
    let number = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    Syntax {
        line: place.map_or(first, |place| start + number(place.line()).saturating_sub(1)),
        column: place.map(|place| number(place.column())),
        message,
    }
}
