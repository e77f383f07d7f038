//! What runs did.

/// What a run did, to see that the runs together do enough.
#[derive(Clone, Copy, Debug, Default)]
pub struct Summary {
    pub answered: usize,
    pub errors: usize,
    pub timed_out: u64,
    pub lost_stores: u64,
    pub lost_peers: u64,
    pub failovers: u64,
    pub disagreements: u64,
    pub paused: u64,
    pub crashes: usize,
    pub sealed: usize,
    pub late: u64,
    pub calm: usize,
    pub partial: usize,
}

impl Summary {
    fn numbers(&mut self) -> [(&'static str, u64); 13] {
        [
            ("answered", self.answered as u64),
            ("errors", self.errors as u64),
            ("timed_out", self.timed_out),
            ("lost_stores", self.lost_stores),
            ("lost_peers", self.lost_peers),
            ("failovers", self.failovers),
            ("disagreements", self.disagreements),
            ("paused", self.paused),
            ("crashes", self.crashes as u64),
            ("sealed", self.sealed as u64),
            ("late", self.late),
            ("calm", self.calm as u64),
            ("partial", self.partial as u64),
        ]
    }

    pub fn add(&mut self, other: &Summary) {
        self.answered += other.answered;
        self.errors += other.errors;
        self.timed_out += other.timed_out;
        self.lost_stores += other.lost_stores;
        self.lost_peers += other.lost_peers;
        self.failovers += other.failovers;
        self.disagreements += other.disagreements;
        self.paused += other.paused;
        self.crashes += other.crashes;
        self.sealed += other.sealed;
        self.late += other.late;
        self.calm += other.calm;
        self.partial += other.partial;
    }

    /// Whether everything that a run can do has been done somewhere.
    pub fn did_everything(mut self) -> bool {
        self.numbers().iter().all(|(_, count)| *count > 0)
    }
}
