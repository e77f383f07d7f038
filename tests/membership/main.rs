//! Who is in the cluster, and how that changes while nodes run: real nodes before real redis-servers,
//! with providers of seeds that the tests play.
//!
//! Tests named after an item (`item_7_…`) show that point of the list of what membership must do;
//! others of those stand beside the code (`cluster::seeds`, `seeds`).

#[path = "../common/mod.rs"]
mod common;

mod at_start;
mod dns;
mod florida;
mod live;
mod reload;
mod served;
mod under_load;
mod world;
