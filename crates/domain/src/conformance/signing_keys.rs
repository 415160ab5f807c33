//! The keys that a store has met: a name stays with its key, and of rings that come at once one is the store's.

use super::world::{RACERS, TICK, World, first_page, later, noon, race};
use crate::{
    Action, AdmitKeyRingError, AuditFilter, ForeignKeyRing, KeyFingerprint, KeyId, SigningKey, StoreError, accept_key_ring,
    admit_key_ring, ports::*,
};

type Ring<'r> = &'r [(KeyId, KeyFingerprint)];

fn id(name: &str) -> KeyId {
    KeyId::parse(name).unwrap()
}

fn key(name: &str, key: u8) -> (KeyId, KeyFingerprint) {
    (id(name), KeyFingerprint::from_bytes([key; 32]))
}

impl<S: Store> World<S> {
    async fn known_keys(&self) -> Vec<SigningKey> {
        self.read().signing_keys().await.unwrap()
    }

    async fn known_names(&self) -> Vec<String> {
        self.known_keys().await.into_iter().map(|key| key.id.to_string()).collect()
    }

    async fn admit(&self, ring: Ring<'_>, seconds: i64) -> Result<(), AdmitKeyRingError> {
        admit_key_ring(&self.store, &self.cx(later(seconds)), ring).await
    }

    /// Why a ring isn't admitted, nor any of it remembered.
    async fn refusal(&self, ring: Ring<'_>) -> ForeignKeyRing {
        let before = self.known_keys().await;
        let refused = self.admit(ring, 99).await;
        assert_eq!(self.known_keys().await, before, "a refused ring leaves nothing");
        match refused {
            Err(AdmitKeyRingError::Foreign(why)) => why,
            other => panic!("no refusal: {other:?}"),
        }
    }
}

/// Keys are read as they were written, in the order of their names, by readers and under the lock. A name that is known goes to no other key.
pub async fn a_signing_key_is_read_as_it_was_written<S: Store>(store: S) {
    let world = World::new(store);
    let key =
        |name, known_since| SigningKey { id: id(name), fingerprint: KeyFingerprint::from_bytes(world.bytes()), known_since };
    let keys = [key("k2", noon() + TICK), key("k1", noon())];
    assert_eq!(world.known_keys().await, []);
    world.write(async |tx| tx.insert_signing_keys(&[]).await).await;
    world.write(async |tx| tx.insert_signing_keys(&keys).await).await;
    let sorted = [keys[1].clone(), keys[0].clone()];
    assert_eq!(world.known_keys().await, sorted);
    assert_eq!(world.write(async |tx| tx.lock_signing_keys().await).await, sorted);
    let again = world.try_write(async |tx| tx.insert_signing_keys(&[key("k3", noon()), key("k1", later(1))]).await).await;
    assert!(matches!(again, Err(StoreError::Conflict(_))), "{again:?}");
    assert_eq!(world.known_keys().await, sorted);
}

/// A new store takes a ring's keys, the same ring is admitted again, and a rotated one brings its new key, also once the former is gone.
pub async fn a_key_ring_is_admitted_and_grows<S: Store>(store: S) {
    let world = World::new(store);
    let (one, two, three) = (key("k1", 1), key("k2", 2), key("k3", 3));
    for (second, ring) in [vec![one.clone()], vec![one.clone()], vec![two.clone(), one], vec![two.clone()], vec![three, two]]
        .into_iter()
        .enumerate()
    {
        world.admit(&ring, i64::try_from(second).unwrap()).await.unwrap();
    }
    let known: Vec<_> = world.known_keys().await.into_iter().map(|key| (key.id.to_string(), key.known_since)).collect();
    assert_eq!(known, [("k1".to_owned(), noon()), ("k2".to_owned(), later(2)), ("k3".to_owned(), later(4))]);
}

