//! The life of the process, as its operator sees it: the real program, started, signalled and
//! stopped.

mod completions;
mod daemon;
mod descriptors;
mod ensure_tools;
mod listen;
mod log;
mod pid_file;
mod process;
mod service;
mod start;
mod stop;
mod tools;
