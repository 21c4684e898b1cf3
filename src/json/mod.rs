//! JSON as bytes: places captured, members cut, objects written, white space skipped; never a tree.
//!
//! Every value stays the slice that was received, so numbers, escapes and order are as sent. Reads what strangers
//! send: memory is bounded by the input, recursion by the pointers of the definition.

mod compact;
mod cursor;
mod cut;
mod media_type;
mod pointers;
mod text;
mod walk;
mod write;

pub use compact::compact_chunks;
pub use cursor::{Cursor, Form, lossy_text};
pub use cut::{Cuts, PathError};
pub use media_type::names_json;
pub use pointers::{Captured, PointerError, Pointers, join_pointer, parse_pointer};
pub use text::{as_text, id_text, is_number, string_text};
pub use walk::{elements, members, validate};
pub use write::{ListWriter, ObjectWriter};

/// Why a text cannot be read as JSON.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// Bytes that are no UTF-8, or no JSON document (RFC 8259).
    #[error("not well-formed JSON")]
    Malformed,
    /// A member occurs twice in an object that is read.
    #[error("the member {0:?} occurs twice in one object")]
    Duplicate(String),
}

/// The bytes as text, or the error that they are none.
fn utf8(json: &[u8]) -> Result<&str, JsonError> {
    std::str::from_utf8(json).map_err(|_| JsonError::Malformed)
}
