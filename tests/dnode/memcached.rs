//! As much of a memcached parser as the recordings need, to show that payloads of another datastore
//! plug into the decoder.

use dynomite::mbuf::Chain;
use dynomite::proto::dnode::payload::{Direction, Found, Payload};

#[derive(Clone, Debug, Default)]
pub struct Requests;
#[derive(Clone, Debug, Default)]
pub struct Replies;

fn line(data: &[u8]) -> Option<&[u8]> {
    data.windows(2)
        .position(|two| two == b"\r\n")
        .map(|at| &data[..at + 2])
}

impl Payload for Requests {
    const DIRECTION: Direction = Direction::Requests;
    type Shape = ();

    fn parse(&mut self, data: &[u8]) -> Found<()> {
        let Some(line) = line(data) else {
            return Found::Incomplete;
        };
        let words: Vec<&str> = std::str::from_utf8(line)
            .unwrap()
            .split_whitespace()
            .collect();
        let value = match words[0] {
            "set" | "add" | "append" => words[4].parse::<usize>().unwrap() + 2,
            "delete" | "incr" | "decr" | "touch" => 0,
            _ => return Found::Bad("unknown command"),
        };
        if data.len() < line.len() + value {
            Found::Incomplete
        } else {
            Found::Complete(line.len() + value, ())
        }
    }

    fn find(&mut self, data: &Chain) -> Found<()> {
        self.parse(&data.to_vec())
    }

    fn is_idle(&self) -> bool {
        true
    }

    fn expected(&self) -> usize {
        0
    }
}

impl Payload for Replies {
    const DIRECTION: Direction = Direction::Replies;
    type Shape = ();

    fn parse(&mut self, data: &[u8]) -> Found<()> {
        line(data).map_or(Found::Incomplete, |line| Found::Complete(line.len(), ()))
    }

    fn find(&mut self, data: &Chain) -> Found<()> {
        self.parse(&data.to_vec())
    }

    fn is_idle(&self) -> bool {
        true
    }

    fn expected(&self) -> usize {
        0
    }
}
