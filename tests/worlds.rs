//! Nodes without sockets, files and clocks: simulated worlds, fuzz targets and counted allocations.

mod allocations;
mod clustersim;
mod fuzz;
mod in_memory;
mod sim;
mod simulated;
