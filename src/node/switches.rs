//! What an operator can switch that has no key in the configuration: a C node would refuse a file with
//! a key it does not know, and the file is to serve either.

/// What is switched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Switches {
    /// `DYNOMITE_LOCAL_SCAN`: `SCAN`, `KEYS`, `DBSIZE` and `RANDOMKEY` ask this node's datastore
    /// alone, as in the C original, and not all of this rack.
    pub local_scan: bool,
    /// `DYNOMITE_ENABLE_FLUSH`: `FLUSHALL` and `FLUSHDB` empty every node of the cluster, and are not
    /// refused. Each node that is to be emptied must say so.
    pub enable_flush: bool,
    /// `DYNOMITE_READ_FAILOVER`: a `DC_ONE` read is served by another rack when the owner in this one
    /// cannot answer.
    pub read_failover: bool,
    /// `DYNOMITE_REMOTE_ADMIN`: the node may be changed over its statistics port from other machines
    /// too.
    pub remote_admin: bool,
    /// `DYNOMITE_UNKNOWN_PATHS_OK`: a `GET` of an unknown path on the statistics port is answered `200`
    /// and `OK`, as by the C original.
    pub unknown_paths_ok: bool,
    /// `DYNOMITE_IO_URING`: clients are read and written together, where the kernel can.
    pub io_uring: bool,
    /// `DYNOMITE_REFUSE_PLAINTEXT`: a peer whose message is not encrypted is closed. For clusters in which
    /// every node has `secure_server_option: all`; the C original takes any message.
    pub refuse_plaintext: bool,
    /// `DYNOMITE_LOG_SEVERITY`: each line of the log says how serious it is. Off, because scripts match
    /// the original's lines.
    pub log_severity: bool,
    /// The number behind `-x`: above 0 no peer is connected to; at 1 `DEL` is not replicated, and
    /// done only if this node owns the keys.
    pub admin_operation: u32,
}

impl Default for Switches {
    fn default() -> Switches {
        Switches {
            local_scan: false,
            enable_flush: false,
            read_failover: true,
            remote_admin: false,
            unknown_paths_ok: false,
            io_uring: true,
            refuse_plaintext: false,
            log_severity: false,
            admin_operation: 0,
        }
    }
}

/// The environment variables, and what each switches.
type Row = (&'static str, fn(&mut Switches) -> &mut bool);

/// Every switch that is an environment variable: `1` is on, `0` is off.
pub const SWITCHES: [Row; 8] = [
    ("DYNOMITE_LOCAL_SCAN", |all| &mut all.local_scan),
    ("DYNOMITE_ENABLE_FLUSH", |all| &mut all.enable_flush),
    ("DYNOMITE_READ_FAILOVER", |all| &mut all.read_failover),
    ("DYNOMITE_REMOTE_ADMIN", |all| &mut all.remote_admin),
    ("DYNOMITE_UNKNOWN_PATHS_OK", |all| &mut all.unknown_paths_ok),
    ("DYNOMITE_IO_URING", |all| &mut all.io_uring),
    ("DYNOMITE_REFUSE_PLAINTEXT", |all| &mut all.refuse_plaintext),
    ("DYNOMITE_LOG_SEVERITY", |all| &mut all.log_severity),
];

impl Switches {
    /// The switches as `value` says of each variable. With them, a line for the log about each that
    /// is neither 0 nor 1 and so is as if it were not set.
    pub fn read(value: impl Fn(&str) -> Option<String>) -> (Switches, Vec<String>) {
        let mut switches = Switches::default();
        let mut complaints = Vec::new();
        for (name, place) in SWITCHES {
            match value(name).as_deref() {
                None | Some("") => {}
                Some("0") => *place(&mut switches) = false,
                Some("1") => *place(&mut switches) = true,
                Some(other) => complaints.push(format!(
                    "{name} is neither 0 nor 1 and has no effect: {}",
                    other.escape_default()
                )),
            }
        }
        (switches, complaints)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: [&str; 0] = [];

    #[test]
    fn each_variable_switches_what_it_names_and_nothing_else() {
        let off = Switches::default();
        for (name, place) in SWITCHES {
            let default = *place(&mut off.clone());
            let text = if default { "0" } else { "1" };
            let (read, complaints) = Switches::read(|other| (other == name).then(|| text.into()));
            assert_eq!(complaints, NONE);
            let field = name.strip_prefix("DYNOMITE_").unwrap().to_lowercase();
            let (was, is) = (
                format!("{field}: {default}"),
                format!("{field}: {}", !default),
            );
            assert_eq!(format!("{read:?}"), format!("{off:?}").replace(&was, &is));
            assert_ne!(read, off, "{name}");
        }
    }

    #[test]
    fn a_switch_is_0_or_1() {
        let read = |wanted: &'static str, text: &'static str| {
            Switches::read(move |name| (name == wanted).then(|| text.to_owned()))
        };
        let off = Switches::default();
        assert_eq!(read("", ""), (off, vec![]));
        for (name, text, expected) in [
            (
                "DYNOMITE_LOCAL_SCAN",
                "1",
                Switches {
                    local_scan: true,
                    ..off
                },
            ),
            ("DYNOMITE_LOCAL_SCAN", "0", off),
            (
                "DYNOMITE_ENABLE_FLUSH",
                "1",
                Switches {
                    enable_flush: true,
                    ..off
                },
            ),
            (
                "DYNOMITE_READ_FAILOVER",
                "0",
                Switches {
                    read_failover: false,
                    ..off
                },
            ),
            ("DYNOMITE_READ_FAILOVER", "", off),
        ] {
            assert_eq!(read(name, text), (expected, vec![]), "{name}={text}");
        }
        let (switches, complaints) = read("DYNOMITE_ENABLE_FLUSH", "yes\n");
        assert_eq!(switches, off);
        assert_eq!(
            complaints,
            ["DYNOMITE_ENABLE_FLUSH is neither 0 nor 1 and has no effect: yes\\n"]
        );
    }
}
