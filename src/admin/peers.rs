//! `/peers`: the cards that this node and its peers have exchanged, for `dynomite-check --cluster`.

use super::health;
use super::response::{Response, Status};
use super::routes::Call;
use crate::cluster::id::NodeId;
use crate::cluster::topology::Topology;
use crate::proto::dnode::Card;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// A card, field by field, without unknown fields.
fn shown(card: &Card) -> Value {
    let fields = card.fields();
    let fields = fields.map(|(field, value)| (field.name().to_owned(), Value::from(value)));
    Value::Object(fields.collect::<Map<_, _>>())
}

/// µs as seconds.
fn seconds(us: i64) -> f64 {
    us as f64 / 1e6
}

/// This node's card; of each peer its entry, whether it is connected, its card and its clock if
/// known; and all mismatches.
pub fn peers(call: &mut Call<'_>) -> Response {
    let now = call.now;
    let mut node = call.control.operator();
    let counted = node.peers(now);
    let topology: Arc<Topology> = Arc::clone(node.topology());
    let nodes = (0..).map(NodeId).zip(topology.nodes()).skip(1);
    let peers: Vec<Value> = nodes
        .zip(&counted)
        .map(|((id, listed), counted)| {
            let tokens: Vec<String> = listed
                .member
                .tokens
                .iter()
                .map(ToString::to_string)
                .collect();
            json!({
                "peer": counted.peer,
                "dc": counted.dc,
                "rack": counted.rack,
                "tokens": tokens,
                "up": counted.stats.up == 1,
                "card": node.card_of(id).map(shown),
                "clock_offset": counted.clock.map(|(offset, _)| seconds(offset)),
                "clock_error": counted.clock.map(|(_, error)| seconds(error as i64)),
            })
        })
        .collect();
    let own = shown(node.own_card());
    let address = topology
        .node(NodeId::ME)
        .map(|me| me.member.endpoint.to_string());
    let warnings = health::warnings(call);
    Response::json(
        Status::OK,
        &json!({"address": address, "card": own, "peers": peers, "warnings": warnings}),
    )
}
