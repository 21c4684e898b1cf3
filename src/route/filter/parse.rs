//! CEL's grammar: a text becomes a tree, with the place of every part.
//!
//! Reads what tenants write: the text is bounded by the API, the depth here, before anything recurses over it. Chains of
//! `&&` and `||` are flat. Knows no variable and no function.

use super::lex::{Lexer, Token};

/// How deep an expression nests at most: judging one recurses.
pub(super) const MAX_DEPTH: usize = 100;
const TOO_DEEP: &str = "is nested too deeply: at most 100 levels; a chain such as a + b + c nests once for each part";

/// Where a part stands in the text, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: usize,
    pub(super) end: usize,
}

/// A part as written.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) kind: Kind,
    pub(super) span: Span,
    depth: usize,
}

#[derive(Debug)]
pub(super) enum Kind {
    Literal(Literal),
    Name(String),
    Select { of: Box<Node>, field: String, optional: bool },
    Index { of: Box<Node>, at: Box<Node>, optional: bool },
    Call { target: Option<Box<Node>>, name: String, args: Vec<Node> },
    List(Vec<Node>),
    Map(Vec<(Node, Node)>),
    Not(Box<Node>),
    Negate(Box<Node>),
    Binary(Operator, Box<Node>, Box<Node>),
    Any(Vec<Node>),
    All(Vec<Node>),
    If(Box<[Node; 3]>),
}

/// A constant.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Literal {
    Null,
    Bool(bool),
    Int(i64),
    UInt(u64),
    Double(f64),
    Text(Box<str>),
    Bytes(Box<[u8]>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    In,
}

impl Operator {
    pub(super) fn sign(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Remainder => "%",
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessEqual => "<=",
            Self::Greater => ">",
            Self::GreaterEqual => ">=",
            Self::In => "in",
        }
    }
}

/// Parses a whole expression.
///
/// # Errors
/// A sentence that says what is wrong and where: line and column.
pub(super) fn parse(source: &str) -> Result<Node, String> {
    let mut parser = Parser { lexer: Lexer::new(source), next: (Token::End, Span::default()), open: 0, end: 0 };
    parser.advance()?;
    let whole = parser.expression()?;
    match &parser.next.0 {
        Token::End => Ok(whole),
        other => Err(parser.unexpected(&format!("{other} has no place here"))),
    }
}

struct Parser<'s> {
    lexer: Lexer<'s>,
    next: (Token, Span),
    /// Expressions that are being read.
    open: usize,
    /// Where the token before ended.
    end: usize,
}

