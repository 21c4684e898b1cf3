//! The URL that status shows.

use crate::route::Host;

/// Where vendors send: below the base URL where its host is one of the source's, else at its first host that is no wildcard, else the
/// path alone.
pub(crate) fn url(base: Option<&str>, hosts: &[Host], path: &str) -> String {
    let base_host = base.and_then(|base| base.split_once("://")).map(|(_, rest)| {
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        authority
            .rsplit_once(':')
            .filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit()))
            .map_or(authority, |(host, _)| host)
    });
    let claims = |host: &Host| match (host, base_host) {
        (Host::Any, _) => true,
        (Host::Exact(name), Some(base)) => name.eq_ignore_ascii_case(base),
        (Host::Wildcard(parent), Some(base)) => {
            base.split_once('.').is_some_and(|(_, rest)| parent.eq_ignore_ascii_case(rest))
        }
        (_, None) => false,
    };
    if let Some(base) = base
        && hosts.iter().any(claims)
    {
        return format!("{}{path}", base.trim_end_matches('/'));
    }
    let exact = hosts.iter().find_map(|host| match host {
        Host::Exact(name) => Some(name),
        _ => None,
    });
    exact.map_or_else(|| path.to_owned(), |name| format!("https://{name}{path}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_url_is_one_that_the_source_answers() {
        let hosts = |names: &[&str]| Host::parse_all(names);
        let base = Some("https://hooks.example.com/");
        assert_eq!(url(base, &hosts(&[]), "/a/b"), "https://hooks.example.com/a/b");
        assert_eq!(url(base, &hosts(&["x.test", "hooks.example.com"]), "/a"), "https://hooks.example.com/a");
        assert_eq!(
            url(Some("http://hooks.example.com:8443"), &hosts(&["*.example.com"]), "/a"),
            "http://hooks.example.com:8443/a"
        );
        assert_eq!(url(base, &hosts(&["*.x.test", "y.x.test"]), "/a"), "https://y.x.test/a");
        assert_eq!(url(base, &hosts(&["*.x.test"]), "/a"), "/a");
        assert_eq!(url(None, &hosts(&[]), "/a"), "/a");
        assert_eq!(url(None, &hosts(&["x.test"]), "/a"), "https://x.test/a");
    }
}
