//! Writing JSON append-only: raw slices stay as they were received, nested objects that stay empty vanish.

use std::io::Write as _;

/// Writes one object.
pub struct ObjectWriter<'b> {
    out: &'b mut Vec<u8>,
    empty: bool,
}

/// Writes one list.
pub struct ListWriter<'b> {
    out: &'b mut Vec<u8>,
    empty: bool,
}

impl<'b> ObjectWriter<'b> {
    /// Writes an object at the end of `out`; says whether it has members.
    pub fn write(out: &'b mut Vec<u8>, members: impl FnOnce(&mut ObjectWriter<'_>)) -> bool {
        out.push(b'{');
        let mut object = ObjectWriter { out, empty: true };
        members(&mut object);
        let filled = !object.empty;
        out.push(b'}');
        filled
    }

    /// A member whose value is JSON already.
    pub fn raw(&mut self, name: &str, value: &str) {
        self.name(name);
        self.out.extend_from_slice(value.as_bytes());
    }

    /// A member whose name is a JSON string literal and whose value is JSON.
    pub fn raw_member(&mut self, name: &str, value: &str) {
        self.comma();
        self.out.extend_from_slice(name.as_bytes());
        self.out.push(b':');
        self.out.extend_from_slice(value.as_bytes());
    }

    /// A member whose value is a text.
    pub fn text(&mut self, name: &str, value: &str) {
        self.name(name);
        string(self.out, value);
    }

    /// A member whose value is an object; left out where the object stays empty.
    pub fn object(&mut self, name: &str, members: impl FnOnce(&mut ObjectWriter<'_>)) {
        let (start, empty) = (self.out.len(), self.empty);
        self.name(name);
        if !ObjectWriter::write(self.out, members) {
            self.out.truncate(start);
            self.empty = empty;
        }
    }

    /// A member whose value is a list; left out where the list stays empty.
    pub fn list(&mut self, name: &str, elements: impl FnOnce(&mut ListWriter<'_>)) {
        let (start, empty) = (self.out.len(), self.empty);
        self.name(name);
        self.out.push(b'[');
        let mut list = ListWriter { out: self.out, empty: true };
        elements(&mut list);
        if list.empty {
            self.out.truncate(start);
            self.empty = empty;
        } else {
            self.out.push(b']');
        }
    }

    fn name(&mut self, name: &str) {
        self.comma();
        string(self.out, name);
        self.out.push(b':');
    }

    fn comma(&mut self) {
        if !std::mem::replace(&mut self.empty, false) {
            self.out.push(b',');
        }
    }
}

impl ListWriter<'_> {
    /// Whether it has no element yet.
    pub fn is_empty(&self) -> bool {
        self.empty
    }

    /// An element that is JSON already.
    pub fn raw(&mut self, value: &str) {
        self.comma();
        self.out.extend_from_slice(value.as_bytes());
    }

    /// An element that is a text.
    pub fn text(&mut self, value: &str) {
        self.comma();
        string(self.out, value);
    }

    /// An element that is an object; left out where it stays empty.
    pub fn object(&mut self, members: impl FnOnce(&mut ObjectWriter<'_>)) {
        let (start, empty) = (self.out.len(), self.empty);
        self.comma();
        if !ObjectWriter::write(self.out, members) {
            self.out.truncate(start);
            self.empty = empty;
        }
    }

    fn comma(&mut self) {
        if !std::mem::replace(&mut self.empty, false) {
            self.out.push(b',');
        }
    }
}

/// A text as a JSON string literal. Writing to memory cannot fail.
fn string(out: &mut Vec<u8>, text: &str) {
    if serde_json::to_writer(&mut *out, text).is_err() {
        let _ = out.write_all(b"\"\"");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn raw_values_stay_as_sent_and_empty_objects_vanish() {
        let mut out = Vec::new();
        assert!(ObjectWriter::write(&mut out, |o| {
            o.object("none", |_| {});
            o.raw("n", "1.50");
            o.list("none", |_| {});
            o.text("t", "a\"\n");
            o.object("o", |o| {
                o.object("none", |_| {});
                o.list("l", |l| {
                    l.object(|_| {});
                    l.raw("null");
                    l.text("x");
                });
            });
            o.raw_member("\"\\u0061\"", "1");
        }));
        assert_eq!(String::from_utf8(out).unwrap(), r#"{"n":1.50,"t":"a\"\n","o":{"l":[null,"x"]},"\u0061":1}"#);
    }
}
