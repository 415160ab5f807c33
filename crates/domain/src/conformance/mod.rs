//! The rules that every store keeps, each an async function that a store can be held against.
//!
//! The [ports](crate::ports) say what a store promises; here is the proof. Each rule takes a fresh, empty store and panics where
//! the store breaks it. [`conformance_suite!`](crate::conformance_suite) makes every rule a test in the crate that calls it.
//! Where to begin: in your store's `tests/conformance.rs`, with this crate among the dev-dependencies and its feature
//! `conformance` on.
//!
//! ```
//! # use tenantry_domain::memory::MemoryStore;
//! tenantry_domain::conformance_suite! {
//!     block_on = futures_executor::block_on,
//!     store = MemoryStore::new(),
//! }
//! # fn main() {}
//! ```
//!
//! # A store of your own
//! A store need not be made from nothing. This one wraps another, counts the transactions that are begun, and is held against a
//! rule by hand; the macro would hold it against all:
//!
//! ```
//! use std::sync::{Arc, atomic::{AtomicU64, Ordering}};
//! use tenantry_domain::{StoreError, conformance, memory::*, ports::{Parking, Store}};
//!
//! /// Counts the transactions that are begun.
//! #[derive(Clone, Default)]
//! struct Counted {
//!     inner: MemoryStore,
//!     begun: Arc<AtomicU64>,
//! }
//!
//! impl Store for Counted {
//!     type Reader = MemoryReader;
//!     type Transaction = MemoryTransaction;
//!
//!     fn reader(&self) -> Self::Reader {
//!         self.inner.reader()
//!     }
//!
//!     async fn begin(&self) -> Result<Self::Transaction, StoreError> {
//!         self.begun.fetch_add(1, Ordering::Relaxed);
//!         self.inner.begin().await
//!     }
//!
//!     fn parking(&self, parking: Parking<Self::Transaction>) -> Self {
//!         Self { inner: self.inner.parking(parking), begun: Arc::clone(&self.begun) }
//!     }
//! }
//!
//! let store = Counted::default();
//! let rule = conformance::activation::racing_activations_of_a_single_use_code_have_one_winner(store.clone());
//! futures_executor::block_on(rule);
//! assert!(store.begun.load(Ordering::Relaxed) > 32);
//! ```
//!
//! `examples/own-store` in the repository is one from the ground up, on a key-value file.
//!
//! # Races
//!
//! Rules race 32 callers on one task; none needs a runtime. None holds a transaction while it begins another: a store with one writer is as
//! good as any.
//!
//! On one task, only an `await` that waits lets others overtake. So the macro sees to it that every step of the store waits once before it is
//! taken: all reads and writes, `begin` and `commit`, and what is done in one step. A store that decides everything in memory is raced
//! like one that is asked over a wire. It is worth seeing: take your store's guard out, and rules fail.
//!
//! A new version may bring new rules, as the ports may bring new methods; the changelog says so.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a rule panics where a store breaks it: it is a test"
)]

mod fixtures;
mod operator_fixtures;
mod suite;
mod world;
mod yielding;

// For the macro, which is expanded elsewhere.
#[doc(hidden)]
pub use yielding::YieldingStore;

pub mod activation;
pub mod adoption;
pub mod api_keys;
pub mod at_once;
pub mod audit;
pub mod batches;
pub mod bootstrap;
pub mod certificates;
pub mod code_care;
pub mod code_lists;
pub mod codes;
pub mod deletion;
pub mod editing;
pub mod housekeeping;
pub mod idempotency;
pub mod isolation;
pub mod ledger;
pub mod legacy;
pub mod limits;
pub mod operator_sessions;
pub mod operators;
pub mod otps;
pub mod outbox;
pub mod paging;
pub mod parking;
pub mod plans;
pub mod projects;
pub mod refusals;
pub mod returns;
pub mod search;
pub mod sessions;
pub mod signing_keys;
pub mod stats;
pub mod subscriptions;
pub mod tenant_counts;
pub mod tenants;
pub mod time;
pub mod timelines;
pub mod transactions;
pub mod webhooks;
