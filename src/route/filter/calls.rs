//! Calls checked: functions from their table, macros with their variable, `has`, and what is made once at compile.

use super::check::Checker;
use super::expr::{Expr, Op, Walk, WalkParts};
use super::functions::{self, Function, MACROS};
use super::parse::{Kind, Literal, Node, Span};
use super::pattern::Pattern;
use super::places::Step;
use super::time;
use super::types::Type;

/// How deep macros nest: one within another.
const MAX_WALKS: usize = 2;

impl Checker<'_> {
    pub(super) fn call(
        &mut self,
        target: Option<&Node>,
        name: &str,
        args: &[Node],
        span: Span,
    ) -> Result<(Op, Type), String> {
        if target.is_none() && name == "has" {
            return self.has(args, span);
        }
        if let Some(Node { kind: Kind::Name(space), .. }) = target
            && space == "optional"
            && !self.locals.iter().any(|(local, _)| local == space)
        {
            return self.function(&format!("optional.{name}"), false, None, args, span);
        }
        if let Some(target) = target
            && MACROS.contains(&name)
        {
            return self.walk(target, name, args, span);
        }
        self.function(name, target.is_some(), target, args, span)
    }

    fn has(&mut self, args: &[Node], span: Span) -> Result<(Op, Type), String> {
        let [Node { kind: Kind::Select { of, field, optional: false }, .. }] = args else {
            return Err(self.wrong(span, "has takes one member: write has(data.name)"));
        };
        if let Some(parent) = self.place(of) {
            let place = self.places.below(parent, &Step::Name(field.as_str().into()));
            return Ok((Op::HasPlace { place, parent }, Type::Bool));
        }
        let of = Box::new(self.part(of)?);
        self.member(&of, false)?;
        Ok((Op::Has { of, field: field.as_str().into() }, Type::Bool))
    }

    fn function(
        &mut self,
        name: &str,
        member: bool,
        target: Option<&Node>,
        args: &[Node],
        span: Span,
    ) -> Result<(Op, Type), String> {
        let parts: Vec<Expr> = target.into_iter().chain(args).map(|node| self.part(node)).collect::<Result<_, _>>()?;
        let types: Vec<&Type> = parts.iter().map(|part| &part.of).collect();
        let (function, gives) = functions::resolve(name, member, &types).map_err(|what| self.wrong(span, what))?;
        let op = self.made(function, parts, span)?;
        Ok((op, gives))
    }

    /// What can be done once instead of for every event.
    fn made(&self, function: Function, mut parts: Vec<Expr>, span: Span) -> Result<Op, String> {
        let text = |part: Option<&Expr>| match part.map(|part| &part.op) {
            Some(Op::Literal(Literal::Text(text))) => Some(text.clone()),
            _ => None,
        };
        let last = text(parts.last());
        match (function, last) {
            (Function::Matches, None) => {
                Err(self.wrong(span, "matches takes its regex as a text in the filter, such as matches('^a.*z$')"))
            }
            (Function::Matches, Some(pattern)) => {
                let pattern = Pattern::compile(&pattern).map_err(|what| self.wrong(span, what))?;
                Ok(Op::Matches(Box::new(parts.swap_remove(0)), pattern))
            }
            (Function::Timestamp, Some(text)) => time::timestamp(&text)
                .map(Op::Instant)
                .ok_or_else(|| self.wrong(span, "no time: write such as timestamp('2026-01-31T12:00:00Z')")),
            (Function::Duration, Some(text)) => time::duration(&text)
                .map(Op::Length)
                .ok_or_else(|| self.wrong(span, "no duration: write such as duration('1h30m')")),
            (_, zone) if parts.len() == 2 && function.is_part_of_time() => {
                let zone = zone.as_deref().and_then(time::zone).ok_or_else(|| {
                    self.wrong(span, "no time zone: write such as 'Europe/Berlin', 'UTC' or '+02:00'")
                })?;
                Ok(Op::TimePart(function, Box::new(parts.swap_remove(0)), zone))
            }
            _ => Ok(Op::Call(function, parts)),
        }
    }

    fn walk(&mut self, target: &Node, name: &str, args: &[Node], span: Span) -> Result<(Op, Type), String> {
        let count = if name == "map" { 2..=3 } else { 2..=2 };
        let (Some(Node { kind: Kind::Name(variable), .. }), true) = (args.first(), count.contains(&args.len())) else {
            return Err(
                self.wrong(span, format!("{name} takes a name and what to do with it: write list.{name}(x, …)"))
            );
        };
        let range = self.part(target)?;
        if name.starts_with("opt") {
            let of = match &range.of {
                Type::Optional(of) => of.as_ref().clone(),
                Type::Any | Type::AnyButBool => Type::Any,
                other => return Err(self.wrong(range.span, format!("{name} takes an optional, not {other}"))),
            };
            self.locals.push((variable.clone(), of));
            let body = self.part(&args[1]);
            self.locals.pop();
            let op = Op::OptionalMap { of: Box::new(range), body: Box::new(body?), wrap: name == "optMap" };
            return Ok((op, Type::Optional(Box::new(Type::Any))));
        }
        let element = range
            .of
            .walked()
            .ok_or_else(|| self.wrong(range.span, format!("{name} walks a list or a map, not {}", range.of)))?;
        if self.walks == MAX_WALKS {
            return Err(self.wrong(span, "macros (all, exists, map, filter …) nest at most once"));
        }
        self.walks += 1;
        self.locals.push((variable.clone(), element.clone()));
        let parts = self.body(name, args);
        self.locals.pop();
        self.walks -= 1;
        let (only, body) = parts?;
        let (walk, gives) = match name {
            "all" => (Walk::All, Type::Bool),
            "exists" => (Walk::Exists, Type::Bool),
            "exists_one" | "existsOne" => (Walk::ExistsOne, Type::Bool),
            "filter" => (Walk::Filter, Type::list(element)),
            _ => (Walk::Map, Type::list(body.of.clone())),
        };
        Ok((Op::Walk(walk, Box::new(WalkParts { range, body, only })), gives))
    }

    fn body(&mut self, name: &str, args: &[Node]) -> Result<(Option<Expr>, Expr), String> {
        match args {
            [_, only, body] => Ok((Some(self.condition(only, name)?), self.part(body)?)),
            [_, body] if name == "map" => Ok((None, self.part(body)?)),
            _ => Ok((None, self.condition(&args[1], name)?)),
        }
    }
}