impl Parser<'_> {
    fn unexpected(&self, what: &str) -> String {
        self.lexer.error(self.next.1.start, what)
    }

    fn advance(&mut self) -> Result<Token, String> {
        let following = self.lexer.token()?;
        self.end = self.next.1.end;
        Ok(std::mem::replace(&mut self.next, following).0)
    }

    fn takes(&mut self, mark: &str) -> Result<bool, String> {
        let here = matches!(&self.next.0, Token::Mark(found) if *found == mark);
        if here {
            self.advance()?;
        }
        Ok(here)
    }

    fn expect(&mut self, mark: &str) -> Result<(), String> {
        if self.takes(mark)? {
            return Ok(());
        }
        Err(self.unexpected(&format!("{mark:?} is missing before {}", self.next.0)))
    }

    fn node(&self, start: usize, kind: Kind) -> Result<Node, String> {
        let inside = match &kind {
            Kind::Literal(_) | Kind::Name(_) => 0,
            Kind::Select { of, .. } | Kind::Not(of) | Kind::Negate(of) => of.depth,
            Kind::Index { of, at, .. } => of.depth.max(at.depth),
            Kind::Binary(_, left, right) => left.depth.max(right.depth),
            Kind::Call { target, args, .. } => deepest(args).max(target.as_ref().map_or(0, |target| target.depth)),
            Kind::List(parts) | Kind::Any(parts) | Kind::All(parts) => deepest(parts),
            Kind::If(parts) => deepest(&parts[..]),
            Kind::Map(entries) => entries.iter().map(|(key, value)| key.depth.max(value.depth)).max().unwrap_or(0),
        };
        if inside >= MAX_DEPTH {
            return Err(TOO_DEEP.to_owned());
        }
        Ok(Node { kind, span: Span { start, end: self.end }, depth: inside + 1 })
    }

    fn expression(&mut self) -> Result<Node, String> {
        self.open += 1;
        if self.open > MAX_DEPTH {
            return Err(TOO_DEEP.to_owned());
        }
        let start = self.next.1.start;
        let condition = self.alternatives()?;
        let whole = if self.takes("?")? {
            let yes = self.alternatives()?;
            self.expect(":")?;
            let no = self.expression()?;
            self.node(start, Kind::If(Box::new([condition, yes, no])))
        } else {
            Ok(condition)
        };
        self.open -= 1;
        whole
    }

    fn alternatives(&mut self) -> Result<Node, String> {
        self.chain("||", Self::conjunction, Kind::Any)
    }

    fn conjunction(&mut self) -> Result<Node, String> {
        self.chain("&&", |parser| parser.binary(0), Kind::All)
    }

    fn chain(
        &mut self,
        mark: &str,
        part: fn(&mut Self) -> Result<Node, String>,
        kind: fn(Vec<Node>) -> Kind,
    ) -> Result<Node, String> {
        let start = self.next.1.start;
        let first = part(self)?;
        let mut parts = vec![first];
        while self.takes(mark)? {
            parts.push(part(self)?);
        }
        match parts.len() {
            1 => Ok(parts.remove(0)),
            _ => self.node(start, kind(parts)),
        }
    }

    /// Comparisons, sums, products: from the given strength upwards.
    fn binary(&mut self, strength: u8) -> Result<Node, String> {
        let start = self.next.1.start;
        let mut left = self.unary()?;
        while let Some((operator, here)) = operator(&self.next.0).filter(|(_, here)| *here >= strength) {
            self.advance()?;
            let right = self.binary(here + 1)?;
            left = self.node(start, Kind::Binary(operator, Box::new(left), Box::new(right)))?;
        }
        Ok(left)
    }

    /// Signs of one kind before a value: two of them are none, as in every CEL.
    fn unary(&mut self) -> Result<Node, String> {
        let start = self.next.1.start;
        let mark = match &self.next.0 {
            Token::Mark(mark @ ("!" | "-")) => *mark,
            _ => return self.member(),
        };
        let mut signs = 0_usize;
        let mut last = start;
        while matches!(&self.next.0, Token::Mark(found) if *found == mark) {
            last = self.next.1.start;
            signs += 1;
            self.advance()?;
        }
        let number = match &self.next.0 {
            Token::Number(number) if mark == "-" && self.next.1.start == last + 1 => Some(negative(number)),
            _ => None,
        };
        let of = match number {
            Some(literal) => {
                signs -= 1;
                let literal = literal.ok_or_else(|| self.unexpected("the number is too large for an int"))?;
                self.advance()?;
                let number = self.node(last, Kind::Literal(literal))?;
                self.members(last, number)?
            }
            None => self.member()?,
        };
        match (signs % 2, mark) {
            (0, _) => Ok(of),
            (_, "!") => self.node(start, Kind::Not(Box::new(of))),
            _ => self.node(start, Kind::Negate(Box::new(of))),
        }
    }

    fn member(&mut self) -> Result<Node, String> {
        let start = self.next.1.start;
        let first = self.primary()?;
        self.members(start, first)
    }

    fn members(&mut self, start: usize, mut of: Node) -> Result<Node, String> {
        loop {
            if self.takes(".")? {
                let optional = self.takes("?")?;
                let field = match self.advance()? {
                    Token::Name(field) | Token::Quoted(field) => field,
                    _ => return Err(self.unexpected("a name is missing behind the dot")),
                };
                of = if !optional && self.takes("(")? {
                    let args = self.list(")")?;
                    self.node(start, Kind::Call { target: Some(Box::new(of)), name: field, args })?
                } else {
                    self.node(start, Kind::Select { of: Box::new(of), field, optional })?
                };
            } else if self.takes("[")? {
                let optional = self.takes("?")?;
                let at = Box::new(self.expression()?);
                self.expect("]")?;
                of = self.node(start, Kind::Index { of: Box::new(of), at, optional })?;
            } else {
                return Ok(of);
            }
        }
    }

    /// Expressions between commas, up to a mark; one comma more may stand before it.
    fn list(&mut self, close: &str) -> Result<Vec<Node>, String> {
        let mut parts = Vec::new();
        while !self.takes(close)? {
            parts.push(self.expression()?);
            if !self.takes(",")? {
                self.expect(close)?;
                break;
            }
        }
        Ok(parts)
    }

    fn primary(&mut self) -> Result<Node, String> {
        let start = self.next.1.start;
        let wrong = match &self.next.0 {
            Token::End => self.unexpected("the expression ends where a value is missing"),
            other => self.unexpected(&format!("{other} stands where a value is missing")),
        };
        match self.advance()? {
            Token::Text(text) => self.node(start, Kind::Literal(Literal::Text(text.into()))),
            Token::Bytes(bytes) => self.node(start, Kind::Literal(Literal::Bytes(bytes.into()))),
            Token::Number(number) => match positive(&number) {
                Some(literal) => self.node(start, Kind::Literal(literal)),
                None => Err(self.lexer.error(start, "the number is too large for an int")),
            },
            Token::Name(name) => match name.as_str() {
                "true" | "false" => self.node(start, Kind::Literal(Literal::Bool(name == "true"))),
                "null" => self.node(start, Kind::Literal(Literal::Null)),
                "in" => Err(wrong),
                _ if self.takes("(")? => {
                    let args = self.list(")")?;
                    self.node(start, Kind::Call { target: None, name, args })
                }
                _ => self.node(start, Kind::Name(name)),
            },
            Token::Mark("(") => {
                let mut inside = self.expression()?;
                self.expect(")")?;
                inside.span = Span { start, end: self.end };
                Ok(inside)
            }
            Token::Mark("[") => {
                let parts = self.list("]")?;
                self.node(start, Kind::List(parts))
            }
            Token::Mark("{") => {
                let mut entries = Vec::new();
                while !self.takes("}")? {
                    let key = self.expression()?;
                    self.expect(":")?;
                    entries.push((key, self.expression()?));
                    if !self.takes(",")? {
                        self.expect("}")?;
                        break;
                    }
                }
                self.node(start, Kind::Map(entries))
            }
            _ => Err(wrong),
        }
    }
}

