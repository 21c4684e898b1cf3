//! W3C Trace Context (level 1): which trace a delivery continues. Read after the proof holds, never before.

use http::{HeaderMap, HeaderName};

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// The context of a delivery; empty where the sender names none, or none that is valid.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Trace {
    /// The `traceparent` to continue.
    pub parent: Option<String>,
    /// The `tracestate` that came with it.
    pub state: Option<String>,
}

impl Trace {
    /// Reads the headers. A stranger's wish to be sampled counts only with `trust`: it would cost whoever stores traces.
    pub fn read(headers: &HeaderMap, trust: bool) -> Self {
        let mut parents = headers.get_all(&TRACEPARENT).iter();
        let (Some(parent), None) = (parents.next(), parents.next()) else { return Self::default() };
        let Some(parent) = parent.to_str().ok().and_then(|text| valid(text, trust)) else { return Self::default() };
        let states: Vec<&str> = headers.get_all(&TRACESTATE).iter().filter_map(|value| value.to_str().ok()).collect();
        Self { parent: Some(parent), state: (!states.is_empty()).then(|| states.join(",")) }
    }
}

/// `00-{trace id}-{parent id}-{flags}`, hex in lower case; ids of zeros are none (section 3.2).
fn valid(text: &str, trust: bool) -> Option<String> {
    let mut parts = text.split('-');
    let [version, trace, parent, flags] = [parts.next()?, parts.next()?, parts.next()?, parts.next()?];
    let hex =
        |part: &str, len| part.len() == len && part.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'a'..=b'f'));
    let id = |part: &str, len| hex(part, len) && part.bytes().any(|b| b != b'0');
    // A later version may have more parts (section 3.2.4): it is continued as the version that we know.
    let known = hex(version, 2) && version != "ff" && (version != "00" || parts.next().is_none());
    let sampled = trust && hex(flags, 2) && u8::from_str_radix(flags, 16).is_ok_and(|flags| flags & 1 == 1);
    (known && id(trace, 32) && id(parent, 16) && hex(flags, 2))
        .then(|| format!("00-{trace}-{parent}-{}", if sampled { "01" } else { "00" }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7";

    fn read(parents: &[&str], trust: bool) -> Option<String> {
        let mut headers = HeaderMap::new();
        for parent in parents {
            headers.append(TRACEPARENT, parent.parse().unwrap());
        }
        headers.append(TRACESTATE, "a=1".parse().unwrap());
        let trace = Trace::read(&headers, trust);
        assert_eq!(trace.parent.is_some(), trace.state.is_some(), "a state without a parent means nothing");
        trace.parent
    }

    #[test]
    fn a_trace_is_continued_and_sampled_only_for_the_trusted() {
        let sampled = format!("00-{TRACE}-01");
        assert_eq!(read(&[&sampled], true), Some(sampled.clone()));
        assert_eq!(read(&[&sampled], false), Some(format!("00-{TRACE}-00")));
        assert_eq!(read(&[&format!("cc-{TRACE}-00-later")], true), Some(format!("00-{TRACE}-00")));
    }

    #[test]
    fn what_is_no_context_is_left_out() {
        for wrong in [
            format!("ff-{TRACE}-01"),
            format!("00-{TRACE}-01-more"),
            format!("00-{TRACE}-1"),
            format!("00-{}-01", TRACE.to_uppercase()),
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01".to_owned(),
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01".to_owned(),
            String::new(),
        ] {
            assert_eq!(read(&[&wrong], true), None, "{wrong}");
        }
        let two = format!("00-{TRACE}-01");
        assert_eq!(read(&[&two, &two], true), None);
    }
}
