//! Instructions that a node spends on a request, counted by callgrind.
//!
//! ```text
//! make bench BENCH=instructions             the counts, beside those of reference.txt
//! make bench BENCH=instructions RENEW=1     writes reference.txt
//! make test                                 fails if a count has risen
//! ```
//!
//! A node in memory ([`in_memory`]) serves each of the [`cases`]; only what happens within the calls into the node
//! is counted, so no system call, no event loop and nothing of the test. Counts are the same in every run, but depend
//! on the compiler and the C library. Where those are not the ones of the reference, only ratios between cases of
//! this run are checked ([`cases::FLAT`]).

mod cases;
#[path = "../../in_memory/mod.rs"]
mod in_memory;
mod reference;

use cases::{CASES, DEPTHS};
use reference::{Counts, Reference};
use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, ExitCode};

/// What makes this program run the cases, under callgrind.
const COUNTED: &str = "--counted";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let has = |word: &str| words.iter().any(|it| it == word);
    if has(COUNTED) {
        cases::run();
        return ExitCode::SUCCESS;
    }
    if Command::new("valgrind").arg("--version").output().is_err() {
        println!("valgrind is not installed: instructions per request were not counted");
        return ExitCode::SUCCESS;
    }
    match run(has("--renew"), has("--check")) {
        Ok(code) => code,
        Err(reason) => {
            eprintln!("instructions: {reason}");
            ExitCode::FAILURE
        }
    }
}

fn run(renews: bool, checks: bool) -> Result<ExitCode, String> {
    let counts = count()?;
    let built_with = built_with()?;
    if renews {
        reference::write(&built_with, &counts)?;
    }
    let reference = reference::read()?;
    let comparable = reference.built_with == built_with;
    if !checks {
        print!("{}", table(&counts, &reference));
    }
    if !comparable {
        println!(
            "built with {built_with}, the reference with {}: only ratios are checked",
            reference.built_with
        );
    }
    let mut wrong = uneven(&counts);
    if comparable {
        wrong.extend(risen(&counts, &reference));
    }
    for line in &wrong {
        println!("{line}");
    }
    if !wrong.is_empty() {
        println!("see tests/bench/instructions/main.rs");
        return Ok(ExitCode::FAILURE);
    }
    println!(
        "instructions per request: {} counts are as expected",
        counts.len()
    );
    Ok(ExitCode::SUCCESS)
}

/// Runs this program under callgrind. Returns instructions per request, by case and depth of the pipeline.
fn count() -> Result<Counts, String> {
    let scratch = tempfile::tempdir().map_err(|e| format!("temporary directory: {e}"))?;
    let dump = scratch.path().join("counts");
    let program = std::env::current_exe().map_err(|e| format!("this program: {e}"))?;
    let out = Command::new("valgrind")
        .args(["--tool=callgrind", "--toggle-collect=*in_memory::verbs::*"])
        .args([
            "--zero-before=*begin_counting*",
            "--dump-before=*end_counting*",
        ])
        .arg(format!("--callgrind-out-file={}", dump.display()))
        .arg(program)
        .arg(COUNTED)
        .output()
        .map_err(|e| format!("valgrind: {e}"))?;
    if !out.status.success() {
        let text = String::from_utf8_lossy(&out.stderr).into_owned();
        return Err(format!("valgrind failed:\n{text}"));
    }
    let mut counts = Counts::new();
    let all = CASES
        .iter()
        .flat_map(|case| DEPTHS.map(|depth| (case, depth)));
    for (number, (case, depth)) in (1..).zip(all) {
        let total = total(&scratch.path().join(format!("counts.{number}")))?;
        let per_request = total / cases::requests(depth) as u64;
        counts.insert((case.name.to_owned(), depth), per_request);
    }
    Ok(counts)
}

/// The number of instructions in a file of callgrind's.
fn total(path: &Path) -> Result<u64, String> {
    let of = |why: String| format!("{}: {why}", path.display());
    let text = std::fs::read_to_string(path).map_err(|e| of(e.to_string()))?;
    let mut lines = text.lines();
    let total = lines.find_map(|line| line.strip_prefix("summary: "));
    let total = total.and_then(|total| total.trim().parse().ok());
    total.ok_or_else(|| of("no summary".into()))
}

/// What the counts depend on besides the code.
fn built_with() -> Result<String, String> {
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".into());
    let said_by = |command: &str, word: &str| {
        let out = Command::new(command).arg(word).output();
        let out = out.map_err(|e| format!("{command}: {e}"))?;
        Ok::<_, String>(String::from_utf8_lossy(&out.stdout).trim().to_owned())
    };
    let compiler = said_by(&rustc, "--version")?;
    let library = said_by("getconf", "GNU_LIBC_VERSION").unwrap_or_default();
    Ok(format!("{compiler}, {library}, {}", std::env::consts::ARCH))
}

/// All counts with their references, for people.
fn table(counts: &Counts, reference: &Reference) -> String {
    let mut text = format!(
        "{:<40} {:>9} {:>12} {:>10} {:>7}\n",
        "instructions per request", "pipeline", "now", "reference", "ratio"
    );
    for case in CASES {
        for depth in DEPTHS {
            let key = (case.name.to_owned(), depth);
            let now = counts.get(&key).copied().unwrap_or_default();
            let (before, ratio) = match reference.counts.get(&key) {
                Some(before) => (
                    before.to_string(),
                    format!("{:.3}", now as f64 / *before as f64),
                ),
                None => ("-".into(), "-".into()),
            };
            let name = case.name;
            let _ = writeln!(
                text,
                "{name:<40} {depth:>9} {now:>12} {before:>10} {ratio:>7}"
            );
        }
    }
    text
}

/// Counts that exceed their reference, or have none.
fn risen(counts: &Counts, reference: &Reference) -> Vec<String> {
    let mut wrong = Vec::new();
    for case in CASES {
        for depth in DEPTHS {
            let key = (case.name.to_owned(), depth);
            let place = format!("{}, pipeline of {depth}", case.name);
            let now = counts.get(&key).copied().unwrap_or_default();
            match reference.counts.get(&key) {
                Some(before) if now as f64 > *before as f64 * case.margin => wrong.push(format!(
                    "{place}: {now} instructions, {before} in the reference"
                )),
                Some(_) => {}
                None => wrong.push(format!("{place}: not in the reference")),
            }
        }
    }
    wrong
}

/// Requests that cost more in a large cluster than in a small one.
fn uneven(counts: &Counts) -> Vec<String> {
    let mut wrong = Vec::new();
    for (small, large, margin) in cases::FLAT {
        for depth in DEPTHS {
            let of = |name: &str| counts.get(&(name.to_owned(), depth)).copied().unwrap_or(0);
            let (few, many) = (of(small), of(large));
            if many as f64 > few as f64 * margin {
                wrong.push(format!(
                    "pipeline of {depth}: {small}: {few} instructions, but {large}: {many}"
                ));
            }
        }
    }
    wrong
}
