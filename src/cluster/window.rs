//! The limit of unanswered messages on a connection to a C node.
//!
//! A C node has no back-pressure. It reads whatever arrives, keeps a buffer of `mbuf_size` for every message, and loses
//! all messages of a connection when more than 20,000 on it are unanswered (`MAX_CONN_QUEUE_SIZE` in `dyn_connection.h`)
//! or when the oldest at its datastore has waited for `timeout` (`core_timeout` in `dyn_core.c`). Both depend on
//! its whole load, of which one sender sees a part. So the sender watches the time that replies take:
//! when messages begin to queue at the C node, the window closes; while replies come at once, it opens.
//!
//! The rule is that of congestion control by delay (LEDBAT, RFC 6817). The fastest reply shows the time that the path to the
//! peer takes; the time beyond that was spent in queues.
//!
//! | time in queues | the window |
//! |---|---|
//! | up to half of the target | grows by one with each reply, if at least half of it is in use |
//! | up to the target | stays |
//! | more | is halved, once for all messages that were under way by then |

/// A C node closes a connection with more unanswered messages than this.
const C_QUEUE: u32 = 20_000;
/// Most messages under way to one node: its other peers and its own clients fill the same queues.
const MOST: u32 = C_QUEUE / 4;
/// Messages that may always be under way.
const LEAST: u32 = 16;
/// Messages that may be under way at first.
const FIRST: u32 = 256;
/// Bytes under way from which on no message is added.
const BYTES: u64 = 16 << 20;
/// The target is this part of `timeout`, ...
const TARGET_PART: u64 = 20;
/// ... but no longer than this, in µs: in that time a C node answers fewer than 10,000 messages.
const TARGET_MOST_US: u64 = 100_000;
/// How long, in µs, a window must be unused to be halved, or at its least for the path to be measured anew.
const PATIENCE_US: u64 = 10_000_000;

/// The number of messages that may be under way on one connection to a C node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    size: u32,
    most: u32,
    /// The longest time in queues that does not close the window, in µs.
    target_us: u64,
    /// The fastest reply so far, in µs.
    fastest_us: u64,
    /// Messages written before this time were under way when the window was halved.
    halved_us: u64,
    /// When half of the window was last in use.
    used_us: u64,
    /// While the window is at its least and replies are late: since when, and the fastest reply in that time.
    least: Option<(u64, u64)>,
}

impl Window {
    /// The window of one of `connections` to a C node that passes each message on to `copies` nodes, itself included. `timeout_us`
    /// is the node's `timeout`, taken to be the cluster's.
    pub fn new(timeout_us: u64, connections: usize, copies: usize, now_us: u64) -> Window {
        let sharers = u32::try_from(connections.max(1) * copies.max(1)).unwrap_or(u32::MAX);
        let most = (MOST / sharers).max(LEAST);
        Window {
            size: FIRST.min(most),
            most,
            target_us: (timeout_us / TARGET_PART).clamp(1, TARGET_MOST_US),
            fastest_us: u64::MAX,
            halved_us: now_us,
            used_us: now_us,
            least: None,
        }
    }

    /// How many messages may be under way.
    pub fn size(&self) -> u32 {
        self.size
    }

    /// Returns true if another message may leave while `messages` of `bytes` bytes are under way. A single one always may.
    pub fn admits(&self, messages: u32, bytes: u64) -> bool {
        messages == 0 || (messages < self.size && bytes < BYTES)
    }

    /// Records a reply to a message written at `written_us`; `messages` were under way, that one included.
    pub fn replied(&mut self, written_us: u64, now_us: u64, messages: u32) {
        let taken_us = now_us.saturating_sub(written_us);
        self.fastest_us = self.fastest_us.min(taken_us);
        let queued_us = taken_us - self.fastest_us;
        if messages.saturating_mul(2) >= self.size {
            self.used_us = now_us;
        } else if now_us.saturating_sub(self.used_us) >= PATIENCE_US {
            // The load of the peer may have changed since the window was last in use.
            self.size = (self.size / 2).max(FIRST.min(self.size));
            self.used_us = now_us;
        }
        if queued_us > self.target_us {
            if written_us >= self.halved_us {
                self.size = (self.size / 2).max(LEAST);
                self.halved_us = now_us;
            }
            self.measure_anew(taken_us, now_us);
            return;
        }
        self.least = None;
        if queued_us <= self.target_us / 2 && messages.saturating_mul(2) >= self.size {
            self.size = (self.size + 1).min(self.most);
        }
    }

