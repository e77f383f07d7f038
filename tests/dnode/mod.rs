//! The dnode protocol as recorded between nodes of the C original, and as property tests have it.

mod feed;
mod properties;
mod tolerance;
mod vectors;
