//! Where outbound connections may go: public addresses only, unless the operator allows private ones for
//! that sink. Checked on the addresses a name resolves to at the moment of connecting, so that a name
//! that points (or is made to point) inside does not help.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

#[derive(Debug, thiserror::Error)]
pub enum GuardError {
    #[error("`{host}` is the private address {address}; set `allow_private: true` on this sink if that is intended")]
    Private { host: String, address: IpAddr },
    #[error("`{host}` does not resolve to any address")]
    NoAddress { host: String },
    #[error("cannot resolve `{host}`")]
    Resolve { host: String, source: std::io::Error },
}

/// True for addresses that anyone on the internet could reach.
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
    // Forms that carry an IPv4 address are as private as that one.
    if let Some(mapped) = address.to_ipv4() {
        return segments[..6] != [0; 6] && is_public_v4(mapped);
    }
    match segments {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => is_public_v4(inner(high, low)), // NAT64
        [0x64, 0xff9b, 1, ..] => false,                                          // local-use NAT64
        [0x2002, high, low, ..] => is_public_v4(inner(high, low)),               // 6to4
        [0x2001, 0, ..] => false,                                                // Teredo
        [0x2001, 0xdb8, ..] => false,                                            // documentation
        // Global unicast is 2000::/3; everything else is local, multicast or not assigned.
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

/// Resolves a host and refuses it when any of its addresses is private.
///
/// # Errors
/// See [`GuardError`].
pub async fn resolve(host: &str, port: u16, allow_private: bool) -> Result<Vec<SocketAddr>, GuardError> {
    let name = host.trim_start_matches('[').trim_end_matches(']');
    let found = tokio::net::lookup_host((name, port))
        .await
        .map_err(|source| GuardError::Resolve { host: host.to_owned(), source })?;
    let addresses: Vec<SocketAddr> = found.collect();
    if addresses.is_empty() {
        return Err(GuardError::NoAddress { host: host.to_owned() });
    }
    let private = addresses.iter().map(SocketAddr::ip).find(|address| !is_public(*address));
    match private {
        Some(address) if !allow_private => Err(GuardError::Private { host: host.to_owned(), address }),
        _ => Ok(addresses),
    }
}

/// A URL whose host is written as an address never asks a resolver, so it is checked by itself.
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

/// The resolver of the guarded HTTP client.
#[derive(Debug)]
pub struct GuardedResolver;

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let addresses = resolve(name.as_str(), 0, false).await?;
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_in_every_disguise() {
        for text in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "255.255.255.255",
            "198.18.0.1",
            "240.0.0.1",
            "224.0.0.1",
            "::",
            "::1",
            "fe80::1",
            "fc00::1",
            "fd12::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::7f00:1",
            "64:ff9b::7f00:1",
            "64:ff9b::a9fe:a9fe",
            "2002:7f00:1::",
            "2002:a00:1::1",
            "2001::1",
            "2001:db8::1",
            "64:ff9b:1::1",
            "fec0::1",
        ] {
            assert!(!is_public(text.parse().unwrap()), "{text}");
        }
        for text in
            ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "64:ff9b::101:101", "2002:101:101::", "::ffff:8.8.8.8"]
        {
            assert!(is_public(text.parse().unwrap()), "{text}");
        }
    }

    #[tokio::test]
    async fn names_are_judged_by_their_addresses() {
        assert!(matches!(resolve("localhost", 80, false).await, Err(GuardError::Private { .. })));
        assert!(resolve("localhost", 80, true).await.is_ok());
    }

    #[test]
    fn literal_hosts_are_judged_too() {
        for url in ["http://127.0.0.1/", "http://[::1]:80/", "http://2130706433/", "http://0x7f.1/"] {
            assert!(check_literal(&url.parse().unwrap()).is_err(), "{url}");
        }
    }
}
