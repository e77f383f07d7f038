//! The `dynomite` command: what is asked on the command line, and a server's life from start to stop.

use dynomite::cli::{self, Command, Options};
use dynomite::clock::Now;
use dynomite::cluster::member::Warning;
use dynomite::cluster::own_names::OwnNames;
use dynomite::cluster::topology::Topology;
use dynomite::config::{self, Endpoint, Loaded, Note, Overrides, Problem, Settings};
use dynomite::node::Switches;
use dynomite::process::daemon::{self, Report};
use dynomite::process::log_sink::{self, LogHandle};
use dynomite::process::pidfile::PidFile;
use dynomite::process::signals::Signal;
use dynomite::process::{limits, notify};
use dynomite::reactor::{ConfFile, Ended, Reactor, Sources};
use dynomite::seeds::Provider;
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
        }) => test(&conf_file, &overrides),
        Ok(Command::Serve(options)) => match serve(&options) {
            Ok(()) => ExitCode::SUCCESS,
            Err(code) => code,
        },
    }
}

/// Prints to stderr. If nobody reads it there is nobody to be told.
fn tell(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// What a start would say of a configuration, that of the cluster in it included.
fn test(conf_file: &Path, overrides: &Overrides) -> ExitCode {
    let mut loaded = config::load(conf_file, overrides);
    if let Ok(Loaded { settings, notes }) = &mut loaded {
        match Topology::from_settings(settings) {
            Ok(built) => {
                // The keys that say so have been warned of.
                let is_new = |warning: &&Warning| !matches!(warning, Warning::SeveralTokens { .. });
                let new = built.warnings.iter().filter(is_new);
                notes.extend(new.map(|warning| Note::warn(warning.to_string())));
                notes.extend(config::look_up_others(settings));
            }
            Err(error) => loaded = Err(vec![Problem::new(error.to_string())]),
        }
    }
    let (lines, code) = config::told(conf_file, loaded);
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
    let settings = configure(options)?;
    let mut report = if options.daemonize {
        Some(daemon::daemonize().map_err(told)?)
    } else {
        None
    };
    let ended = live(options, &settings, &log, &mut report);
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
            // Last of all: whoever is told may start another node with the same pid file.
            match report {
                Some(report) => report.failed(&message),
                // With the log on stderr the lines stand there already.
                None if options.output.is_some() => tell(&format!("{message}\n")),
                None => {}
            }
            Err(ExitCode::FAILURE)
        }
    }
}

/// Reads the configuration and logs what is to be said about it.
fn configure(options: &Options) -> Result<Settings, ExitCode> {
    let loaded = config::load(&options.conf_file, &options.overrides());
    let loaded = loaded.map_err(|problems| {
        for problem in &problems {
            log_at!(Alert, "{problem}");
            // With the log on stderr it stands there already.
            if options.output.is_some() {
                tell(&format!("{problem}\n"));
            }
        }
        log_at!(Alert, "Failed to create conf!!!");
        tell(&(config::verdict(&options.conf_file, false) + "\n"));
        ExitCode::FAILURE
    })?;
    for note in options.notes.iter().chain(&loaded.notes) {
        if logging::enabled(note.level) {
            log::log!(note.level.to_log(), "{}", note.text);
        }
    }
    Ok(loaded.settings)
}

/// From the pid file to the end of the loop. An error is what to log and to report; by then nothing
/// is left behind. The report is taken when the node serves.
fn live(
    options: &Options,
    settings: &Settings,
    log: &LogHandle,
    report: &mut Option<Report>,
) -> Result<Ended, String> {
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
    log_at!(Notice, "{}", limits::told(settings, files));
    if options.admin_operation > 0 {
        log_at!(Warn, "admin mode {} is on", options.admin_operation);
    }
    let (mut switches, complaints) = Switches::read(|name| std::env::var(name).ok());
    for complaint in &complaints {
        log_at!(Warn, "{complaint}");
    }
    switches.admin_operation = options.admin_operation;
    let mut reactor = Reactor::new(
        settings,
        identity(settings),
        &switches,
        sources(options, settings),
    )?;
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

/// Where the node learns of what changes while it runs. Logs what is to be said about it.
fn sources(options: &Options, settings: &Settings) -> Sources {
    let (provider, notes) =
        Provider::new(settings.dyn_seed_provider, |name| std::env::var_os(name));
    for note in notes.iter().filter(|note| logging::enabled(note.level)) {
        log::log!(note.level.to_log(), "{}", note.text);
    }
    Sources {
        provider,
        conf_file: Some(ConfFile {
            path: options.conf_file.clone(),
            overrides: options.overrides(),
        }),
    }
}

/// What a signal asks of the process; the event loop does its own part.
fn act(signal: Signal, log: &LogHandle) {
    let level = logging::level();
    match signal {
        Signal::Hup => {
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
        Signal::Ttin | Signal::Ttou | Signal::Usr1 | Signal::Usr2 => {}
    }
}

/// Who this node is, for its statistics.
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
        server_name: settings.datastore.name.clone(),
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
