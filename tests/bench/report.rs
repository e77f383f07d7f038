//! What comes out: tables for people, one JSON file for programs, and the count of targets met.

use std::path::Path;
use std::process::{Command, ExitCode};

use serde_json::{Map, Value, json};

use crate::Result;
use crate::args::Args;
use crate::proxy::Proxy;

/// The results of a run so far.
pub struct Report {
    figures: Map<String, Value>,
    met: usize,
    missed: Vec<String>,
    failed: Vec<String>,
}

impl Report {
    /// A report that knows on what it was made.
    pub fn new(args: &Args, proxies: &[Proxy]) -> Report {
        let figures = Map::from_iter([
            (
                "proxies".to_string(),
                json!(proxies.iter().map(|p| p.name.as_str()).collect::<Vec<_>>()),
            ),
            ("rounds".to_string(), json!(args.rounds)),
            ("turn_ms".to_string(), json!(args.turn.as_millis() as u64)),
            ("machine".to_string(), machine()),
            (
                "redis_server".to_string(),
                json!(first_line(
                    Command::new(&args.redis_server).arg("--version")
                )),
            ),
        ]);
        Report {
            figures,
            met: 0,
            missed: Vec::new(),
            failed: Vec::new(),
        }
    }

    /// Compares a figure with the most it may be; the text of a table's cell.
    pub fn judge(&mut self, what: &str, figure: f64, most: Option<f64>) -> String {
        let Some(most) = most else {
            return format!("{figure:.3}");
        };
        // Not `figure > most`: a figure that is no number meets nothing.
        let mark = if figure <= most {
            self.met += 1;
            "ok"
        } else {
            self.missed
                .push(format!("{what}: {figure:.3}, at most {most}"));
            "MISSED"
        };
        format!("{figure:.3} <= {most} {mark}")
    }

    /// Compares a figure with the least it must be; the text of a table's cell.
    pub fn judge_least(&mut self, what: &str, figure: f64, least: Option<f64>) -> String {
        let Some(least) = least else {
            return format!("{figure:.2}");
        };
        let mark = if figure >= least {
            self.met += 1;
            "ok"
        } else {
            self.missed
                .push(format!("{what}: {figure:.2}, at least {least}"));
            "MISSED"
        };
        format!("{figure:.2} >= {least} {mark}")
    }

    /// Prints a table: the first column to the left, the others to the right.
    pub fn table(&self, title: &str, head: &[String], rows: &[Vec<String>]) {
        println!("\n{title}\n");
        let all: Vec<&[String]> = std::iter::once(head)
            .chain(rows.iter().map(Vec::as_slice))
            .collect();
        let width = |column: usize| {
            all.iter()
                .filter_map(|row| row.get(column))
                .map(|cell| cell.len())
                .max()
        };
        for row in &all {
            let mut line = String::new();
            for (column, cell) in row.iter().enumerate() {
                let width = width(column).unwrap_or(0);
                line += &if column == 0 {
                    format!("  {cell:<width$}")
                } else {
                    format!("  {cell:>width$}")
                };
            }
            println!("{}", line.trim_end());
        }
    }

    /// Notes something that could not be measured.
    pub fn failed(&mut self, what: &str) {
        eprintln!("failed: {what}");
        self.failed.push(what.to_string());
    }

    /// Says how much of the machine others used meanwhile, and keeps it for the file.
    pub fn bystanders(&mut self, experiment: &str, share: f64) {
        let warning = if share > 0.1 {
            ": too much to trust the figures, latency above all"
        } else {
            ""
        };
        println!(
            "\n  other work on this machine meanwhile: {:.0} % of its processor time{warning}",
            share * 100.0
        );
        self.record(&format!("{experiment}_other_work"), json!(share));
    }

    /// Keeps the figures of an experiment for the file.
    pub fn record(&mut self, experiment: &str, figures: Value) {
        self.figures.insert(experiment.to_string(), figures);
    }

    /// Writes the file.
    pub fn save(&mut self, path: &Path) -> Result<()> {
        self.figures.insert(
            "targets".to_string(),
            json!({ "met": self.met, "missed": self.missed, "failed": self.failed }),
        );
        let text = serde_json::to_string_pretty(&self.figures).map_err(|e| e.to_string())?;
        let written = match path.parent() {
            Some(directory) => {
                std::fs::create_dir_all(directory).and_then(|()| std::fs::write(path, text + "\n"))
            }
            None => std::fs::write(path, text + "\n"),
        };
        written.map_err(|e| format!("{}: {e}", path.display()))
    }

    /// The last lines, and how the program ends.
    pub fn finish(&self, args: &Args) -> ExitCode {
        println!(
            "\ntargets: {} met, {} missed; figures in {}",
            self.met,
            self.missed.len(),
            args.json.display()
        );
        for missed in &self.missed {
            println!("  missed: {missed}");
        }
        for failed in &self.failed {
            println!("  failed: {failed}");
        }
        if !self.failed.is_empty() || args.strict && !self.missed.is_empty() {
            ExitCode::FAILURE
        } else {
            ExitCode::SUCCESS
        }
    }
}

/// The middle of some figures; not a number when there are none.
pub fn median(figures: impl IntoIterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = figures.into_iter().collect();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => sorted[n / 2],
        n => (sorted[n / 2 - 1] + sorted[n / 2]) / 2.0,
    }
}

fn machine() -> Value {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .unwrap_or_default();
    json!({
        "processors": std::thread::available_parallelism().map_or(0, |n| n.get()),
        "model": model.trim_start_matches([' ', '\t', ':']),
        "kernel": std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim(),
    })
}

fn first_line(command: &mut Command) -> String {
    let output = command
        .output()
        .map(|output| output.stdout)
        .unwrap_or_default();
    String::from_utf8_lossy(&output)
        .lines()
        .next()
        .unwrap_or_default()
        .to_string()
}
