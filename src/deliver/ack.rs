//! What JetStream answers to a publish, read without a tree.
//!
//! The format is that of nats-server's `JSPubAckResponse`: `{"stream":"S","seq":1,"duplicate":true}` or
//! `{"error":{"code":503,"err_code":10077,"description":"…"}}`; a 503 without a body where nobody listens.

use std::borrow::Cow;

use serde::Deserialize;

use super::Unavailable;

/// `JSStreamMessageExceedsMaximumErr` and `JSStreamHeaderExceedsMaximumErr` of nats-server.
const TOO_LARGE: [u64; 2] = [10054, 10097];

/// A positive answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Ack<'a> {
    /// The stream that has the message.
    pub stream: Cow<'a, str>,
    /// Its sequence there; of the first copy where it is a duplicate.
    pub sequence: u64,
    /// The stream had it already.
    pub duplicate: bool,
    /// Messages of the batch that it acknowledges; 0: of none.
    pub count: u64,
}

#[derive(Deserialize)]
struct Wire<'a> {
    #[serde(borrow, default)]
    stream: Cow<'a, str>,
    #[serde(default)]
    seq: u64,
    #[serde(default)]
    duplicate: bool,
    #[serde(default)]
    count: u64,
    #[serde(borrow)]
    error: Option<WireError<'a>>,
}

#[derive(Deserialize)]
struct WireError<'a> {
    #[serde(default)]
    err_code: u64,
    #[serde(borrow, default)]
    description: Cow<'a, str>,
}

/// Reads an answer. `status` is the status line of its headers, where it has one.
pub(super) fn parse(status: Option<u16>, payload: &[u8]) -> Result<Ack<'_>, Unavailable> {
    if status == Some(async_nats::StatusCode::NO_RESPONDERS.as_u16()) {
        return Err(Unavailable::NoStream);
    }
    let refused = |code, description: &str| Unavailable::Refused { code, description: description.to_owned() };
    let answer: Wire<'_> =
        serde_json::from_slice(payload).map_err(|_| refused(0, "the answer is no acknowledgement"))?;
    match answer.error {
        Some(error) if TOO_LARGE.contains(&error.err_code) => Err(Unavailable::TooLarge),
        Some(error) => Err(refused(error.err_code, &error.description)),
        None if answer.stream.is_empty() || answer.seq == 0 => {
            Err(refused(0, "the acknowledgement names no stream and sequence"))
        }
        None => {
            Ok(Ack { stream: answer.stream, sequence: answer.seq, duplicate: answer.duplicate, count: answer.count })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(payload: &str) -> Unavailable {
        parse(None, payload.as_bytes()).unwrap_err()
    }

    #[test]
    fn acknowledgements_are_read_with_what_they_say() {
        let first = parse(None, br#"{"stream":"WEBHOOKS","seq":7}"#).unwrap();
        assert_eq!((first.stream.as_ref(), first.sequence, first.duplicate), ("WEBHOOKS", 7, false));
        assert!(matches!(first.stream, Cow::Borrowed(_)), "nothing is copied");
        let again =
            parse(None, br#"{"stream":"W","domain":"hub","seq":7,"duplicate":true,"new":{"field":[1]}}"#).unwrap();
        assert!(again.duplicate);
    }

    #[test]
    fn only_an_acknowledgement_is_taken_for_one() {
        assert_eq!(parse(Some(503), b""), Err(Unavailable::NoStream));
        assert_eq!(
            error(r#"{"error":{"code":503,"err_code":10077,"description":"no \"space\""},"stream":"W","seq":0}"#),
            Unavailable::Refused { code: 10077, description: "no \"space\"".to_owned() }
        );
        assert_eq!(error(r#"{"error":{"code":400,"err_code":10054,"description":"x"}}"#), Unavailable::TooLarge);
        for payload in [
            "",
            "null",
            "{}",
            "+OK",
            r#"{"stream":"W"}"#,
            r#"{"seq":1}"#,
            r#"{"stream":"","seq":1}"#,
            r#"{"stream":"W","seq":0}"#,
        ] {
            assert!(matches!(error(payload), Unavailable::Refused { code: 0, .. }), "{payload}");
        }
    }
}
