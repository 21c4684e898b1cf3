//! Which hosts the admin port answers to: those that no stranger's name server can point at it.
//!
//! A page in a browser inside the network may ask a name of its own that resolves to this port (DNS rebinding); such a
//! name has a public domain, while probes, scrapers and people use addresses, `localhost` and names of the cluster.

use std::net::{Ipv4Addr, Ipv6Addr};

use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

/// Answered whatever the host: they say nothing, and a probe may send any.
const PROBES: [&str; 2] = ["/livez", "/readyz"];

/// Refuses what is asked of another host.
pub(super) async fn check(request: Request, next: Next) -> Response {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let own = match (hosts.next(), hosts.next()) {
        (None, _) => request.uri().authority().is_none_or(|authority| is_own(authority.host())),
        (Some(host), None) => host.to_str().is_ok_and(is_own),
        (Some(_), Some(_)) => false,
    };
    if own || PROBES.contains(&request.uri().path()) {
        return next.run(request).await;
    }
    (StatusCode::MISDIRECTED_REQUEST, "ask by IP address, localhost or a name of the cluster\n").into_response()
}

fn is_own(host: &str) -> bool {
    let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
    if let Some((address, rest)) = host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        let ends = rest.is_empty() || rest.strip_prefix(':').is_some_and(is_port);
        return ends && address.parse::<Ipv6Addr>().is_ok();
    }
    let (name, port) = host.rsplit_once(':').unwrap_or((host, ""));
    let is_name = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
    if !is_name || !is_port(port) {
        return false;
    }
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    // A name without a dot and those below `svc`, `local` and `localhost` are nobody's in the public name service.
    let inside = [".svc", ".local", ".localhost", ".internal"].iter().any(|end| name.ends_with(end));
    name.parse::<Ipv4Addr>().is_ok() || inside || !name.is_empty() && !name.contains('.')
}

#[cfg(test)]
mod tests {
    use super::is_own;

    #[test]
    fn addresses_and_names_of_the_cluster_are_own_and_public_names_are_not() {
        for own in [
            "localhost",
            "localhost:9090",
            "127.0.0.1:9090",
            "10.2.3.4",
            "[::1]:9090",
            "[fd00::7]",
            "hookgate-7c9f:9090",
            "hookgate.webhooks.svc:9090",
            "Hookgate.webhooks.svc.cluster.local.:9090",
        ] {
            assert!(is_own(own), "{own}");
        }
        for other in [
            "evil.example.com:9090",
            "127.0.0.1.nip.io",
            "1.2.3.4.5",
            "[evil]",
            "",
            ":9090",
            "a.svc.evil.com",
            "[::1].evil.com",
            "[::1]:x",
            "x@localhost",
            "evil.com/localhost",
        ] {
            assert!(!is_own(other), "{other}");
        }
    }
}
