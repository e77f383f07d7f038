use super::*;
use std::fs;
use std::io::Read;

const LONG: Duration = Duration::from_secs(60);

struct Scene {
    _dir: tempfile::TempDir,
    path: PathBuf,
    handle: LogHandle,
    log: Box<dyn log::Log>,
}

fn scene() -> Scene {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("dynomite.log");
    let handle = LogHandle::open(Some(&path)).unwrap();
    let (_, log) = handle.dispatch().into_log();
    Scene {
        _dir: dir,
        path,
        handle,
        log,
    }
}

impl Scene {
    fn say(&self, target: &'static str, level: log::Level, line: u32, message: &str) {
        say(&*self.log, target, level, line, message);
    }

    /// The lines of a file without their time.
    fn lines(path: &Path) -> Vec<String> {
        let text = fs::read_to_string(path).unwrap();
        assert!(text.is_empty() || text.ends_with('\n'));
        text.lines().map(|line| line[26..].to_owned()).collect()
    }
}

fn say(log: &dyn log::Log, target: &'static str, level: log::Level, line: u32, message: &str) {
    log.log(
        &log::Record::builder()
            .args(format_args!("{message}"))
            .level(level)
            .target(target)
            .module_path_static(Some(target))
            .line(Some(line))
            .build(),
    );
}

#[test]
fn lines_are_appended_by_those_who_log_and_by_the_writer_in_order() {
    let s = scene();
    s.say("dynomite::node", log::Level::Info, 1, "before");
    s.handle.start_writer().unwrap();
    s.say("dynomite::node", log::Level::Info, 2, "during\n");
    assert!(s.handle.flush(LONG));
    assert_eq!(Scene::lines(&s.path), ["node:1 before", "node:2 during\\n"]);
    s.say("dynomite::node", log::Level::Info, 3, "late");
    assert!(s.handle.stop_writer(LONG));
    s.say("dynomite::node", log::Level::Info, 4, "after");
    assert_eq!(Scene::lines(&s.path)[2..], ["node:3 late", "node:4 after"]);
    assert_eq!((s.handle.lost(), s.handle.suppressed()), (0, 0));

    let again = LogHandle::open(Some(&s.path)).unwrap();
    say(
        &*again.dispatch().into_log().1,
        "dynomite",
        log::Level::Error,
        5,
        "again",
    );
    assert_eq!(Scene::lines(&s.path).len(), 5);
}

#[test]
fn libraries_are_heard_only_when_something_is_wrong() {
    let s = scene();
    s.say("mio::poll", log::Level::Trace, 1, "chatter");
    s.say("mio::poll", log::Level::Info, 2, "chatter");
    s.say("mio::poll", log::Level::Warn, 3, "trouble");
    s.say("dynomite::node", log::Level::Trace, 4, "wanted");
    assert_eq!(Scene::lines(&s.path), ["poll:3 trouble", "node:4 wanted"]);
}

#[test]
fn a_statement_in_a_loop_is_suppressed_and_reported() {
    for threaded in [false, true] {
        let s = scene();
        s.handle.start_writer().unwrap();
        if !threaded {
            s.handle.stop_writer(LONG);
        }
        for _ in 0..100 {
            s.say("dynomite::reactor", log::Level::Error, 7, "accept failed");
        }
        s.say("dynomite::reactor", log::Level::Error, 8, "something else");
        s.handle.stop_writer(LONG);
        let lines = Scene::lines(&s.path);
        let failed = lines
            .iter()
            .filter(|l| *l == "reactor:7 accept failed")
            .count() as u64;
        assert!((10..100).contains(&failed), "{failed}");
        assert_eq!(failed + s.handle.suppressed(), 100);
        assert!(lines.contains(&"reactor:8 something else".to_owned()));
        let reported: u64 = lines
            .iter()
            .filter_map(|l| {
                l.strip_prefix("reactor:7 ")?
                    .strip_suffix(" similar lines suppressed")
            })
            .map(|n| n.parse::<u64>().unwrap())
            .sum();
        assert_eq!(reported, s.handle.suppressed());
    }
}

#[test]
fn a_start_may_say_everything() {
    let s = scene();
    for _ in 0..100 {
        s.say("dynomite", log::Level::Error, 7, "is unknown");
    }
    assert_eq!(Scene::lines(&s.path).len(), 100);
}

#[test]
fn the_writer_reports_a_statement_that_fell_silent() {
    let s = scene();
    s.handle.start_writer().unwrap();
    for _ in 0..20 {
        s.say("dynomite::reactor", log::Level::Error, 7, "accept failed");
    }
    // Nothing more is logged: the line must come by itself.
    while !Scene::lines(&s.path)
        .iter()
        .any(|l| l.ends_with(" similar lines suppressed"))
    {
        std::thread::yield_now();
    }
    assert!(s.handle.stop_writer(LONG));
}

