//! The members of the cluster, and their changes while nodes run: real nodes before real redis-servers,
//! with providers of seeds that the tests play.
//!
//! What the C original's users rely on, and what it should have done, item by item, and the tests that show
//! it (own gossip and a warm-up by the node itself are not there):
//!
//! | item | what | test |
//! |---|---|---|
//! | 1 | entries of `dyn_seeds` and of lists | `at_start::item_1`, `cluster::seeds`: `item_1_and_5…`, `config_cases` |
//! | 2 | providers by name | `at_start::item_2` |
//! | 3 | polls without gossip | `florida::item_3` |
//! | 4 | the request | `florida::item_4` |
//! | 5, 6 | answers taken and refused | `florida::item_5`, `item_6…`, `cluster::seeds`, `seeds::http` |
//! | 7 | TXT records | `dns::item_7`, `seeds::dns` |
//! | 8 – 12 | nodes added, moved, removed | `live::item_8` to `item_12…`, `cluster::seeds` |
//! | 13 | no request fails, nothing waits | `under_load` |
//! | 14 | gossip frames are read and change nothing | `cluster`: `as_receiver::whatever_a_peer_sends…`, `dnode`: `recorded_gossip…`, `what_a_replica_makes…`, the fuzz target of dnode |
//! | 15 | an operator's state stays | `live::item_15` |
//! | 16 | the node's own names | `cluster::own_names`, `admin::routes`: `the_environment_names…`, `a_wildcard…`, `admin_live`: `item_22` |
//! | 17 | `-g` | `at_start::item_17` |
//! | 18, 19 | seeds away at start, or at another address later | `at_start::item_18`, `item_19` |
//! | 20 | reconnecting | `cluster::backoff`, `cluster`: `faults`, `mixed`: `failing` |
//! | 21 | `recon_*` | `config_cases`: `every_key_of_the_table…` |
//! | 22 | the sidecar's file, start, stop, checks | `at_start::item_22`, `process_life`: `the_sidecar…` |
//! | 23 | the sidecar's warm-up under load | `admin_live`: `a_warm_up_under_load…` |
//! | 24, 25 | beside nodes of the original | `mixed`: `item_24`, `rolling` (with `DYNOMITE_PEER`) |

mod at_start;
mod dns;
mod florida;
mod live;
mod reload;
mod served;
mod under_load;
mod world;
