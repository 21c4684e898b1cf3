//! A proof counts as its vendor writes it and in no other spelling.
#![allow(clippy::expect_used, clippy::panic)]

use hookgate::api::scheme::{Encoding, Scheme, Timestamp as WrittenTime};
use hookgate::provider::verify::Verifier;
use hookgate::provider::verify::sign::Draft;
use http::header::HeaderValue;

use super::provider_cases::{Case, Place, Report, every_case, proof_place, signed};

/// A header or query parameter rewritten; `None`: taken away.
fn rewritten(draft: &Draft, place: &Place, to: Option<&str>) -> Option<Draft> {
    let mut altered = draft.clone();
    match (place, to) {
        (Place::Header(name), None) => {
            altered.headers.remove(name);
        }
        (Place::Header(name), Some(text)) => {
            altered.headers.insert(name, HeaderValue::from_str(text).ok()?);
        }
        (Place::Query(name), to) => {
            let query = draft.query.as_deref()?;
            let others = form_urlencoded::parse(query.as_bytes()).filter(|(n, _)| n != name);
            let mut text = form_urlencoded::Serializer::new(String::new());
            text.extend_pairs(others);
            if let Some(value) = to {
                text.append_pair(name, value);
            }
            altered.query = Some(text.finish());
        }
        (Place::Body, _) => return None,
    }
    Some(altered)
}

fn value(draft: &Draft, place: &Place) -> Option<String> {
    match place {
        Place::Header(name) => draft.headers.get(name)?.to_str().ok().map(str::to_owned),
        Place::Query(name) => form_urlencoded::parse(draft.query.as_deref()?.as_bytes())
            .find(|(n, _)| n == name)
            .map(|(_, value)| value.into_owned()),
        Place::Body => None,
    }
}

#[test]
fn a_proof_that_is_not_written_as_its_vendor_writes_it_is_refused() {
    every_case(300, |case, _, draft, _, report| {
        let verifier = &case.alone();
        for scheme in &case.schemes {
            let Some(place) = proof_place(scheme) else { continue };
            let Some(text) = value(draft, &place) else { continue };
            let mut refused = |what: &str, to: Option<&str>| {
                if let Some(altered) = rewritten(draft, &place, to) {
                    report.expect(case, what, false, &case.judge(verifier, &altered));
                }
            };
            refused("no proof", None);
            refused("an empty proof", Some(""));
            refused("a proof of one letter", Some("x"));
            refused("a proof with more at its end", Some(&format!("{text}0")));
            // Where a position counts, what stands at the others says nothing.
            if signed(scheme).is_none_or(|(signature, ..)| signature.index.is_none_or(|index| index == 0)) {
                refused("a proof with something before it", Some(&format!("0{text}")));
            }
            refused("half a proof", Some(&text[..text.len() / 2]));
            refused("a proof written backwards", Some(&text.chars().rev().collect::<String>()));
            if scheme.jwt.is_none() && scheme.basic.is_none() {
                refused("a proof less its last letter", Some(&text[..text.len() - 1]));
            }
            written_otherwise(case, verifier, draft, scheme, &place, &text, report);
            let Place::Header(name) = &place else { continue };
            let mut doubled = draft.clone();
            doubled.headers.append(name, HeaderValue::from_str(&text).expect("a value"));
            let several = signed(scheme).is_some_and(|(signature, _, time)| {
                let own = |time: &WrittenTime| time.key.is_some() || time.index.is_some();
                (signature.separator.is_some() || signature.key.is_some()) && !time.is_some_and(own)
            });
            if !several {
                report.expect(case, "the proof's header twice", false, &case.judge(verifier, &doubled));
            }
        }
    });
}

