//! STUB
use super::call::Call;
use std::borrow::Cow;
pub enum Outcome<'a> {
    Call(Call<'a>),
    Answer {
        text: Cow<'static, [u8]>,
        silent: bool,
    },
    Quit,
}
pub fn read(_line: &[u8]) -> Outcome<'_> {
    Outcome::Quit
}
