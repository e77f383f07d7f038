//! The sink of log records: a file opened for appending, or stderr. One `write` per line.
//!
//! # Writing
//!
//! Until [`LogHandle::start_writer`] and after [`LogHandle::stop_writer`] the thread that logs
//! writes its line itself: nothing is lost at start and at the end, and the process may still fork.
//! In between a thread of its own writes, because any sink can stall for seconds (a full pipe, a
//! stopped terminal, a disk busy with the datastore's snapshot) and the event loop must not.
//!
//! The queue between them holds [`QUEUE_BYTES`]. Lines beyond that, and lines the sink refuses, are
//! lost and counted (`dynomite_log_lines_unwritten_total`); the loss is logged as soon as it can be. Lines per statement
//! are limited as well once the start is over, see [`log_limit`](super::log_limit). A panic is logged and the
//! queue given a second to drain before the process dies.
//!
//! # The journal
//!
//! When stderr is systemd's journal (`JOURNAL_STREAM` names it, see systemd.exec(5)), each line
//! begins with its priority as `<3>` to `<7>` (sd-daemon(3)). The journal takes that off again; the
//! line itself is as everywhere.
//!
//! # Rotation
//!
//! [`LogHandle::reopen`] opens the path again and, only if that succeeds, replaces the old file, in
//! order with the lines around it.

use std::collections::VecDeque;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use super::log_limit::{Limiter, Verdict};
use super::log_line::{self, Site};
use super::log_output::Output;
use super::owned_open;
use crate::logging;
use crate::sys::reason;

/// Most bytes of lines waiting for the writer.
pub const QUEUE_BYTES: usize = 1 << 20;
/// How often the writer reports suppressed lines of statements that fell silent.
const SWEEP: Duration = Duration::from_secs(1);
/// How long a panic waits for the queue to drain.
const PANIC_DRAIN: Duration = Duration::from_secs(1);

/// Opens the log, `None` or an empty path for stderr, sets the level (clamped to 0..=11), and makes
/// it the process's log. From then on panics are logged too.
///
/// # Errors
/// `opening log file '<path>' failed: <strerror>`, or that the process already has a log.
pub fn install(output: Option<&Path>, level: u8) -> Result<LogHandle, String> {
    let path = output.filter(|path| !path.as_os_str().is_empty());
    let handle = LogHandle::open(path)?;
    handle.dispatch().apply().map_err(|e| e.to_string())?;
    logging::set_level(level);
    handle.clone().log_panics();
    Ok(handle)
}

/// The log of the process: to reopen and stop it, and to count lost lines.
#[derive(Clone)]
pub struct LogHandle {
    path: Option<PathBuf>,
    sink: Arc<Sink>,
}

impl LogHandle {
    fn open(path: Option<&Path>) -> Result<LogHandle, String> {
        let output = match path {
            None => Output::stderr(),
            Some(path) => Output::file(open(path, 0).map_err(|e| {
                format!(
                    "opening log file '{}' failed: {}",
                    path.display(),
                    reason(&e)
                )
            })?),
        };
        Ok(LogHandle {
            path: path.map(Path::to_owned),
            sink: Arc::new(Sink::new(output, path.is_none() && is_journal())),
        })
    }

    /// Our own records pass at every level, the gate being in front of them; of the libraries' only
    /// warnings and errors do.
    fn dispatch(&self) -> fern::Dispatch {
        fern::Dispatch::new()
            .level(log::LevelFilter::Warn)
            .level_for("dynomite", log::LevelFilter::Trace)
            .chain(Box::new(SharedSink(self.sink.clone())) as Box<dyn log::Log>)
    }

