//! Credentials are cut from a document before anything else sees it: from JSON, from forms, from the data of events.

use std::borrow::Cow;

use bytes::Bytes;

use super::decode::{Document, Kind, form_fields, form_view, json_error};
use super::event::DecodeError;
use crate::json::{Cuts, PathError, join_pointer, parse_pointer};

/// What a definition cuts, compiled.
#[derive(Debug, Default)]
pub(super) struct Redactions {
    json: Cuts,
    /// The same for the data of a binary CloudEvent, which is published without the view around it.
    data: Cuts,
    /// Names of form fields.
    form: Vec<String>,
    /// The same in the JSON view of a multipart body, and in what nobody could read.
    fields: Cuts,
    /// Names of query parameters, where the query is the delivery.
    query: Vec<String>,
}

impl Redactions {
    /// Compiles paths of members (as [`Cuts::compile`] reads them), and names of form fields and of query parameters. `around`
    /// are pointers of members that stand around the items: no item has them, but a body that nobody could take apart does.
    ///
    /// # Errors
    /// The number of the path that is none.
    pub(super) fn compile(
        pointers: &[String],
        form: &[String],
        query: &[String],
        around: &[String],
    ) -> Result<Self, (usize, PathError)> {
        let (mut data, mut form) = (Vec::new(), form.to_vec());
        for (at, pointer) in pointers.iter().enumerate() {
            Cuts::compile([pointer]).map_err(|error| (at, error))?;
            let names = parse_pointer(pointer).map_err(|error| (at, error.into()))?;
            let inner = |rest: &[String]| join_pointer(rest.iter().map(String::as_str));
            match names.as_slice() {
                [first, last] if first == "**" => {
                    data.push(pointer.clone());
                    form.push(last.clone());
                }
                [first, ..] if first == "**" => data.push(pointer.clone()),
                [first, rest @ ..] if first == "*" => data.push(inner(rest)),
                [first, rest @ ..] => {
                    if first == "data" && !rest.is_empty() {
                        data.push(inner(rest));
                    }
                    form.push(first.clone());
                }
                [] => {}
            }
        }
        let compiled = |paths: &[String]| Cuts::compile(paths).map_err(|error| (0, error));
        let members: Vec<String> = form.iter().map(|name| join_pointer([name.as_str()])).collect();
        let fields = compiled(&[pointers, &members, around].concat())?;
        let query = [form.as_slice(), query].concat();
        Ok(Self { json: compiled(pointers)?, data: compiled(&data)?, form, fields, query })
    }

    /// Whether nothing is cut.
    pub(super) fn is_empty(&self) -> bool {
        self.fields.is_empty() && self.query.is_empty()
    }

    /// Cuts the credentials out of a document.
    ///
    /// # Errors
    /// `Malformed` where it is not of its form.
    pub(super) fn apply(&self, document: &mut Document) -> Result<(), DecodeError> {
        if self.is_empty() {
            return Ok(());
        }
        match document.kind {
            Kind::Json | Kind::Fields => {
                let cuts = if document.kind == Kind::Json { &self.json } else { &self.fields };
                document.original = cuts.apply(&document.original).map_err(json_error)?;
                document.json = Some(document.original.clone());
            }
            Kind::Form | Kind::Query => {
                let names = if document.kind == Kind::Form { &self.form } else { &self.query };
                if let Some(rest) = form_without(&document.original, names) {
                    document.json = Some(form_view(&form_fields(&rest)?));
                    document.original = rest;
                }
            }
            Kind::BinaryEvent => {
                if let Some(view) = &document.json {
                    document.json = Some(self.json.apply(view).map_err(json_error)?);
                }
                // Data that is no JSON holds no members.
                if let Ok(data) = self.data.apply(&document.original) {
                    document.original = data;
                }
            }
            Kind::Text => {}
        }
        Ok(())
    }

    /// What nobody could read, without its credentials: JSON without any member that has the name of one, a form without
    /// its fields. `None` where it is neither, so that nobody can tell where they stand.
    pub(super) fn apply_unread(&self, body: &Bytes, form: bool) -> Option<Bytes> {
        if self.is_empty() {
            Some(body.clone())
        } else if form {
            Some(form_without(body, &self.form).unwrap_or_else(|| body.clone()))
        } else {
            self.fields.apply_anywhere(body).ok()
        }
    }
}

/// A form without the pairs of credentials, the others byte for byte; `None` where it holds none of them.
fn form_without(form: &Bytes, names: &[String]) -> Option<Bytes> {
    let cut = |pair: &&[u8]| {
        let name: Option<(Cow<'_, str>, _)> = form_urlencoded::parse(pair).next();
        name.is_some_and(|(name, _)| names.iter().any(|cut| *cut == name))
    };
    if !form.split(|b| *b == b'&').any(|pair| cut(&pair)) {
        return None;
    }
    let kept: Vec<&[u8]> = form.split(|b| *b == b'&').filter(|pair| !cut(pair)).collect();
    Some(Bytes::from(kept.join(&b'&')))
}
