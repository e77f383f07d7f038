//! The process around the node: its log, signals, daemon mode, pid file, limits, readiness.

pub mod daemon;
pub mod figures;
pub mod limits;
pub mod log_limit;
pub mod log_line;
mod log_output;
pub mod log_sink;
pub mod memory;
pub mod notify;
mod owned_open;
pub mod pidfile;
pub mod signals;