    fn log_panics(self) {
        let default = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            crate::log_at!(Alert, "{info}");
            self.flush(PANIC_DRAIN);
            default(info);
        }));
    }

    /// Switches the severity in each line on or off.
    pub fn show_severity(&self, shown: bool) {
        self.sink.shows_severity.store(shown, Ordering::Relaxed);
    }

    /// Opens the log file again, for rotation; nothing to do for stderr.
    ///
    /// # Errors
    /// `reopening log file '<path>' failed, ignored: <strerror>`: the old file stays in use.
    pub fn reopen(&self) -> Result<(), String> {
        let Some(path) = &self.path else {
            return Ok(());
        };
        // A named pipe without a reader must fail here, not block the event loop.
        let file = open(path, libc::O_NONBLOCK).map_err(|e| {
            format!(
                "reopening log file '{}' failed, ignored: {}",
                path.display(),
                reason(&e)
            )
        })?;
        self.sink.replace(Output::file(file));
        Ok(())
    }

    /// Hands writing to a thread of its own. Call it when the event loop is about to begin, after
    /// the last fork.
    ///
    /// # Errors
    /// When no thread can be started; lines are then written by the threads that log, as before.
    pub fn start_writer(&self) -> io::Result<()> {
        let mut queue = self.sink.lock();
        let Some(output) = queue.output.take() else {
            return Ok(());
        };
        (queue.stopping, queue.begun) = (false, true);
        // Only the thread that runs takes the output; a thread that cannot start must not lose it.
        let slot = Arc::new(Mutex::new(Some(output)));
        let (sink, theirs) = (self.sink.clone(), slot.clone());
        let started = std::thread::Builder::new()
            .name("dynomite-log".into())
            .spawn(move || {
                let output = theirs.lock().unwrap_or_else(PoisonError::into_inner).take();
                if let Some(output) = output {
                    sink.write_queue(output);
                }
            });
        if let Err(e) = started {
            queue.output = slot.lock().unwrap_or_else(PoisonError::into_inner).take();
            return Err(e);
        }
        Ok(())
    }

    /// Waits until all lines so far are written, at most `patience`. Returns true if they are.
    pub fn flush(&self, patience: Duration) -> bool {
        let queue = self.sink.lock();
        let (_queue, wait) = self
            .sink
            .drained
            .wait_timeout_while(queue, patience, |queue| {
                queue.output.is_none() && !queue.idle
            })
            .unwrap_or_else(PoisonError::into_inner);
        !wait.timed_out()
    }

    /// Ends the writer once the queue is empty; from then on the threads that log write. Waits at most
    /// `patience`; if the sink is stuck longer, returns false, and later lines are queued in vain.
    pub fn stop_writer(&self, patience: Duration) -> bool {
        let mut queue = self.sink.lock();
        queue.stopping = true;
        self.sink.wake.notify_all();
        let (mut queue, wait) = self
            .sink
            .drained
            .wait_timeout_while(queue, patience, |queue| queue.output.is_none())
            .unwrap_or_else(PoisonError::into_inner);
        for (site, suppressed) in queue.limiter.overdue(None) {
            let line = self.sink.suppressed_line(site, suppressed);
            self.sink.put(&mut queue, line);
        }
        !wait.timed_out()
    }

    /// Lines suppressed by the limit per statement, since start.
    pub fn suppressed(&self) -> u64 {
        self.sink.suppressed.load(Ordering::Relaxed)
    }

    /// Lines lost because the sink was too slow or refused them, since start.
    pub fn lost(&self) -> u64 {
        self.sink.lost.load(Ordering::Relaxed)
    }
}

fn open(path: &Path, flags: i32) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.append(true).create(true).mode(0o644);
    owned_open::open(&mut options, flags, path)
}

/// Returns true if stderr is the journal.
fn is_journal() -> bool {
    let Some(stream) = std::env::var_os("JOURNAL_STREAM") else {
        return false;
    };
    let stderr = io::stderr().as_fd().try_clone_to_owned().map(File::from);
    stderr
        .and_then(|file| file.metadata())
        .is_ok_and(|stderr| stream.to_str() == Some(&format!("{}:{}", stderr.dev(), stderr.ino())))
}

/// The priority as the journal wants it, by syslog(3).
fn priority(severity: log::Level) -> &'static str {
    match severity {
        log::Level::Error => "<3>",
        log::Level::Warn => "<4>",
        log::Level::Info => "<6>",
        log::Level::Debug | log::Level::Trace => "<7>",
    }
}

enum Item {
    Line(String),
    /// Lines after this one go here.
    Output(Output),
}

struct Queue {
    /// `None` while the writer has it.
    output: Option<Output>,
    items: VecDeque<Item>,
    /// Of the lines in `items`.
    bytes: usize,
    /// True if the writer has written all lines and the queue is empty.
    idle: bool,
    stopping: bool,
    /// True once a writer was requested. Lines are not limited before: a start is short, and fifty reasons
    /// why a configuration is refused are all worth reading.
    begun: bool,
    /// True if the limiter may have unreported suppressed lines.
    has_suppressed: bool,
    /// Lost lines that have not been reported.
    unreported: u64,
    limiter: Limiter,
}

struct Sink {
    queue: Mutex<Queue>,
    /// There is something for the writer.
    wake: Condvar,
    /// The writer has nothing left, or has ended.
    drained: Condvar,
    born: Instant,
    /// Lines begin with their priority.
    journal: bool,
    /// Lines show their severity.
    shows_severity: AtomicBool,
    suppressed: AtomicU64,
    lost: AtomicU64,
}

