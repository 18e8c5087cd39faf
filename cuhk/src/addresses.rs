//! Names and addresses of this server as certificates carry them. They are checked where they come
//! in, on a command line or in a file: a certificate that says something else stays wrong until it
//! ends.

use std::net::{IpAddr, SocketAddr};

use axum::http::Uri;
use rustls_pki_types::DnsName;
use scb_certs::TrustDomain;
use serde::de::{Deserialize, Deserializer, Error};

/// Letters of the longest trust domain: the names of logs and keys begin with it, and have a limit of
/// their own.
const MAX_TRUST_DOMAIN: usize = 200;

/// A DNS name, in lower case and without the dot of the root at its end, which no certificate has
/// (RFC 5280, section 4.2.1.6: the preferred name syntax).
pub(crate) fn dns_name(text: &str) -> Result<String, String> {
    let name = text.strip_suffix('.').unwrap_or(text);
    match DnsName::try_from(name) {
        Ok(_) if !name.ends_with('.') => Ok(name.to_ascii_lowercase()),
        _ => Err("not a DNS name".to_owned()),
    }
}

/// Each once, in the order in which they were named.
pub(crate) fn once<T: PartialEq>(all: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut once = Vec::new();
    for one in all {
        if !once.contains(&one) {
            once.push(one);
        }
    }
    once
}

/// The beginning of the addresses at which revocation lists and authorities are fetched: plain HTTP
/// (RFC 5280, section 4.2.1.13), as whoever fetches them is about to find out whom to trust.
pub(crate) fn public_url(text: &str) -> Result<String, String> {
    let like = "it is to be like http://ca.example.edu";
    // A scheme may be written in any case (RFC 3986, section 3.1); certificates have it in lower case.
    let text = match text.split_once("://") {
        Some((scheme, rest)) => &format!("{}://{rest}", scheme.to_ascii_lowercase()),
        None => text,
    };
    if text.contains(['?', '#']) {
        return Err(format!("no path can follow a `?` or `#`; {like}"));
    }
    let url: Uri = text.parse().map_err(|_| format!("not a URL; {like}"))?;
    let host = url.host().unwrap_or_default();
    if url.scheme_str() != Some("http") {
        return Err(format!("not plain HTTP; {like}"));
    }
    if host.is_empty()
        || url
            .authority()
            .is_some_and(|whole| whole.as_str().contains('@'))
    {
        return Err(format!("no host, or a user beside it; {like}"));
    }
    let with_port = url.authority().map(|whole| whole.as_str() != host);
    if with_port == Some(true) && url.port_u16().is_none_or(|port| port == 0) {
        return Err(format!("its port is no number from 1 to 65535; {like}"));
    }
    let address = host.trim_start_matches('[').trim_end_matches(']');
    let host = match address.parse::<IpAddr>() {
        Ok(_) => server_address(address).map(drop),
        Err(_) if host.ends_with('.') => Err("a dot at its end".to_owned()),
        Err(_) => dns_name(host).map(drop),
    };
    host.map_err(|wrong| format!("its host: {wrong}; {like}"))?;
    Ok(text.to_owned())
}

/// A trust domain that CUHK can serve: no label of it is empty, and it leaves room for what the
/// names of logs and keys add to it.
pub(crate) fn trust_domain(text: &str) -> Result<TrustDomain, String> {
    let like = "write a name such as cuhk.edu.hk";
    if text.len() > MAX_TRUST_DOMAIN {
        return Err(format!("longer than {MAX_TRUST_DOMAIN} letters; {like}"));
    }
    if text.split('.').any(str::is_empty) {
        return Err(format!("nothing beside one of its dots; {like}"));
    }
    text.parse()
        .map_err(|error: scb_certs::Error| error.to_string())
}

/// An address by which a client can reach this server.
pub(crate) fn server_address(text: &str) -> Result<IpAddr, String> {
    let address: IpAddr = text.parse().map_err(|_| "not an IP address".to_owned())?;
    match address.is_unspecified() || address.is_multicast() {
        true => Err("no client reaches a server by it; name the server's own address".to_owned()),
        false => Ok(address),
    }
}

/// All names and addresses, in one line.
pub(crate) fn names(dns_names: &[String], ip_addresses: &[IpAddr]) -> String {
    let addresses = ip_addresses.iter().map(ToString::to_string);
    let all: Vec<_> = dns_names.iter().cloned().chain(addresses).collect();
    all.join(", ")
}

/// Where to listen.
pub(crate) fn listen_address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        "write an IP address and a port, such as 127.0.0.1:8011, 0.0.0.0:8011 or [::]:8011"
            .to_owned()
    })
}

/// [`dns_name`] of each in a file.
pub(crate) fn dns_names<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    let names = Vec::<String>::deserialize(from)?;
    let named = |name: String| {
        dns_name(&name).map_err(|wrong| D::Error::custom(format!("{name:?} is {wrong}")))
    };
    let names: Vec<_> = names.into_iter().map(named).collect::<Result<_, _>>()?;
    Ok(once(names))
}

