//! Running a target over many inputs, and catching what goes wrong.

use std::cell::Cell;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, Once, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::fuzz::mutate::Mutator;
use crate::fuzz::targets::Target;

/// A single input may take this long; the slowest machine and debug build are far below.
const HANG: Duration = Duration::from_secs(20);

/// How much to do.
pub struct Budget {
    /// Mutations to run; without it, as many as fit into `time`.
    pub runs: Option<u64>,
    pub time: Duration,
    /// Fixes the mutations.
    pub seed: u64,
    /// Keep each input on disk before it is run.
    pub trace: bool,
}

impl Default for Budget {
    fn default() -> Budget {
        Budget {
            runs: None,
            time: Duration::from_secs(2),
            seed: 1,
            trace: false,
        }
    }
}

impl Budget {
    /// From `FUZZ_SECONDS`, `FUZZ_SEED` and `FUZZ_TRACE`.
    pub fn from_environment() -> Budget {
        let number = |name: &str| {
            let text = std::env::var(name).ok()?;
            Some(
                text.parse::<u64>()
                    .unwrap_or_else(|_| panic!("{name}={text}: want a number")),
            )
        };
        let default = Budget::default();
        Budget {
            runs: None,
            time: number("FUZZ_SECONDS").map_or(default.time, Duration::from_secs),
            seed: number("FUZZ_SEED").unwrap_or(default.seed),
            trace: std::env::var_os("FUZZ_TRACE").is_some(),
        }
    }
}

/// An input that a target could not cope with.
#[derive(Debug)]
pub struct Failure {
    pub input: Vec<u8>,
    kept: PathBuf,
    why: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hex: String = self
            .input
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        write!(
            f,
            "{}\ninput, {} bytes: {hex}\nkept in {}",
            self.why,
            self.input.len(),
            self.kept.display()
        )
    }
}

/// Runs `target` over its seeds and then over mutations of them; the number of mutations run.
///
/// The error is the first input that made the target panic, cut down as far as it still panics. An input
/// that hangs ends the process after it was printed and kept, as nothing else can end it.
pub fn run(target: &Target, seeds: &[Vec<u8>], budget: &Budget) -> Result<u64, Failure> {
    let watch = Watch::start(target.name);
    let try_one = |input: &[u8]| {
        watch.begin(input);
        if budget.trace {
            keep(target.name, "last", input);
        }
        let outcome = catch_unwind(AssertUnwindSafe(|| (target.run)(input)));
        watch.end();
        outcome.map_err(|panic| {
            let text = panic.downcast_ref::<String>().cloned();
            text.or_else(|| panic.downcast_ref::<&str>().map(|s| s.to_string()))
                .unwrap_or_default()
        })
    };
    let fail = |input: Vec<u8>, why: String| {
        let input = cut_down(input, |shorter| try_one(shorter).is_err());
        Failure {
            kept: keep(target.name, "failed", &input),
            input,
            why: format!("{}: {why}", target.name),
        }
    };
    for seed in seeds {
        try_one(seed).map_err(|why| fail(seed.clone(), why))?;
    }
    let mut mutator = Mutator::new(budget.seed, seeds, target.words);
    let start = Instant::now();
    let mut runs = 0;
    while budget
        .runs
        .map_or_else(|| start.elapsed() < budget.time, |most| runs < most)
    {
        let input = mutator.next_input();
        try_one(&input).map_err(|why| fail(input, why))?;
        runs += 1;
    }
    Ok(runs)
}

/// Takes ever smaller pieces out of a failing input while it keeps failing, for a while.
fn cut_down(mut input: Vec<u8>, fails: impl Fn(&[u8]) -> bool) -> Vec<u8> {
    quietly(true);
    let start = Instant::now();
    let mut piece = input.len() / 2;
    while piece > 0 {
        let mut at = 0;
        while at < input.len() && start.elapsed() < HANG {
            let end = (at + piece).min(input.len());
            let shorter = [&input[..at], &input[end..]].concat();
            if fails(&shorter) {
                input = shorter;
            } else {
                at = end;
            }
        }
        piece /= 2;
    }
    quietly(false);
    input
}

thread_local! {
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// Whether panics of this thread go unreported: one report of a failure is enough.
fn quietly(yes: bool) {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let report = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !QUIET.get() {
                report(panic);
            }
        }));
    });
    QUIET.set(yes);
}

/// Writes an input to `target/fuzz/`; where it went.
fn keep(target: &str, what: &str, input: &[u8]) -> PathBuf {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/fuzz");
    let path = directory.join(format!("{target}.{what}"));
    if let Err(e) = std::fs::create_dir_all(&directory).and_then(|()| std::fs::write(&path, input))
    {
        eprintln!("{}: {e}", path.display());
    }
    path
}

/// The input under way, and when it began.
type UnderWay = Arc<Mutex<Option<(Instant, Vec<u8>)>>>;

/// A thread that looks every second whether an input has been running for too long.
struct Watch(UnderWay);

impl Watch {
    fn start(target: &'static str) -> Watch {
        let under_way: UnderWay = Arc::default();
        let watched = Arc::downgrade(&under_way);
        thread::spawn(move || {
            // The owner's end drops the last strong reference, and this thread goes.
            while let Some(under_way) = watched.upgrade() {
                if let Some((began, input)) =
                    &*under_way.lock().unwrap_or_else(PoisonError::into_inner)
                    && began.elapsed() > HANG
                {
                    let failure = Failure {
                        input: input.clone(),
                        kept: keep(target, "hung", input),
                        why: format!("{target}: still busy after {HANG:?}"),
                    };
                    eprintln!("{failure}");
                    std::process::abort();
                }
                drop(under_way);
                thread::sleep(Duration::from_secs(1));
            }
        });
        Watch(under_way)
    }

    fn begin(&self, input: &[u8]) {
        *self.lock() = Some((Instant::now(), input.to_vec()));
    }

    fn end(&self) {
        *self.lock() = None;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<(Instant, Vec<u8>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