#[test]
fn reopening_follows_a_rename_and_keeps_the_old_file_on_failure() {
    for threaded in [false, true] {
        let s = scene();
        if threaded {
            s.handle.start_writer().unwrap();
        }
        let rotated = s.path.with_extension("1");
        s.say("dynomite", log::Level::Info, 1, "old");
        fs::rename(&s.path, &rotated).unwrap();
        s.say("dynomite", log::Level::Info, 2, "still old");
        s.handle.reopen().unwrap();
        s.say("dynomite", log::Level::Info, 3, "new");
        assert!(s.handle.flush(LONG));
        assert_eq!(
            Scene::lines(&rotated),
            ["dynomite:1 old", "dynomite:2 still old"]
        );
        assert_eq!(Scene::lines(&s.path), ["dynomite:3 new"]);

        fs::rename(&s.path, &rotated).unwrap();
        fs::create_dir(&s.path).unwrap();
        assert_eq!(
            s.handle.reopen().unwrap_err(),
            format!(
                "reopening log file '{}' failed, ignored: Is a directory",
                s.path.display()
            )
        );
        s.say("dynomite", log::Level::Info, 4, "kept");
        assert!(s.handle.flush(LONG));
        assert_eq!(
            Scene::lines(&rotated),
            ["dynomite:3 new", "dynomite:4 kept"]
        );
        s.handle.stop_writer(LONG);
    }
}

#[test]
fn a_log_that_cannot_be_opened_is_told_in_the_originals_words() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("no/log");
    let error = LogHandle::open(Some(&path)).map(drop).unwrap_err();
    assert_eq!(
        error,
        format!(
            "opening log file '{}' failed: No such file or directory",
            path.display()
        )
    );
}

#[test]
fn nobody_waits_for_a_sink_that_is_not_read_and_the_loss_is_counted() {
    let (mut reader, writer) = io::pipe().unwrap();
    let file = File::from(std::os::fd::OwnedFd::from(writer));
    let handle = LogHandle {
        path: None,
        sink: Arc::new(Sink::new(Output::file(file), false)),
    };
    let (_, log) = handle.dispatch().into_log();
    handle.start_writer().unwrap();
    // More than the pipe and the queue hold together. If logging waited this would never end.
    let message = "x".repeat(1000);
    let lines = 4 * QUEUE_BYTES as u32 / 1000;
    for line in 0..lines {
        say(&*log, "dynomite", log::Level::Error, line, &message);
    }
    let lost = handle.lost();
    assert!(lost > 0 && lost < u64::from(lines), "{lost}");
    assert!(!handle.flush(Duration::ZERO));

    let reading = std::thread::spawn(move || {
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        text
    });
    assert!(handle.flush(LONG));
    say(&*log, "dynomite", log::Level::Error, lines, "the end");
    assert!(handle.stop_writer(LONG));
    // Both own the pipe.
    drop((handle, log));
    let text = reading.join().unwrap();
    let whole = text.lines().filter(|l| l.ends_with(&message)).count() as u64;
    assert_eq!(whole + lost, u64::from(lines));
    // In one line or in several: the writer may have had room in between.
    let reported = text.lines().filter_map(|line| {
        let (start, _) = line.split_once(" lines lost, ")?;
        start.rsplit(' ').next()?.parse::<u64>().ok()
    });
    assert_eq!(reported.sum::<u64>(), lost, "the loss is reported");
    assert!(text.ends_with(" the end\n"));
}

/// A disk that was full for a while left no trace of it in the log.
#[test]
fn lines_that_a_full_disk_refused_are_told_when_there_is_room() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("dynomite.log");
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let handle = LogHandle {
        path: None,
        sink: Arc::new(Sink::new(Output::file(full), false)),
    };
    let (_, log) = handle.dispatch().into_log();
    handle.start_writer().unwrap();
    for line in 1..=3 {
        say(&*log, "dynomite", log::Level::Error, line, "lost");
    }
    assert!(handle.flush(LONG));
    assert_eq!(handle.lost(), 3);
    let file = OpenOptions::new().create(true).append(true).open(&path);
    handle.sink.replace(Output::file(file.unwrap()));
    say(&*log, "dynomite", log::Level::Error, 4, "there again");
    assert!(handle.stop_writer(LONG));
    let lines = Scene::lines(&path);
    let [reported, last] = &lines[..] else {
        panic!("{lines:?}");
    };
    assert!(reported.contains(" 3 lines lost, "), "{reported}");
    assert_eq!(last, "dynomite:4 there again");
}