    /// Measures the path anew if replies stay late with almost nothing under way: the path has become longer.
    fn measure_anew(&mut self, taken_us: u64, now_us: u64) {
        if self.size > LEAST {
            self.least = None;
            return;
        }
        let (since, fastest) = self.least.unwrap_or((now_us, taken_us));
        let fastest = fastest.min(taken_us);
        self.least = Some((since, fastest));
        if now_us.saturating_sub(since) >= PATIENCE_US {
            self.fastest_us = fastest;
            self.least = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1000;
    const S: u64 = 1_000_000;

    /// A C node that answers `rate` messages a second in order, this far away, and a sender that always has more.
    struct Link {
        window: Window,
        now: u64,
        way: u64,
        rate: u64,
        /// When each message under way was sent, and when it will have been answered.
        under_way: std::collections::VecDeque<(u64, u64)>,
        free: u64,
        longest_queue: u32,
        answered: u64,
    }

    impl Link {
        fn new(way: u64, rate: u64, copies: usize) -> Link {
            Link {
                window: Window::new(5 * S, 1, copies, 0),
                now: 0,
                way,
                rate,
                under_way: std::collections::VecDeque::new(),
                free: 0,
                longest_queue: 0,
                answered: 0,
            }
        }

        /// Lets the sender send all it may for so long.
        fn run(&mut self, time: u64) {
            let end = self.now + time;
            while self.now < end {
                while self.window.admits(self.under_way.len() as u32, 0) {
                    let begins = self.free.max(self.now + self.way / 2);
                    self.free = begins + S / self.rate;
                    let at = self.free + self.way / 2;
                    self.under_way.push_back((self.now, at));
                }
                self.longest_queue = self.longest_queue.max(self.under_way.len() as u32);
                let Some((sent, at)) = self.under_way.front().copied() else {
                    return;
                };
                self.now = at.max(self.now);
                self.window
                    .replied(sent, self.now, self.under_way.len() as u32);
                self.under_way.pop_front();
                self.answered += 1;
            }
        }

        fn stall(&mut self, time: u64) {
            self.free = self.free.max(self.now) + time;
        }
    }

    #[test]
    fn a_slow_node_is_kept_busy_and_never_near_its_limits() {
        // How far away it is, how many it answers in a second, how many nodes it passes each on to.
        for (way, rate, copies) in [
            (100, 2_000, 1),
            (100, 15_000, 1),
            (MS, 15_000, 3),
            (MS, 45_000, 1),
            (100, 60, 1),
            (80 * MS, 15_000, 3),
            (300 * MS, 5_000, 3),
        ] {
            let mut link = Link::new(way, rate, copies);
            link.run(5 * S);
            link.answered = 0;
            link.run(10 * S);
            let busy = link.answered as f64 / (10 * rate) as f64;
            assert!(busy > 0.95, "{way} {rate}: {busy}");
            assert!(
                link.longest_queue <= MOST / copies as u32,
                "{way} {rate}: {}",
                link.longest_queue
            );
            // Nothing waits there for a tenth of `timeout`, but where even the least takes that long.
            let waits = u64::from(link.window.size()) * S / rate;
            let least = u64::from(LEAST) * S / rate;
            assert!(
                waits <= (way + 2 * TARGET_MOST_US).max(least),
                "{way} {rate}: {waits}"
            );
        }
    }

    #[test]
    fn the_share_of_one_connection_is_the_smaller_the_more_there_are() {
        for (connections, copies, most) in [
            (1, 1, 5000),
            (1, 3, 1666),
            (2, 1, 2500),
            (4, 5, 250),
            (255, 3, LEAST),
            (0, 0, 5000),
        ] {
            let mut window = Window::new(5 * S, connections, copies, 0);
            for n in 0..20_000 {
                window.replied(n, n + 1, window.size());
            }
            assert_eq!(window.size(), most, "{connections} {copies}");
        }
    }

    #[test]
    fn one_stall_halves_it_once() {
        let mut link = Link::new(MS, 10_000, 1);
        link.run(5 * S);
        let before = link.window.size();
        link.stall(S);
        link.run(S + S / 10);
        let after = link.window.size();
        assert!(after >= before / 2 && after < before, "{before} {after}");
        link.run(S);
        assert!(link.window.size() >= before * 3 / 4, "{before} {after}");
    }

    #[test]
    fn a_node_that_becomes_slower_gets_less() {
        let mut link = Link::new(MS, 20_000, 1);
        link.run(5 * S);
        let before = link.window.size();
        link.rate = 1000;
        link.run(20 * S);
        let after = link.window.size();
        assert!(after <= 150, "{before} {after}");
        link.rate = 20_000;
        link.run(5 * S);
        assert!(link.window.size() >= before * 3 / 4, "{before} {after}");
    }

    #[test]
    fn a_way_that_becomes_longer_is_measured_anew() {
        let mut link = Link::new(MS, 20_000, 1);
        link.run(S);
        link.way = 250 * MS;
        link.run(25 * S);
        link.answered = 0;
        link.run(5 * S);
        assert!(link.answered > 4 * 20_000, "{}", link.answered);
    }

    #[test]
    fn what_is_not_used_shrinks_to_where_it_began() {
        let mut link = Link::new(MS, 45_000, 1);
        link.run(5 * S);
        let mut window = link.window.clone();
        assert!(window.size() > 2 * FIRST);
        for n in 0..20 {
            let now = link.now + n * PATIENCE_US;
            window.replied(now, now + MS, 1);
        }
        assert_eq!(window.size(), FIRST);
    }

    #[test]
    fn a_single_message_leaves_whatever_its_size() {
        let window = Window::new(S, 1, 1, 0);
        assert!(window.admits(0, 0));
        assert!(window.admits(FIRST - 1, BYTES - 1));
        assert!(!window.admits(FIRST, 0));
        assert!(!window.admits(1, BYTES));
        assert!(window.admits(0, u64::MAX));
    }
}
