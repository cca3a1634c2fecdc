//! The tables that every request looks into, with a hash that costs a fraction of the one of the standard library.
//!
//! It is seeded anew by every process, but does not withstand somebody who finds colliding keys by trying: only for tables
//! whose keys the configuration and the equipment choose, never for what a client can put in.

use foldhash::fast::RandomState;

/// A table whose keys no client chooses.
pub(crate) type HashMap<K, V> = std::collections::HashMap<K, V, RandomState>;
