//! Replies that are lists of values, each of which has its own majority.

use super::compare::Lists;
use super::join::{Answer, array};
use crate::cluster::id::DcId;
use crate::cluster::merge::{self, Merge};
use crate::consistency::Consistency;
use crate::hashkit::digest::digest;
use crate::mbuf::Chain;
use crate::node::memcache;
use crate::proto::Failure;
use crate::proto::redis::cursor::elements;

/// An answer to `MGET` of which every value has its own majority: of the replies of one datacenter,
/// as at any level. If several datacenters count, each must have one; this one's is the answer. Where
/// `versions`: the answer carries versions, those of the first reply ([`super::prefer`]).
pub(super) fn merged(
    level: Consistency,
    lists: &Lists,
    replies: &[Chain],
    dcs: &[DcId],
    versions: bool,
) -> Answer {
    let mut answer = None;
    for dc in dcs.chunk_by(PartialEq::eq) {
        let of_dc = |at: &&DcId| dc.first() == Some(*at);
        let its: Vec<&Chain> = replies
            .iter()
            .zip(dcs)
            .filter_map(|(reply, at)| of_dc(&at).then_some(reply))
            .collect();
        let merged = match lists {
            // Clients get versions of this datacenter, the first.
            Lists::Values(keys) => {
                memcache::merged(level, &its, keys, versions && answer.is_none())
            }
            Lists::No | Lists::Arrays => merged_in(level, &its),
        };
        match merged {
            Some(merged) => answer = answer.or(Some(merged)),
            None => return Answer::failure(Failure::NoQuorum, false),
        }
    }
    answer.unwrap_or_else(|| Answer::failure(Failure::NoQuorum, false))
}

/// The same for the replies of one datacenter; `None` if they have no quorum.
fn merged_in(level: Consistency, replies: &[&Chain]) -> Option<Answer> {
    let lists: Vec<&Chain> = replies
        .iter()
        .filter(|reply| reply.first_byte() == Some(b'*'))
        .copied()
        .collect();
    let good: Vec<Vec<Chain>> = lists.iter().map(|list| elements(list)).collect();
    let digests: Vec<Vec<u64>> = good
        .iter()
        .map(|values| {
            values
                .iter()
                .map(|value| digest(value.slices().map(|slice| &slice[..])))
                .collect()
        })
        .collect();
    let digests: Vec<&[u64]> = digests.iter().map(Vec::as_slice).collect();
    let mut chosen = Vec::new();
    let merge = merge::merge(level, replies.len(), &digests, &mut chosen);
    if merge == Merge::Impossible {
        let first = lists.first().filter(|_| level == Consistency::DcQuorum)?;
        let mut reply = Chain::new();
        reply.append_shared(first);
        return Some(Answer::reply(reply, false));
    }
    let mut values: Vec<_> = good.into_iter().map(Vec::into_iter).collect();
    let mut body = Chain::new();
    for &from in &chosen {
        // Each list is walked in step; only the chosen one's value is used.
        for (index, list) in values.iter_mut().enumerate() {
            if let Some(mut value) = list.next()
                && index == usize::from(from)
            {
                body.append(&mut value);
            }
        }
    }
    Some(array(chosen.len(), body, merge == Merge::Agreed))
}
