//! A store in memory: complete, and gone with the process. For tests, for examples, and for small embeddings.
//!
//! [`MemoryStore`] keeps every rule of the [ports](crate::ports) and passes `tenantry_domain::conformance` like a store on disk.
//! Transactions take turns: [`begin`](crate::ports::Store::begin) waits until the one before has ended. Readers never wait, and
//! see what was committed last. It needs no async runtime: any executor will do, also `futures_executor::block_on`.
//!
//! ```
//! use tenantry_domain::{memory::MemoryStore, ports::*, *};
//!
//! # futures_executor::block_on(async {
//! let store = MemoryStore::new(); // clones share its rows: give one to each task
//! let cx = Context::system(SystemClock.now(), &SystemEntropy);
//! let plan = create_plan(&store, &cx, PlanName::parse("Basic")?, Quota::new(10)?).await?;
//! assert_eq!(store.clone().reader().plan(plan.id).await?, Some(plan));
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! ```
//!
//! A transaction copies each table that it writes to (the rows are shared), and lists look at every row of their table: right for
//! thousands of rows, not for millions.
//!
//! [`PlainHasher`] goes with it in tests. Where codes are worth something, take the key ring of `tenantry-auth`, also in memory.

mod adoption;
mod api_keys;
mod audit;
mod batches;
mod bootstrap;
mod codes;
mod hasher;
mod housekeeping;
mod idempotency;
mod ledger;
mod limits;
mod operator_sessions;
mod operators;
mod otps;
mod outbox;
mod plans;
mod projects;
mod sessions;
mod signing_keys;
mod stats;
mod store;
mod table;
mod tables;
mod tenants;
mod webhooks;

pub use hasher::PlainHasher;
pub use store::{MemoryReader, MemoryStore, MemoryTransaction};
