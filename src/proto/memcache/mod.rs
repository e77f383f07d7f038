//! The memcached ASCII protocol, as memcached 1.6 speaks it.
//!
//! | part | what it knows |
//! |---|---|
//! | [`command`] | the one table of commands: what serves each, and its class |
//! | [`call`] | a request that has been understood, and its canonical line |
//! | [`reply`] | where a reply ends |
//! | [`head`] | the lines of a reply that announce data |
//! | [`blocks`] | the values of a reply one by one; joining replies |
//! | [`varying`] | what replicas in the same state say differently |
//! | [`unique`] | versions of items, marked with where they come from |
//! | [`rewrite`] | requests in a form that has the same effect on every replica |

#[cfg(test)]
pub(in crate::proto) mod against_memcached;
pub mod blocks;
pub mod call;
pub mod command;
pub mod head;
pub mod reply;
pub mod rewrite;
pub mod unique;
pub mod varying;
