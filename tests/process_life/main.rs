//! The life of the process, as its operator sees it: the real program, started, signalled and
//! stopped.

#[path = "../common/process.rs"]
mod process;

mod daemon;
mod descriptors;
mod install;
mod listen;
mod log;
mod pid_file;
mod start;
mod stop;
