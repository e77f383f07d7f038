//! Coverage-guided runs: libFuzzer chooses the inputs, by what parts of the program the earlier ones reached.
//!
//! Only `contrib/fuzz-coverage` compiles this (`--cfg fuzzing`): it needs clang's libFuzzer, and a program
//! with coverage counters.

use std::cell::Cell;
use std::ffi::{CString, c_char, c_int};
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{abort, exit};

use crate::fuzz::corpus;
use crate::fuzz::targets::Target;

/// Inputs are at most this long.
const LONGEST: usize = 4096;
/// Inputs in the committed seeds that are merged from runs are shorter: what a long one reaches, a short
/// one mostly reaches too.
const LONGEST_MERGED: usize = 256;

unsafe extern "C" {
    /// libFuzzer's entry for programs that have a main function: runs with these arguments. From LLVM's
    /// documentation, "Using libFuzzer as a library".
    fn LLVMFuzzerRunDriver(
        argc: *mut c_int,
        argv: *mut *mut *mut c_char,
        run: extern "C" fn(*const u8, usize) -> c_int,
    ) -> c_int;
}

thread_local! {
    static RUN: Cell<fn(&[u8])> = const { Cell::new(|_| ()) };
}

/// Runs a target under libFuzzer. Does not return.
pub fn run(target: &Target) -> ! {
    RUN.set(target.run);
    let mut args = vec![variable("FUZZ_RUNNER")];
    // Set where libFuzzer runs itself again.
    let given = variable("FUZZ_ARGS");
    match given.is_empty() {
        true => args.extend(arguments(target)),
        false => args.extend(given.split_whitespace().map(str::to_owned)),
    }
    let args = args
        .into_iter()
        .map(|arg| CString::new(arg).expect("paths have no zero bytes"));
    let mut args: Vec<*mut c_char> = args.map(CString::into_raw).collect();
    let mut argc = c_int::try_from(args.len()).expect("a command line");
    args.push(std::ptr::null_mut());
    let mut argv = args.as_mut_ptr();
    // SAFETY: `argv` has `argc` strings and a null behind them, all of which live as long as the process.
    let status = unsafe { LLVMFuzzerRunDriver(&raw mut argc, &raw mut argv, one) };
    exit(status)
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_default()
}

/// The arguments for a run of `FUZZ_SECONDS`. With `FUZZ_MERGE`: those to add to the directory of that name the fewest
/// inputs of earlier runs that reach all that those reached and the directory does not. `FUZZ_OPTIONS` are
/// further ones.
fn arguments(target: &Target) -> Vec<String> {
    let name = target.name;
    let own = format!("target/fuzz/{name}");
    make_directory(&own);
    let options = variable("FUZZ_OPTIONS");
    let mut args: Vec<String> = options.split_whitespace().map(str::to_owned).collect();
    let merged = variable("FUZZ_MERGE");
    if !merged.is_empty() {
        args.push("-set_cover_merge=1".into());
        args.push(format!("-max_len={LONGEST_MERGED}"));
        args.extend([merged, own]);
        return args;
    }
    args.push(format!("-dict={}", write_dictionary(target)));
    args.push(format!("-max_total_time={}", variable("FUZZ_SECONDS")));
    args.push(format!("-max_len={LONGEST}"));
    args.push(format!("-artifact_prefix={own}."));
    // What is found goes to the first directory.
    args.push(own);
    let seeds = corpus::directories(name).into_iter();
    let seeds = seeds.filter(|directory| directory.is_dir());
    args.extend(seeds.map(|directory| directory.display().to_string()));
    args
}

fn make_directory(path: &str) {
    fs::create_dir_all(path).unwrap_or_else(|e| panic!("{path}: {e}"));
}

/// Writes the words of a target where libFuzzer finds them, in its format. Returns the path.
fn write_dictionary(target: &Target) -> String {
    let mut text = String::new();
    // libFuzzer takes no longer ones.
    for word in target.words.iter().filter(|word| word.len() <= 64) {
        let hex: String = word.iter().map(|byte| format!("\\x{byte:02x}")).collect();
        text += &format!("\"{hex}\"\n");
    }
    let path = format!("target/fuzz/{}.dict", target.name);
    fs::write(&path, text).unwrap_or_else(|e| panic!("{path}: {e}"));
    path
}

/// Runs one input. libFuzzer keeps it when the process is aborted.
extern "C" fn one(bytes: *const u8, length: usize) -> c_int {
    let input = match length {
        0 => &[][..],
        // SAFETY: libFuzzer lends `length` bytes for the time of this call.
        _ => unsafe { std::slice::from_raw_parts(bytes, length) },
    };
    if catch_unwind(AssertUnwindSafe(|| RUN.get()(input))).is_err() {
        abort();
    }
    0
}
