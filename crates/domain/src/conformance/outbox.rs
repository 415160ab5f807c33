//! The outbox: a message is claimed by one sender at a time, until one says that it is done.

use std::collections::BTreeSet;

use time::Duration;

use super::world::{RACERS, TICK, World, first_page, later, noon, race};
use crate::{Cause, Delivery, FailureNote, MessageId, MessageRecord, MessageState, OutboxMessage, Timestamp, TraceId, ports::*};

fn ids(messages: &[OutboxMessage]) -> Vec<MessageId> {
    messages.iter().map(|message| message.id).collect()
}

fn refused() -> FailureNote {
    FailureNote::new("the mail server refused the mail with code 550")
}

fn dead() -> Delivery {
    Delivery::Dead { why: refused() }
}

fn retry(at: Timestamp) -> Delivery {
    Delivery::Retry { at, why: FailureNote::new("the mail server took too long") }
}

impl<S: Store> World<S> {
    /// A message that ended so, made at `at`.
    async fn settled(&self, at: Timestamp, delivery: &Delivery) -> MessageId {
        let message = self.message(at).await;
        let claimed = self.claim(at, 9).await.remove(0);
        assert_eq!(claimed.id, message.id);
        assert!(self.settle(&claimed, delivery, at).await);
        message.id
    }

    async fn record(&self, id: MessageId) -> MessageRecord {
        self.read().message(id).await.unwrap().unwrap()
    }
}

/// A claim answers what was written, with the attempt counted.
pub async fn a_claimed_message_is_what_was_written<S: Store>(store: S) {
    let world = World::new(store);
    let mut message = world.new_message(noon());
    message.payload.bytes = (0..=255).cycle().take(4_000).collect();
    message.not_after = Some(later(600));
    let trace_id = Some(TraceId::parse("4bf92f3577b34da6a3ce929d0e0e4736").unwrap());
    message.cause = Cause { request_id: Some("req-1".to_owned()), trace_id };
    world.write(async |tx| tx.enqueue_message(&message).await).await;
    let claimed = world.claim(later(1), 9).await;
    let [claimed] = claimed.as_slice() else { panic!("one message is due: {claimed:?}") };
    assert_eq!(world.record(message.id).await.cause, message.cause);
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
    for delivery in [Delivery::Sent, Delivery::Dropped, dead(), retry(later(121))] {
        assert!(!world.settle(&first, &delivery, later(121)).await, "{delivery:?}");
    }
    assert_eq!(world.claim(later(150), 9).await, [], "the second claim's lease stands");
    assert!(world.settle(&second, &Delivery::Sent, later(150)).await);
    assert_eq!(world.claim(later(9999), 9).await, []);
}

/// A message that was sent, dropped or given up is never claimed again, nor settled again by its claimant.
pub async fn a_settled_message_is_never_claimed_again<S: Store>(store: S) {
    let world = World::new(store);
    for delivery in [Delivery::Sent, Delivery::Dropped, dead()] {
        world.message(noon()).await;
        let claimed = world.claim(later(1), 9).await.remove(0);
        assert!(world.settle(&claimed, &delivery, later(2)).await);
        let record = world.record(claimed.id).await;
        for again in [Delivery::Sent, Delivery::Dropped, dead(), retry(later(3))] {
            assert!(!world.settle(&claimed, &again, later(3)).await, "{delivery:?}, then {again:?}");
        }
        assert_eq!(world.record(claimed.id).await, record);
        assert_eq!(world.claim(later(1_000_000), 9).await, [], "{delivery:?}");
    }
    let unknown = world.new_message(noon());
    assert!(!world.settle(&unknown, &Delivery::Sent, later(1)).await);
}

/// A message that is to be tried again is due at the time that was set, with its attempts counted on.
pub async fn a_retried_message_is_due_at_its_time<S: Store>(store: S) {
    let world = World::new(store);
    let message = world.message(noon()).await;
    let claimed = world.claim(later(1), 9).await.remove(0);
    assert!(world.settle(&claimed, &retry(later(600)), later(2)).await);
    assert_eq!(world.claim(later(600) - TICK, 9).await, []);
    let again = world.claim(later(600), 9).await.remove(0);
    assert_eq!((again.id, again.attempts, &again.payload), (message.id, 2, &message.payload));
}

