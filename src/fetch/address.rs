//! Which addresses an outbound request may reach: public ones, and networks that the operator allowed.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

/// Whether a connection to this address may be made.
pub(super) fn allowed(address: IpAddr, extra: &[IpNet]) -> bool {
    let address = address.to_canonical();
    let public = match address {
        IpAddr::V4(v4) => public_v4(v4),
        IpAddr::V6(v6) => public_v6(v6),
    };
    public || extra.iter().any(|network| network.contains(&address))
}

/// Not of the special-purpose registry (RFC 6890 and successors), cloud metadata included by link-local.
fn public_v4(v4: Ipv4Addr) -> bool {
    let [a, b, c, _] = v4.octets();
    !(v4.is_private()
        || v4.is_loopback()
        || v4.is_link_local()
        || v4.is_broadcast()
        || v4.is_multicast()
        || v4.is_unspecified()
        || v4.is_documentation()
        || a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && (18..20).contains(&b)))
}

fn public_v6(v6: Ipv6Addr) -> bool {
    let [first, second, ..] = v6.segments();
    // Global unicast is 2000::/3; out of it the ranges that lead to IPv4 or are for documentation and tests.
    (first & 0xe000) == 0x2000
        && !(first == 0x2001 && second < 0x0200)
        && !(first == 0x2001 && second == 0x0db8)
        && first != 0x2002
        && first != 0x3fff
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_addresses_are_reached() {
        for public in ["8.8.8.8", "52.95.110.1", "2606:4700::1111", "2a00:1450:4001::200e"] {
            assert!(allowed(public.parse().unwrap(), &[]), "{public}");
        }
        for private in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "0.1.2.3",
            "192.0.0.8",
            "192.0.2.1",
            "198.18.0.1",
            "198.51.100.7",
            "203.0.113.7",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "192.88.99.1",
            "::1",
            "::",
            "fe80::1",
            "fc00::1",
            "fd00:ec2::254",
            "ff02::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "2001::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::a9fe:a9fe",
            "3fff::1",
        ] {
            assert!(!allowed(private.parse().unwrap(), &[]), "{private}");
        }
    }

    #[test]
    fn allowed_networks_are_reached_too() {
        let extra = ["10.0.0.0/8".parse().unwrap()];
        assert!(allowed("10.1.2.3".parse().unwrap(), &extra));
        assert!(allowed("::ffff:10.1.2.3".parse().unwrap(), &extra));
        assert!(!allowed("192.168.1.1".parse().unwrap(), &extra));
    }
}