fn deepest(parts: &[Node]) -> usize {
    parts.iter().map(|part| part.depth).max().unwrap_or(0)
}

fn operator(token: &Token) -> Option<(Operator, u8)> {
    Some(match token {
        Token::Mark("==") => (Operator::Equal, 0),
        Token::Mark("!=") => (Operator::NotEqual, 0),
        Token::Mark("<") => (Operator::Less, 0),
        Token::Mark("<=") => (Operator::LessEqual, 0),
        Token::Mark(">") => (Operator::Greater, 0),
        Token::Mark(">=") => (Operator::GreaterEqual, 0),
        Token::Name(name) if name == "in" => (Operator::In, 0),
        Token::Mark("+") => (Operator::Add, 1),
        Token::Mark("-") => (Operator::Subtract, 1),
        Token::Mark("*") => (Operator::Multiply, 2),
        Token::Mark("/") => (Operator::Divide, 2),
        Token::Mark("%") => (Operator::Remainder, 2),
        _ => return None,
    })
}

fn positive(text: &str) -> Option<Literal> {
    number(text, "")
}

fn negative(text: &str) -> Option<Literal> {
    number(text, "-")
}

/// A number as the lexer found it, behind its sign.
fn number(text: &str, sign: &str) -> Option<Literal> {
    let (digits, unsigned) = match text.strip_suffix(['u', 'U']) {
        Some(digits) => (digits, true),
        None => (text, false),
    };
    let (digits, radix) = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(digits) => (digits, 16),
        None => (digits, 10),
    };
    if unsigned {
        return if sign.is_empty() { u64::from_str_radix(digits, radix).ok().map(Literal::UInt) } else { None };
    }
    if radix == 10 && digits.contains(['.', 'e', 'E']) {
        return format!("{sign}{digits}").parse().ok().map(Literal::Double);
    }
    i64::from_str_radix(&format!("{sign}{digits}"), radix).ok().map(Literal::Int)
}