impl Sink {
    fn new(output: Output, journal: bool) -> Sink {
        Sink {
            journal,
            shows_severity: AtomicBool::new(false),
            queue: Mutex::new(Queue {
                output: Some(output),
                items: VecDeque::new(),
                bytes: 0,
                idle: true,
                stopping: false,
                begun: false,
                has_suppressed: false,
                unreported: 0,
                limiter: Limiter::default(),
            }),
            wake: Condvar::new(),
            drained: Condvar::new(),
            born: Instant::now(),
            suppressed: AtomicU64::new(0),
            lost: AtomicU64::new(0),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.born.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn line(&self, severity: log::Level, site: Site, message: &fmt::Arguments<'_>) -> String {
        let shown = self.shows_severity.load(Ordering::Relaxed);
        let shown = shown.then_some(severity);
        let mut line = log_line::line(SystemTime::now(), shown, site, message);
        if self.journal {
            line.insert_str(0, priority(severity));
        }
        line
    }

    /// The line that reports suppressed lines.
    fn suppressed_line(&self, site: Site, suppressed: u64) -> String {
        self.line(
            log::Level::Warn,
            site,
            &format_args!("{suppressed} similar lines suppressed"),
        )
    }

    /// The line that reports lost lines.
    fn lost_line(&self, lost: u64) -> String {
        let site = Site {
            module: module_path!(),
            line: line!(),
        };
        let text = format_args!("{lost} lines lost, the log is written too slowly or not at all");
        self.line(log::Level::Warn, site, &text)
    }

    fn count_lost(&self) {
        self.lost.fetch_add(1, Ordering::Relaxed);
        logging::count_lost();
    }

    /// Writes or queues one line.
    fn put(&self, queue: &mut Queue, line: String) {
        if let Some(output) = &mut queue.output {
            if !output.write(&line) {
                self.count_lost();
            }
            return;
        }
        // A single line larger than the queue may pass through an empty one.
        if queue.bytes > 0 && queue.bytes + line.len() > QUEUE_BYTES {
            self.count_lost();
            queue.unreported += 1;
            return;
        }
        if queue.unreported > 0 {
            let report = self.lost_line(std::mem::take(&mut queue.unreported));
            queue.bytes += report.len();
            queue.items.push_back(Item::Line(report));
        }
        queue.bytes += line.len();
        queue.items.push_back(Item::Line(line));
        queue.idle = false;
        self.wake.notify_one();
    }

    fn replace(&self, output: Output) {
        let mut queue = self.lock();
        if queue.output.is_some() {
            queue.output = Some(output);
            return;
        }
        // A stuck writer must not collect a descriptor with every SIGHUP.
        queue.items.retain(|item| !matches!(item, Item::Output(_)));
        queue.items.push_back(Item::Output(output));
        queue.idle = false;
        self.wake.notify_one();
    }

    /// The loop of the writer.
    fn write_queue(&self, mut output: Output) {
        // Lines that the output refused and that have not been reported.
        let mut refused = 0;
        let mut queue = self.lock();
        loop {
            match queue.items.pop_front() {
                Some(Item::Line(line)) => {
                    queue.bytes -= line.len();
                    drop(queue);
                    if refused > 0 && output.write(&self.lost_line(refused)) {
                        refused = 0;
                    }
                    if refused > 0 || !output.write(&line) {
                        refused += 1;
                        self.count_lost();
                    }
                    queue = self.lock();
                }
                Some(Item::Output(new)) => output = new,
                None if queue.stopping => {
                    queue.output = Some(output);
                    self.drained.notify_all();
                    return;
                }
                None => queue = self.rest(queue),
            }
        }
    }

    /// Waits for work, or queues reports that are due.
    fn rest<'a>(&'a self, mut queue: MutexGuard<'a, Queue>) -> MutexGuard<'a, Queue> {
        queue.idle = true;
        self.drained.notify_all();
        if !queue.has_suppressed {
            return self
                .wake
                .wait(queue)
                .unwrap_or_else(PoisonError::into_inner);
        }
        let (mut queue, _) = self
            .wake
            .wait_timeout(queue, SWEEP)
            .unwrap_or_else(PoisonError::into_inner);
        for (site, suppressed) in queue.limiter.overdue(Some(self.now_ms())) {
            let line = self.suppressed_line(site, suppressed);
            self.put(&mut queue, line);
        }
        queue.has_suppressed = queue.limiter.has_suppressed();
        queue
    }
}

struct SharedSink(Arc<Sink>);

impl log::Log for SharedSink {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let sink = &*self.0;
        let site = Site {
            module: record.module_path_static().unwrap_or("unknown"),
            line: record.line().unwrap_or(0),
        };
        let now_ms = sink.now_ms();
        let verdict = {
            let mut queue = sink.lock();
            let verdict = if queue.begun {
                let level = logging::level();
                queue.limiter.admit(site, record.level(), level, now_ms)
            } else {
                Verdict::Write
            };
            if verdict == Verdict::Suppress && !queue.has_suppressed {
                queue.has_suppressed = true;
                sink.wake.notify_one();
            }
            verdict
        };
        // The message is formatted without the lock: what it shows may itself log.
        let report = match verdict {
            Verdict::Suppress => {
                sink.suppressed.fetch_add(1, Ordering::Relaxed);
                logging::count_repeated();
                return;
            }
            Verdict::Write => None,
            Verdict::WriteAfter(suppressed) => Some(sink.suppressed_line(site, suppressed)),
        };
        let line = sink.line(record.level(), site, record.args());
        let mut queue = sink.lock();
        for line in report.into_iter().chain([line]) {
            sink.put(&mut queue, line);
        }
    }

    fn flush(&self) {}
}

#[cfg(test)]
mod tests;
