//! The store under test, made to wait wherever it could: before each of its steps it lets the others go first, once.
//!
//! Racers share a task, on which only an `await` that waits lets others overtake. What is decided in memory never waits, so a store of that
//! kind would pass every race without a guard. Here a look and a deed that need a guard between them are overtaken in between.

mod reads;
mod writes;

use std::{future::poll_fn, mem, task::Poll};

use crate::{Project, StoreError, Tenant, ports::*};

/// Lets everyone else on this task take a step: pending once, for no runtime in particular.
async fn others_first() {
    let mut waited = false;
    poll_fn(|cx| {
        if mem::replace(&mut waited, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// A store whose every step waits once.
#[doc(hidden)]
pub struct YieldingStore<S: Store> {
    store: S,
    places: Option<Places<S::Transaction>>,
}

impl<S: Store> YieldingStore<S> {
    /// The same store, waiting.
    pub const fn new(store: S) -> Self {
        Self { store, places: None }
    }
}

// A derive would ask the same of the transaction, which only its places are shared of.
impl<S: Store> Clone for YieldingStore<S> {
    fn clone(&self) -> Self {
        Self { store: self.store.clone(), places: self.places.clone() }
    }
}

/// A reader or a transaction whose every step waits once.
#[doc(hidden)]
pub struct Yielding<P> {
    ports: P,
    // After the ports: a transaction that ends leaves behind what is to be handed over.
    handover: Option<Handover<P>>,
}

impl<P> Yielding<P> {
    const fn new(ports: P) -> Self {
        Self { ports, handover: None }
    }
}

/// Where the rule finds what is parked, and where the store does.
struct Places<T> {
    rule: Parking<Yielding<T>>,
    store: Parking<T>,
}

impl<T> Clone for Places<T> {
    fn clone(&self) -> Self {
        Self { rule: self.rule.clone(), store: self.store.clone() }
    }
}

/// What is parked is with the store while one of its transactions is under way, and with the rule from this one's end on.
struct Handover<T>(Places<T>);

impl<T> Handover<T> {
    fn begin(places: Places<T>) -> Self {
        if let Some(parked) = places.rule.take() {
            places.store.park(parked.ports);
        }
        Self(places)
    }
}

impl<T> Drop for Handover<T> {
    fn drop(&mut self) {
        if let Some(parked) = self.0.store.take() {
            self.0.rule.park(Yielding::new(parked));
        }
    }
}

impl<S: Store> Store for YieldingStore<S> {
    type Reader = Yielding<S::Reader>;
    type Transaction = Yielding<S::Transaction>;

    fn reader(&self) -> Self::Reader {
        Yielding::new(self.store.reader())
    }

    async fn begin(&self) -> Result<Self::Transaction, StoreError> {
        others_first().await;
        let handover = self.places.clone().map(Handover::begin);
        Ok(Yielding { ports: self.store.begin().await?, handover })
    }

    async fn activate_at_once(&self, activation: &Activation<'_>) -> Result<Option<Project>, StoreError> {
        others_first().await;
        self.store.activate_at_once(activation).await
    }

    async fn sign_in_at_once(&self, sign_in: &SignIn<'_>) -> Result<Option<Tenant>, StoreError> {
        others_first().await;
        self.store.sign_in_at_once(sign_in).await
    }

    fn parking(&self, parking: Parking<Self::Transaction>) -> Self {
        let places = Places { rule: parking, store: Parking::new() };
        Self { store: self.store.parking(places.store.clone()), places: Some(places) }
    }
}

impl<T: Transaction> Transaction for Yielding<T> {
    async fn commit(self) -> Result<(), StoreError> {
        others_first().await;
        let Self { ports, handover } = self;
        let committed = ports.commit().await;
        drop(handover);
        committed
    }
}

/// Implements ports by those of another reader or transaction, and waits once before each step.
macro_rules! yielding {
    ($all:ident: $($port:ident { $(fn $step:ident($($name:ident: $kind:ty),* $(,)?) -> $answer:ty;)+ })+) => {
        $(impl<P: $all> $port for Yielding<P> {
            $(async fn $step(&mut self, $($name: $kind),*) -> Result<$answer, StoreError> {
                others_first().await;
                self.ports.$step($($name),*).await
            })+
        })+
    };
}

use yielding;
