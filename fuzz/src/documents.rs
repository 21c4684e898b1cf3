//! Readers of JSON as bytes, beside one that builds a tree.

use std::sync::LazyLock;

use bytes::Bytes;
use hookgate::json::{Cuts, Pointers, as_text, compact_chunks, elements, id_text, members};
use serde_json::Value;

/// JSON pointers, beside a reader that builds a tree.
pub fn pointers(data: &[u8]) {
    static POINTERS: LazyLock<Option<Pointers>> =
        LazyLock::new(|| Pointers::compile(["/id", "/data/object/id", "/list/1/a", "", "/data", "/a~1b"]).ok());
    let Some(pointers) = POINTERS.as_ref() else { return };
    let tree: Result<Value, _> = serde_json::from_slice(data);
    if let Ok(captured) = pointers.capture_unique(data) {
        assert!(tree.is_ok(), "captured what is no JSON");
        let tree = tree.unwrap_or_default();
        for (index, pointer) in ["/id", "/data/object/id", "/list/1/a", "", "/data", "/a~1b"].iter().enumerate() {
            let found = captured.get(index);
            assert_eq!(found.is_some(), tree.pointer(pointer).is_some(), "{pointer}");
            if let Some(value) = found {
                assert_eq!(serde_json::from_str::<Value>(value.get()).ok().as_ref(), tree.pointer(pointer));
                let _ =
                    (as_text(value), id_text(value), elements(value.get(), 10).is_ok(), members(value.get()).is_ok());
            }
        }
    }
    let _ = (pointers.capture(data).is_ok(), pointers.fits(data));
}

/// Cutting members: what is left is JSON without them.
pub fn cuts(data: &[u8]) {
    static CUTS: LazyLock<Option<Cuts>> = LazyLock::new(|| Cuts::compile(["/id", "/data/object", "/list/0"]).ok());
    let Some(cuts) = CUTS.as_ref() else { return };
    if let Ok(left) = cuts.apply(&Bytes::copy_from_slice(data)) {
        if let Ok(tree) = serde_json::from_slice::<Value>(&left) {
            assert!(tree.pointer("/id").is_none() && tree.pointer("/data/object").is_none(), "a member is left");
        } else {
            assert!(serde_json::from_slice::<Value>(data).is_err(), "cutting broke a document");
        }
    }
}

/// White space taken out: the same document.
pub fn compact(data: &[u8]) {
    let compact: Vec<u8> = compact_chunks(data).flatten().copied().collect();
    if let Ok(tree) = serde_json::from_slice::<Value>(data) {
        assert_eq!(serde_json::from_slice::<Value>(&compact).ok(), Some(tree));
    }
}
