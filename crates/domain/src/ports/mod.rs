//! The ports: what a use case asks of a store, and what a store promises.
//!
//! You need them to ask a store yourself (for a list, a name, a message to send), or to write one. The use cases on the [crate's
//! page](crate) take any [`Store`], and need nothing of this from you.
//!
//! # Asking a store
//! A [`Reader`] has the reads, each on its own. A [`Transaction`] has reads and writes, which become visible to others together,
//! at [`commit`](Transaction::commit).
//!
//! ```
//! use tenantry_domain::{memory::MemoryStore, ports::*, *};
//!
//! # futures_executor::block_on(async {
//! # let (store, cx) = (MemoryStore::new(), Context::system(SystemClock.now(), &SystemEntropy));
//! # create_plan(&store, &cx, PlanName::parse("Basic")?, Quota::new(10)?).await?;
//! let mut reader = store.reader();
//! let filter = PlanFilter { archived: Some(false), ..PlanFilter::default() };
//! let request = PageRequest { limit: PageLimit::default(), after: None, count: true };
//! let plans = reader.plans_page(&filter, request).await?;
//! assert_eq!(plans.total, Some(1));
//!
//! let mut tx = store.begin().await?;
//! tx.append_audit(&AuditEvent::new(&cx, Action::CodesExported, None, None)).await?;
//! drop(tx); // not committed: nothing happened
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! ```
//!
//! # What a store keeps
//! One pair of traits an entity, reads and writes:
//!
//! | rows | ports |
//! |---|---|
//! | plans | [`PlanReads`], [`PlanWrites`] |
//! | tenants and their subscriptions | [`TenantReads`], [`TenantWrites`] |
//! | codes, and the batches that they came in | [`CodeReads`], [`CodeWrites`], [`BatchReads`], [`BatchWrites`] |
//! | projects | [`ProjectReads`], [`ProjectWrites`] |
//! | the ledger (each use of a code), and each month's count | [`LedgerReads`], [`LedgerWrites`] |
//! | sign-in: challenges, sessions, API keys, the first operator's links | [`OtpReads`], [`OtpWrites`], [`SessionReads`], [`SessionWrites`], [`OperatorSessionReads`], [`OperatorSessionWrites`], [`ApiKeyReads`], [`ApiKeyWrites`], [`BootstrapReads`], [`BootstrapWrites`] |
//! | operators | [`OperatorReads`], [`OperatorWrites`] |
//! | the audit trail | [`AuditReads`], [`AuditWrites`] |
//! | messages that wait to be sent, and webhooks | [`OutboxReads`], [`OutboxWrites`], [`WebhookReads`], [`WebhookWrites`] |
//! | rate limits, and idempotency keys | [`LimitWrites`], [`IdempotencyWrites`] |
//! | which keys the digests were made with | [`SigningKeyReads`], [`SigningKeyWrites`] |
//! | figures | [`StatsReads`] |
//! | what came from an older portal | [`AdoptionReads`], [`AdoptionWrites`] |
//! | what has ended, to be deleted | [`HousekeepingWrites`] |
//!
//! # What the names say
//!
//! | in a name | means |
//! |---|---|
//! | a `tenant` comes first | another tenant's row is as good as missing |
//! | `_of_anyone` | whoever owns it: for operators, and for the store's own work |
//! | `hold_` | reads a row, and keeps it from being deleted (a plan: from being changed) until the transaction ends. Holders don't wait for each other |
//! | `lock_` | as `hold_`, and keeps every other transaction that locks the same waiting |
//! | `confirm_` | holds what was read before, if it is still the same |
//! | `consume_`, `claim_`, `take_`, `start_`, `touch_`, `settle_`, .. | a conditional write: it answers whether it won, by `false` or `None` if it didn't |
//! | `_page` | a page of a list, newest first |
//! | `digests` | one text under every key of a key ring: at most one row has one of them |
//!
//! # What holds throughout
//! What the traits' signatures can't say is said in their docs and held by `tenantry_domain::conformance`, which every store
//! passes.
//!
//! - **Tenant first.** Where a tenant is named, another tenant's row is as good as missing.
//! - **Conditional writes decide races.** A write that may lose says so with `false` or `None`; a read before it decides nothing.
//! - **A failed statement leaves the transaction usable or fails it whole**, and a transaction that is dropped leaves no trace.
//! - **Every read and write can fail as a store does**: with a [`StoreError`]. Docs name those that mean something more.
//!
//! # Writing a store
//! Each `async fn` of a trait is declared as `fn .. -> impl Future + Send`, and may be implemented as an `async fn`. [`Reader`]
//! comes by itself once all reads are there. Two shapes of store are known to keep every rule:
//!
//! - **Transactions take turns**, by an asynchronous mutex that [`begin`](Store::begin) waits for. Then nobody overtakes anybody:
//!   a conditional write is a look and a deed, and everything named `lock_`, `hold_` or `confirm_` is a read. Readers see what
//!   was committed last. The in-memory store is so, and `examples/own-store`.
//! - **Transactions race**, as on PostgreSQL. Then each conditional write is one statement that decides, and `lock_` and `hold_`
//!   take the locks that their docs ask for, in the order tenant, plan, project, code, ledger, subscription, audit.
//!
//! [`Store::parking`] needs a transaction inside a transaction: a savepoint, or a copy of what was written. Where nothing can be
//! done in one step, leave [`Store::activate_at_once`] and [`Store::sign_in_at_once`] as they are. What is done to a row is
//! mostly in this crate already: filters say what they keep ([`CodeFilter::keeps`]), [`Rate::decide`](crate::Rate::decide) is the
//! arithmetic of a limit, [`StoredMessage`](crate::StoredMessage) a message with all that becomes of it, and the feature `rows`
//! makes them serialise.

mod adoption;
mod api_keys;
mod at_once;
mod audit;
mod batches;
mod bootstrap;
mod codes;
mod error;
mod housekeeping;
mod idempotency;
mod ledger;
mod limits;
mod operator_sessions;
mod operators;
mod otps;
mod outbox;
mod parking;
mod plans;
mod projects;
mod sessions;
mod signing_keys;
mod stats;
mod tenants;
mod webhooks;

use std::future::{self, Future};

use crate::{Project, Tenant};

pub use adoption::{AdoptionReads, AdoptionWrites};
pub use api_keys::{ApiKeyReads, ApiKeyWrites};
pub use at_once::{Activation, ActivationBy, SignIn};
pub use audit::{ActorNames, AuditReads, AuditWrites};
pub use batches::{BatchFilter, BatchReads, BatchWrites, RevokedCodes};
pub use bootstrap::{BootstrapReads, BootstrapWrites};
pub use codes::{CodeFilter, CodeIssue, CodeReads, CodeWrites, UsedText};
pub use error::StoreError;
pub use housekeeping::{HousekeepingWrites, Leftover, SweptBuckets};
pub use idempotency::IdempotencyWrites;
pub use ledger::{LedgerReads, LedgerWrites};
pub use limits::LimitWrites;
pub use operator_sessions::{OperatorSessionReads, OperatorSessionWrites};
pub use operators::{OperatorReads, OperatorWrites};
pub use otps::{OtpReads, OtpWrites};
pub use outbox::{MessageFilter, OutboxReads, OutboxWrites};
pub use parking::Parking;
pub use plans::{PlanFilter, PlanReads, PlanWrites};
pub use projects::{Ownership, ProjectFilter, ProjectReads, ProjectStanding, ProjectWrites};
pub use sessions::{SessionReads, SessionTouch, SessionWrites};
pub use signing_keys::{SigningKeyReads, SigningKeyWrites};
pub use stats::StatsReads;
pub use tenants::{TenantFilter, TenantReads, TenantWrites};
pub use webhooks::{WebhookReads, WebhookWrites};

/// A store: a handle that is cheap to clone, shared by all that use it.
pub trait Store: Clone + Send + Sync + 'static {
    /// What [`reader`](Self::reader) gives.
    type Reader: Reader;
    /// What [`begin`](Self::begin) gives.
    type Transaction: Transaction;

    /// A reader. Costs no round trip; each of its reads sees what was committed when it began.
    fn reader(&self) -> Self::Reader;

    /// Begins a transaction.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] or [`StoreError::Interrupted`] where the store can't be reached in time.
    fn begin(&self) -> impl Future<Output = Result<Self::Transaction, StoreError>> + Send;

    /// What [`activate_project`](crate::activate_project) does in a transaction, in one step, where nothing stands against it: the tenant
    /// is there, isn't suspended, and its subscription is in one of the given states; the bucket holds one; the project is the tenant's and
    /// pending, and was changed before `now`; the code is the tenant's and active; the month is within the plan's quota; and no webhook could
    /// hear of it. Answers the project as it is then, with all of it lasting, as after a [commit](Transaction::commit).
    ///
    /// `None`, and nothing has happened, wherever that isn't so, and wherever a store can't tell: the use case then takes its transaction,
    /// and finds out. No store needs this; it is what makes one fast that is asked over a wire.
    ///
    /// # Errors
    /// Those of a transaction. [`StoreError::Unavailable`] may leave open whether it took place.
    fn activate_at_once(&self, activation: &Activation<'_>) -> impl Future<Output = Result<Option<Project>, StoreError>> + Send {
        let _ = activation;
        future::ready(Ok(None))
    }

    /// The end of a tenant's sign-in in one step: consumes the challenge, stores the session and appends the event, where the tenant is there
    /// and isn't suspended, and the challenge is neither consumed nor expired. Whoever suspends the tenant, or ends all its sessions, sees
    /// this one, or comes first. Answers the tenant, with all of it lasting.
    ///
    /// `None`, and nothing has happened, wherever that isn't so, and wherever a store can't tell, as for
    /// [`activate_at_once`](Self::activate_at_once).
    ///
    /// # Errors
    /// Those of a transaction. [`StoreError::Unavailable`] may leave open whether it took place.
    fn sign_in_at_once(&self, sign_in: &SignIn<'_>) -> impl Future<Output = Result<Option<Tenant>, StoreError>> + Send {
        let _ = sign_in;
        future::ready(Ok(None))
    }

    /// The same store, whose transactions end in one commit of the caller's: for use cases, which commit by themselves, when what they
    /// write must last together with something else.
    ///
    /// A transaction that is committed is parked. The next one goes on inside it: it sees what is parked, joins it when it is committed,
    /// and leaves it as it was when it is dropped, also after a statement of it failed. Nobody else sees anything, the store's own
    /// readers included, until the caller [takes](Parking::take) the parked transaction and commits it. One transaction at a time.
    #[must_use]
    fn parking(&self, parking: Parking<Self::Transaction>) -> Self;
}

/// All reads of a store. Implemented for whatever has them all.
pub trait Reader:
    PlanReads
    + TenantReads
    + CodeReads
    + BatchReads
    + ProjectReads
    + LedgerReads
    + SessionReads
    + OtpReads
    + AuditReads
    + OperatorReads
    + OperatorSessionReads
    + ApiKeyReads
    + BootstrapReads
    + StatsReads
    + OutboxReads
    + WebhookReads
    + AdoptionReads
    + SigningKeyReads
    + Send
{
}

impl<T> Reader for T where
    T: PlanReads
        + TenantReads
        + CodeReads
        + BatchReads
        + ProjectReads
        + LedgerReads
        + SessionReads
        + OtpReads
        + AuditReads
        + OperatorReads
        + OperatorSessionReads
        + ApiKeyReads
        + BootstrapReads
        + StatsReads
        + OutboxReads
        + WebhookReads
        + AdoptionReads
        + SigningKeyReads
        + Send
{
}

/// All reads and writes of a store, in one transaction. Dropped without [`commit`](Self::commit), it leaves no trace.
///
/// Others see none of its writes before the commit. Its reads see its own writes; whether they see what others commit
/// meanwhile is the store's affair (PostgreSQL: yes; SQLite and memory: there is none, as writers take turns).
#[must_use = "a transaction that is dropped is rolled back"]
pub trait Transaction:
    Reader
    + PlanWrites
    + TenantWrites
    + CodeWrites
    + BatchWrites
    + ProjectWrites
    + LedgerWrites
    + SessionWrites
    + OtpWrites
    + LimitWrites
    + IdempotencyWrites
    + AuditWrites
    + OutboxWrites
    + OperatorWrites
    + OperatorSessionWrites
    + ApiKeyWrites
    + BootstrapWrites
    + HousekeepingWrites
    + WebhookWrites
    + AdoptionWrites
    + SigningKeyWrites
{
    /// Makes the writes lasting and visible, all of them or none. After `Ok` they survive a crash of this process and, for a store
    /// on disk, of the machine.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] may leave open whether the writes took place; any other error says that they didn't.
    fn commit(self) -> impl Future<Output = Result<(), StoreError>> + Send;
}
