//! What a flag may hold: parsers that say what to write, and twins in the environment that are empty as if absent.

use std::ffi::OsStr;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use clap::builder::Resettable;
use clap::{Arg, Command};
use http::Uri;
use ipnet::IpNet;

use crate::api::duration::DurationString;
use crate::api::quantity::Size;

/// The command without the twins that are set and empty, which is as if they were absent.
pub(super) fn without_empty_twins(command: Command) -> Command {
    let names: Vec<String> = command.get_subcommands().map(|command| command.get_name().to_owned()).collect();
    let command = command.mut_args(without_empty_twin);
    names.into_iter().fold(command, |command, name| command.mut_subcommand(name, without_empty_twins))
}

fn without_empty_twin(arg: Arg) -> Arg {
    let blank = |value: &OsStr| value.to_str().is_some_and(|value| value.trim().is_empty());
    let empty = arg.get_env().and_then(std::env::var_os).is_some_and(|value| blank(&value));
    if empty { arg.env(Resettable::Reset) } else { arg }
}

/// `true` or `false`, `1` or `0`.
pub(super) fn truth(text: &str) -> Result<bool, String> {
    match text.trim() {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err("write true or false".to_owned()),
    }
}

/// Text without white space around it; an item of a list.
pub(super) fn text(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err("there is something before, between and after all commas".to_owned()),
        text => Ok(text.to_owned()),
    }
}

/// A duration as manifests write them, and days.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || "write a duration such as 7d, 1h30m or 500ms".to_owned();
    let text = text.trim();
    let (days, rest) = text.split_once('d').map_or((0, text), |(days, rest)| (days.parse().unwrap_or(u64::MAX), rest));
    let days = days.checked_mul(24 * 60 * 60).map(Duration::from_secs).ok_or_else(wrong)?;
    let rest = match rest {
        "" if !text.is_empty() => Duration::ZERO,
        rest => DurationString::from(rest).get().ok_or_else(wrong)?,
    };
    days.checked_add(rest).ok_or_else(wrong)
}

/// The same, or `0` for none.
pub(super) fn duration_or_none(text: &str) -> Result<Duration, String> {
    if text.trim() == "0" { Ok(Duration::ZERO) } else { duration(text) }
}

/// The least memory in which requests are served, in bytes.
const LEAST_MEMORY: u64 = 32 << 20;

/// A number of bytes, or a quantity.
pub(super) fn size(text: &str) -> Result<u64, String> {
    let size = Size::Text(text.trim().to_owned()).bytes();
    size.ok_or_else(|| "write a number of bytes, or a quantity such as 8Mi".to_owned())
}

/// The most memory: none, or as much as the process needs to serve at all.
pub(super) fn memory(text: &str) -> Result<u64, String> {
    if text.trim() == "0" {
        return Ok(0);
    }
    match size(text)? {
        small if small < LEAST_MEMORY => {
            Err("is less than Hookgate needs to serve: write 32Mi or more, 0 for no limit".to_owned())
        }
        size => Ok(size),
    }
}

/// What identifiers of sources begin with: a URI reference (RFC 3986), without a trailing `/`.
pub(super) fn uri_base(text: &str) -> Result<String, String> {
    let text = text.trim().trim_end_matches('/');
    match text.bytes().all(|byte| byte.is_ascii_graphic() && !br#""<>\^`{|}#?"#.contains(&byte)) {
        true => Ok(text.to_owned()),
        false => Err("is no URI: write such as https://hooks.example.com or urn:example:hookgate".to_owned()),
    }
}

/// How many, at least one.
pub(super) fn count(text: &str) -> Result<usize, String> {
    text.trim().parse().ok().filter(|count| *count > 0).ok_or_else(|| "write a number such as 8192".to_owned())
}

/// A network.
pub(super) fn network(text: &str) -> Result<IpNet, String> {
    let text = text.trim();
    text.parse().map_err(|_| match text.parse::<IpAddr>() {
        Ok(address) => format!("is one address: write {}", IpNet::from(address)),
        Err(_) => "write a network such as 10.0.0.0/8".to_owned(),
    })
}

