//! What the schemes that sign are made of: a signature, a content, a time of signing.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::content::Content;
use super::signature::Signature;
use super::view::View;
use crate::api::scheme::TimeUnit;
use crate::api::{duration::DurationString, scheme};
use crate::provider::place::{Place, PointerList};
use crate::template::{self, Piece};

/// How far a time of signing may lie away; `None`: not judged.
pub(crate) type Tolerance = Option<Duration>;

/// What `hmac`, `digest` and `publicKey` share.
#[derive(Clone, Debug)]
pub(crate) struct Signed {
    /// Where the signature stands.
    pub signature: Signature,
    /// What it covers.
    pub content: Content,
    /// When it was made.
    pub timestamp: Option<Time>,
    /// The text before a signature, which parameters of the source may be part of.
    prefix: Vec<Piece>,
}

impl Signed {
    /// The same with the source's parameters filled in.
    pub(super) fn with(&self, parameters: &BTreeMap<String, String>) -> Self {
        let text = |piece: &Piece| match piece {
            Piece::Literal(text) => text.clone(),
            Piece::Variable(_, name) => {
                name.as_ref().and_then(|name| parameters.get(name)).cloned().unwrap_or_default()
            }
        };
        let prefix = (!self.prefix.is_empty()).then(|| self.prefix.iter().map(text).collect());
        Self {
            signature: Signature { prefix, ..self.signature.clone() },
            content: self.content.with(parameters),
            ..self.clone()
        }
    }
}

/// Where the time of signing stands.
#[derive(Clone, Debug)]
pub(crate) struct Time {
    /// The place; `None`: inside the signature's value.
    pub place: Option<Place>,
    /// The pair of the signature's value.
    pub key: Option<String>,
    /// The position in the signature's value.
    pub index: Option<usize>,
    /// How it is written.
    pub unit: TimeUnit,
    /// How far it may lie away.
    pub tolerance: Tolerance,
}

impl Time {
    /// The time as written.
    pub(crate) fn find(&self, view: &View<'_>, signature: &Signature) -> Option<String> {
        match &self.place {
            Some(place) => String::from_utf8(view.value(place)?.into_owned()).ok(),
            None => signature.part(view, self.key.as_deref(), self.index),
        }
    }
}

pub(super) fn signed(
    signature: &scheme::Signature,
    (content, sorted): (&str, bool),
    timestamp: Option<&scheme::Timestamp>,
    list: &mut PointerList,
    parameters: &mut BTreeSet<String>,
) -> Result<Signed, (String, String)> {
    let at = |field: &'static str| move |reason: String| (field.to_owned(), reason);
    let mut places = vec![Place::compile(signature, list).map_err(|error| at("signature")(error.to_string()))?];
    for name in &signature.other_headers {
        places.push(Place::header(name).map_err(at("signature.otherHeaders"))?);
    }
    let separated = signature.key.is_some() || timestamp.is_some_and(|time| time.key.is_some());
    let compiled = Signature {
        places,
        encoding: signature.encoding,
        prefix: None,
        separator: signature.separator.clone().or_else(|| separated.then(|| ",".to_owned())),
        key: signature.key.clone(),
        index: signature.index.and_then(|index| usize::try_from(index).ok()),
    };
    let prefix = template::fixed(signature.prefix.as_deref().unwrap_or_default()).map_err(at("signature.prefix"))?;
    parameters.extend(prefix.iter().filter_map(|piece| match piece {
        Piece::Variable(_, name) => name.clone(),
        Piece::Literal(_) => None,
    }));
    let timestamp = timestamp.map(|time| self::time(time, list)).transpose().map_err(at("timestamp"))?;
    let (mut content, names) = Content::compile(content, &mut |pointer| list.index(pointer)).map_err(at("content"))?;
    if sorted {
        content.sort().map_err(at("content"))?;
    }
    parameters.extend(names);
    // Whoever has one delivery could else give it another time.
    if let Some(time) = &timestamp
        && !content.holds_time()
        && !time.place.as_ref().is_some_and(|place| content.fix(place))
    {
        return Err((
            "content".to_owned(),
            "must hold {timestamp}, or the part of the request in which the timestamp stands: a time that is not signed proves nothing".to_owned(),
        ));
    }
    Ok(Signed { signature: compiled, content, timestamp, prefix })
}

pub(super) fn time(written: &scheme::Timestamp, list: &mut PointerList) -> Result<Time, String> {
    let inside = written.key.is_some() || written.index.is_some();
    let place = if inside { None } else { Some(Place::compile(written, list).map_err(|error| error.to_string())?) };
    Ok(Time {
        place,
        key: written.key.clone(),
        index: written.index.and_then(|index| usize::try_from(index).ok()),
        unit: written.unit,
        tolerance: written.tolerance.as_ref().and_then(DurationString::get),
    })
}
