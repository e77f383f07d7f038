//! STUB
use super::command::Command;
use crate::mbuf::Chain;
use crate::proto::redis::request::Span;
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    pub len: usize,
    pub line: u32,
    pub kind: Kind,
}
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Direct {
        command: &'static Command,
        key: Span,
        keys: u32,
        plain: bool,
    },
    Line,
    BadChunk {
        silent: bool,
    },
    TooLarge {
        silent: bool,
    },
    Skipped,
    Binary,
}
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Complete(Request),
    Incomplete,
    Bad(Fatal),
}
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fatal {
    LineTooLong,
}
impl Fatal {
    pub fn reply(self) -> Vec<u8> {
        Vec::new()
    }
}
#[derive(Clone, Debug, Default)]
pub struct Parser;
impl Parser {
    pub fn parse(&mut self, _data: &[u8], _base: usize) -> Status {
        Status::Incomplete
    }
    pub fn find(&mut self, _data: &Chain) -> Status {
        Status::Incomplete
    }
    pub fn expected(&self) -> usize {
        0
    }
    pub fn is_idle(&self) -> bool {
        true
    }
}
