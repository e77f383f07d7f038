//! The `dynomite` command: the command line, and a server's life from start to stop.

use dynomite::cli::{self, Command, Options};
use dynomite::clock::Now;
use dynomite::cluster::own_names::OwnNames;
use dynomite::config::{self, Endpoint, Note, Overrides, Settings};
use dynomite::process::daemon::{self, Report};
use dynomite::process::log_sink::{self, LogHandle};
use dynomite::process::pidfile::PidFile;
use dynomite::process::signals::Signal;
use dynomite::process::{limits, notify};
use dynomite::reactor::{ConfFile, Ended, Reactor, Sources};
use dynomite::startup::{self, Checked};
use dynomite::stats::{self, Identity};
use dynomite::{log_at, logging, sys};
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How long the last log lines may take at exit.
const LAST_LINES: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    limits::raise_core();
    match cli::parse(std::env::args_os().skip(1)) {
        Err(failure) => {
            tell(&format!("{failure}\n{}", cli::usage()));
            ExitCode::FAILURE
        }
        Ok(Command::Info { help, describe, .. }) => {
            let mut text = cli::version_line();
            if help {
                text += &cli::usage();
            }
            if describe {
                text += &stats::describe();
            }
            tell(&text);
            ExitCode::SUCCESS
        }
        Ok(Command::Test {
            conf_file,
            overrides,
            notes,
        }) => test(&conf_file, &overrides, &notes),
        Ok(Command::Serve(options)) => match serve(&options) {
            Ok(()) => ExitCode::SUCCESS,
            Err(code) => code,
        },
    }
}

