//! Links that make an owner: each is used once, and of those for the first operator one.

use super::world::{RACERS, TICK, World, later, noon};
use crate::{BootstrapLink, BootstrapPurpose, Role, Timestamp, TokenDigest, ports::*};

impl<S: Store> World<S> {
    async fn is_open(&self, link: &BootstrapLink, now: Timestamp) -> bool {
        let open = self.read().open_bootstrap_link(&[link.token_digest], now).await.unwrap();
        assert!(open.as_ref().is_none_or(|open| open == link), "a link is read as it was written");
        open.is_some()
    }

    async fn consume_link(&self, link: &BootstrapLink, now: Timestamp) -> bool {
        self.write(async |tx| tx.consume_bootstrap_link(&[link.token_digest], now).await).await.is_some()
    }

    /// What a use of a link does: `true` when it made an operator.
    async fn bootstrap(&self, link: &BootstrapLink, tx: &mut S::Transaction) -> Result<bool, crate::StoreError> {
        tx.lock_operators().await?;
        if tx.consume_bootstrap_link(&[link.token_digest], later(1)).await?.is_none() {
            return Ok(false);
        }
        tx.insert_operator(&self.new_operator(Role::Owner, later(1))).await
    }
}

/// A link is open until one microsecond before its end, for reads and uses alike, and under any of its digests.
pub async fn a_link_is_open_until_its_end<S: Store>(store: S) {
    let world = World::new(store);
    for purpose in [BootstrapPurpose::FirstOperator, BootstrapPurpose::Recovery] {
        let link = world.bootstrap_link(purpose).await;
        let end = link.expires_at;
        assert!(world.is_open(&link, end - TICK).await && !world.is_open(&link, end).await);
        assert!(!world.consume_link(&link, end).await);
        let digests = [TokenDigest::from_bytes([0xA5; 32]), link.token_digest, TokenDigest::from_bytes([0; 32])];
        let used = world.write(async |tx| tx.consume_bootstrap_link(&digests, end - TICK).await).await;
        assert_eq!(used.as_ref(), Some(&link));
        assert!(!world.is_open(&link, noon()).await && !world.consume_link(&link, noon()).await, "it is used");
    }
    assert_eq!(world.read().open_bootstrap_link(&[], noon()).await.unwrap(), None);
    assert_eq!(world.write(async |tx| tx.consume_bootstrap_link(&[], noon()).await).await, None);
}

/// Once there is an operator, of whatever role, links for the first one are dead, also those that are made later; a link for recovery isn't.
pub async fn an_operator_closes_the_links_for_the_first<S: Store>(store: S) {
    let world = World::new(store);
    let before = world.bootstrap_link(BootstrapPurpose::FirstOperator).await;
    assert!(world.is_open(&before, later(1)).await);
    world.operator(Role::Viewer).await;
    let after = world.bootstrap_link(BootstrapPurpose::FirstOperator).await;
    let recovery = world.bootstrap_link(BootstrapPurpose::Recovery).await;
    for link in [before, after] {
        assert!(!world.is_open(&link, later(1)).await && !world.consume_link(&link, later(1)).await);
    }
    assert!(world.is_open(&recovery, later(1)).await && world.consume_link(&recovery, later(1)).await);
}

/// Of 32 racing uses of one link one succeeds.
pub async fn racing_uses_of_a_link_have_one_winner<S: Store>(store: S) {
    let world = World::new(store);
    world.operator(Role::Owner).await;
    let link = world.bootstrap_link(BootstrapPurpose::Recovery).await;
    assert_eq!(world.winners(async |_, tx| world.bootstrap(&link, tx).await).await, 1);
}

/// Of 32 links for the first operator that are used at once, one makes it.
pub async fn racing_uses_of_several_links_make_one_operator<S: Store>(store: S) {
    let world = World::new(store);
    let mut links = Vec::new();
    for _ in 0..RACERS {
        links.push(world.bootstrap_link(BootstrapPurpose::FirstOperator).await);
    }
    assert_eq!(world.winners(async |racer, tx| world.bootstrap(&links[racer], tx).await).await, 1);
}

/// Links that have expired are deleted, and no others.
pub async fn expired_links_are_deleted<S: Store>(store: S) {
    let world = World::new(store);
    let link = world.bootstrap_link(BootstrapPurpose::FirstOperator).await;
    let delete = async |now| world.write(async |tx| tx.delete_expired_bootstrap_links(now).await).await;
    assert_eq!(delete(link.expires_at - TICK).await, 0);
    assert!(world.is_open(&link, later(1)).await);
    assert_eq!((delete(link.expires_at).await, delete(link.expires_at).await), (1, 0));
    assert!(!world.is_open(&link, later(1)).await);
}
