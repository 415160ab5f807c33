//! Who sends a request: its address as far as it can be believed, and its id.

use std::{net::IpAddr, time::Duration};

use actix_web::http::header::HeaderMap;
use ipnet::IpNet;
use tenantry_domain::{Entropy, Timestamp, TraceId};

/// What is known of a request before anything is read of it.
#[derive(Clone, Debug)]
pub(crate) struct RequestInfo {
    pub id: String,
    pub trace_id: TraceId,
    pub client_ip: Option<IpAddr>,
    /// How long it may take.
    pub timeout: Duration,
}

/// The client's address: the peer, unless that is a proxy that the operator lists. Then `X-Forwarded-For` is walked from the right, past
/// further listed proxies; what stands left of the first stranger was written by the client, and isn't believed.
pub(crate) fn client_ip(peer: Option<IpAddr>, headers: &HeaderMap, trusted: &[IpNet]) -> Option<IpAddr> {
    let is_trusted = |address: &IpAddr| trusted.iter().any(|net| net.contains(address));
    let peer = peer?.to_canonical();
    if !is_trusted(&peer) {
        return Some(peer);
    }
    let lines: Vec<&str> = headers.get_all("x-forwarded-for").map(|line| line.to_str().unwrap_or("")).collect();
    let mut nearest = peer;
    for entry in lines.iter().rev().flat_map(|line| line.rsplit(',')) {
        // An entry that can't be read was not written by a proxy that can be trusted: the walk ends at the last address that could.
        let Some(address) = forwarded_address(entry.trim()) else { break };
        nearest = address;
        if !is_trusted(&address) {
            break;
        }
    }
    Some(nearest)
}

/// An address as proxies write it: bare, with a port, or an IPv6 one in brackets.
fn forwarded_address(entry: &str) -> Option<IpAddr> {
    let bare = entry.parse::<IpAddr>().ok();
    let with_port = || entry.parse::<std::net::SocketAddr>().ok().map(|address| address.ip());
    let bracketed = || entry.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    bare.or_else(with_port).or_else(bracketed).map(|address| address.to_canonical())
}

/// A request's id: 74 random bits and the time, as a UUID v7.
pub(crate) fn new_request_id(now: Timestamp, entropy: &dyn Entropy) -> String {
    let mut random = [0; 10];
    entropy.fill(&mut random);
    format!("req_{}", uuid::Builder::from_unix_timestamp_millis(now.unix_millis(), &random).into_uuid().as_simple())
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderName, HeaderValue};
    use proptest::prelude::*;

    use super::*;

    fn seen(peer: &str, forwarded: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for line in forwarded {
            headers.append(HeaderName::from_static("x-forwarded-for"), HeaderValue::from_str(line).unwrap());
        }
        let trusted = ["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()];
        client_ip(Some(peer.parse().unwrap()), &headers, &trusted).unwrap().to_string()
    }

    #[test]
    fn a_stranger_is_believed_nothing() {
        assert_eq!(seen("192.0.2.9", &["198.51.100.1"]), "192.0.2.9");
    }

    #[test]
    fn behind_a_listed_proxy_the_last_stranger_counts() {
        assert_eq!(seen("10.0.0.1", &["203.0.113.5, 198.51.100.1"]), "198.51.100.1");
        assert_eq!(seen("10.0.0.1", &["203.0.113.5", "198.51.100.1, 10.0.0.2"]), "198.51.100.1");
        assert_eq!(seen("::ffff:10.0.0.1", &["198.51.100.1:4711"]), "198.51.100.1");
        assert_eq!(seen("fd00::1", &["[2001:db8::1]:80"]), "2001:db8::1");
        assert_eq!(seen("10.0.0.1", &["198.51.100.1, junk"]), "10.0.0.1");
        assert_eq!(seen("10.0.0.1", &[]), "10.0.0.1");
    }

    proptest! {
        #[test]
        fn no_entry_panics_the_parser(entry in any::<String>()) {
            let _ = forwarded_address(&entry);
        }
    }
}
