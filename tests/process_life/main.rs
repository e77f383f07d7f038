//! The life of the process, as its operator sees it: the real program, started, signalled and
//! stopped.

#[path = "../common/mod.rs"]
mod common;

mod completions;
mod daemon;
mod descriptors;
mod ensure_tools;
mod install;
mod listen;
mod log;
mod pid_file;
mod process;
mod service;
mod start;
mod stop;
mod tools;
