//! Who sends: the peer, or behind trusted proxies the rightmost untrusted `X-Forwarded-For`.

use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, SocketAddr};
use std::sync::LazyLock;

use http::{HeaderMap, HeaderName};
use ipnet::IpNet;

use crate::route::share::{Holder, Standing};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Keys addresses, so that nobody can tell which of them share a counter.
static KEYED: LazyLock<RandomState> = LazyLock::new(RandomState::new);

/// Who sends a request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Client {
    /// Its address.
    pub(super) address: IpAddr,
    /// What is counted together: the address, of IPv6 the /64, which one client has all of.
    pub(super) network: IpAddr,
    /// The same as sources count it.
    pub(super) holder: Holder,
    /// Forwarded by a peer that is no trusted proxy: whoever comes through it counts as one.
    pub(super) forwarded: bool,
}

/// What is counted together with an address: itself, of IPv6 the /64, which one client has all of.
pub(super) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6((address.to_bits() >> 64 << 64).into()),
    }
}

/// The proxies whose word counts.
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies(Vec<IpNet>);

impl TrustedProxies {
    /// The networks of `--trusted-proxies`.
    pub fn new(networks: Vec<IpNet>) -> Self {
        Self(networks)
    }

    /// Whether that address is one of them.
    pub(super) fn contains(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }

    /// Who sends.
    pub(super) fn client(&self, peer: SocketAddr, headers: &HeaderMap) -> Client {
        let address = self.address(peer, headers);
        let network = network(address);
        let standing = if self.contains(address) { Standing::Many } else { Standing::One };
        let forwarded = headers.contains_key(FORWARDED_FOR) && !self.contains(peer.ip().to_canonical());
        Client { address, network, holder: Holder { key: KEYED.hash_one(network), standing }, forwarded }
    }

    /// The client's address. An entry that is no address ends the search: what stands left of it is hearsay.
    fn address(&self, peer: SocketAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = peer.ip().to_canonical();
        if self.0.is_empty() || !self.contains(client) {
            return client;
        }
        let lines = headers.get_all(&FORWARDED_FOR).iter().collect::<Vec<_>>();
        for line in lines.into_iter().rev() {
            let Ok(line) = line.to_str() else { return client };
            for entry in line.rsplit(',') {
                let Some(address) = address(entry.trim()) else { return client };
                client = address;
                if !self.contains(client) {
                    return client;
                }
            }
        }
        client
    }
}

/// An address as proxies write it: alone, or with a port.
fn address(text: &str) -> Option<IpAddr> {
    let address = text
        .parse::<IpAddr>()
        .ok()
        .or_else(|| text.parse::<SocketAddr>().ok().map(|socket| socket.ip()))
        .or_else(|| text.strip_prefix('[')?.strip_suffix(']')?.parse().ok())?;
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(peer: &str, lines: &[&str]) -> String {
        let proxies = TrustedProxies::new(vec!["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()]);
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(FORWARDED_FOR, line.parse().unwrap());
        }
        proxies.client(SocketAddr::new(peer.parse().unwrap(), 1), &headers).address.to_string()
    }

    #[test]
    fn the_rightmost_untrusted_address_is_the_client() {
        assert_eq!(client("10.0.0.1", &["203.0.113.7"]), "203.0.113.7");
        assert_eq!(client("10.0.0.1", &["198.51.100.1, 203.0.113.7, 10.2.3.4"]), "203.0.113.7");
        assert_eq!(client("10.0.0.1", &["198.51.100.1", "203.0.113.7"]), "203.0.113.7");
        assert_eq!(client("::ffff:10.0.0.1", &["[2001:db8::1]:4711"]), "2001:db8::1");
        assert_eq!(client("10.0.0.1", &["10.9.9.9, fd00::1"]), "10.9.9.9", "all trusted: the leftmost");
    }

    #[test]
    fn nobody_else_names_the_client() {
        assert_eq!(client("203.0.113.7", &["192.0.2.1"]), "203.0.113.7", "the peer is no proxy of ours");
        assert_eq!(client("10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(client("10.0.0.1", &["192.0.2.1, unknown"]), "10.0.0.1");
        assert_eq!(client("10.0.0.1", &["192.0.2.1, unknown, 10.3.3.3"]), "10.3.3.3");
    }

    #[test]
    fn one_network_is_one_client_and_a_proxy_is_many() {
        let proxies = TrustedProxies::new(vec!["10.0.0.0/8".parse().unwrap()]);
        let client = |peer: &str, forwarded: &[&str]| {
            let mut headers = HeaderMap::new();
            for line in forwarded {
                headers.append(FORWARDED_FOR, line.parse().unwrap());
            }
            proxies.client(SocketAddr::new(peer.parse().unwrap(), 1), &headers)
        };
        let key = |peer: &str| client(peer, &[]).holder.key;
        assert_eq!(key("2001:db8::1"), key("2001:db8::ffff"));
        assert_ne!(key("2001:db8::1"), key("2001:db8:0:1::1"));
        assert_eq!(key("192.0.2.1"), key("::ffff:192.0.2.1"));
        assert_ne!(key("192.0.2.1"), key("192.0.2.2"));
        assert_eq!(client("10.0.0.1", &[]).holder.standing, Standing::Many);
        assert_eq!(client("10.0.0.1", &["192.0.2.1"]).holder.standing, Standing::One);
        assert!(client("192.0.2.9", &["192.0.2.1"]).forwarded, "nobody told us of this proxy");
        assert!(!client("10.0.0.1", &["192.0.2.1"]).forwarded && !client("192.0.2.9", &[]).forwarded);
    }
}
