//! Which media types name JSON (RFC 8259, section 11; RFC 6839, section 3.1), however a sender spells them.

/// Whether a media type, with or without parameters, says that its content is JSON: `application/json`, `text/json` and
/// others of that subtype, and the suffix `+json`.
pub fn names_json(media_type: &str) -> bool {
    let essence = media_type.split(';').next().unwrap_or_default().trim_ascii().as_bytes();
    let ends = |end: &[u8]| essence.len() > end.len() && essence[essence.len() - end.len()..].eq_ignore_ascii_case(end);
    ends(b"/json") || ends(b"+json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_json_however_it_is_spelt() {
        for json in
            ["application/json", "Text/JSON", "application/cloudevents+json; charset=utf-8", " application/json ;a=b"]
        {
            assert!(names_json(json), "{json}");
        }
        for other in [
            "",
            "json",
            "/json",
            "application/jsonl",
            "text/plain",
            "application/x-ndjson",
            "application/jsonp; a=/json",
        ] {
            assert!(!names_json(other), "{other}");
        }
    }
}