/// What is shown of a message follows what becomes of it.
pub async fn a_messages_record_says_what_became_of_it<S: Store>(store: S) {
    let world = World::new(store);
    let message = world.new_message(noon());
    let message = OutboxMessage { not_after: Some(later(600)), ..message };
    world.write(async |tx| tx.enqueue_message(&message).await).await;
    let waiting = MessageRecord {
        id: message.id,
        topic: message.topic.clone(),
        state: MessageState::Waiting,
        tries: 0,
        last_error: None,
        available_at: noon(),
        not_after: Some(later(600)),
        holds_payload: true,
        settled_at: None,
        cause: Cause::default(),
        created_at: noon(),
    };
    assert_eq!(world.record(message.id).await, waiting);
    let claimed = world.claim(later(1), 9).await.remove(0);
    assert!(world.settle(&claimed, &retry(later(60)), later(2)).await);
    let retried = MessageRecord {
        tries: 1,
        last_error: Some(FailureNote::new("the mail server took too long")),
        available_at: later(60),
        ..waiting.clone()
    };
    assert_eq!(world.record(message.id).await, retried);
    let claimed = world.claim(later(60), 9).await.remove(0);
    assert!(world.settle(&claimed, &dead(), later(61)).await);
    let record = world.record(message.id).await;
    let given_up = MessageRecord {
        state: MessageState::Dead,
        tries: 2,
        last_error: Some(refused()),
        settled_at: Some(later(61)),
        available_at: record.available_at,
        ..waiting
    };
    assert_eq!(record, given_up);
    for (delivery, state) in [(Delivery::Sent, MessageState::Sent), (Delivery::Dropped, MessageState::Dropped)] {
        let record = world.record(world.settled(later(70), &delivery).await).await;
        assert_eq!((record.state, record.holds_payload, record.settled_at), (state, false, Some(later(70))));
    }
    assert_eq!(world.read().message(world.id(noon())).await.unwrap(), None);
}

/// A list has the messages that are asked for, newest first, whole.
pub async fn messages_are_listed_by_state_and_topic<S: Store>(store: S) {
    let world = World::new(store);
    let mut made = Vec::new();
    for (second, delivery) in (0..).zip([Delivery::Sent, dead(), Delivery::Dropped, dead(), Delivery::Sent]) {
        made.push(world.settled(later(second), &delivery).await);
    }
    let other = OutboxMessage { topic: "mail.invitation".to_owned(), ..world.new_message(later(9)) };
    world.write(async |tx| tx.enqueue_message(&other).await).await;
    made.push(other.id);
    let listed = async |state, topic: Option<&str>| {
        let filter = MessageFilter { state, topic: topic.map(str::to_owned) };
        let counted = crate::PageRequest { count: true, ..first_page() };
        let page = world.read().messages_page(&filter, counted).await.unwrap();
        assert_eq!(page.total, Some(page.items.len() as u64));
        page.items.into_iter().map(|record| record.id).collect::<Vec<_>>()
    };
    let newest_first = |places: &[usize]| places.iter().map(|&place| made[place]).collect::<Vec<_>>();
    assert_eq!(listed(None, None).await, newest_first(&[5, 4, 3, 2, 1, 0]));
    assert_eq!(listed(Some(MessageState::Dead), None).await, newest_first(&[3, 1]));
    assert_eq!(listed(Some(MessageState::Sent), None).await, newest_first(&[4, 0]));
    assert_eq!(listed(Some(MessageState::Dropped), Some("mail.otp")).await, newest_first(&[2]));
    assert_eq!(listed(Some(MessageState::Waiting), None).await, newest_first(&[5]));
    assert_eq!(listed(None, Some("mail.invitation")).await, newest_first(&[5]));
    assert_eq!(listed(Some(MessageState::Dead), Some("mail.invitation")).await, []);
    let mut ids = Vec::new();
    let mut request = crate::PageRequest { limit: crate::PageLimit::new(2).unwrap(), after: None, count: false };
    loop {
        let page = world.read().messages_page(&MessageFilter::default(), request).await.unwrap();
        ids.extend(page.items.iter().map(|record| record.id));
        request.after = ids.last().copied();
        if !page.has_more {
            break;
        }
    }
    assert_eq!(ids, newest_first(&[5, 4, 3, 2, 1, 0]), "page by page");
}

