//! Requests that are carried out once, however often they are sent.

use std::fmt;

use time::Duration;

use crate::{
    Context, Fingerprint, IdempotencyKey, KeyClaim, KeyClaimId, KeyState, SealedPayload, StoreError,
    ports::{IdempotencyWrites as _, Parking, Store, Transaction as _},
};

/// How long the answer to a keyed request is kept for whoever sends it again: a day.
pub const ANSWERS_ARE_KEPT: Duration = Duration::DAY;

/// A request that comes with an idempotency key, by which it is known when it is sent again.
#[derive(Clone, Copy, Debug)]
pub struct KeyedRequest {
    /// Its claim, told from those of others that send the same. A request that begins again by the same claim goes on with what it has.
    pub claim: KeyClaimId,
    /// Who sends it, and by which key.
    pub key: IdempotencyKey,
    /// What it asks for.
    pub fingerprint: Fingerprint,
    /// How long it may take: for so long a server that was killed leaves the key locked. One that takes longer does nothing.
    pub patience: Duration,
}

/// How a keyed request goes on: it is the first of its key, or was answered before.
#[derive(Debug)]
#[must_use]
pub enum Begun<S: Store> {
    /// It is to be carried out.
    First(Attempt<S>),
    /// It was carried out before, and answered so.
    Again(SealedPayload),
}

/// Why a keyed request isn't carried out. It did nothing.
#[derive(Debug, thiserror::Error)]
pub enum AttemptError {
    /// Another request has the key.
    #[error("the key belongs to another request")]
    Mismatch,
    /// The same request is under way.
    #[error("the same request is under way")]
    InFlight,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A keyed request that is being carried out, and has its idempotency key for itself.
///
/// Run use cases on [`store`](Self::store), then [`answer`](Self::answer): all that they wrote and the answer become lasting
/// together. A request that was refused is [released](Self::release), one that was given up [abandoned](Self::abandon). An
/// attempt that is dropped, or whose server is killed, leaves no trace but the lock, which runs out. Clones are handles to the
/// same attempt.
///
/// # Example
/// `tenantry-auth`'s key ring makes the two digests (`idempotency_key`, `fingerprint`) and seals the answer (`seal_answer`); here
/// they are written by hand:
///
/// ```
/// # use tenantry_domain::{memory::{MemoryStore, PlainHasher}, ports::*, *};
/// # futures_executor::block_on(async {
/// # let (store, cx) = (MemoryStore::new(), Context::system(SystemClock.now(), &SystemEntropy));
/// let (key, fingerprint) = (IdempotencyKey::from_bytes([1; 32]), Fingerprint::from_bytes([2; 32]));
/// let claim = Id::generate(cx.now, cx.entropy);
/// let request = KeyedRequest { claim, key, fingerprint, patience: time::Duration::seconds(30) };
///
/// let Begun::First(attempt) = Attempt::begin(&store, &cx, &request).await? else { panic!("it is new") };
/// let plan = create_plan(attempt.store(), &cx, PlanName::parse("Basic")?, Quota::new(10)?).await?;
/// assert_eq!(store.reader().plan(plan.id).await?, None); // not lasting yet
/// let answer = SealedPayload { key_id: KeyId::parse("k1")?, bytes: plan.id.to_string().into_bytes() };
/// attempt.answer(&answer).await?;
/// assert_eq!(store.reader().plan(plan.id).await?, Some(plan));
///
/// // Sent again, it isn't carried out again.
/// let Begun::Again(kept) = Attempt::begin(&store, &cx, &request).await? else { panic!("it was answered") };
/// assert_eq!(kept, answer);
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
pub struct Attempt<S: Store> {
    outside: S,
    inside: S,
    parking: Parking<S::Transaction>,
    key: IdempotencyKey,
    claim: KeyClaimId,
}

impl<S: Store> Attempt<S> {
    /// Claims the request's key, in a transaction of its own. Where the store leaves open whether it did, it can be done again.
    ///
    /// # Errors
    /// See [`AttemptError`].
    pub async fn begin(store: &S, cx: &Context<'_>, request: &KeyedRequest) -> Result<Begun<S>, AttemptError> {
        let claim = KeyClaim {
            id: request.claim,
            key: request.key,
            fingerprint: request.fingerprint,
            claimed_at: cx.now,
            locked_until: cx.now + request.patience,
            expires_at: cx.now + ANSWERS_ARE_KEPT,
        };
        let mut tx = store.begin().await?;
        match tx.claim_key(&claim).await? {
            KeyState::Claimed => tx.commit().await?,
            KeyState::Answered(answer) => return Ok(Begun::Again(answer)),
            KeyState::InFlight => return Err(AttemptError::InFlight),
            KeyState::Mismatch => return Err(AttemptError::Mismatch),
        }
        let parking = Parking::new();
        let inside = store.parking(parking.clone());
        Ok(Begun::First(Self { outside: store.clone(), inside, parking, key: claim.key, claim: claim.id }))
    }

    /// The store on which the request is carried out.
    #[must_use]
    pub const fn store(&self) -> &S {
        &self.inside
    }

    /// Rolls back what the request wrote, and keeps its key: it is to be carried out anew.
    pub fn start_over(&self) {
        drop(self.parking.take());
    }

    /// Commits what the request wrote, and its answer with it.
    ///
    /// # Errors
    /// [`AttemptError::InFlight`] where it took so long that another has the key by now, [`AttemptError::Store`] where the store failed.
    /// Nothing that the request wrote is lasting then, unless the store left that open.
    pub async fn answer(&self, answer: &SealedPayload) -> Result<(), AttemptError> {
        let mut tx = self.transaction().await?;
        if !tx.answer_key(self.key, self.claim, answer).await? {
            return Err(AttemptError::InFlight);
        }
        Ok(tx.commit().await?)
    }

    /// Commits what the request wrote though it was refused, as an audit event, and gives its key back: sent again, it is judged anew.
    /// Does nothing where another has the key by now.
    ///
    /// # Errors
    /// Where the store failed.
    pub async fn release(&self) -> Result<(), StoreError> {
        let mut tx = self.transaction().await?;
        if tx.release_key(self.key, self.claim).await? {
            tx.commit().await?;
        }
        Ok(())
    }

    /// Rolls back what the request wrote, and gives its key back. Does nothing where it was answered.
    ///
    /// # Errors
    /// Where the store failed; the key is free once its lock has run out.
    pub async fn abandon(self) -> Result<(), StoreError> {
        self.start_over();
        self.release().await
    }

    async fn transaction(&self) -> Result<S::Transaction, StoreError> {
        match self.parking.take() {
            Some(parked) => Ok(parked),
            None => self.outside.begin().await,
        }
    }
}

// A derive would ask the same of the transaction, which only its place is shared of.
impl<S: Store> Clone for Attempt<S> {
    fn clone(&self) -> Self {
        let (outside, inside, parking) = (self.outside.clone(), self.inside.clone(), self.parking.clone());
        Self { outside, inside, parking, key: self.key, claim: self.claim }
    }
}

impl<S: Store> fmt::Debug for Attempt<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attempt").field("claim", &self.claim).finish_non_exhaustive()
    }
}