/// Prefixes, letter case, alphabets and lists.
fn written_otherwise(
    case: &Case,
    verifier: &Verifier,
    draft: &Draft,
    scheme: &Scheme,
    place: &Place,
    text: &str,
    report: &mut Report,
) {
    let mut expect = |what: &str, accepted: bool, to: &str| {
        if let Some(altered) = rewritten(draft, place, Some(to)) {
            report.expect(case, what, accepted, &case.judge(verifier, &altered));
        }
    };
    let swapped = |text: &str| -> String {
        let swap = |c: char| if c.is_ascii_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() };
        text.chars().map(swap).collect()
    };
    if let Some(token) = &scheme.token {
        let prefix = token.prefix.as_deref().unwrap_or_default();
        let bare = &text[prefix.len()..];
        expect("a token of the wrong case", false, &format!("{prefix}{}", swapped(bare)));
        if !prefix.is_empty() {
            expect("a token without its prefix", false, bare);
            expect("a prefix of another case", prefix.ends_with(' '), &format!("{}{bare}", swapped(prefix)));
        }
    }
    let Some((signature, ..)) = signed(scheme) else { return };
    let prefix = signature.prefix.as_deref().unwrap_or_default();
    if !prefix.is_empty() {
        expect("a signature without its prefix", false, &text.replacen(prefix, "", 1));
        if swapped(prefix) != prefix {
            expect("a prefix of the wrong case", false, &text.replacen(prefix, &swapped(prefix), 1));
        }
    }
    // The encoded signature alone is the longest run of its letters that is left.
    let encoded = text
        .split(|c: char| signature.separator.as_deref().unwrap_or(",").contains(c))
        .map(|part| {
            let part = part.trim();
            let part = signature.key.as_ref().map_or(part, |key| part.strip_prefix(&format!("{key}=")).unwrap_or(""));
            part.strip_prefix(prefix).unwrap_or(part)
        })
        .max_by_key(|part| part.len())
        .unwrap_or_default();
    let with = |other: &str| text.replacen(encoded, other, 1);
    match signature.encoding {
        Encoding::Hex => {
            expect("hexadecimal of the other case", true, &with(&encoded.to_ascii_uppercase()));
            expect("hexadecimal with a letter that is none", false, &with(&format!("g{}", &encoded[1..])));
            let base64 = base64::Engine::encode(
                &base64::engine::general_purpose::STANDARD,
                hex::decode(encoded).unwrap_or_default(),
            );
            expect("base64 instead of hexadecimal", false, &with(&base64));
        }
        Encoding::Base64 | Encoding::Base64URL => {
            if encoded.ends_with('=') {
                let bare = encoded.trim_end_matches('=');
                expect("base64 without its padding", signature.encoding == Encoding::Base64URL, &with(bare));
                // The last letter holds bits that nothing decodes to: another one must not do.
                let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
                let last = bare.chars().last().and_then(|c| alphabet.find(c));
                if let Some(next) = last.and_then(|at| alphabet.chars().nth(at + 1)) {
                    let padding = &encoded[bare.len()..];
                    expect(
                        "base64 with other unused bits",
                        false,
                        &with(&format!("{}{next}{padding}", &bare[..bare.len() - 1])),
                    );
                }
            }
            expect("white space inside base64", false, &with(&format!("{} {}", &encoded[..4], &encoded[4..])));
            let hexadecimal =
                base64::Engine::decode(&base64::engine::general_purpose::STANDARD, encoded).map(hex::encode);
            if let Ok(hexadecimal) = hexadecimal {
                expect("hexadecimal instead of base64", false, &with(&hexadecimal));
            }
        }
    }
    if let (Some(separator), None) =
        (signature.separator.as_deref().or(signature.key.as_ref().map(|_| ",")), signature.index)
    {
        let bad = signature.key.as_ref().map_or_else(|| format!("{prefix}zz"), |key| format!("{key}={prefix}zz"));
        expect("an undecodable signature before the right one", true, &format!("{bad}{separator}{text}"));
        let many = [bad.as_str(); 200].join(separator);
        expect("two hundred undecodable ones before it", true, &format!("{many}{separator}{text}"));
    }
}
