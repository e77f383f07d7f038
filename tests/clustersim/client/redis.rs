//! What a client of Redis asks for.

use super::Client;
use crate::clustersim::judge::{Asked, Hearing, What};
use crate::clustersim::resp;
use crate::clustersim::tag;
use dynomite::consistency::Consistency;

impl Client {
    /// Makes one more request.
    pub(super) fn make_redis(&mut self) {
        let random = &mut self.random;
        let tag = (self.number, self.seq);
        let (family, what) = match random.below(23) {
            0..=5 => ('s', What::Set),
            6..=9 => ('s', What::Get),
            10..=11 => ('n', What::Incr),
            12 => ('n', What::Get),
            13 => ('s', What::Del),
            14 => ('s', What::Exists),
            15..=16 => ('s', What::Mget),
            17 => ('s', What::Mset),
            18 => ('m', random.pick(&[What::Sadd, What::Smembers])),
            19 => ('s', What::SetEx),
            20..=21 => ('p', random.pick(&[What::Sadd, What::Sadd, What::Spop])),
            _ => match random.chance(300) {
                true => ('s', What::Level(random.pick(&Consistency::ALL))),
                false => ('s', random.pick(&[What::Echo, What::Dbsize])),
            },
        };
        let count = match what {
            What::Del | What::Exists | What::Mget | What::Mset => random.between(1, 5),
            _ => 1,
        };
        let mut names: Vec<String> = Vec::new();
        for _ in 0..count {
            let name = format!("{family}{}", random.below(self.names));
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let tail = tag::text(tag);
        let mut value = tail.clone().into_bytes();
        value.resize(value.len() + random.below(self.longest), b'x');
        let mut args: Vec<Vec<u8>> = vec![what.word().as_bytes().to_vec()];
        match what {
            What::Level(level) => {
                args.push(level.name().into());
                self.levels = [level; 2];
            }
            What::Echo => args.push(value),
            What::Dbsize => {}
            _ => {
                for name in &names {
                    args.push(tag::key(name, tag).into_bytes());
                    if matches!(what, What::Set | What::SetEx | What::Mset | What::Sadd) {
                        args.push(value.clone());
                    }
                }
            }
        }
        if what == What::SetEx {
            args.extend([b"EX".to_vec(), b"1000".to_vec()]);
        }
        let args: Vec<&[u8]> = args.iter().map(Vec::as_slice).collect();
        let bytes = resp::command(&args);
        let asked = Asked {
            tag,
            what,
            names,
            level: self.levels[usize::from(what.is_write())],
            verb: "",
            unique: 0,
            hearing: Hearing::Plain,
        };
        self.queue(&bytes, asked);
    }
}
