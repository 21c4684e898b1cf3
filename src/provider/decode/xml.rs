//! XML as the JSON document that pointers lead into: what the root holds, whatever the root is called.
//!
//! An element of text alone is a text; others are objects, in which attributes are `@name` and text beside them is `#text`;
//! children of one name are a list. No document type is read, so no entity but XML's own is known; one pass, no tree, depth and
//! number of elements bounded.

use std::collections::HashMap;

use bytes::Bytes;
use quick_xml::XmlVersion;
use quick_xml::escape::resolve_xml_entity;
use quick_xml::events::{BytesDecl, BytesRef, BytesStart, Event};
use quick_xml::reader::Reader;

use crate::json::ObjectWriter;
use crate::provider::event::DecodeError;

/// How deep elements may stand in each other.
const MAX_DEPTH: usize = 32;
/// Most elements of a document.
const MAX_ELEMENTS: usize = 100_000;
/// Most attributes of an element: that none stands twice is checked one by one.
const MAX_ATTRIBUTES: usize = 64;
const MALFORMED: DecodeError = DecodeError::Malformed("XML");

/// The JSON of a document; of what the root holds only what is wanted by its name.
///
/// # Errors
/// `Malformed` where it is no XML of the kind that is read, `Shape` where it is too deep or holds too many elements.
pub(super) fn document(xml: &[u8], wanted: &dyn Fn(&str) -> bool) -> Result<Bytes, DecodeError> {
    let text = std::str::from_utf8(xml).map_err(|_| MALFORMED)?;
    let mut reader = Reader::from_str(text.trim_start_matches('\u{feff}'));
    let mut reading = Reading { wanted, open: Vec::new(), left_out: 0, elements: 0, root: None };
    loop {
        match reader.read_event().map_err(|_| MALFORMED)? {
            Event::Start(start) => reading.begin(&start)?,
            Event::Empty(start) => {
                reading.begin(&start)?;
                reading.end()?;
            }
            Event::End(_) => reading.end()?,
            Event::Text(text) => reading.text(&text.xml10_content(), false)?,
            Event::CData(text) => reading.text(&text.xml10_content(), true)?,
            Event::GeneralRef(reference) => reading.text(&character(&reference)?, true)?,
            Event::Decl(declared) => declared_utf8(&declared)?,
            Event::DocType(_) => return Err(MALFORMED),
            Event::PI(_) | Event::Comment(_) => {}
            Event::Eof => break,
        }
    }
    match reading.root {
        Some(root) if reading.open.is_empty() => Ok(Bytes::from(root)),
        _ => Err(MALFORMED),
    }
}

/// What a reference stands for: a character by its number, or one of XML's own entities.
fn character(reference: &BytesRef<'_>) -> Result<String, DecodeError> {
    match reference.resolve_char_ref().map_err(|_| MALFORMED)? {
        Some(character) => Ok(character.to_string()),
        None => resolve_xml_entity(reference).map(str::to_owned).ok_or(MALFORMED),
    }
}

/// Another encoding than the one that is read would make other letters of the same bytes.
fn declared_utf8(declared: &BytesDecl<'_>) -> Result<(), DecodeError> {
    match declared.encoding() {
        None => Ok(()),
        Some(Ok(name)) if name.eq_ignore_ascii_case("utf-8") => Ok(()),
        Some(_) => Err(MALFORMED),
    }
}

struct Reading<'r> {
    wanted: &'r dyn Fn(&str) -> bool,
    open: Vec<Element>,
    /// How many elements are open of which nothing is kept.
    left_out: usize,
    elements: usize,
    root: Option<String>,
}

/// An element that is not closed yet.
#[derive(Default)]
struct Element {
    name: String,
    members: Vec<Member>,
    places: HashMap<String, usize>,
    text: String,
}

/// What an element holds under one name: JSON, several values with commas between them.
struct Member {
    name: String,
    json: String,
    several: bool,
}

