//! Replies of the datastore.

use dynomite::proto::redis::command::commands;
use dynomite::proto::redis::reply::Parser;
use dynomite::proto::redis::resp3::{self, Form};

use super::replies;

/// A row of replies: found alike however they arrive, and turned into RESP3 in every form there is.
pub fn all(input: &[u8]) {
    let mut at = 0;
    for length in replies::lengths::<Parser>(input) {
        convert(&input[at..at + length]);
        at += length;
    }
    // Not a reply, perhaps; it has to survive that.
    convert(input);
}

fn convert(reply: &[u8]) {
    let mut done: Vec<Form> = Vec::new();
    let rows = commands()
        .iter()
        .flat_map(|row| std::iter::once(row).chain(row.children()));
    for form in rows.filter_map(|row| row.fixed_form()) {
        if done.contains(&form) {
            continue;
        }
        done.push(form);
        let mut out = b"before".to_vec();
        resp3::convert(form, reply, &mut out);
        let made = out
            .strip_prefix(b"before")
            .expect("what was there before is kept");
        if resp3::is_identity(form, reply)
            && replies::in_one_piece::<Parser>(reply) == [reply.len()]
        {
            assert_eq!(made, reply, "{form:?} was said to change nothing");
        }
    }
}