/// Prints to stderr. A failure has no place to be reported.
fn tell(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// `-t`: prints what a start would report about the configuration.
fn test(conf_file: &Path, overrides: &Overrides, notes: &[Note]) -> ExitCode {
    let (lines, code) = startup::test(conf_file, overrides, notes);
    tell(&(lines.join("\n") + "\n"));
    if code == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Starts, serves and stops. The configuration is read before anything is changed outside: before
/// the process goes into the background and before the pid file is written.
fn serve(options: &Options) -> Result<(), ExitCode> {
    let told = |message: String| {
        tell(&(message + "\n"));
        ExitCode::FAILURE
    };
    let log = log_sink::install(options.output.as_deref(), options.verbosity).map_err(told)?;
    let checked = configure(options, &log)?;
    let mut report = if options.daemonize {
        Some(daemon::daemonize().map_err(told)?)
    } else {
        None
    };
    let ended = live(options, checked, &log, &mut report);
    if let Err(message) = &ended {
        for line in message.lines() {
            log_at!(Alert, "{line}");
        }
    }
    log.stop_writer(LAST_LINES);
    log_at!(Always, "done, rabbit done");
    match ended {
        Ok(Ended::Stopped) => Ok(()),
        Ok(Ended::Killed) => Err(ExitCode::FAILURE),
        Err(message) => {
            // Last of all: the parent that gets the report may start another node with the same pid file.
            match report {
                Some(report) => report.failed(&message),
                // With the log on stderr the lines are there already.
                None if options.output.is_some() => tell(&format!("{message}\n")),
                None => {}
            }
            Err(ExitCode::FAILURE)
        }
    }
}

/// The exit status of a start whose configuration cannot be used: 1, as the original's. For a service manager that
/// waits for readiness it is 78 (`EX_CONFIG`), by which it can tell that another start would not help.
fn wrong_configuration() -> ExitCode {
    match notify::is_awaited() {
        true => ExitCode::from(78),
        false => ExitCode::FAILURE,
    }
}

/// Reads and checks the configuration, and logs its notes.
fn configure(options: &Options, log: &LogHandle) -> Result<Checked, ExitCode> {
    let variables = |name: &str| std::env::var_os(name);
    // Errors in the files are logged before their own `log_severity` is known: only the variable applies.
    log.show_severity(variables("DYNOMITE_LOG_SEVERITY").is_some_and(|value| value == "1"));
    let checked = startup::check(&options.conf_file, &options.overrides(), &variables);
    let checked = checked.map_err(|problems| {
        for problem in &problems {
            log_at!(Alert, "{problem}");
            // With the log on stderr it is there already.
            if options.output.is_some() {
                tell(&format!("{problem}\n"));
            }
        }
        log_at!(
            Alert,
            "Failed to create conf!!! The node does not start, for the reasons above"
        );
        tell(&(config::verdict(&options.conf_file, false) + "\n"));
        wrong_configuration()
    })?;
    log.show_severity(checked.settings.log_severity);
    for note in options.notes.iter().chain(&checked.notes) {
        if logging::enabled(note.level) {
            log::log!(note.level.to_log(), "{}", note.text);
        }
    }
    Ok(checked)
}

/// From the pid file to the end of the loop. An error is what to log and to report; by then nothing
/// is left behind. The report is taken when the node serves.
fn live(
    options: &Options,
    checked: Checked,
    log: &LogHandle,
    report: &mut Option<Report>,
) -> Result<Ended, String> {
    let Checked {
        settings, provider, ..
    } = checked;
    let _pid_file = options
        .pid_file
        .as_deref()
        .map(PidFile::create)
        .transpose()?;
    let version = env!("CARGO_PKG_VERSION");
    log_at!(
        Always,
        "dynomite-v{version} built for {} started on pid {}",
        sys::system(),
        std::process::id()
    );
    let files = limits::raise_nofile();
    log_at!(Notice, "{}", limits::summary(&settings, files));
    if options.admin_operation > 0 {
        let dels = match options.admin_operation {
            1 => ", and DEL is not replicated",
            _ => "",
        };
        log_at!(
            Warn,
            "admin mode {} is on (-x): no peer is connected to{dels}",
            options.admin_operation
        );
    }
    let sources = Sources {
        provider,
        conf_file: Some(ConfFile {
            path: options.conf_file.clone(),
            overrides: options.overrides(),
        }),
    };
    let mut reactor = Reactor::new(&settings, identity(&settings), sources)?;
    if let Some(report) = report.take() {
        report.ready();
    }
    notify::ready(&format!("serving clients on {}", settings.listen.target));
    if let Err(error) = log.start_writer() {
        log_at!(
            Warn,
            "no thread for the log ({error}): lines are written by the event loop"
        );
    }
    let ended = reactor.run(&mut |signal| act(signal, log));
    ended.map_err(|error| format!("event loop failed: {}", sys::reason(&error)))
}

/// Handles the process' part of a signal; the event loop does the rest.
fn act(signal: Signal, log: &LogHandle) {
    let level = logging::level();
    match signal {
        Signal::Hup | Signal::Usr1 => {
            if let Err(message) = log.reopen() {
                log_at!(Alert, "{message}");
            }
        }
        Signal::Ttin if level < logging::MAX_LEVEL => {
            log_at!(Always, "up log level to {}", logging::set_level(level + 1));
        }
        Signal::Ttou if level > 0 => {
            log_at!(
                Always,
                "down log level to {}",
                logging::set_level(level - 1)
            );
        }
        Signal::Int | Signal::Term => notify::stopping("finishing requests under way"),
        // Silent at the bounds, as the original.
        Signal::Ttin | Signal::Ttou | Signal::Usr2 => {}
    }
}

/// This node's identity in its statistics.
fn identity(settings: &Settings) -> Identity {
    let wall = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let names = OwnNames::read(&settings.env, |name| std::env::var(name).ok());
    Identity {
        source: sys::hostname(),
        version: format!("v{}", env!("CARGO_PKG_VERSION")),
        rack: settings.rack.clone(),
        dc: settings.datacenter.clone(),
        pool_name: settings.pool_name.clone(),
        server_name: settings.servers.name.clone(),
        started: Now {
            mono_us: 0,
            wall_us: wall.as_micros() as u64,
        },
        client_port: match settings.listen.target {
            Endpoint::Tcp { port, .. } => port,
            Endpoint::Unix(_) => 0,
        },
        hash_tag: settings.hash_tag,
        public_host: names.host,
        public_ip: names.ip,
    }
}
