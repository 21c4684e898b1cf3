//! What Kubernetes adds to CEL, as far as our rules use it: names, time formats, and the functions on networks.
//! Facts: the Kubernetes documentation, "Common Expression Language in Kubernetes" and "Validation rules".

use std::net::IpAddr;
use std::sync::{Arc, LazyLock};

use cel::extractors::This;
use cel::{Context, Env, ExecutionError, ResolveResult};
use ipnet::IpNet;

use super::schema::Format;

/// An environment with the functions of our rules.
pub(super) fn context<'v>() -> Context<'v, 'v> {
    static ENV: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(Env::stdlib()));
    let mut context = Context::with_env(Arc::clone(&ENV));
    // A name that is already declared would be an error of this program; the tests evaluate every rule.
    let _ = context.add_function("isCIDR", |text: Arc<String>| network(&text).is_some());
    // Networks are their own canonical texts here, so that `==` compares what the server compares.
    let _ = context.add_function("cidr", |text: Arc<String>| -> ResolveResult { canonical(network(&text)) });
    let _ = context.add_function("masked", |This(text): This<Arc<String>>| -> ResolveResult {
        canonical(network(&text).map(|net| net.trunc()))
    });
    context
}

fn canonical(network: Option<IpNet>) -> ResolveResult {
    let network = network.ok_or_else(|| ExecutionError::function_error("cidr", "not a network"))?;
    Ok(cel::Value::String(Arc::new(network.to_string())))
}

/// Go's `netip.ParsePrefix`, less IPv4 inside IPv6, which the server refuses too.
fn network(text: &str) -> Option<IpNet> {
    let (_, bits) = text.split_once('/')?;
    if bits.len() > 1 && bits.starts_with('0') || !bits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let net: IpNet = text.parse().ok()?;
    match net.addr() {
        IpAddr::V6(address) if address.to_ipv4_mapped().is_some() => None,
        _ => Some(net),
    }
}

/// A text as rules see it: a timestamp where the schema says `date-time`.
pub(super) fn text(text: &str, format: Option<Format>) -> cel::Value {
    if format == Some(Format::DateTime)
        && let Ok(time) = cel_time(text)
    {
        return time;
    }
    cel::Value::String(Arc::new(text.to_owned()))
}

fn cel_time(text: &str) -> ResolveResult {
    static READ: LazyLock<Option<cel::Program>> = LazyLock::new(|| Env::stdlib().compile("timestamp(text)").ok());
    let program = READ.as_ref().ok_or_else(|| ExecutionError::function_error("timestamp", "not compiled"))?;
    let mut context = Context::default();
    context.add_variable_from_value("text", text.to_owned());
    program.execute(&context)
}

/// A property's name as rules must write it.
pub(super) fn escaped(name: &str) -> String {
    const RESERVED: [&str; 20] = [
        "true",
        "false",
        "null",
        "in",
        "as",
        "break",
        "const",
        "continue",
        "else",
        "for",
        "function",
        "if",
        "import",
        "let",
        "loop",
        "package",
        "namespace",
        "return",
        "var",
        "void",
    ];
    if RESERVED.contains(&name) || name == "while" {
        return format!("__{name}__");
    }
    name.replace("__", "__underscores__").replace('.', "__dot__").replace('-', "__dash__").replace('/', "__slash__")
}