impl Reading<'_> {
    fn begin(&mut self, start: &BytesStart<'_>) -> Result<(), DecodeError> {
        self.elements += 1;
        if self.open.len() + self.left_out == MAX_DEPTH {
            return Err(DecodeError::Shape(format!("XML deeper than {MAX_DEPTH} elements")));
        }
        if self.elements > MAX_ELEMENTS {
            return Err(DecodeError::Shape(format!("more than {MAX_ELEMENTS} XML elements")));
        }
        if self.root.is_some() {
            return Err(MALFORMED);
        }
        let name: &str = start.name().into_inner();
        let inside_root = self.open.len() == 1;
        if self.left_out > 0 || inside_root && !(self.wanted)(name) {
            self.left_out += 1;
            return Ok(());
        }
        let mut element = Element { name: name.to_owned(), ..Element::default() };
        for (count, attribute) in start.attributes().enumerate() {
            if count == MAX_ATTRIBUTES {
                return Err(DecodeError::Shape(format!("an XML element of more than {MAX_ATTRIBUTES} attributes")));
            }
            let attribute = attribute.map_err(|_| MALFORMED)?;
            let name = format!("@{}", attribute.key.into_inner());
            let value = attribute.normalized_value(XmlVersion::Implicit1_0).map_err(|_| MALFORMED)?;
            if !self.open.is_empty() || (self.wanted)(&name) {
                element.add(name, &string(&value));
            }
        }
        self.open.push(element);
        Ok(())
    }

    fn end(&mut self) -> Result<(), DecodeError> {
        if self.left_out > 0 {
            self.left_out -= 1;
            return Ok(());
        }
        let element = self.open.pop().ok_or(MALFORMED)?;
        let json = element.json();
        match self.open.last_mut() {
            Some(parent) => parent.add(element.name, &json),
            None => self.root = Some(json),
        }
        Ok(())
    }

    fn text(&mut self, text: &str, must_stand_inside: bool) -> Result<(), DecodeError> {
        match self.open.last_mut() {
            Some(_) if self.left_out > 0 => {}
            Some(element) => element.text.push_str(text),
            None if must_stand_inside || !blank(text) => return Err(MALFORMED),
            None => {}
        }
        Ok(())
    }
}

impl Element {
    fn add(&mut self, name: String, json: &str) {
        match self.places.get(&name) {
            Some(at) => {
                let member = &mut self.members[*at];
                member.several = true;
                member.json.push(',');
                member.json.push_str(json);
            }
            None => {
                self.places.insert(name.clone(), self.members.len());
                self.members.push(Member { name, json: json.to_owned(), several: false });
            }
        }
    }

    fn json(&self) -> String {
        if self.members.is_empty() {
            return string(&self.text);
        }
        let mut out = Vec::new();
        ObjectWriter::write(&mut out, |object| {
            for member in &self.members {
                match member.several {
                    true => object.raw(&member.name, &format!("[{}]", member.json)),
                    false => object.raw(&member.name, &member.json),
                }
            }
            if !blank(&self.text) {
                object.text("#text", &self.text);
            }
        });
        String::from_utf8(out).unwrap_or_default()
    }
}

/// XML's white space (section 2.3), which stands between elements to indent them.
fn blank(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n'))
}

