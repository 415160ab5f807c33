//! API keys: found by their text alone, their use written once a minute, revoked once and for all.

use time::Duration;

use super::world::{TICK, World, later, noon};
use crate::{ApiKey, ApiKeyId, ApiKeyName, Role, Scopes, TokenDigest, ports::*};

impl<S: Store> World<S> {
    async fn stored_api_key(&self, id: ApiKeyId) -> ApiKey {
        self.read().api_key(id).await.unwrap().unwrap()
    }
}

/// Every field of an API key is read as it was written, by its identifier and by its digest.
pub async fn an_api_key_is_read_as_it_was_written<S: Store>(store: S) {
    let world = World::new(store);
    let maker = world.operator(Role::Owner).await;
    let bare = world.new_api_key(noon());
    let full = ApiKey {
        name: ApiKeyName::parse("Größe „XL“").unwrap(),
        scopes: Scopes::all(),
        expires_at: Some(later(3600) + TICK),
        last_used_at: Some(later(1)),
        revoked_at: Some(later(2)),
        created_by: Some(maker.id),
        ..world.new_api_key(noon())
    };
    let powerless = ApiKey { scopes: Scopes::NONE, ..world.new_api_key(noon()) };
    for key in [bare, full, powerless] {
        world.insert_api_key(&key).await;
        assert_eq!(world.stored_api_key(key.id).await, key);
        assert_eq!(world.read().api_key_by_digests(&[key.token_digest]).await.unwrap(), Some(key));
    }
    assert_eq!(world.read().api_key(world.id(noon())).await.unwrap(), None);
}

/// An API key is found by its digest among those of other keys of the ring, also once it is revoked.
pub async fn an_api_key_is_found_by_any_of_its_digests<S: Store>(store: S) {
    let world = World::new(store);
    let (key, decoy) = (world.new_api_key(noon()), world.new_api_key(noon()));
    world.insert_api_key(&key).await;
    world.insert_api_key(&decoy).await;
    let others = [TokenDigest::from_bytes([0xA5; 32]), TokenDigest::from_bytes([0; 32])];
    let by = async |digests: &[TokenDigest]| world.read().api_key_by_digests(digests).await.unwrap().map(|key| key.id);
    assert_eq!(by(&[others[0], key.token_digest, others[1]]).await, Some(key.id));
    assert_eq!(by(&others).await, None);
    assert_eq!(by(&[]).await, None);
    assert!(world.write(async |tx| tx.revoke_api_key(key.id, later(1)).await).await);
    assert_eq!(by(&[key.token_digest]).await, Some(key.id));
}

/// A second API key with the digest of a first is refused.
pub async fn an_api_keys_digest_is_stored_once<S: Store>(store: S) {
    let world = World::new(store);
    let first = world.new_api_key(noon());
    world.insert_api_key(&first).await;
    let second = ApiKey { token_digest: first.token_digest, ..world.new_api_key(noon()) };
    assert!(world.try_write(async |tx| tx.insert_api_key(&second).await).await.is_err());
    assert_eq!(world.stored_api_key(first.id).await, first);
}

/// Of 32 racing uses of a key one is written, and the next not before its time.
pub async fn racing_uses_of_an_api_key_are_written_once_a_while<S: Store>(store: S) {
    let world = World::new(store);
    let key = world.new_api_key(noon());
    world.insert_api_key(&key).await;
    let uses = async |seconds| {
        let now = later(seconds);
        world.winners(async |_, tx| tx.touch_api_key(key.id, now, now - Duration::MINUTE, None).await).await
    };
    assert_eq!((uses(1).await, uses(60).await, uses(61).await, uses(120).await), (1, 0, 1, 0));
    assert_eq!(world.stored_api_key(key.id).await, ApiKey { last_used_at: Some(later(61)), ..key });
}

/// Of 32 racing claims to audit a key's use one succeeds, and the next not before its time.
pub async fn racing_claims_to_audit_an_api_key_have_one_winner<S: Store>(store: S) {
    let world = World::new(store);
    let (key, other) = (world.new_api_key(noon()), world.new_api_key(noon()));
    world.insert_api_key(&key).await;
    world.insert_api_key(&other).await;
    let claims = async |id, seconds| {
        let now = later(seconds);
        world.winners(async |_, tx| tx.claim_api_key_audit(id, now, now - Duration::HOUR).await).await
    };
    assert_eq!((claims(key.id, 1).await, claims(key.id, 3600).await, claims(key.id, 3601).await), (1, 0, 1));
    assert_eq!((claims(other.id, 3602).await, claims(world.id(noon()), 3602).await), (1, 0));
    assert_eq!(world.stored_api_key(key.id).await, key, "a claim is no use");
}

/// Of 32 racing revocations of a key one succeeds, and its moment stays; a key that has expired can be revoked too.
pub async fn racing_revocations_of_an_api_key_have_one_winner<S: Store>(store: S) {
    let world = World::new(store);
    let expired = ApiKey { expires_at: Some(noon()), ..world.new_api_key(noon() - Duration::HOUR) };
    for key in [world.new_api_key(noon()), expired] {
        world.insert_api_key(&key).await;
        assert_eq!(world.winners(async |_, tx| tx.revoke_api_key(key.id, later(1)).await).await, 1);
        assert!(!world.write(async |tx| tx.revoke_api_key(key.id, later(2)).await).await);
        assert_eq!(world.stored_api_key(key.id).await, ApiKey { revoked_at: Some(later(1)), ..key });
    }
    let unknown = world.id(noon());
    assert!(!world.write(async |tx| tx.revoke_api_key(unknown, later(1)).await).await);
}

/// A key that is revoked, or at its end, is not used any more.
pub async fn an_api_key_that_has_ended_is_not_used<S: Store>(store: S) {
    let world = World::new(store);
    let end = later(600);
    let key = ApiKey { expires_at: Some(end), ..world.new_api_key(noon()) };
    world.insert_api_key(&key).await;
    let touch = async |now| world.write(async |tx| tx.touch_api_key(key.id, now, now, None).await).await;
    assert!(!touch(end).await);
    assert!(touch(end - TICK).await);
    assert!(world.write(async |tx| tx.revoke_api_key(key.id, later(1)).await).await);
    assert!(!touch(end - TICK).await);
}

/// A use of a key whose text has a new digest: it is found by that one, and no longer by the former.
pub async fn a_rekeyed_api_key_is_found_by_its_new_digest_alone<S: Store>(store: S) {
    let world = World::new(store);
    let key = world.new_api_key(noon());
    world.insert_api_key(&key).await;
    let digest = TokenDigest::from_bytes(world.bytes());
    let touch = async |_, tx: &mut S::Transaction| tx.touch_api_key(key.id, later(60), later(0), Some(digest)).await;
    assert_eq!(world.winners(touch).await, 1);
    assert_eq!(world.read().api_key_by_digests(&[key.token_digest]).await.unwrap(), None);
    let rekeyed = world.read().api_key_by_digests(&[digest]).await.unwrap();
    assert_eq!(rekeyed, Some(ApiKey { token_digest: digest, last_used_at: Some(later(60)), ..key }));
}
