//! Addresses for sites on loopback.

use std::net::{Ipv4Addr, TcpListener};

/// That many addresses on 127.0.0.1 that nobody listens on. They lie below the range from which the
/// kernel takes the ports of outgoing connections: one that a site needs again after its restart
/// must not have been given away meanwhile.
pub fn free_addresses(count: usize) -> std::io::Result<Vec<String>> {
    const FIRST: u32 = 12_000;
    const SPAN: u32 = 20_000;
    let start = std::process::id().wrapping_mul(7919) % SPAN;
    let mut held = Vec::new();
    for step in 0..SPAN {
        let port = (FIRST + (start + step) % SPAN) as u16;
        if let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            held.push((format!("127.0.0.1:{port}"), listener));
        }
        if held.len() == count {
            return Ok(held.into_iter().map(|(address, _)| address).collect());
        }
    }
    Err(std::io::Error::other("no free ports on 127.0.0.1"))
}

/// The configuration text of each of the sites 1 to n that know one another.
pub fn configurations(addresses: &[String], cluster: &str, more: &str) -> Vec<String> {
    (0..addresses.len())
        .map(|me| {
            let mut text = format!("id={} listen={} cluster={cluster}", me + 1, addresses[me]);
            for (other, address) in addresses
                .iter()
                .enumerate()
                .filter(|(other, _)| *other != me)
            {
                text += &format!(" peer={}@{address}", other + 1);
            }
            if !more.is_empty() {
                text += &format!(" {more}");
            }
            text
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_site_lists_the_others() {
        let addresses = ["a:1", "b:2", "c:3"].map(String::from);
        let texts = configurations(&addresses, "demo", "");
        assert_eq!(
            texts[1],
            "id=2 listen=b:2 cluster=demo peer=1@a:1 peer=3@c:3"
        );
    }

    #[test]
    fn addresses_differ() {
        let mut addresses = free_addresses(5).unwrap();
        addresses.sort();
        addresses.dedup();
        assert_eq!(addresses.len(), 5);
    }
}
