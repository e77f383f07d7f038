//! STUB
use crate::mbuf::Chain;
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Complete(usize),
    Incomplete,
    Garbage(&'static str),
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
