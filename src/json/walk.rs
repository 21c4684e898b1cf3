//! One level of a list or an object as slices.

use serde::de::{Deserializer as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::JsonError;
use super::text::decoded;

/// Checks that the bytes are one JSON document in UTF-8.
///
/// # Errors
/// `Malformed` where they are not.
pub fn validate(json: &[u8]) -> Result<(), JsonError> {
    let text = super::utf8(json)?;
    serde_json::from_str::<IgnoredAny>(text).map(|_| ()).map_err(|_| JsonError::Malformed)
}

/// The first `most` elements of a list, and how many it has; `None` where the value is no list.
///
/// # Errors
/// `Malformed` where the text is no JSON.
pub fn elements(json: &str, most: usize) -> Result<Option<(Vec<&RawValue>, usize)>, JsonError> {
    if !json.trim_start().starts_with('[') {
        return Ok(None);
    }
    let mut reader = serde_json::Deserializer::from_str(json);
    let found = reader.deserialize_seq(Elements(most)).map_err(|_| JsonError::Malformed)?;
    reader.end().map_err(|_| JsonError::Malformed)?;
    Ok(Some(found))
}

struct Elements(usize);

impl<'de> Visitor<'de> for Elements {
    type Value = (Vec<&'de RawValue>, usize);

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut found = Vec::new();
        while found.len() < self.0 {
            match list.next_element::<&RawValue>()? {
                Some(element) => found.push(element),
                None => {
                    let count = found.len();
                    return Ok((found, count));
                }
            }
        }
        let mut count = found.len();
        while list.next_element::<IgnoredAny>()?.is_some() {
            count += 1;
        }
        Ok((found, count))
    }
}

/// The members of an object in order, names as literals; `None` where the value is no object.
///
/// # Errors
/// `Malformed` where the text is no JSON, `Duplicate` where two members have one name.
pub fn members(json: &str) -> Result<Option<Vec<(&RawValue, &RawValue)>>, JsonError> {
    if !json.trim_start().starts_with('{') {
        return Ok(None);
    }
    let mut reader = serde_json::Deserializer::from_str(json);
    let found = reader.deserialize_map(Members).map_err(|_| JsonError::Malformed)?;
    reader.end().map_err(|_| JsonError::Malformed)?;
    let mut names = Names::default();
    found.iter().for_each(|(name, _)| names.add(name.get()));
    match names.duplicate() {
        Some(name) => Err(JsonError::Duplicate(name)),
        None => Ok(Some(found)),
    }
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Vec<(&'de RawValue, &'de RawValue)>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Self::Value, A::Error> {
        let mut found = Vec::new();
        while let Some(member) = object.next_entry::<&RawValue, &RawValue>()? {
            found.push(member);
        }
        Ok(found)
    }
}

/// The member names of one object; two literals of one name, whatever their escapes, are duplicates.
#[derive(Default)]
pub(super) struct Names<'a>(Vec<std::borrow::Cow<'a, str>>);

impl<'a> Names<'a> {
    /// Adds the name that a literal spells; one that is no Unicode is compared as it is spelled.
    pub(super) fn add(&mut self, literal: &'a str) {
        self.0.push(decoded(literal).unwrap_or(std::borrow::Cow::Borrowed(literal)));
    }

    /// A name that occurs twice.
    pub(super) fn duplicate(mut self) -> Option<String> {
        let names = &mut self.0;
        if names.len() <= 8 {
            let twice = names.iter().enumerate().find(|(at, name)| names[..*at].contains(name));
            return twice.map(|(_, name)| name.clone().into_owned());
        }
        names.sort_unstable();
        names.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0].clone().into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_counted_beyond_the_ones_kept() {
        let (found, count) = elements(" [1, {\"a\":2} ,3]", 2).unwrap().unwrap();
        assert_eq!(found.iter().map(|e| e.get()).collect::<Vec<_>>(), ["1", "{\"a\":2}"]);
        assert_eq!(count, 3);
        assert_eq!(elements("[]", 2).unwrap().unwrap().1, 0);
        assert!(elements("{}", 2).unwrap().is_none());
        assert!(elements("[1", 2).is_err());
    }

    #[test]
    fn members_of_one_name_are_found_in_small_and_large_objects() {
        assert_eq!(members(r#"{"a":1,"\u0061":2}"#).unwrap_err(), JsonError::Duplicate("a".into()));
        let many: String = (0..20).map(|n| format!("\"k{n}\":{n},")).collect();
        assert_eq!(members(&format!("{{{many}\"k7\":0}}")).unwrap_err(), JsonError::Duplicate("k7".into()));
        assert_eq!(members(&format!("{{{many}\"z\":0}}")).unwrap().unwrap().len(), 21);
    }
}
