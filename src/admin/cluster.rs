//! The members of the cluster, in the three forms that other programs read.
//!
//! * [`describe`]: the C original's `/cluster_describe`, in its order and layout; strings are escaped,
//!   and it shows the topology by which requests are routed.
//! * [`dyno`]: what the Dyno client reads for its token map, as dynomite-manager serves it. All values
//!   are strings. The client port of other nodes is not known here; this node's is shown instead.
//! * [`seeds`]: the list for the `florida_provider`: all nodes but the requesting one.

use super::response::Response;
use super::routes::Call;
use crate::cluster::id::{DcId, NodeId};
use crate::cluster::topology::{Node, Topology};
use crate::config::Endpoint;
use serde_json::{Value, json};
use std::fmt::Write;
use std::net::IpAddr;
use std::sync::Arc;

/// The names of a node.
struct Names {
    /// The address.
    ip: String,
    /// The host.
    host: String,
    /// The port of `dyn_listen`.
    port: u16,
}

/// Returns the names of a node; those of this node come from the environment, else from `dyn_listen`, and are
/// no wildcard if an address of this machine is known.
fn names(call: &mut Call<'_>, id: NodeId, node: &Node) -> Names {
    let (text, port) = match &node.member.endpoint {
        Endpoint::Tcp { host, port } => (host.clone(), *port),
        Endpoint::Unix(path) => (path.display().to_string(), 0),
    };
    let literal = text.parse::<IpAddr>().ok();
    let wildcard = literal.is_some_and(|ip| ip.is_unspecified());
    let found = match literal {
        Some(ip) if !wildcard => Some(ip),
        _ => call.control.address_of(id).map(|ip| ip.to_canonical()),
    };
    let known = found.map(|ip| ip.to_string());
    let host = if wildcard {
        known.clone().unwrap_or_else(|| text.clone())
    } else {
        text
    };
    let ip = known.unwrap_or_else(|| host.clone());
    if id != NodeId::ME {
        return Names { ip, host, port };
    }
    let who = call.control.identity();
    let host = who.public_host.clone().unwrap_or(host);
    let ip = match &who.public_ip {
        Some(ip) => ip.clone(),
        // As the original: a name where no address is configured.
        None if literal.is_none() => host.clone(),
        None => ip,
    };
    Names { ip, host, port }
}

fn topology(call: &mut Call<'_>) -> Arc<Topology> {
    Arc::clone(call.control.operator().topology())
}

/// The token written last, which is the one announced: lists are kept in reverse order of the text.
fn token(node: &Node) -> String {
    let token = node.member.tokens.first().copied().unwrap_or_default();
    token.to_string()
}

/// All tokens as a list in the order of the text.
fn tokens(node: &Node) -> String {
    let texts: Vec<String> = node
        .member
        .tokens
        .iter()
        .rev()
        .map(ToString::to_string)
        .collect();
    texts.join(",")
}

/// A JSON string.
fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// `/cluster_describe`.
pub fn describe(call: &mut Call<'_>) -> Response {
    let topology = topology(call);
    let mut text = String::from("{\"dcs\": [");
    // Writing to a String cannot fail.
    for (dc, place) in topology.dcs().iter().zip(0u16..) {
        let comma = if DcId(place) == DcId::LOCAL { "" } else { "," };
        let _ = write!(text, "{comma}{{\"name\":{},\"racks\": [", quoted(&dc.name));
        for (number, rack) in dc.racks().filter_map(|id| topology.rack(id)).enumerate() {
            let comma = if number == 0 { "" } else { "," };
            let _ = write!(
                text,
                "{comma}{{\"name\":{},\"servers\": [",
                quoted(&rack.name)
            );
            for (number, id) in rack.nodes.iter().enumerate() {
                let Some(node) = topology.node(*id) else {
                    continue;
                };
                let comma = if number == 0 { "" } else { "," };
                let Names { ip, host, port } = names(call, *id, node);
                let _ = write!(
                    text,
                    "{comma}{{\"name\":{},\"host\":{},\"port\":{port},\n\"token\":{}\n}}",
                    quoted(&ip),
                    quoted(&host),
                    token(node)
                );
            }
            text.push_str("]}");
        }
        text.push_str("]}");
    }
    text.push_str("]}\n");
    Response::legacy(text)
}

/// `/REST/v1/admin/cluster_describe`.
pub fn dyno(call: &mut Call<'_>) -> Response {
    let topology = topology(call);
    let mut nodes = Vec::new();
    for (id, node) in (0..).map(NodeId).zip(topology.nodes()) {
        let Names { ip, host, port } = names(call, id, node);
        let who = call.control.identity();
        let mut entry = json!({
            "token": token(node),
            "hostname": host,
            "port": who.client_port.to_string(),
            "secure_port": "-1",
            "secure_storage_port": "-1",
            "peer_port": port.to_string(),
            "rack": node.member.rack,
            "ip": ip,
            "zone": node.member.rack,
            "dc": node.member.dc,
        });
        if let (Some([open, close]), Some(entry)) = (who.hash_tag, entry.as_object_mut()) {
            let tag: String = [char::from(open), char::from(close)].iter().collect();
            entry.insert("hashtag".to_owned(), Value::from(tag));
        }
        nodes.push(entry);
    }
    let mut body = Value::Array(nodes).to_string();
    body.push('\n');
    Response::legacy(body)
}

/// `/REST/v1/admin/get_seeds`: `host:port:rack:dc:token` of each node, joined by `|`, without a line
/// end, which a C node would read into the last token. A node with a wildcard address is left out,
/// and so is the node from whose
/// address the request comes; if it comes from no node's address, this node, whose sidecar or operator sent it.
pub fn seeds(call: &mut Call<'_>) -> Response {
    let topology = topology(call);
    let asker = call.caller.ip();
    let mut all = Vec::new();
    for (id, node) in (0..).map(NodeId).zip(topology.nodes()) {
        let Names { ip, host, port } = names(call, id, node);
        // A node that connects to a wildcard address reaches itself.
        if host.parse::<IpAddr>().is_ok_and(|ip| ip.is_unspecified()) {
            continue;
        }
        let asks = asker.is_some_and(|asker| ip.parse() == Ok(asker));
        let member = &node.member;
        let text = format!(
            "{host}:{port}:{}:{}:{}",
            member.rack,
            member.dc,
            tokens(node)
        );
        all.push((id, asks, text));
    }
    let known = all.iter().any(|(_, asks, _)| *asks);
    let others: Vec<String> = all
        .into_iter()
        .filter(|(id, asks, _)| if known { !asks } else { *id != NodeId::ME })
        .map(|(_, _, text)| text)
        .collect();
    Response {
        http10: true,
        ..Response::legacy(others.join("|"))
    }
}
