//! The replies that a client of a memcached may get.

use super::{Asked, Hearing, What, World, may_fail, of_the_cluster, one};
use crate::clustersim::memcached::{self, Answer, Outcome};
use crate::clustersim::store::told;
use crate::clustersim::tag;

impl Asked {
    /// The keys as they were sent.
    pub fn keys(&self) -> Vec<Vec<u8>> {
        let keys = self.names.iter().map(|name| tag::key(name, self.tag));
        keys.map(String::into_bytes).collect()
    }

    /// Returns true if a reply has the opaque token of this request.
    pub fn is_named_in(&self, reply: &[u8]) -> bool {
        let end = reply.iter().position(|byte| *byte == b'\r');
        let line = String::from_utf8_lossy(&reply[..end.unwrap_or(reply.len())]).into_owned();
        let token = format!("O{}", tag::text(self.tag));
        line.split(' ').skip(1).any(|word| word == token)
    }
}

/// Judges one answer that a client got at a node; returns what it says of each key.
pub fn answer(
    asked: &Asked,
    reply: &[u8],
    node: usize,
    world: &World<'_>,
) -> Result<Vec<Answer>, String> {
    if let Some(judged) = of_the_cluster(asked, reply, node, world) {
        return judged.map(|()| Vec::new());
    }
    let exactly = match asked.what {
        What::Barrier => Some(&b"MN\r\n"[..]),
        What::Version => Some(&b"VERSION 1.6.18\r\n"[..]),
        _ => None,
    };
    if let Some(text) = exactly {
        return match reply == text {
            true => Ok(Vec::new()),
            false => Err("something else was asked".into()),
        };
    }
    let judged = |name: &String, outcome: &Outcome| {
        one(asked, name, &told(outcome), node, world).map_err(|why| format!("{name}: {why}"))
    };
    let answers = memcached::answers(asked.verb, &asked.keys(), reply)?;
    if let Outcome::Error(_) = &answers[0].outcome {
        // One of the keys is enough.
        let mut judged = asked
            .names
            .iter()
            .map(|name| judged(name, &answers[0].outcome));
        return match judged.any(|one| one.is_ok()) {
            true => Ok(Vec::new()),
            false => Err("no store gave this error".into()),
        };
    }
    for (name, answer) in asked.names.iter().zip(&answers) {
        judged(name, &answer.outcome)?;
    }
    if asked.hearing == Hearing::Quiet && answers[0].outcome.is_nominal(asked.verb) {
        return Err("the client did not want to hear that".into());
    }
    Ok(answers)
}

/// Judges that nothing was said to a request of a client that wants to hear of surprises only.
pub fn silence(asked: &Asked, node: usize, world: &World<'_>) -> Result<(), String> {
    let nominal = [
        Outcome::Stored,
        Outcome::Deleted,
        Outcome::Miss,
        Outcome::Number(0),
    ];
    let home = world.plan.nodes[node].dc;
    let name = &asked.names[0];
    let owners = world.plan.owners_ever(home, name);
    let mut given = owners
        .into_iter()
        .filter_map(|at| world.stores[at].answered(asked.tag, name));
    let is_nominal = |reply: &[u8]| {
        let alike = |outcome: &&Outcome| match outcome {
            Outcome::Number(_) => reply.starts_with(b"Number"),
            _ => told(outcome) == reply,
        };
        nominal
            .iter()
            .find(alike)
            .is_some_and(|outcome| outcome.is_nominal(asked.verb))
    };
    match given.any(is_nominal) || may_fail(asked, node, world) {
        true => Ok(()),
        false => Err(format!("{asked:?} was answered by silence")),
    }
}