/// A dead message that is put back is due at once with all that it says, and its tries start anew; a claimant from before its death
/// settles nothing of it.
pub async fn a_dead_message_that_is_put_back_starts_anew<S: Store>(store: S) {
    let world = World::new(store);
    let message = world.message(noon()).await;
    let overtaken = world.claim(noon(), 9).await.remove(0);
    let claimed = world.claim(later(120), 9).await.remove(0);
    assert!(world.settle(&claimed, &dead(), later(121)).await);
    assert!(world.write(async |tx| tx.retry_message(message.id, later(500)).await).await);
    let record = world.record(message.id).await;
    assert_eq!((record.state, record.tries, record.settled_at), (MessageState::Waiting, 0, None));
    let again = world.claim(later(500), 9).await.remove(0);
    assert_eq!((again.id, again.tries(), &again.payload), (message.id, 1, &message.payload));
    assert_eq!(world.record(message.id).await.tries, 1);
    for stale in [&overtaken, &claimed] {
        assert!(!world.settle(stale, &Delivery::Sent, later(501)).await, "a claimant from before");
    }
    assert!(world.settle(&again, &Delivery::Sent, later(501)).await);
    assert!(!world.write(async |tx| tx.retry_message(message.id, later(502)).await).await, "what was sent stays so");
}

/// Of 32 racing calls that put a message back or discard it, one does.
pub async fn racing_decisions_on_a_dead_message_have_one_winner<S: Store>(store: S) {
    let world = World::new(store);
    let id = world.settled(noon(), &dead()).await;
    let winners = world
        .winners(
            async |racer, tx| {
                if racer % 2 == 0 { tx.retry_message(id, later(1)).await } else { tx.discard_message(id, later(1)).await }
            },
        )
        .await;
    assert_eq!(winners, 1);
}

/// A discarded message is wiped and never claimed; only what is dead is discarded.
pub async fn a_discarded_message_is_gone_for_good<S: Store>(store: S) {
    let world = World::new(store);
    let dead = world.settled(noon(), &dead()).await;
    let sent = world.settled(later(1), &Delivery::Sent).await;
    let waiting = world.message(later(2)).await.id;
    for (id, discarded) in [(dead, true), (dead, false), (sent, false), (waiting, false), (world.id(noon()), false)] {
        assert_eq!(world.write(async |tx| tx.discard_message(id, later(3)).await).await, discarded);
    }
    let record = world.record(dead).await;
    assert_eq!((record.state, record.holds_payload), (MessageState::Dropped, false));
    assert_eq!(record.last_error, Some(refused()), "why it could not be sent is still said");
    assert!(!world.write(async |tx| tx.retry_message(dead, later(4)).await).await);
    assert_eq!(ids(&world.claim(later(9_999), 9).await), [waiting]);
}

/// A dead message is of use until its end, and not at it; then it is wiped, stays dead, and can't be put back.
pub async fn a_dead_message_is_wiped_at_its_end<S: Store>(store: S) {
    let world = World::new(store);
    let message = OutboxMessage { not_after: Some(later(600)), ..world.new_message(noon()) };
    world.write(async |tx| tx.enqueue_message(&message).await).await;
    let claimed = world.claim(noon(), 9).await.remove(0);
    assert!(world.settle(&claimed, &dead(), later(1)).await);
    let endless = world.settled(later(2), &dead()).await;
    let waiting = OutboxMessage { not_after: Some(later(600)), ..world.new_message(later(3)) };
    world.write(async |tx| tx.enqueue_message(&waiting).await).await;

    let wipe = async |now| world.write(async |tx| tx.wipe_expired_messages(now).await).await;
    assert_eq!(wipe(later(600) - TICK).await, 0);
    assert!(world.record(message.id).await.is_retryable(later(600) - TICK));
    assert!(!world.write(async |tx| tx.retry_message(message.id, later(600)).await).await, "at its end");
    assert_eq!((wipe(later(600)).await, wipe(later(601)).await), (1, 0));
    let record = world.record(message.id).await;
    assert_eq!((record.state, record.holds_payload), (MessageState::Dead, false));
    assert!(world.record(endless).await.holds_payload && world.record(waiting.id).await.holds_payload);
}
