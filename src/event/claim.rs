//! The claim check: a message whose data lies elsewhere, and that says where.
//!
//! Works on messages that are made already: a spool holds such, and learns late that one is too large.

use base64::Engine as _;
use bytes::{BufMut, Bytes, BytesMut};

use super::header;
use super::message::Message;
use crate::json::{members, names_json, string_text};

/// A message without its data, and the data.
#[derive(Clone, Debug)]
pub struct Claimed {
    /// Says where the data lies; everything else stays as it was.
    pub message: Message,
    /// The data, the same bytes in both modes; JSON in structured mode without the white space around it.
    pub data: Bytes,
}

impl Message {
    /// The message with a reference in place of its data: in binary mode a header and an empty payload, in structured mode
    /// a member. `reference` needs no encoding. `None` where a structured message has no data that could be taken out.
    pub fn claim(&self, reference: &str) -> Option<Claimed> {
        if self.header(header::CONTENT_TYPE) == Some(header::STRUCTURED) {
            let (payload, data) = exchanged(&self.payload, reference)?;
            return Some(Claimed { message: Message { payload, ..self.clone() }, data });
        }
        let line = [header::DATAREF.name, ": ", reference, "\r\n"].concat();
        // The id stays the last header.
        let id = memchr::memrchr(b'\n', self.headers.strip_suffix(b"\r\n")?)? + 1;
        let mut headers = BytesMut::with_capacity(self.headers.len() + line.len());
        headers.put_slice(&self.headers[..id]);
        headers.put_slice(line.as_bytes());
        headers.put_slice(&self.headers[id..]);
        let message = Message { headers: headers.freeze(), payload: Bytes::new(), ..self.clone() };
        Some(Claimed { message, data: self.payload.clone() })
    }
}

/// The document with a reference for its data, and the data.
fn exchanged(document: &Bytes, reference: &str) -> Option<(Bytes, Bytes)> {
    let text = std::str::from_utf8(document).ok()?;
    let members = members(text).ok()??;
    // Written last, and without white space: `Document::finish`.
    let (name, value) = members.last()?;
    let start = text.len().checked_sub(name.get().len() + 1 + value.get().len() + 1)?;
    let named = |wanted: &str| members.iter().find(|(name, _)| string_text(name).as_deref() == Some(wanted));
    let json = || Some(names_json(&string_text(named("datacontenttype")?.1)?));
    let data = match &*string_text(name)? {
        "data" if json()? => document.slice_ref(value.get().as_bytes()),
        "data" => Bytes::from(string_text(value)?.into_owned()),
        "data_base64" => base64::engine::general_purpose::STANDARD.decode(&*string_text(value)?).ok()?.into(),
        _ => return None,
    };
    let member = header::DATAREF.member?;
    Some((format!("{}\"{member}\":\"{reference}\"}}", &text[..start]).into(), data))
}

#[cfg(test)]
mod tests {
    use super::super::{Block, Message};
    use super::*;

    const REFERENCE: &str = "nats-object://hookgate-sales/0a1b";

    fn binary(payload: &'static [u8]) -> Message {
        let mut block = Block::default();
        block.push(header::CONTENT_TYPE, &["application/json"]);
        let (headers, msg_id) = block.finish("uid", "d-1");
        Message { subject: "w.x".to_owned(), headers, payload: Bytes::from_static(payload), msg_id }
    }

    fn structured(document: &'static str) -> Message {
        let mut block = Block::default();
        block.push(header::CONTENT_TYPE, &[header::STRUCTURED]);
        let (headers, msg_id) = block.finish("uid", "d-1");
        Message { subject: "w.x".to_owned(), headers, payload: Bytes::from_static(document.as_bytes()), msg_id }
    }

    #[test]
    fn a_binary_message_says_in_a_header_where_its_data_lies_and_keeps_all_others() {
        let whole = binary(b" {\"a\": 1.0}\n");
        let Claimed { message, data } = whole.claim(REFERENCE).unwrap();
        assert_eq!(&data[..], b" {\"a\": 1.0}\n", "byte for byte");
        assert_eq!((message.header(header::DATAREF), message.payload.len()), (Some(REFERENCE), 0));
        let names: Vec<_> = message.lines().map(|(name, _)| name.to_vec()).collect();
        assert_eq!(names, [&b"content-type"[..], b"ce-dataref", b"Nats-Msg-Id"]);
        assert_eq!(message.msg_id, whole.msg_id, "the same event");
    }

    #[test]
    fn a_structured_message_has_a_reference_for_data_which_is_the_same_in_both_modes() {
        let claimed = |document| structured(document).claim(REFERENCE).unwrap();
        for (document, kept, data) in [
            (
                r#"{"id":"1","datacontenttype":"application/json","data":{"a": 1.0}}"#,
                "application/json",
                r#"{"a": 1.0}"#,
            ),
            (r#"{"id":"1","datacontenttype":"text/plain","data":"a\n\"b\""}"#, "text/plain", "a\n\"b\""),
            (r#"{"id":"1","datacontenttype":"a/b","data_base64":"aGk="}"#, "a/b", "hi"),
        ] {
            let Claimed { message, data: taken } = claimed(document);
            assert_eq!(taken, data);
            let expected = format!(r#"{{"id":"1","datacontenttype":"{kept}","dataref":"{REFERENCE}"}}"#);
            assert_eq!(message.payload, expected);
        }
        assert!(structured(r#"{"id":"1"}"#).claim(REFERENCE).is_none(), "no data");
        assert!(structured("none").claim(REFERENCE).is_none());
    }
}
