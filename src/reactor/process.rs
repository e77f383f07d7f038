//! What the process does beside the loop: signals, the configuration read again, lists of nodes, the HTTP endpoint,
//! and the heartbeat of the service manager.
//!
//! It reaches the node through its [`Operator`] port and the loop by messages: [`Arrived`] is what the loop has for
//! it, [`Orders`] what it wants of the loop.

use super::OnSignal;
use super::endpoint::{Doors, Endpoint};
use super::kernel::Driver;
use super::reload::Configured;
use crate::clock::Now;
use crate::log_at;
use crate::node::Operator;
use crate::process::notify::Heartbeat;
use crate::process::signals::{Signal, Signals};

/// What the kernel has reported for the process, not acted on yet.
#[derive(Default)]
pub(super) struct Arrived {
    /// HTTP connections that are ready.
    pub http: Vec<(u32, u32)>,
    /// Signals. Asking for them costs a system call.
    pub signalled: bool,
    /// The resolver has an answer, or the provider of seeds a list.
    pub woken: bool,
}

impl Arrived {
    /// Returns true if there is anything.
    pub fn any(&self) -> bool {
        self.signalled || self.woken || !self.http.is_empty()
    }
}

/// What the process wants of the loop.
#[derive(Default)]
pub(super) struct Orders {
    /// Let nobody in any more, serve what has arrived, and end when it is answered.
    pub stop: bool,
    /// End at once.
    pub kill: bool,
    /// A descriptor is free again.
    pub freed: bool,
}

/// What the process does beside the loop.
pub(super) struct Process {
    signals: Signals,
    configured: Configured,
    pub endpoint: Endpoint,
    /// Tells the service manager, if there is one, that the loop turns.
    heartbeat: Option<Heartbeat>,
}

impl Process {
    pub fn new(signals: Signals, configured: Configured, endpoint: Endpoint) -> Process {
        Process {
            signals,
            configured,
            endpoint,
            heartbeat: Heartbeat::from_env(),
        }
    }

    /// Counts what happened before there was a node.
    pub fn count_early(&mut self, node: &mut Operator<'_>) {
        self.configured.seeds.count_early(node);
    }

    /// When it has to do something at the latest, in µs.
    pub fn next_deadline(&self) -> u64 {
        let heartbeat = self.heartbeat.as_ref().map(Heartbeat::next_deadline);
        let endpoint = self.endpoint.next_deadline();
        let deadlines = heartbeat.into_iter().chain(endpoint);
        deadlines.min().unwrap_or(u64::MAX)
    }

    /// Acts on what has arrived and does what is due.
    pub fn turn(
        &mut self,
        driver: &mut Driver,
        arrived: &mut Arrived,
        doors: Doors,
        now: Now,
        on_signal: &mut OnSignal<'_>,
    ) -> Orders {
        let mut orders = Orders::default();
        if std::mem::take(&mut arrived.signalled) {
            self.take_signals(&mut driver.node.operator(), now, &mut orders, on_signal);
        }
        if arrived.woken {
            let mut node = driver.node.operator();
            self.configured.seeds.take_lists(&mut node, now);
        }
        let Process {
            endpoint,
            configured,
            ..
        } = self;
        orders.freed |= endpoint.serve(driver, configured, &mut arrived.http, doors, now);
        orders.freed |= endpoint.tick(now);
        if let Some(heartbeat) = &mut self.heartbeat {
            let mut node = driver.node.operator();
            heartbeat.tick(now.mono_us, || status(&mut node, now));
        }
        orders
    }

    /// Acts on signals. SIGTERM and SIGINT begin to stop; a second one stops at once.
    fn take_signals(
        &mut self,
        node: &mut Operator<'_>,
        now: Now,
        orders: &mut Orders,
        on_signal: &mut OnSignal<'_>,
    ) {
        let pending: Vec<Signal> = self.signals.pending().collect();
        for signal in pending {
            log_at!(Always, "{}", signal.text());
            if matches!(signal, Signal::Int | Signal::Term) {
                if node.is_draining() || orders.stop {
                    orders.kill = true;
                    return;
                }
                orders.stop = true;
            }
            on_signal(signal);
            if signal == Signal::Hup && self.configured.has_file() {
                // What comes of it stands in the log.
                let _ = self.configured.reload(node, now);
            }
        }
    }
}

/// What `systemctl status` shows of a running node.
fn status(node: &mut Operator<'_>, now: Now) -> String {
    let state = if node.is_draining() {
        "stopping"
    } else {
        node.state().name()
    };
    let pool = node.stats(now).pool;
    format!(
        "{state}; connections: {} of clients, {} of peers, {} to peers",
        pool.client_connections, pool.dnode_client_connections, pool.peer_connections
    )
}
