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