/// [`server_address`] of each in a file.
pub(crate) fn server_addresses<'de, D: Deserializer<'de>>(
    from: D,
) -> Result<Vec<IpAddr>, D::Error> {
    let addresses = Vec::<String>::deserialize(from)?;
    let read = |text: String| {
        server_address(&text).map_err(|wrong| D::Error::custom(format!("{text:?}: {wrong}")))
    };
    let addresses: Vec<_> = addresses.into_iter().map(read).collect::<Result<_, _>>()?;
    Ok(once(addresses))
}

/// [`public_url`] in a file.
pub(crate) fn public_url_if_any<'de, D: Deserializer<'de>>(
    from: D,
) -> Result<Option<String>, D::Error> {
    let url = Option::<String>::deserialize(from)?;
    url.map(|url| public_url(&url))
        .transpose()
        .map_err(D::Error::custom)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_public_url_is_plain_http_to_a_host() {
        for right in [
            &format!("http://{}.example", "a".repeat(63)),
            "http://192.0.2.1/",
            "http://ca.example.edu",
            "http://ca.example.edu/",
            "http://ca.example.edu:8012/pki",
            "http://[2001:db8::1]:8012",
        ] {
            assert_eq!(public_url(right).unwrap(), right);
        }
        for wrong in [
            "https://ca.example.edu",
            "ftp://ca.example.edu",
            "ca.example.edu",
            "http://",
            "http:///crl",
            "http://root@ca.example.edu",
            "http://ca.example.edu/?list=",
            "http://ca example",
            "http://ca.example.edu/#crl",
            "http://ca.example.edu:99999",
            "http://ca.example.edu:0",
            "http://ca.example.edu:",
            "http://ca.example.edu.",
            "http://0.0.0.0:8012",
            "http://[::]/",
            "http://224.0.0.1",
            "http://ca..example",
            &format!("http://{}.example", "a".repeat(64)),
            &format!("http://{}x.example", "a.".repeat(125)),
            "",
        ] {
            assert!(
                public_url(wrong).unwrap_err().contains("http://ca."),
                "{wrong}"
            );
        }
    }

    #[test]
    fn a_trust_domain_or_an_address_that_could_never_serve_is_refused() {
        for good in ["cuhk.edu.hk", "localhost", &"a".repeat(MAX_TRUST_DOMAIN)] {
            assert_eq!(trust_domain(good).unwrap().to_string(), good);
        }
        let long = "a".repeat(MAX_TRUST_DOMAIN + 1);
        for bad in ["", "...", ".hk", "cuhk..hk", "cuhk.", "CUHK", "a b", &long] {
            assert!(trust_domain(bad).is_err(), "{bad:?}");
        }
        for good in ["127.0.0.1", "::1", "192.0.2.1"] {
            assert_eq!(server_address(good).unwrap().to_string(), good);
        }
        for bad in ["0.0.0.0", "::", "224.0.0.1", "ff02::1", "localhost", ""] {
            assert!(server_address(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn where_to_listen_is_an_address_with_a_port() {
        for good in ["127.0.0.1:8011", "0.0.0.0:0", "[::1]:8011"] {
            assert_eq!(listen_address(good).unwrap().to_string(), good);
        }
        for bad in ["28111", "localhost:8011", "127.0.0.1", "::1:8011", ""] {
            let told = listen_address(bad).unwrap_err();
            assert!(told.contains("such as 127.0.0.1:8011"), "{bad}: {told}");
        }
    }

    #[test]
    fn a_scheme_in_capitals_is_the_same_one() {
        let url = public_url("HTTP://ca.example.edu/PKI").unwrap();
        assert_eq!(url, "http://ca.example.edu/PKI");
        assert!(public_url("HTTPS://ca.example.edu").is_err());
    }

    #[test]
    fn a_trust_domain_with_two_dots_is_told_what_is_wrong() {
        for bad in ["a..b", ".hk", "hk."] {
            let told = trust_domain(bad).unwrap_err();
            assert!(told.contains("one of its dots"), "{told}");
        }
        let told = trust_domain(&"a".repeat(201)).unwrap_err();
        assert!(told.contains("longer than 200"), "{told}");
    }

    #[test]
    fn a_name_has_no_dot_at_its_end_and_stands_once() {
        assert_eq!(dns_name("Localhost.").unwrap(), "localhost");
        for wrong in [".", "..", "a..", "localhost.."] {
            assert!(dns_name(wrong).is_err(), "{wrong}");
        }
        assert_eq!(once(["a", "b", "a"]), ["a", "b"]);
    }

    #[test]
    fn a_dns_name_is_one_name_without_spaces() {
        assert_eq!(dns_name("CA.Example.edu").unwrap(), "ca.example.edu");
        for wrong in ["a b", "", "ca..example", "http://ca.example"] {
            assert!(dns_name(wrong).is_err(), "{wrong}");
        }
    }
}
