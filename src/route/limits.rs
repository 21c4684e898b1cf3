//! What one replica takes from one source: sizes, rate, requests in work, networks.

use std::net::IpAddr;

use http::{HeaderValue, Method};
use ipnet::IpNet;

use super::bounds;
use super::rate::RateLimit;
use super::share::Bound;
use super::state::Class;

/// The limits of a source as its spec writes them; what is held under them is in its state.
#[derive(Clone, Debug)]
pub struct Limits {
    /// The largest body in bytes.
    pub max_body: u64,
    /// The networks that may send; none listed means all.
    pub allowed: Vec<IpNet>,
    /// Requests in work at one time.
    pub in_flight: u64,
    /// Those of all sources of the namespace; absent: any number.
    pub in_flight_of_tenant: Option<u64>,
    /// Requests whose proof held; absent: any number.
    pub rate: Option<RateLimit>,
}

impl Limits {
    /// How many requests in work may be without proof, of a class and of one address of it.
    pub fn places(&self, class: Class) -> Bound {
        let part = match class {
            Class::Stranger => bounds::STRANGERS,
            Class::Known => bounds::KNOWN,
        };
        let sum = (self.in_flight / part).max(1);
        Bound { sum, share: (sum / bounds::PLACES_OF_ADDRESS).max(1) }
    }

    /// Bytes of bodies in work that are without proof, of either class.
    pub fn unproven_bytes(&self) -> u64 {
        self.max_body.max(bounds::SOURCE_BYTES)
    }

    /// Bytes of bodies in work: a source cannot take all of what the process has for bodies.
    pub fn bytes(&self) -> u64 {
        self.unproven_bytes().saturating_mul(2)
    }

    /// Whether a client of this address may send.
    pub fn allows(&self, address: IpAddr) -> bool {
        self.allowed.is_empty() || self.allowed.iter().any(|network| network.contains(&address.to_canonical()))
    }
}

/// The methods that a route answers: those of the provider's deliveries and handshakes.
#[derive(Clone, Debug)]
pub struct Methods {
    allowed: Vec<Method>,
    allow: HeaderValue,
}

impl Methods {
    /// Those methods, each once.
    pub fn new(methods: impl IntoIterator<Item = Method>) -> Self {
        let mut allowed = Vec::new();
        for method in methods {
            if !allowed.contains(&method) {
                allowed.push(method);
            }
        }
        let listed = allowed.iter().map(Method::as_str).collect::<Vec<_>>().join(", ");
        // Methods are tokens, which are header values.
        let allow = HeaderValue::from_str(&listed).unwrap_or(HeaderValue::from_static("POST"));
        Self { allowed, allow }
    }

    /// Whether a request of this method may go on.
    pub fn contains(&self, method: &Method) -> bool {
        self.allowed.contains(method)
    }

    /// The header `Allow`.
    pub fn allow(&self) -> &HeaderValue {
        &self.allow
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(in_flight: u64, allowed: Vec<IpNet>) -> Limits {
        Limits { max_body: 1, allowed, in_flight, in_flight_of_tenant: None, rate: None }
    }

    #[test]
    fn a_mapped_address_counts_as_the_ipv4_address_it_is() {
        let limited = limits(1, vec!["203.0.113.0/24".parse().unwrap()]);
        assert!(limited.allows("203.0.113.9".parse().unwrap()));
        assert!(limited.allows("::ffff:203.0.113.9".parse().unwrap()));
        assert!(!limited.allows("203.0.114.9".parse().unwrap()));
        assert!(limits(1, vec![]).allows("2001:db8::1".parse().unwrap()));
    }

    #[test]
    fn strangers_get_a_quarter_and_never_nothing() {
        let sums = |max| [Class::Stranger, Class::Known].map(|class| limits(max, vec![]).places(class).sum);
        assert_eq!([sums(256), sums(7), sums(1)], [[64, 128], [1, 3], [1, 1]]);
        assert_eq!(limits(256, vec![]).places(Class::Stranger).share, 8);
        assert_eq!(limits(1, vec![]).places(Class::Stranger).share, 1);
    }

    #[test]
    fn what_is_without_proof_leaves_half_of_the_bytes() {
        for max_body in [1, 8 << 20, 32 << 20] {
            let limits = Limits { max_body, ..limits(1, vec![]) };
            assert!(limits.unproven_bytes() >= max_body && limits.bytes() >= 2 * limits.unproven_bytes());
        }
    }

    #[test]
    fn allow_lists_each_method_once() {
        let methods = Methods::new([Method::POST, Method::GET, Method::POST, Method::GET]);
        assert_eq!(methods.allow(), "POST, GET");
        assert!(methods.contains(&Method::GET) && !methods.contains(&Method::PUT));
    }
}
