//! HTTP connections on the stats port.
