//! The public names of this node, from the environment.

/// The names; `None` where the variables are not set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnNames {
    /// The host name.
    pub host: Option<String>,
    /// The address.
    pub ip: Option<String>,
}

impl OwnNames {
    /// Reads the names, by the key `env`: with a value that begins with `aws`, the default, `EC2_PUBLIC_HOSTNAME` and
    /// `EC2_PUBLIC_IPV4` come before `PUBLIC_HOSTNAME` and `PUBLIC_IPV4`; with another value, after
    /// them. (The original means to do so and reads the `EC2_` variables whatever `env` is.) Empty
    /// counts as not set.
    pub fn read(env: &str, value: impl Fn(&str) -> Option<String>) -> OwnNames {
        let prefixes = match env.starts_with("aws") || env.is_empty() {
            true => ["EC2_", ""],
            false => ["", "EC2_"],
        };
        let first = |name: &str| {
            let all = prefixes
                .iter()
                .filter_map(|prefix| value(&format!("{prefix}{name}")));
            all.map(|text| text.trim().to_owned())
                .find(|text| !text.is_empty())
        };
        OwnNames {
            host: first("PUBLIC_HOSTNAME"),
            ip: first("PUBLIC_IPV4"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn env_says_which_variables_come_first() {
        let read = |env: &str, set: &[(&str, &str)]| {
            let names = OwnNames::read(env, |wanted| {
                let found = set.iter().find(|(name, _)| *name == wanted);
                found.map(|(_, value)| (*value).to_owned())
            });
            let text = |name: Option<String>| name.unwrap_or_default();
            (text(names.host), text(names.ip))
        };
        let both = [
            ("EC2_PUBLIC_HOSTNAME", "ec2"),
            ("EC2_PUBLIC_IPV4", "1.1.1.1"),
            ("PUBLIC_HOSTNAME", "own"),
            ("PUBLIC_IPV4", " 2.2.2.2\n"),
        ];
        let said = |host: &str, ip: &str| (host.to_owned(), ip.to_owned());
        assert_eq!(read("aws", &both), said("ec2", "1.1.1.1"));
        assert_eq!(read("", &both), said("ec2", "1.1.1.1"));
        assert_eq!(read("network", &both), said("own", "2.2.2.2"));
        assert_eq!(read("google", &both[..1]), said("ec2", ""));
        let empty = [("EC2_PUBLIC_IPV4", ""), ("PUBLIC_IPV4", "3.3.3.3")];
        assert_eq!(read("aws", &empty), said("", "3.3.3.3"));
        assert_eq!(read("aws", &[]), said("", ""));
    }
}
