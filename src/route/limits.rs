//! What one replica takes from one source: sizes, rate, requests in work, networks.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use http::{HeaderValue, Method};
use ipnet::IpNet;

use super::budget::Budget;

/// A source holds this much of unfinished deliveries, or one body where that is larger, so that it cannot take all of
/// what the process has for bodies.
const BODY_SHARE: u64 = 16 << 20;

/// The limits of a source, with the state that holds them.
#[derive(Debug)]
pub struct Limits {
    /// The largest body in bytes.
    pub max_body: u64,
    /// The networks that may send; none listed means all.
    pub allowed: Vec<IpNet>,
    /// Requests in work at one time.
    pub in_flight: Budget,
    /// How many of them may be without proof: a quarter, so that strangers never fill a source.
    pub strangers: Budget,
    /// Bytes of bodies in work.
    pub bytes: Budget,
    rate: DefaultDirectRateLimiter,
}

impl Limits {
    /// Limits as the spec writes them. Zeros count as one.
    pub fn new(max_body: u64, per_second: u32, burst: u32, max_in_flight: u32, allowed: Vec<IpNet>) -> Self {
        let at_least_one = |n: u32| NonZeroU32::new(n).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::per_second(at_least_one(per_second)).allow_burst(at_least_one(burst));
        let max_in_flight = u64::from(max_in_flight.max(1));
        Self {
            max_body,
            allowed,
            in_flight: Budget::new(max_in_flight),
            strangers: Budget::new((max_in_flight / 4).max(1)),
            bytes: Budget::new(max_body.max(BODY_SHARE)),
            rate: RateLimiter::direct(quota),
        }
    }

    /// Whether a client of this address may send.
    pub fn allows(&self, address: IpAddr) -> bool {
        self.allowed.is_empty() || self.allowed.iter().any(|network| network.contains(&address.to_canonical()))
    }

    /// Takes one request from the rate.
    ///
    /// # Errors
    /// How long to wait, when the rate and its burst are used up.
    pub fn take(&self) -> Result<(), Duration> {
        self.rate.check().map_err(|not_until| not_until.wait_time_from(DefaultClock::default().now()))
    }
}

/// The methods that a route answers: POST, and those of the provider's handshakes.
#[derive(Clone, Debug)]
pub struct Methods {
    allowed: Vec<Method>,
    allow: HeaderValue,
}

impl Methods {
    /// POST and those of the handshakes.
    pub fn new(handshakes: impl IntoIterator<Item = Method>) -> Self {
        let mut allowed = vec![Method::POST];
        for method in handshakes {
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

    #[test]
    fn a_mapped_address_counts_as_the_ipv4_address_it_is() {
        let limits = Limits::new(1, 1, 1, 1, vec!["203.0.113.0/24".parse().unwrap()]);
        assert!(limits.allows("203.0.113.9".parse().unwrap()));
        assert!(limits.allows("::ffff:203.0.113.9".parse().unwrap()));
        assert!(!limits.allows("203.0.114.9".parse().unwrap()));
        assert!(Limits::new(1, 1, 1, 1, vec![]).allows("2001:db8::1".parse().unwrap()));
    }

    #[test]
    fn strangers_get_a_quarter_and_never_nothing() {
        let strangers = |max| Limits::new(1, 1, 1, max, vec![]).strangers.limit();
        assert_eq!((strangers(256), strangers(7), strangers(1)), (64, 1, 1));
    }

    #[test]
    fn a_rate_over_its_burst_says_how_long_to_wait() {
        let limits = Limits::new(1, 1, 2, 1, vec![]);
        assert_eq!((limits.take(), limits.take()), (Ok(()), Ok(())));
        let wait = limits.take().unwrap_err();
        assert!(wait > Duration::from_millis(500) && wait <= Duration::from_secs(1), "{wait:?}");
    }

    #[test]
    fn allow_lists_each_method_once() {
        let methods = Methods::new([Method::GET, Method::POST, Method::GET]);
        assert_eq!(methods.allow(), "POST, GET");
        assert!(methods.contains(&Method::GET) && !methods.contains(&Method::PUT));
    }
}