/// A ring with another key under a known name, or with no key that is known, is refused, and none of its keys is remembered.
pub async fn a_foreign_key_ring_is_refused_and_leaves_nothing<S: Store>(store: S) {
    let world = World::new(store);
    world.admit(&[key("k2", 2), key("k1", 1)], 0).await.unwrap();
    let another = ForeignKeyRing::AnotherKey { id: id("k1"), known_since: noon() };
    assert_eq!(world.refusal(&[key("k3", 3), key("k2", 2), key("k1", 9)]).await, another);
    assert_eq!(world.refusal(&[key("k1", 9)]).await, another);
    assert_eq!(world.refusal(&[key("k1", 2)]).await, another, "the key of another name");
    let known = vec![id("k1"), id("k2")];
    assert_eq!(world.refusal(&[key("k3", 3)]).await, ForeignKeyRing::NothingInCommon { known });
    let renamed = ForeignKeyRing::Renamed { id: id("main"), known_as: id("k1") };
    assert_eq!(world.refusal(&[key("k3", 3), key("main", 1)]).await, renamed);
}

/// What has nothing in common is accepted by hand, once, with an event in the audit trail; another key under a known name isn't.
pub async fn a_new_key_ring_is_accepted_by_hand<S: Store>(store: S) {
    let world = World::new(store);
    world.admit(&[key("k1", 1)], 0).await.unwrap();
    let accept = async |ring: Ring<'_>| accept_key_ring(&world.store, &world.cx(later(1)), ring).await;
    let refused = accept(&[key("k2", 2), key("k1", 9)]).await;
    assert!(matches!(refused, Err(AdmitKeyRingError::Foreign(ForeignKeyRing::AnotherKey { .. }))), "{refused:?}");
    assert_eq!(world.known_names().await, ["k1"]);
    assert_eq!(accept(&[key("k2", 2)]).await.unwrap(), [id("k2")]);
    assert_eq!(accept(&[key("k2", 2)]).await.unwrap(), []);
    world.admit(&[key("k3", 3), key("k2", 2)], 2).await.unwrap();
    assert_eq!(world.known_names().await, ["k1", "k2", "k3"]);
    let events = world.read().audit_page(None, &AuditFilter::default(), first_page()).await.unwrap().items;
    let events: Vec<_> = events.iter().map(|event| event.action.as_str()).collect();
    assert_eq!(events, [Action::KeysAccepted.as_str()], "one event, and none for what is admitted");
}

/// Of 32 services that start at once on a new store, half with another ring whose key has the same name, those with one of the rings are admitted.
pub async fn racing_key_rings_of_a_new_store_are_one<S: Store>(store: S) {
    let world = World::new(store);
    let rings = [[key("k1", 1), key("k2", 2)], [key("k1", 3), key("k3", 4)]];
    let admitted = race(RACERS, async |racer| match world.admit(&rings[racer % 2], 0).await {
        Ok(()) => true,
        Err(AdmitKeyRingError::Foreign(_)) => false,
        Err(failure) => panic!("{failure:?}"),
    })
    .await;
    let known: Vec<_> = world.known_keys().await.into_iter().map(|key| (key.id, key.fingerprint)).collect();
    let first = rings.iter().position(|ring| *ring == *known);
    assert!(first.is_some(), "the store has the keys of one ring: {known:?}");
    for (racer, admitted) in admitted.into_iter().enumerate() {
        assert_eq!(admitted, Some(racer % 2) == first, "racer {racer}");
    }
}

/// Two rings that have not even a name in common write rows that don't meet: whoever is second waits for the first, and is refused.
pub async fn a_key_ring_that_is_being_admitted_is_not_overtaken<S: Store>(store: S) {
    let world = World::new(store);
    let (id, fingerprint) = key("k1", 1);
    let first = async |tx: &mut S::Transaction| {
        assert_eq!(tx.lock_signing_keys().await.unwrap(), []);
        tx.insert_signing_keys(&[SigningKey { id, fingerprint, known_since: noon() }]).await.unwrap();
    };
    let (overtaken, second) = world.overtakes(first, async || world.admit(&[key("k2", 2)], 1).await).await;
    let refused = matches!(second, Err(AdmitKeyRingError::Foreign(ForeignKeyRing::NothingInCommon { .. })));
    assert!(refused && !overtaken, "overtaken: {overtaken}, {second:?}");
    assert_eq!(world.known_names().await, ["k1"]);
}
