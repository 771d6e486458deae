//! Where outbound connections may go: public addresses only, unless the operator allows private ones for
//! that sink, heartbeat or topology. A name is resolved once, at the moment of connecting, and what was checked is what is
//! connected to: a name that points inside, or is made to between two looks, does not help.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

#[derive(Debug, thiserror::Error)]
pub enum GuardError {
    #[error("`{host}` is the private address {address}; set `allow_private: true` beside it if that is intended")]
    Private { host: String, address: IpAddr },
    #[error("`{host}` does not resolve to any address")]
    NoAddress { host: String },
    #[error("cannot resolve `{host}`")]
    Resolve { host: String, source: std::io::Error },
}

/// Where Azure's machines reach their platform; a public address by its form only.
const AZURE_PLATFORM: Ipv4Addr = Ipv4Addr::new(168, 63, 129, 16);

/// True for addresses that anyone on the internet could reach. What the registries of IANA call "not
/// globally reachable" is not (<https://www.iana.org/assignments/iana-ipv4-special-registry> and its twin
/// for IPv6, read 2026-11-21), and neither is what carries such an address inside.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !(address.is_private()
        || address.is_loopback()
        || address.is_link_local() // 169.254.169.254 is where clouds keep credentials
        || address.is_unspecified()
        || address.is_multicast()
        || address.is_broadcast()
        || address.is_documentation()
        || address == AZURE_PLATFORM
        || a == 0
        || a == 100 && (64..128).contains(&b) // shared address space, RFC 6598
        || (a, b, c) == (192, 0, 0) // protocol assignments
        || (a, b, c) == (192, 88, 99) // 6to4 relays
        || a == 198 && (b & 0xfe) == 18 // benchmarks
        || a >= 240)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    let inner = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match segments {
        // Forms that carry an IPv4 address are as private as that one.
        [0, 0, 0, 0, 0, 0xffff, high, low] => is_public_v4(inner(high, low)), // mapped
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => is_public_v4(inner(high, low)), // NAT64
        [0x2002, high, low, ..] if !is_public_v4(inner(high, low)) => false,  // 6to4
        [.., 0 | 0x200, 0x5efe, high, low] if !is_public_v4(inner(high, low)) => false, // ISATAP
        // Protocol assignments: Teredo, benchmarks, ORCHID and others that are no place to send to.
        [0x2001, second, ..] if second < 0x200 => false,
        [0x2001, 0xdb8, ..] => false,                          // documentation
        [0x3fff, second, ..] if second & 0xf000 == 0 => false, // documentation, RFC 9637
        // Global unicast is 2000::/3. The rest is local, multicast, of translators, or not assigned:
        // compatible addresses, 64:ff9b:1::/48, fc00::/7 with fd00:ec2::254, fe80::/10, fec0::/10.
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

/// Who turns names into addresses.
#[derive(Clone, Debug)]
pub enum Resolver {
    System,
    /// What a test says, one answer after the other.
    #[cfg(test)]
    Scripted(std::sync::Arc<parking_lot::Mutex<std::collections::VecDeque<Vec<IpAddr>>>>),
}

impl Resolver {
    /// Resolves a host and refuses it when any of its addresses is private.
    ///
    /// # Errors
    /// See [`GuardError`].
    pub async fn resolve(&self, host: &str, port: u16, allow_private: bool) -> Result<Vec<SocketAddr>, GuardError> {
        let name = host.trim_start_matches('[').trim_end_matches(']');
        let addresses =
            self.look_up(name, port).await.map_err(|source| GuardError::Resolve { host: host.to_owned(), source })?;
        if addresses.is_empty() {
            return Err(GuardError::NoAddress { host: host.to_owned() });
        }
        let private = addresses.iter().map(SocketAddr::ip).find(|address| !is_public(*address));
        match private {
            Some(address) if !allow_private => Err(GuardError::Private { host: host.to_owned(), address }),
            _ => Ok(addresses),
        }
    }

    async fn look_up(&self, name: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        match self {
            Self::System => Ok(tokio::net::lookup_host((name, port)).await?.collect()),
            #[cfg(test)]
            Self::Scripted(answers) => {
                let answer = answers.lock().pop_front().unwrap_or_default();
                Ok(answer.into_iter().map(|address| SocketAddr::new(address, port)).collect())
            }
        }
    }
}

/// The resolver of the guarded HTTP client, which connects to what it is given and to nothing else.
impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let resolver = self.clone();
        Box::pin(async move {
            let addresses = Self::resolve(&resolver, name.as_str(), 0, false).await?;
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

/// A URL whose host is written as an address never asks a resolver, so it is checked by itself. Other ways
/// to write an address (`0x7f.1`, `2130706433`) are one way once the URL is read.
///
/// # Errors
/// When the address is private.
pub fn check_literal(url: &reqwest::Url) -> Result<(), GuardError> {
    let host = url.host_str().unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    match bare.parse::<IpAddr>() {
        Ok(address) if !is_public(address) => Err(GuardError::Private { host: host.to_owned(), address }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Why it is closed, and the addresses at the edges of the range and inside of it.
    const CLOSED: &[(&str, &[&str])] = &[
        (
            "private use",
            &["10.0.0.0", "10.255.255.255", "172.16.0.0", "172.31.255.255", "192.168.0.0", "192.168.255.255"],
        ),
        ("loopback", &["127.0.0.0", "127.0.0.1", "127.255.255.255", "::1"]),
        ("link-local", &["169.254.0.0", "169.254.255.255", "fe80::", "fe80::1", "febf:ffff::1"]),
        ("metadata", &["169.254.169.254", "fd00:ec2::254", "100.100.100.200", "192.0.0.192", "168.63.129.16"]),
        ("shared", &["100.64.0.0", "100.127.255.255"]),
        ("unspecified, this network", &["0.0.0.0", "0.255.255.255", "::"]),
        ("multicast", &["224.0.0.0", "239.255.255.255", "ff02::1", "ff0e::1"]),
        ("broadcast, reserved", &["240.0.0.0", "255.255.255.254", "255.255.255.255"]),
        (
            "documentation",
            &["192.0.2.1", "198.51.100.1", "203.0.113.255", "2001:db8::1", "2001:db8:ffff::1", "3fff::", "3fff:fff::1"],
        ),
        ("benchmarks", &["198.18.0.0", "198.19.255.255", "2001:2::1"]),
        ("protocol assignments", &["192.0.0.0", "192.0.0.255", "192.88.99.1", "2001:1::1", "2001:1ff:ffff::1"]),
        ("unique local", &["fc00::1", "fd12::1", "fdff:ffff::1"]),
        ("site local", &["fec0::1", "feff::1"]),
        ("discard, segment routing, not assigned", &["100::1", "5f00::1", "4000::1", "1fff::1", "e000::1"]),
        ("mapped", &["::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:0.0.0.0"]),
        ("compatible", &["::127.0.0.1", "::10.0.0.1", "::8.8.8.8", "::7f00:1"]),
        ("translated", &["::ffff:0:127.0.0.1", "::ffff:0:8.8.8.8"]),
        ("NAT64", &["64:ff9b::127.0.0.1", "64:ff9b::10.0.0.1", "64:ff9b::169.254.169.254"]),
        ("local NAT64", &["64:ff9b:1::", "64:ff9b:1::8.8.8.8", "64:ff9b:1:ffff::1", "64:ff9b:2::8.8.8.8"]),
        ("6to4", &["2002:7f00:1::", "2002:a00:1::1", "2002:a9fe:a9fe::1", "2002:c0a8:101::1"]),
        ("Teredo", &["2001::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2"]),
        ("ISATAP", &["2606:4700::5efe:10.0.0.1", "2606:4700::200:5efe:192.168.1.1", "fe80::5efe:8.8.8.8"]),
    ];

    const OPEN: &[&str] = &[
        "1.1.1.1",
        "9.255.255.255",
        "11.0.0.0",
        "93.184.216.34",
        "100.63.255.255",
        "100.128.0.0",
        "126.255.255.255",
        "128.0.0.0",
        "168.63.129.15",
        "169.253.255.255",
        "169.255.0.0",
        "172.15.255.255",
        "172.32.0.0",
        "192.167.255.255",
        "192.169.0.0",
        "198.17.255.255",
        "198.20.0.0",
        "223.255.255.255",
        "2606:4700::1111",
        "2001:200::1",
        "2001:4860:4860::8888",
        "3fff:1000::1",
        "::ffff:8.8.8.8",
        "64:ff9b::1.1.1.1",
        "2002:101:101::",
        "2606:4700::5efe:8.8.8.8",
    ];

    #[test]
    fn private_in_every_disguise() {
        for (why, addresses) in CLOSED {
            for text in *addresses {
                assert!(!is_public(text.parse().unwrap()), "{text}: {why}");
            }
        }
        for text in OPEN {
            assert!(is_public(text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn an_address_in_a_url_is_judged_however_it_is_written() {
        for host in [
            "127.0.0.1",
            "127.0.0.1.",
            "127.1",
            "127.0.1",
            "0177.0.0.1",
            "0x7f.0x0.0x0.0x1",
            "0x7f000001",
            "017700000001",
            "2130706433",
            "0",
            "%31%32%37.0.0.1",
            "\u{2460}\u{2461}\u{2466}.0.0.1", // digits in circles
            "127\u{3002}0\u{3002}0\u{3002}1", // another full stop
            "1.1.1.1@127.0.0.1",
            "2852039166", // 169.254.169.254
            "[::1]",
            "[::ffff:127.0.0.1]",
            "[0:0:0:0:0:ffff:7f00:1]",
            "[::127.0.0.1]",
            "[64:ff9b::a9fe:a9fe]",
            "[fd00:ec2::254]",
        ] {
            let url = format!("http://{host}/").parse().unwrap();
            assert!(matches!(check_literal(&url), Err(GuardError::Private { .. })), "{host}: {url}");
        }
        for host in ["1.1.1.1", "0x01010101", "[2606:4700::1111]", "example.org"] {
            assert!(check_literal(&format!("https://{host}/").parse().unwrap()).is_ok(), "{host}");
        }
    }

    /// For mail no URL makes an address of these, but the system's resolver does.
    #[tokio::test]
    async fn a_host_is_judged_by_its_addresses_however_it_is_written() {
        for host in
            ["localhost", "LOCALHOST", "127.0.0.1", "127.1", "0177.0.0.1", "0x7f.1", "2130706433", "0", "[::1]", "::1"]
        {
            // Not every system reads all of them; none may let one through.
            assert!(Resolver::System.resolve(host, 25, false).await.is_err(), "{host}");
        }
        assert!(matches!(Resolver::System.resolve("localhost", 25, false).await, Err(GuardError::Private { .. })));
        assert!(Resolver::System.resolve("localhost", 25, true).await.is_ok());
    }

    #[tokio::test]
    async fn one_private_address_among_public_ones_is_enough() {
        let answers = [vec!["1.1.1.1", "2606:4700::1111"], vec!["1.1.1.1", "10.0.0.1"], vec![]];
        let answers = answers.map(|answer| answer.iter().map(|text| text.parse().unwrap()).collect());
        let resolver = Resolver::Scripted(std::sync::Arc::new(parking_lot::Mutex::new(answers.into())));
        assert_eq!(resolver.resolve("a.example", 443, false).await.unwrap().len(), 2);
        assert!(matches!(resolver.resolve("a.example", 443, false).await, Err(GuardError::Private { .. })));
        assert!(matches!(resolver.resolve("a.example", 443, false).await, Err(GuardError::NoAddress { .. })));
    }
}
