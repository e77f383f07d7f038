//! The name servers of the system (resolv.conf(5)).

use super::PORT;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// Most servers, as in the C library.
const MAX_SERVERS: usize = 3;
/// Most seconds for one answer, whatever the file says: the C library's default.
const MAX_TIMEOUT: u64 = 5;
/// Most rounds through the servers, as in the C library.
const MAX_ATTEMPTS: u32 = 5;

/// Name servers and time limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Servers {
    /// In the order in which they are asked; at least one.
    pub addresses: Vec<SocketAddr>,
    /// For one answer.
    pub timeout: Duration,
    /// How often each is asked.
    pub attempts: u32,
}

impl Servers {
    /// Reads the text of the file. Without a server in it, the server is the one of this machine. Addresses with
    /// a zone are skipped.
    pub fn parse(text: &str) -> Servers {
        let mut servers = Servers {
            addresses: Vec::new(),
            timeout: Duration::from_secs(MAX_TIMEOUT),
            attempts: 2,
        };
        for line in text.lines() {
            let mut words = line.split_whitespace();
            match words.next() {
                Some("nameserver") if servers.addresses.len() < MAX_SERVERS => {
                    let ip = words.next().and_then(|word| word.parse::<IpAddr>().ok());
                    servers
                        .addresses
                        .extend(ip.map(|ip| SocketAddr::new(ip, PORT)));
                }
                Some("options") => words.for_each(|word| servers.option(word)),
                _ => {}
            }
        }
        if servers.addresses.is_empty() {
            servers
                .addresses
                .push(SocketAddr::from(([127, 0, 0, 1], PORT)));
        }
        servers
    }

    fn option(&mut self, word: &str) {
        match word.split_once(':') {
            Some(("timeout", secs)) => {
                if let Ok(secs) = secs.parse::<u64>() {
                    self.timeout = Duration::from_secs(secs.clamp(1, MAX_TIMEOUT));
                }
            }
            Some(("attempts", attempts)) => {
                if let Ok(attempts) = attempts.parse::<u32>() {
                    self.attempts = attempts.clamp(1, MAX_ATTEMPTS);
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_of_the_system() {
        let read = |text: &str| {
            let servers = Servers::parse(text);
            let addresses: Vec<String> = servers.addresses.iter().map(|a| a.to_string()).collect();
            (
                addresses.join(" "),
                servers.timeout.as_secs(),
                servers.attempts,
            )
        };
        assert_eq!(read(""), ("127.0.0.1:53".into(), 5, 2));
        assert_eq!(
            read(
                "# x\nsearch a.b\nnameserver 10.0.0.2\n\tnameserver fd00::1 # y\noptions ndots:5 timeout:1 attempts:9\n"
            ),
            ("10.0.0.2:53 [fd00::1]:53".into(), 1, 5)
        );
        assert_eq!(
            read(
                "nameserver x\nnameserver fe80::1%eth0\n;nameserver 1.1.1.1\noptions timeout:0 attempts:x\n"
            ),
            ("127.0.0.1:53".into(), 1, 2)
        );
        let four = "nameserver 10.0.0.1\n".repeat(4);
        assert_eq!(Servers::parse(&four).addresses.len(), 3);
    }
}
