//! `COMMAND DOCS`: what a datastore says of its commands, restricted to those that are served.
//!
//! Texts, arguments and history are the datastore's own, so they are those of its version.

use super::flight::judge::join::Answer;
use crate::mbuf::Chain;
use crate::proto::redis::command::{Command, commands};
use crate::proto::redis::cursor::{self, elements};
use crate::proto::redis::encode;
use crate::proto::redis::lookup::lookup;

/// The answer made of the only reply, in RESP2: names and documents in turn. `with_own`: with those that no
/// datastore knows.
pub(super) fn served(replies: &[Chain], with_own: bool) -> Answer {
    let documents = replies.first().map(elements).unwrap_or_default();
    let mut text = Vec::new();
    let mut count = 0;
    for pair in documents.chunks_exact(2) {
        let [name, document] = pair else { continue };
        let command = bulk(name).and_then(|name| lookup(&name));
        if let Some(command) = command.filter(|command| command.is_served()) {
            text.extend_from_slice(&name.to_vec());
            push_document(command, document, &mut text);
            count += 2;
        }
    }
    for own in commands().iter().filter(|_| with_own) {
        let Some(summary) = own.summary() else {
            continue;
        };
        encode::bulk(&mut text, own.name.as_bytes());
        encode::array(&mut text, 4);
        for part in ["summary", summary, "group", "connection"] {
            encode::bulk(&mut text, part.as_bytes());
        }
        count += 2;
    }
    let mut answer = Vec::new();
    encode::array(&mut answer, count);
    answer.extend_from_slice(&text);
    Answer::text(answer, true)
}

/// Appends a document: names and values in turn, of which `subcommands` is cut down.
fn push_document(command: &Command, document: &Chain, text: &mut Vec<u8>) {
    if !command.is_container() {
        return text.extend_from_slice(&document.to_vec());
    }
    let parts = elements(document);
    encode::array(text, parts.len());
    let mut is_list = false;
    for (place, part) in parts.iter().enumerate() {
        if is_list && place % 2 == 1 {
            push_subcommands(command, part, text);
        } else {
            text.extend_from_slice(&part.to_vec());
        }
        is_list = place % 2 == 0 && bulk(part).is_some_and(|name| name == b"subcommands");
    }
}

/// Appends those subcommands that are served, full names and documents in turn.
fn push_subcommands(container: &Command, list: &Chain, text: &mut Vec<u8>) {
    let parts = elements(list);
    let is_served = |name: &Chain| {
        bulk(name).is_some_and(|name| {
            let word = name.splitn(2, |&byte| byte == b'|').nth(1);
            word.is_some_and(|word| container.child(word).is_some())
        })
    };
    let served: Vec<&[Chain]> = parts
        .chunks_exact(2)
        .filter(|pair| pair.first().is_some_and(is_served))
        .collect();
    encode::array(text, served.len() * 2);
    for part in served.into_iter().flatten() {
        text.extend_from_slice(&part.to_vec());
    }
}

/// The bytes of a short bulk string; of anything else nothing.
fn bulk(reply: &Chain) -> Option<Vec<u8>> {
    const LONGEST: usize = 128;
    cursor::over(reply)
        .text(&mut [0; LONGEST])
        .map(<[u8]>::to_vec)
}
