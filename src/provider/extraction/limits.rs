//! The lengths that an event's attributes may have, and what becomes of longer ones.

use sha2::{Digest, Sha256};

use crate::json::compact_chunks;

/// Most bytes of a type.
pub(super) const TYPE_BYTES: usize = 128;
/// Most tokens of a type.
pub(super) const TYPE_TOKENS: usize = 8;
/// Most bytes of an id and of a subject.
pub(super) const ID_BYTES: usize = 512;
/// Bytes of a long type token that are kept before its hash.
const TOKEN_BYTES: usize = 48;
/// Hexadecimal digits of that hash.
const TOKEN_HASH: usize = 8;

/// The id of bytes that have none: their hash, JSON without its white space.
pub(super) fn hash_id(bytes: &[u8], json: bool) -> String {
    let mut hash = Sha256::new();
    if json {
        compact_chunks(bytes).for_each(|chunk| hash.update(chunk));
    } else {
        hash.update(bytes);
    }
    format!("sha256-{}", hex::encode(hash.finalize()))
}

/// An id within its limit: a longer one becomes its hash.
pub(super) fn bounded_id(id: String) -> String {
    if id.len() <= ID_BYTES { id } else { hash_id(id.as_bytes(), false) }
}

/// A type within its limits. Tokens beyond the limit, and the part that makes a type too long, become one token:
/// the first 48 bytes, `_` and 8 hexadecimal digits of the SHA-256.
pub(super) fn bounded_type(event_type: String) -> String {
    let tokens: Vec<&str> = event_type.split('.').collect();
    if event_type.len() <= TYPE_BYTES && tokens.len() <= TYPE_TOKENS {
        return event_type;
    }
    let short: Vec<String> = tokens.iter().map(|token| bounded_token(token)).collect();
    if tokens.len() <= TYPE_TOKENS {
        let joined = short.join(".");
        if joined.len() <= TYPE_BYTES {
            return joined;
        }
    }
    // As many leading tokens as leave room for one that stands for all the others.
    let most = TYPE_BYTES - 1 - (TOKEN_BYTES + 1 + TOKEN_HASH);
    let (mut kept, mut length) = (0, 0);
    while kept < TYPE_TOKENS - 1 && kept < short.len() {
        length += short[kept].len() + usize::from(kept > 0);
        if length > most {
            break;
        }
        kept += 1;
    }
    let rest = tokens[kept..].join("_");
    let last = if rest.len() <= TOKEN_BYTES { rest } else { shortened(&rest) };
    short[..kept].iter().map(String::as_str).chain([last.as_str()]).collect::<Vec<_>>().join(".")
}

fn bounded_token(token: &str) -> String {
    if token.len() <= TOKEN_BYTES + 1 + TOKEN_HASH { token.to_owned() } else { shortened(token) }
}

fn shortened(token: &str) -> String {
    let end = (0..=TOKEN_BYTES.min(token.len())).rev().find(|end| token.is_char_boundary(*end)).unwrap_or(0);
    let hash = hex::encode(Sha256::digest(token.as_bytes()));
    format!("{}_{}", &token[..end], &hash[..TOKEN_HASH])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_within_the_limits_stay_and_longer_ones_fit() {
        let stays = |t: &str| assert_eq!(bounded_type(t.to_owned()), t);
        stays("issues.opened");
        stays(&"a".repeat(128));
        stays("1.2.3.4.5.6.7.8");
        assert_eq!(bounded_type("1.2.3.4.5.6.7.8.9".into()), "1.2.3.4.5.6.7.8_9");
        let long = bounded_type(format!("push.{}", "é".repeat(100)));
        assert_eq!(long.len(), "push.".len() + 48 + 1 + 8);
        assert!(long.starts_with(&format!("push.{}_", "é".repeat(24))), "{long}");
        for wild in [vec!["x".repeat(50); 8].join("."), ".".repeat(400), vec!["é".repeat(30); 20].join(".")] {
            let bounded = bounded_type(wild.clone());
            assert!(bounded.len() <= TYPE_BYTES && bounded.split('.').count() <= TYPE_TOKENS, "{bounded}");
        }
    }

    #[test]
    fn different_long_types_stay_different() {
        let long = |tail| bounded_type(format!("{}{tail}", "x".repeat(200)));
        assert_ne!(long("1"), long("2"));
        let many = |tail| bounded_type(format!("{}.{tail}", vec!["x".repeat(30); 9].join(".")));
        assert_ne!(many("1"), many("2"));
    }

    #[test]
    fn a_hash_leaves_json_white_space_out_and_nothing_else() {
        assert_eq!(hash_id(br#"{ "a" : "b c" }"#, true), hash_id(br#"{"a":"b c"}"#, true));
        assert_ne!(hash_id(br#"{"a":"b c"}"#, true), hash_id(br#"{"a":"bc"}"#, true));
        assert_eq!(hash_id(b"{}", true), "sha256-44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a");
        assert!(bounded_id("x".repeat(512)).starts_with('x'));
        assert_eq!(bounded_id("x".repeat(513)).len(), "sha256-".len() + 64);
    }
}