fn string(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(xml: &str) -> Result<String, DecodeError> {
        document(xml.as_bytes(), &|_| true).map(|json| String::from_utf8(json.to_vec()).unwrap())
    }

    #[test]
    fn elements_are_texts_objects_and_lists() {
        let json = |xml: &str| all(xml).unwrap();
        assert_eq!(json("<xml><A>1</A><B/><C></C></xml>"), r#"{"A":"1","B":"","C":""}"#);
        assert_eq!(json("<r>\n  <a>1</a>\n  <b>2</b>\n  <a>3</a>\n</r>"), r#"{"a":["1","3"],"b":"2"}"#);
        assert_eq!(json("<r><t type='datetime'>x</t></r>"), r##"{"t":{"@type":"datetime","#text":"x"}}"##);
        assert_eq!(json("<r id='7'><a/>&#x20;</r>"), r#"{"@id":"7","a":""}"#);
        assert_eq!(json("<r><p>a<b>c</b>d</p></r>"), r##"{"p":{"b":"c","#text":"ad"}}"##);
        assert_eq!(json("<r><a b='1'/><a b='2'><c/></a></r>"), r#"{"a":[{"@b":"1"},{"@b":"2","c":""}]}"#);
        assert_eq!(json("<r><n:a xmlns:n='u'>1</n:a></r>"), r##"{"n:a":{"@xmlns:n":"u","#text":"1"}}"##);
        assert_eq!(json("<r>just text</r>"), r#""just text""#);
    }

    #[test]
    fn text_is_what_its_sender_meant() {
        let json = |xml: &str| all(xml).unwrap();
        assert_eq!(json("<r><a><![CDATA[<b>&amp;]]> </a></r>"), r#"{"a":"<b>&amp; "}"#, "verbatim");
        assert_eq!(json("<r><a>&lt;&#65;&amp;&quot;\u{7}</a></r>"), r#"{"a":"<A&\"\u0007"}"#);
        assert_eq!(json("<r><a>  </a><b><![CDATA[ ]]></b></r>"), r#"{"a":"  ","b":" "}"#, "a blank is a text");
        assert_eq!(
            json("\u{feff}<?xml version='1.0' encoding='UTF-8'?><!-- c --><r><?p?><a>é</a></r>\n"),
            r#"{"a":"é"}"#
        );
        assert_eq!(json(r#"<r><a b="&lt;&#10;x"/></r>"#), "{\"a\":{\"@b\":\"<\\nx\"}}");
    }

    #[test]
    fn what_is_no_plain_xml_is_refused() {
        for wrong in [
            "",
            "{}",
            "<r>",
            "<r></s>",
            "<r/><r/>",
            "<r/>x",
            "<r/>&amp;",
            "<r/><![CDATA[x]]>",
            "x<r/>",
            "</r>",
            "<r>&other;</r>",
            "<r>&#0;</r>",
            "<r>& </r>",
            "<r a='1' a='2'/>",
            "<r a=1/>",
            "<r a='&other;'/>",
            "<!DOCTYPE r><r/>",
            "<!DOCTYPE r [<!ENTITY e \"x\">]><r>&e;</r>",
            "<?xml version='1.0' encoding='gb2312'?><r/>",
        ] {
            assert_eq!(all(wrong), Err(MALFORMED), "{wrong}");
        }
        assert_eq!(document(b"<r>\xff</r>", &|_| true), Err(MALFORMED));
    }

    #[test]
    fn depth_elements_and_attributes_are_bounded() {
        let nested = |depth: usize| format!("{}{}", "<a>".repeat(depth), "</a>".repeat(depth));
        assert!(all(&nested(MAX_DEPTH)).is_ok());
        assert!(matches!(all(&nested(MAX_DEPTH + 1)), Err(DecodeError::Shape(_))));
        let left_out = format!("<r>{}</r>", nested(MAX_DEPTH));
        assert!(document(left_out.as_bytes(), &|_| false).is_err(), "nor does what is left out go deeper");
        let flat = |count: usize| format!("<r>{}</r>", "<a/>".repeat(count));
        assert!(all(&flat(MAX_ELEMENTS - 1)).is_ok());
        assert!(matches!(all(&flat(MAX_ELEMENTS)), Err(DecodeError::Shape(_))));
        let wide = |count: usize| {
            let attributes: String = (0..count).map(|n| format!(" a{n}='1'")).collect();
            format!("<r><a{attributes}/></r>")
        };
        assert!(all(&wide(MAX_ATTRIBUTES)).is_ok());
        assert!(matches!(all(&wide(MAX_ATTRIBUTES + 1)), Err(DecodeError::Shape(_))));
    }

    #[test]
    fn only_what_is_wanted_is_kept() {
        let xml = "<r x='1'><a>1</a><b><a>2</a></b><a>3</a>text</r>";
        let kept = document(xml.as_bytes(), &|name| name == "a").unwrap();
        assert_eq!(&kept[..], br##"{"a":["1","3"],"#text":"text"}"##);
    }
}
