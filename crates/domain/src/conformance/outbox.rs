//! The outbox: a message is claimed by one sender at a time, until one says that it is done.

use std::collections::BTreeSet;

use time::Duration;

use super::world::{RACERS, TICK, World, later, noon, race};
use crate::{Delivery, MessageId, OutboxMessage, ports::*};

fn ids(messages: &[OutboxMessage]) -> Vec<MessageId> {
    messages.iter().map(|message| message.id).collect()
}

/// A claim answers what was written, with the attempt counted.
pub async fn a_claimed_message_is_what_was_written<S: Store>(store: S) {
    let world = World::new(store);
    let mut message = world.new_message(noon());
    message.payload.bytes = (0..=255).cycle().take(4_000).collect();
    message.not_after = Some(later(600));
    world.write(async |tx| tx.enqueue_message(&message).await).await;
    let claimed = world.claim(later(1), 9).await;
    let [claimed] = claimed.as_slice() else { panic!("one message is due: {claimed:?}") };
    // Whether a claim moves `available_at` is the store's affair.
    assert_eq!(claimed, &OutboxMessage { attempts: 1, available_at: claimed.available_at, ..message });
}

/// Messages are claimed oldest first, as many as were asked for.
pub async fn messages_are_claimed_oldest_first<S: Store>(store: S) {
    let world = World::new(store);
    let mut expected = Vec::new();
    for seconds in [3, 1, 4, 2, 5] {
        expected.push((seconds, world.message(later(seconds)).await.id));
    }
    expected.sort_unstable();
    let expected: Vec<_> = expected.into_iter().map(|(_, id)| id).collect();
    assert_eq!(ids(&world.claim(later(9), 2).await), expected[..2]);
    assert_eq!(ids(&world.claim(later(9), 9).await), expected[2..]);
    assert_eq!(world.claim(later(9), 9).await, []);
}

/// 32 racing claims never share a message.
pub async fn racing_claims_share_no_message<S: Store>(store: S) {
    let world = World::new(store);
    let mut enqueued = BTreeSet::new();
    for seconds in 0..10 {
        enqueued.insert(world.message(later(seconds)).await.id);
    }
    let mut claimed: Vec<_> = race(RACERS, async |_| world.claim(later(60), 1).await).await.concat();
    claimed.extend(world.claim(later(60), 99).await);
    assert_eq!(claimed.len(), enqueued.len(), "each message is claimed once");
    assert_eq!(claimed.iter().map(|message| message.id).collect::<BTreeSet<_>>(), enqueued);
    assert!(claimed.iter().all(|message| message.attempts == 1));
}

/// A message whose claimant never came back is due again after the lease, and not during it.
pub async fn a_lease_hides_a_message_until_it_ends<S: Store>(store: S) {
    let world = World::new(store);
    let message = world.message(noon()).await;
    for attempts in 1..4 {
        let claimed_at = noon() + Duration::HOUR * attempts;
        let claimed = world.claim(claimed_at, 9).await;
        assert_eq!(ids(&claimed), [message.id]);
        assert_eq!(claimed[0].attempts, attempts);
        assert_eq!(world.claim(claimed_at + Duration::MINUTE - TICK, 9).await, [], "within the lease");
    }
    assert_eq!(ids(&world.claim(noon() + Duration::HOUR * 3 + Duration::MINUTE + TICK, 9).await), [message.id]);
}

/// A claimant that was overtaken settles nothing: the message is the later claimant's.
pub async fn an_overtaken_claimant_settles_nothing<S: Store>(store: S) {
    let world = World::new(store);
    world.message(noon()).await;
    let first = world.claim(later(0), 9).await.remove(0);
    let second = world.claim(later(120), 9).await.remove(0);
    for delivery in [Delivery::Sent, Delivery::Dropped, Delivery::Retry { at: later(121) }] {
        assert!(!world.settle(&first, delivery, later(121)).await, "{delivery:?}");
    }
    assert_eq!(world.claim(later(150), 9).await, [], "the second claim's lease stands");
    assert!(world.settle(&second, Delivery::Sent, later(150)).await);
    assert_eq!(world.claim(later(9999), 9).await, []);
}

/// A message that was sent or dropped is never claimed again.
pub async fn a_settled_message_is_never_claimed_again<S: Store>(store: S) {
    let world = World::new(store);
    for delivery in [Delivery::Sent, Delivery::Dropped] {
        world.message(noon()).await;
        let claimed = world.claim(later(1), 9).await.remove(0);
        assert!(world.settle(&claimed, delivery, later(2)).await);
        assert_eq!(world.claim(later(1_000_000), 9).await, [], "{delivery:?}");
    }
    let unknown = world.new_message(noon());
    assert!(!world.settle(&unknown, Delivery::Sent, later(1)).await);
}

/// A message that is to be tried again is due at the time that was set, with its attempts counted on.
pub async fn a_retried_message_is_due_at_its_time<S: Store>(store: S) {
    let world = World::new(store);
    let message = world.message(noon()).await;
    let claimed = world.claim(later(1), 9).await.remove(0);
    assert!(world.settle(&claimed, Delivery::Retry { at: later(600) }, later(2)).await);
    assert_eq!(world.claim(later(600) - TICK, 9).await, []);
    let again = world.claim(later(600), 9).await.remove(0);
    assert_eq!((again.id, again.attempts, &again.payload), (message.id, 2, &message.payload));
}
