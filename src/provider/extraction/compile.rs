//! A definition's reading side, compiled: every place numbered, everything that is wrong collected with its path.

use super::super::compiler::Compiler;
use super::super::condition::Test;
use super::super::decode::Decoder;
use super::super::definition_error::DefinitionError;
use super::super::mapping::Map;
use super::super::redact::Redactions;
use super::identity::Identity;
use super::source::{Paths, Source};
use super::split::Split;
use super::{Extraction, Time};
use crate::api::extract::{Extract, TimeField, TypeRule};
use crate::api::provider::{BodyFormat, WebhookProviderSpec};
use crate::api::scheme::Each;

impl Extraction {
    /// Compiles how a provider's requests are read.
    ///
    /// # Errors
    /// Everything that is wrong with the definition.
    pub fn compile(spec: &WebhookProviderSpec) -> Result<Self, Vec<DefinitionError>> {
        let mut compiler = Compiler::default();
        let none = Extract::default();
        let extract = spec.extract.as_ref().unwrap_or(&none);
        let paths = paths(spec);
        let mut redact = spec.redact.clone();
        let mut tokens = Tokens::default();
        tokens.gather(spec, &mut redact, &mut compiler);
        let text = spec.decode.as_ref().is_some_and(|decode| decode.formats.contains(&BodyFormat::Text));
        if text && !spec.map.is_empty() {
            compiler.error("spec.map", "text cannot be mapped: leave map out or decode another format");
        }
        let drop = compiler.tests(&spec.drop, "spec.drop");
        let maps = spec
            .map
            .iter()
            .enumerate()
            .map(|(n, mapping)| Map::compile(mapping, &format!("spec.map[{n}]"), &mut compiler))
            .collect();
        let split = spec
            .split
            .iter()
            .enumerate()
            .filter_map(|(n, split)| {
                Split::compile(split).map_err(|(field, e)| compiler.error(&format!("spec.split[{n}].{field}"), e)).ok()
            })
            .collect();
        let redactions = Redactions::compile(&redact, &tokens.forms, &tokens.queries, &tokens.around);
        let redactions = redactions.unwrap_or_else(|(n, error)| {
            compiler.error(&format!("spec.redact[{n}]"), error.to_string());
            Redactions::default()
        });
        let event_type = Source::compile_all(&extract.event_type, "spec.extract.type", &mut compiler);
        let type_rules = type_rules(&extract.type_rules, &mut compiler);
        let identity = Identity::compile(extract, &mut compiler);
        let subject = Source::compile_all(&extract.subject, "spec.extract.subject", &mut compiler);
        let time = times(&extract.time, &mut compiler);
        let decoder = Decoder::compile(spec.decode.as_ref()).unwrap_or_else(|(field, reason)| {
            compiler.error(&format!("spec.decode.{field}"), reason);
            Decoder::default()
        });
        if !compiler.errors.is_empty() {
            return Err(compiler.errors);
        }
        let field = spec.decode.as_ref().and_then(|decode| decode.field.clone());
        let paths = Paths { packed_at: decoder.base64_at().map(str::to_owned), field, ..paths };
        Ok(Self {
            decoder,
            split,
            redactions,
            item: compiler.item,
            envelope: compiler.envelope,
            drop,
            event_type,
            type_rules,
            type_names: extract.type_names.clone(),
            default_type: extract.default_type.clone().unwrap_or_else(|| super::RECEIVED.to_owned()),
            identity,
            time,
            subject,
            maps,
            paths,
        })
    }
}

fn type_rules(written: &[TypeRule], compiler: &mut Compiler) -> Vec<(Vec<Test>, Vec<Source>)> {
    let rule = |(n, rule): (usize, &TypeRule)| {
        let path = format!("spec.extract.typeRules[{n}]");
        let tests = compiler.tests(&rule.when, &format!("{path}.when"));
        (tests, Source::compile_all(&rule.event_type, &format!("{path}.type"), compiler))
    };
    written.iter().enumerate().map(rule).collect()
}

fn times(fields: &[TimeField], compiler: &mut Compiler) -> Vec<Time> {
    let place = |(n, field): (usize, &TimeField)| {
        let path = format!("spec.extract.time[{n}]");
        let when = compiler.tests(&field.when, &format!("{path}.when"));
        Some(Time { when, place: compiler.place(field, &path)?, unit: field.unit })
    };
    fields.iter().enumerate().filter_map(place).collect()
}

/// Where the items stand in the body.
fn paths(spec: &WebhookProviderSpec) -> Paths {
    let Some(first) = spec.split.first() else { return Paths::default() };
    // Nothing but the whole body covers a list that is the body: no pointer of a scheme is "/".
    let list = if first.pointer.is_empty() { "/".to_owned() } else { first.pointer.clone() };
    let each = spec.split.len() == 1 && eachs(spec).any(|each| is_item(each, spec));
    let lists = [list].into_iter().chain(first.also.iter().cloned()).collect();
    Paths { lists, each, ..Paths::default() }
}

fn eachs(spec: &WebhookProviderSpec) -> impl Iterator<Item = &Each> {
    let schemes = spec.methods.iter().flat_map(|m| &m.any_of).flat_map(|alternative| &alternative.all_of);
    schemes.filter_map(|scheme| scheme.each.as_ref())
}

/// Whether what is proven one by one are the items of the definition's list.
fn is_item(each: &Each, spec: &WebhookProviderSpec) -> bool {
    matches!(spec.split.as_slice(), [split] if split.pointer == each.pointer && split.also.is_empty() && split.item == each.item)
}

/// Tokens of methods that a request carries beside those that stand in its items: credentials, cut without being named in `redact`.
#[derive(Default)]
struct Tokens {
    /// Names of form fields.
    forms: Vec<String>,
    /// Names of query parameters.
    queries: Vec<String>,
    /// Pointers of members around the items.
    around: Vec<String>,
}

impl Tokens {
    /// Gathers them; those that stand in items go to `redact`.
    fn gather(&mut self, spec: &WebhookProviderSpec, redact: &mut Vec<String>, compiler: &mut Compiler) {
        for (m, method) in spec.methods.iter().enumerate() {
            for (a, alternative) in method.any_of.iter().enumerate() {
                for (s, scheme) in alternative.all_of.iter().enumerate() {
                    let Some(token) = &scheme.token else { continue };
                    self.forms.extend(token.form.clone());
                    self.queries.extend(token.query.clone());
                    let Some(pointer) = &token.pointer else { continue };
                    let relative = match &scheme.each {
                        Some(each) => is_item(each, spec),
                        None => spec.split.iter().all(|split| split.optional),
                    };
                    let around = scheme.each.is_none() && !spec.split.is_empty();
                    if relative && !redact.contains(pointer) {
                        redact.push(pointer.clone());
                    } else if !relative && around {
                        self.around.push(pointer.clone());
                    } else if !relative && spec.redact.is_empty() {
                        compiler.error(
                            &format!("spec.methods[{m}].anyOf[{a}].allOf[{s}].token.pointer"),
                            "the items of each are not the items of split: name the token in redact, relative to an item",
                        );
                    }
                }
            }
        }
    }
}
