//! Keys that a datastore makes from a pattern while it runs a request.
//!
//! `SORT` and `SORT_RO` read one key for each element they sort (`BY weight_*`, `GET object_*->name`).
//! No key specification names these keys, and only the datastore learns them, so the proxy can tell
//! where they live only if every one of them carries the same hash tag. Redis Cluster has the same rule
//! (`sort.c`, since 7.4; before that it refused all such patterns).

use super::command::Command;
use super::keys::is;

/// A pattern from which a datastore makes keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pattern<'a> {
    /// The option it belongs to, as error lines name it: `BY` or `GET`.
    pub option: &'static str,
    /// The common prefix of all keys made from it: the pattern up to its asterisk.
    pub prefix: &'a [u8],
}

impl Command {
    /// The patterns of a request from which a datastore makes keys that are not among
    /// [`Command::keys`]. `args` is the whole request, name first.
    ///
    /// A pattern without an asterisk names no key: as `BY` it turns sorting off, as `GET` it stands for
    /// the element (`#`) or for nil.
    pub fn patterns<'a>(&self, args: &[&'a [u8]]) -> impl Iterator<Item = Pattern<'a>> {
        let mut at = if self.has_patterns { 2 } else { args.len() };
        std::iter::from_fn(move || {
            loop {
                let word = *args.get(at)?;
                at += 1;
                let option = match word {
                    word if is(word, "by") => "BY",
                    word if is(word, "get") => "GET",
                    word if is(word, "limit") => {
                        at += 2;
                        continue;
                    }
                    word if is(word, "store") => {
                        at += 1;
                        continue;
                    }
                    _ => continue,
                };
                let pattern = *args.get(at)?;
                at += 1;
                if let Some(end) = memchr::memchr(b'*', pattern) {
                    let prefix = pattern.get(..end).unwrap_or_default();
                    return Some(Pattern { option, prefix });
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::proto::redis::lookup::lookup;

    fn found(line: &str) -> Vec<String> {
        let args: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        let command = lookup(args[0]).unwrap();
        let patterns = command.patterns(&args);
        let shown = patterns.map(|p| format!("{} {}", p.option, String::from_utf8_lossy(p.prefix)));
        shown.collect()
    }

    #[test]
    fn patterns_are_found_where_redis_finds_them() {
        for (line, expected) in [
            ("sort k", &[][..]),
            ("sort k by nosort get # get plain", &[]),
            ("sort k by w_*", &["BY w_"]),
            ("SORT_RO k GET {t}_*->f Get *", &["GET {t}_", "GET "]),
            ("sort k limit by get desc by a*b*", &["BY a"]),
            ("sort k store by get x*", &["GET x"]),
            ("sort k get by by get*", &["BY get"]),
            ("sort k by", &[]),
            ("sort by* get", &[]),
            ("set k by w_*", &[]),
        ] {
            assert_eq!(found(line), expected, "{line}");
        }
    }
}
