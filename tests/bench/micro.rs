//! Micro-benchmarks: what one call of a hot routine costs.
//!
//! `cargo bench --bench micro [part of a name]...`. Each entry is run in batches that last about a millisecond;
//! the figure is the median batch, with the fastest and slowest beside it to show how quiet the machine
//! was. Results pass through [`black_box`], so that nothing measured can be left out by the compiler.

use std::hint::black_box;
use std::time::{Duration, Instant};

/// Batches per entry; an odd number has a middle.
const BATCHES: usize = 101;

/// How long one batch ought to last.
const BATCH: Duration = Duration::from_millis(1);

/// A routine under measurement: its name, the bytes one call goes through (0: not told), and the call.
struct Entry {
    name: String,
    bytes: usize,
    call: Box<dyn FnMut()>,
}

fn entry<T>(name: impl Into<String>, bytes: usize, mut call: impl FnMut() -> T + 'static) -> Entry {
    Entry {
        name: name.into(),
        bytes,
        call: Box::new(move || drop(black_box(call()))),
    }
}

/// Every entry there is.
fn entries() -> Vec<Entry> {
    let mut all = Vec::new();
    for length in [16, 100] {
        let key = vec![b'k'; length];
        all.push(entry(
            format!("crc32 of a {length}-byte key"),
            length,
            move || crc32fast::hash(black_box(&key)),
        ));
    }
    all
}

/// Nanoseconds per call of one entry: fastest, median and slowest batch.
fn measure(call: &mut dyn FnMut()) -> (f64, f64, f64) {
    let mut batch = |calls: u32| {
        let start = Instant::now();
        for _ in 0..calls {
            call();
        }
        start.elapsed()
    };
    let mut calls = 1;
    while batch(calls) < BATCH && calls < 1 << 28 {
        calls *= 2;
    }
    let mut times: Vec<f64> = (0..BATCHES)
        .map(|_| batch(calls).as_nanos() as f64 / f64::from(calls))
        .collect();
    times.sort_by(f64::total_cmp);
    (times[0], times[BATCHES / 2], times[BATCHES - 1])
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    // Test runners start benchmarks too, without `--bench`.
    if !words.iter().any(|word| word == "--bench") {
        return;
    }
    let wanted: Vec<&String> = words.iter().filter(|word| !word.starts_with('-')).collect();
    println!(
        "{:<40} {:>10} {:>10} {:>10} {:>10}",
        "nanoseconds per call", "fastest", "median", "slowest", "GB/s"
    );
    for Entry {
        name,
        bytes,
        mut call,
    } in entries()
    {
        if !wanted.is_empty() && !wanted.iter().any(|part| name.contains(part.as_str())) {
            continue;
        }
        let (fastest, median, slowest) = measure(&mut call);
        let rate = if bytes > 0 {
            format!("{:.2}", bytes as f64 / median)
        } else {
            String::new()
        };
        println!("{name:<40} {fastest:>10.1} {median:>10.1} {slowest:>10.1} {rate:>10}");
    }
}