/// The name of a stream; empty for none.
pub(super) fn stream(text: &str) -> Result<String, String> {
    let name = text.trim();
    match name.chars().all(|char| char.is_ascii_alphanumeric() || "-_=+@#$%&!~".contains(char)) && name.len() <= 255 {
        true => Ok(name.to_owned()),
        false => Err("is no name of a stream: write such as WEBHOOKS, without dots, spaces and wildcards".to_owned()),
    }
}

/// An address to listen on.
pub(super) fn address(text: &str) -> Result<SocketAddr, String> {
    let text = text.trim();
    text.parse().map_err(|_| {
        let port = text.rsplit_once(':').map(|(_, port)| port).unwrap_or(text);
        let host = text.strip_suffix(port).map_or("", |host| host.trim_end_matches(':'));
        let ip = if host == "localhost" { "127.0.0.1" } else { "0.0.0.0" };
        let port = if port.parse::<u16>().is_ok() { port } else { "8080" };
        format!("write an IP address and a port, such as {ip}:{port}")
    })
}

/// The public address of the receiver, without a trailing `/`.
pub(super) fn base_url(text: &str) -> Result<String, String> {
    let wrong = || "write a URL with scheme and host, such as https://hooks.example.com".to_owned();
    let text = text.trim().trim_end_matches('/');
    let url: Uri = text.parse().map_err(|_| wrong())?;
    let web = matches!(url.scheme_str(), Some("http" | "https"));
    if !web || url.host().is_none_or(str::is_empty) || url.query().is_some() || text.contains(['#', '@']) {
        return Err(wrong());
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_below_which_nothing_is_served_is_no_limit() {
        assert_eq!(memory("0"), Ok(0));
        assert_eq!(memory("32Mi"), Ok(32 << 20));
        assert!(memory("10Mi").unwrap_err().contains("32Mi"));
    }

    #[test]
    fn what_sources_begin_with_is_a_uri() {
        assert_eq!(uri_base("").as_deref(), Ok(""));
        assert_eq!(uri_base("https://hooks.example.com/").as_deref(), Ok("https://hooks.example.com"));
        assert_eq!(uri_base("urn:example:hookgate").as_deref(), Ok("urn:example:hookgate"));
        for wrong in ["not a uri", "a\"b", "{x}", "ü"] {
            assert!(uri_base(wrong).unwrap_err().contains("urn:example"), "{wrong:?}");
        }
    }

    #[test]
    fn durations_take_days() {
        let seconds = |text: &str| duration(text).map(|duration| duration.as_secs());
        assert_eq!(seconds("7d"), Ok(7 * 86_400));
        assert_eq!(seconds("1d12h"), Ok(86_400 + 12 * 3600));
        assert_eq!(seconds(" 0s "), Ok(0));
        assert_eq!(seconds("1h30m"), Ok(5400));
        for wrong in ["", "d", "7", "7days", "1h1d", "-1d", "99999999999999999999d", "1d1d"] {
            assert!(duration(wrong).unwrap_err().contains("7d"), "{wrong:?}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_with_what_to_write() {
        assert_eq!(network("10.0.0.1").unwrap_err(), "is one address: write 10.0.0.1/32");
        assert_eq!(network("::1").unwrap_err(), "is one address: write ::1/128");
        assert!(network(" 10.0.0.0/8").is_ok() && network("ten").unwrap_err().contains("10.0.0.0/8"));
        assert!(address("localhost:8080").unwrap_err().ends_with("such as 127.0.0.1:8080"));
        assert!(address(":9000").unwrap_err().ends_with("such as 0.0.0.0:9000"));
        assert!(address("9000").unwrap_err().ends_with("such as 0.0.0.0:9000"));
        assert!(address("[::]:80").is_ok());
        for wrong in ["foo", "", "https://", "ftp://x", "//x", "https://x?y", "https://a:b@x", "https://x/#y"] {
            assert!(base_url(wrong).unwrap_err().contains("https://hooks.example.com"), "{wrong:?}");
        }
        assert_eq!(base_url("https://hooks.example.com/in/").unwrap(), "https://hooks.example.com/in");
    }

    #[test]
    fn booleans_are_words_or_digits() {
        assert_eq!((truth("1"), truth("true"), truth("0"), truth("false")), (Ok(true), Ok(true), Ok(false), Ok(false)));
        assert!(truth("yes").is_err());
    }
}
