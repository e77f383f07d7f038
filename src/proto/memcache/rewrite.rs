//! STUB
use super::call::Call;
use super::command::Command;
pub fn absolute<'a>(_call: &Call<'a>, _now: u64) -> Option<Call<'a>> {
    None
}
pub fn needs_one(_call: &Call<'_>) -> bool {
    false
}
pub fn compared(_call: &Call<'_>) -> Option<u64> {
    None
}
pub fn with_compared<'a>(call: &Call<'a>, _id: u64) -> Call<'a> {
    call.clone()
}
pub struct Effect<'a> {
    pub request: Call<'a>,
    pub reply: Vec<u8>,
}
pub fn effect<'a>(_call: &Call<'a>, _reply: &[u8]) -> Option<Effect<'a>> {
    None
}
pub fn is_suppressed(_c: &Command, _r: &[u8]) -> bool {
    false
}
