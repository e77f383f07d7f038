//! The process around the loop: signals, reloading the configuration, lists of nodes, the HTTP endpoint,
//! and the heartbeat of the service manager.
//!
//! It reaches the node through its [`Operator`] port and the loop by messages: [`Arrived`] goes from the loop to
//! the process, [`Orders`] from the process to the loop.

use super::OnSignal;
use super::endpoint::{Doors, Endpoint};
use super::kernel::Driver;
use super::reload::Configured;
use crate::clock::Now;
use crate::log_at;
use crate::node::Operator;
use crate::process::notify::Heartbeat;
use crate::process::signals::{Signal, Signals};

/// Events for the process that it has not handled yet.
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

/// Orders of the process to the loop.
#[derive(Default)]
pub(super) struct Orders {
    /// Accept no more connections, serve the requests that have arrived, then end.
    pub stop: bool,
    /// End at once.
    pub kill: bool,
    /// A descriptor is free again.
    pub freed: bool,
}

/// The process around the loop.
pub(super) struct Process {
    signals: Signals,
    configured: Configured,
    pub endpoint: Endpoint,
    /// Reports to the service manager, if there is one, that the loop is running.
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

    /// Adds what was counted before the node existed to its statistics.
    pub fn count_early(&mut self, node: &mut Operator<'_>) {
        self.configured.seeds.count_early(node);
    }

    /// Time of the next deadline, in µs.
    pub fn next_deadline(&self) -> u64 {
        let heartbeat = self.heartbeat.as_ref().map(Heartbeat::next_deadline);
        let endpoint = self.endpoint.next_deadline();
        let deadlines = heartbeat.into_iter().chain(endpoint);
        deadlines.min().unwrap_or(u64::MAX)
    }

    /// Handles the events that have arrived and runs what is due.
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
                // The reload logs its own result.
                let _ = self.configured.reload(node, now);
            }
        }
    }
}

/// The status line that `systemctl status` shows.
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
