//! Webhooks: an event reaches those who want it, each by a message of its own, in the transaction that caused it.

use std::collections::BTreeSet;

use time::Duration;

use super::world::{RACERS, TICK, World, all_pages, first_page, later, noon, race};
use crate::{
    ActivateWith, Cause, Context, Delivery, DisabledReason, Event, EventType, EventTypes, Expected, FailureNote, Happening,
    KeyId, MessageId, MessageState, SealedPayload, TenantId, Timestamp, TraceId, Webhook, WebhookCall, WebhookDelivery,
    WebhookDescription, WebhookId, WebhookMessage, WebhookOwner, WebhookUrl, ports::*,
};

const SUSPENDED: EventType = EventType::TenantSuspended;

fn all_events() -> EventTypes {
    EventType::ALL.iter().copied().collect()
}

impl<S: Store> World<S> {
    /// A webhook that isn't stored: it wants everything.
    pub(super) fn new_webhook(&self, owner: WebhookOwner, at: Timestamp) -> Webhook {
        Webhook {
            id: self.id(at),
            owner,
            url: WebhookUrl::parse("https://example.com/hooks").unwrap(),
            description: None,
            events: all_events(),
            secret: SealedPayload { key_id: KeyId::parse("k1").unwrap(), bytes: self.bytes().to_vec() },
            former_secret: None,
            failing_since: None,
            disabled: None,
            created_at: at,
            updated_at: at,
        }
    }

    async fn insert_webhook(&self, webhook: &Webhook) {
        assert!(self.write(async |tx| tx.insert_webhook(webhook).await).await, "there is room");
    }

    async fn webhook(&self, owner: WebhookOwner) -> WebhookId {
        let webhook = self.new_webhook(owner, noon());
        self.insert_webhook(&webhook).await;
        webhook.id
    }

    /// Tells all that want to hear of it, and answers how many.
    async fn tell(&self, tenant: TenantId, at: Timestamp) -> u64 {
        let event = Event::new(&self.cx(at), tenant, &Happening::TenantSuspended);
        self.write(async |tx| tx.enqueue_event(&event).await).await
    }

    async fn sent_to(&self, owner: WebhookOwner, webhook: WebhookId) -> Vec<WebhookDelivery> {
        self.read().webhook_deliveries_page(owner, webhook, first_page()).await.unwrap().items
    }

    async fn claim_of(&self, webhook: WebhookId, now: Timestamp, limit: u16) -> Vec<WebhookMessage> {
        self.write(async |tx| tx.claim_webhook_messages(webhook, now, Duration::MINUTE, limit).await).await
    }

    async fn settle_of(&self, message: &WebhookMessage, delivery: &Delivery, now: Timestamp) -> bool {
        self.write(async |tx| tx.settle_webhook_message(message, Some(&call(now)), delivery, now).await).await
    }

    async fn due(&self, now: Timestamp) -> BTreeSet<WebhookId> {
        let due = self.read().webhooks_with_due_messages(now).await.unwrap();
        let (count, due) = (due.len(), BTreeSet::from_iter(due));
        assert_eq!(due.len(), count, "each is named once");
        due
    }
}

fn call(at: Timestamp) -> WebhookCall {
    WebhookCall { at, duration_ms: 42, response_code: Some(500) }
}

fn refused() -> FailureNote {
    FailureNote::new("the webhook answered 500")
}

/// All that is kept of a webhook comes back, and so does what a change makes of it.
pub async fn a_webhook_is_read_as_it_was_written<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = WebhookOwner::Tenant(world.tenant().await);
    for owner in [WebhookOwner::Operators, tenant] {
        let plain = world.new_webhook(owner, noon());
        let sealed = |byte| SealedPayload { key_id: KeyId::parse("k2").unwrap(), bytes: vec![byte; 72] };
        let full = Webhook {
            id: world.id(later(1)),
            url: WebhookUrl::parse("http://127.0.0.1:9000/?a=b").unwrap(),
            description: Some(WebhookDescription::parse("Billing").unwrap()),
            events: EventTypes::from_iter([EventType::TenantCreated, EventType::QuotaThreshold]),
            secret: sealed(1),
            former_secret: Some((sealed(2), later(600) + TICK)),
            failing_since: Some(later(2)),
            disabled: Some((later(3) + TICK, DisabledReason::Failing)),
            updated_at: later(4),
            ..world.new_webhook(owner, later(1))
        };
        for webhook in [&plain, &full] {
            world.insert_webhook(webhook).await;
            assert_eq!(world.read().webhook(owner, webhook.id).await.unwrap().as_ref(), Some(webhook));
            assert_eq!(world.read().webhook_of_anyone(webhook.id).await.unwrap().as_ref(), Some(webhook));
        }
        let changed = Webhook { id: plain.id, created_at: plain.created_at, ..full.clone() };
        assert!(world.write(async |tx| tx.change_webhook(&changed).await).await);
        assert_eq!(world.read().webhook(owner, plain.id).await.unwrap(), Some(changed.clone()));
        let listed =
            all_pages(1, |webhook: &Webhook| webhook.id, async |page| world.read().webhooks_page(owner, page).await).await;
        assert_eq!(listed, [full, changed], "newest first");
    }
    assert_eq!(world.read().webhook_of_anyone(world.id(noon())).await.unwrap(), None);
}

/// Where an owner is named, another's webhook and what is sent to it are as good as missing.
pub async fn a_strangers_webhook_is_missing<S: Store>(store: S) {
    let world = World::new(store);
    let (acme, beta) = (world.tenant().await, world.tenant().await);
    let owner = WebhookOwner::Tenant(acme);
    let id = world.webhook(owner).await;
    world.tell(acme, noon()).await;
    let message = world.claim_of(id, noon(), 9).await.remove(0);
    assert!(world.settle_of(&message, &Delivery::Sent, later(1)).await);
    let before = world.read().webhook(owner, id).await.unwrap().unwrap();
    for stranger in [WebhookOwner::Operators, WebhookOwner::Tenant(beta)] {
        let mut reader = world.read();
        assert_eq!(reader.webhook(stranger, id).await.unwrap(), None);
        assert!(reader.webhooks_page(stranger, first_page()).await.unwrap().items.is_empty());
        assert_eq!(reader.webhook_delivery(stranger, id, message.id).await.unwrap(), None);
        assert!(world.sent_to(stranger, id).await.is_empty());
        world
            .write(async |tx| {
                assert_eq!(tx.lock_webhook(stranger, id).await?, None);
                let stolen = Webhook { owner: stranger, updated_at: later(9), ..before.clone() };
                assert!(!tx.change_webhook(&stolen).await?);
                assert!(!tx.redeliver_webhook_message(stranger, id, message.id, later(9)).await?);
                assert!(!tx.delete_webhook(stranger, id).await?);
                Ok(())
            })
            .await;
    }
    assert_eq!(world.read().webhook(owner, id).await.unwrap(), Some(before));
    assert_eq!(world.sent_to(owner, id).await.len(), 1);
    // A message that isn't to this webhook isn't either.
    let other = world.webhook(owner).await;
    assert_eq!(world.read().webhook_delivery(owner, other, message.id).await.unwrap(), None);
    assert!(!world.write(async |tx| tx.redeliver_webhook_message(owner, other, message.id, later(9)).await).await);
}

/// An owner has so many webhooks and no more, under any number of racing calls that lock it.
pub async fn racing_webhooks_of_an_owner_stay_within_the_most<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    for owner in [WebhookOwner::Operators, WebhookOwner::Tenant(tenant)] {
        let made = world
            .winners(async |_, tx| {
                match owner {
                    WebhookOwner::Operators => tx.lock_operators().await?,
                    WebhookOwner::Tenant(tenant) => tx.lock_tenant(tenant).await.map(drop)?,
                }
                tx.insert_webhook(&world.new_webhook(owner, noon())).await
            })
            .await;
        assert_eq!(made, Webhook::MOST, "{owner:?}");
        let newest = world.read().webhooks_page(owner, first_page()).await.unwrap().items.remove(0).id;
        assert!(world.write(async |tx| tx.delete_webhook(owner, newest).await).await);
        world.webhook(owner).await;
    }
    // The most of both hear of one event.
    assert_eq!(world.tell(tenant, noon()).await, 2 * Webhook::MOST as u64);
}

/// An event reaches the operators' webhooks and the tenant's, as far as they want it and aren't disabled: each by a message of its own.
pub async fn an_event_reaches_those_who_want_it<S: Store>(store: S) {
    let world = World::new(store);
    let (acme, beta) = (world.tenant().await, world.tenant().await);
    let mut hear = Vec::new();
    let mut deaf = Vec::new();
    for (owner, hears) in
        [(WebhookOwner::Operators, true), (WebhookOwner::Tenant(acme), true), (WebhookOwner::Tenant(beta), false)]
    {
        let webhook = world.new_webhook(owner, noon());
        let only = |event| Webhook { id: world.id(noon()), events: EventTypes::from_iter([event]), ..webhook.clone() };
        let (wanted, unwanted) = (only(SUSPENDED), only(EventType::ProjectPaused));
        let disabled = Webhook { disabled: Some((noon(), DisabledReason::ByOwner)), ..only(SUSPENDED) };
        for webhook in [&webhook, &wanted, &unwanted, &disabled] {
            world.insert_webhook(webhook).await;
        }
        let wants = [(owner, webhook.id), (owner, wanted.id)];
        if hears {
            hear.extend(wants);
        } else {
            deaf.extend(wants);
        }
        deaf.extend([(owner, unwanted.id), (owner, disabled.id)]);
    }
    let trace_id = Some(TraceId::parse("4bf92f3577b34da6a3ce929d0e0e4736").unwrap());
    let cx = Context { request_id: Some("req-1".to_owned()), trace_id, ..world.cx(noon()) };
    let event = Event::new(&cx, acme, &Happening::TenantSuspended);
    assert_eq!(world.write(async |tx| tx.enqueue_event(&event).await).await, 4);
    let mut ids = BTreeSet::new();
    for &(owner, id) in &hear {
        let [delivery] = world.sent_to(owner, id).await.try_into().unwrap();
        let expected = WebhookDelivery {
            id: delivery.id,
            topic: "webhook.tenant.suspended".to_owned(),
            state: MessageState::Waiting,
            tries: 0,
            last_call: None,
            last_error: None,
            available_at: noon(),
            settled_at: None,
            created_at: noon(),
        };
        assert_eq!(delivery, expected);
        assert!(event.message_ids.contains(&delivery.id) && ids.insert(delivery.id));
        let message = world.claim_of(id, noon(), 9).await.remove(0);
        let claimed = WebhookMessage {
            id: delivery.id,
            webhook_id: id,
            body: event.body.clone(),
            attempts: 1,
            tries: 1,
            cause: event.cause.clone(),
        };
        assert_eq!(message, claimed);
    }
    for (owner, id) in deaf {
        assert!(world.sent_to(owner, id).await.is_empty());
    }
}

/// Whether anybody listens is said with the entitlement, so that nothing is asked where nobody does.
pub async fn an_entitlement_says_whether_anybody_listens<S: Store>(store: S) {
    let world = World::new(store);
    let (acme, beta) = (world.tenant().await, world.tenant().await);
    let listened = async |tenant| {
        let held = world.write(async |tx| tx.hold_tenant(tenant).await).await.unwrap();
        let locked = world.write(async |tx| tx.lock_tenant(tenant).await).await.unwrap();
        assert_eq!(held, locked);
        held.has_listeners
    };
    assert_eq!((listened(acme).await, listened(beta).await), (false, false));
    let own = world.new_webhook(WebhookOwner::Tenant(acme), noon());
    world.insert_webhook(&own).await;
    assert_eq!((listened(acme).await, listened(beta).await), (true, false));
    let disabled = Webhook { disabled: Some((noon(), DisabledReason::Gone)), ..own };
    world.write(async |tx| tx.change_webhook(&disabled).await).await;
    assert_eq!((listened(acme).await, listened(beta).await), (false, false));
    world.webhook(WebhookOwner::Operators).await;
    assert_eq!((listened(acme).await, listened(beta).await), (true, true));
}

/// What a use case causes is told with it, or not at all.
pub async fn an_event_is_told_with_what_caused_it_or_not_at_all<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant_on(1, crate::SubscriptionState::Active).await;
    let owner = WebhookOwner::Tenant(tenant);
    let id = world.webhook(owner).await;
    let code = world.code(tenant, 2).await;
    let (first, second) = (world.project(tenant).await, world.project(tenant).await);
    let topics = async || {
        let sent = world.sent_to(owner, id).await;
        sent.into_iter().map(|delivery| delivery.topic).collect::<BTreeSet<_>>()
    };
    let before = topics().await;
    assert_eq!(before, BTreeSet::from(["webhook.codes.issued".to_owned()]));
    // Refused by the month's quota in its last step, with all else done.
    world.activate(tenant, first, code.by_text(), noon()).await.unwrap();
    world.activate(tenant, second, ActivateWith::CodeId(code.id), later(1)).await.unwrap_err();
    let told = ["webhook.codes.issued", "webhook.project.activated", "webhook.quota.threshold"].map(str::to_owned);
    assert_eq!((topics().await, world.sent_to(owner, id).await.len()), (BTreeSet::from(told), 3));
    // A repeat is no event.
    world.activate(tenant, first, code.by_text(), later(2)).await.unwrap();
    assert_eq!(world.sent_to(owner, id).await.len(), 3);
    let mut tx = world.begin().await;
    let event = Event::new(&world.cx(later(3)), tenant, &Happening::TenantSuspended);
    assert_eq!(tx.enqueue_event(&event).await.unwrap(), 1);
    drop(tx);
    assert_eq!(world.sent_to(owner, id).await.len(), 3);
}

/// A webhook's messages are claimed by themselves, oldest first; no mailer is given one.
pub async fn a_webhooks_messages_are_claimed_by_themselves<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    let [one, other] = [world.webhook(WebhookOwner::Operators).await, world.webhook(WebhookOwner::Tenant(tenant)).await];
    for second in [2, 0, 1] {
        world.tell(tenant, later(second)).await;
    }
    let mail = world.message(noon()).await;
    assert_eq!(world.claim(later(9), 99).await.iter().map(|message| message.id).collect::<Vec<_>>(), [mail.id]);
    assert_eq!(world.due(noon() - TICK).await, BTreeSet::new());
    assert_eq!(world.due(noon()).await, BTreeSet::from([one, other]));
    let made = |deliveries: Vec<WebhookDelivery>| {
        let mut ids: Vec<_> = deliveries.into_iter().map(|delivery| (delivery.created_at, delivery.id)).collect();
        ids.sort_unstable();
        ids.into_iter().map(|(_, id)| id).collect::<Vec<MessageId>>()
    };
    let of_one = made(world.sent_to(WebhookOwner::Operators, one).await);
    let ids = |messages: Vec<WebhookMessage>| messages.into_iter().map(|message| message.id).collect::<Vec<_>>();
    assert_eq!(ids(world.claim_of(one, later(9), 2).await), of_one[..2]);
    assert_eq!(ids(world.claim_of(one, later(9), 9).await), of_one[2..]);
    assert!(world.claim_of(one, later(9), 9).await.is_empty());
    assert_eq!(world.due(later(9)).await, BTreeSet::from([other]));
    assert_eq!(world.due(later(69)).await, BTreeSet::from([one, other]), "a lease ends");
    assert_eq!(world.claim_of(other, later(9), 9).await.len(), 3);
}

/// 32 racing claims never share a message.
pub async fn racing_claims_of_a_webhook_share_no_message<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    let id = world.webhook(WebhookOwner::Operators).await;
    for second in 0..10 {
        world.tell(tenant, later(second)).await;
    }
    let mut claimed: Vec<_> = race(RACERS, async |_| world.claim_of(id, later(60), 1).await).await.concat();
    claimed.extend(world.claim_of(id, later(60), 99).await);
    assert_eq!((claimed.len(), claimed.iter().map(|message| message.id).collect::<BTreeSet<_>>().len()), (10, 10));
}

/// The log says what came of the last call; a claimant that was overtaken settles nothing, and what was sent can be sent again.
pub async fn a_message_to_a_webhook_is_settled_once_and_sent_again_by_hand<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    let owner = WebhookOwner::Tenant(tenant);
    let id = world.webhook(owner).await;
    world.tell(tenant, noon()).await;
    let overtaken = world.claim_of(id, noon(), 9).await.remove(0);
    let message = world.claim_of(id, later(60), 9).await.remove(0);
    assert!(!world.settle_of(&overtaken, &Delivery::Sent, later(61)).await);
    let redeliver = async |now| world.write(async |tx| tx.redeliver_webhook_message(owner, id, message.id, now).await).await;
    assert!(!redeliver(later(61)).await, "it waits");
    assert!(world.settle_of(&message, &Delivery::Retry { at: later(90), why: refused() }, later(61)).await);
    let logged = async || world.read().webhook_delivery(owner, id, message.id).await.unwrap().unwrap();
    let retried = logged().await;
    assert_eq!((retried.state, retried.tries, retried.available_at), (MessageState::Waiting, 2, later(90)));
    assert_eq!((retried.last_call, retried.last_error), (Some(call(later(61))), Some(refused())));
    for (seconds, delivery, state) in [
        (90, Delivery::Sent, MessageState::Sent),
        (200, Delivery::Dead { why: refused() }, MessageState::Dead),
        (300, Delivery::Dropped, MessageState::Dropped),
    ] {
        let claimed = world.claim_of(id, later(seconds), 9).await.remove(0);
        assert_eq!((claimed.id, &claimed.body), (message.id, &message.body));
        assert!(world.settle_of(&claimed, &delivery, later(seconds + 1)).await);
        let settled = logged().await;
        assert_eq!((settled.state, settled.settled_at), (state, Some(later(seconds + 1))));
        assert!(!world.settle_of(&claimed, &Delivery::Sent, later(seconds + 2)).await);
        assert!(world.claim_of(id, later(100_000), 9).await.is_empty());
        let again = redeliver(later(seconds + 3)).await;
        assert_eq!(again, state != MessageState::Dropped, "what was dropped is wiped");
        assert_eq!(logged().await.tries, if again { 0 } else { 1 });
    }
    let log = all_pages_of_log(&world, owner, id).await;
    assert_eq!(log.len(), 1);
}

async fn all_pages_of_log<S: Store>(world: &World<S>, owner: WebhookOwner, id: WebhookId) -> Vec<MessageId> {
    let counted = crate::PageRequest { count: true, ..first_page() };
    let page = world.read().webhook_deliveries_page(owner, id, counted).await.unwrap();
    assert_eq!(page.total, Some(page.items.len() as u64));
    page.items.into_iter().map(|delivery| delivery.id).collect()
}

/// Of 32 racing calls that send a message again, one does.
pub async fn racing_redeliveries_have_one_winner<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    let owner = WebhookOwner::Tenant(tenant);
    let id = world.webhook(owner).await;
    world.tell(tenant, noon()).await;
    let message = world.claim_of(id, noon(), 9).await.remove(0);
    assert!(world.settle_of(&message, &Delivery::Sent, noon()).await);
    let redeliver = async |_, tx: &mut S::Transaction| tx.redeliver_webhook_message(owner, id, message.id, later(1)).await;
    assert_eq!(world.winners(redeliver).await, 1);
}

/// Since when a webhook takes nothing is the first failure after the last message that it took.
pub async fn a_webhook_fails_since_its_first_failure<S: Store>(store: S) {
    let world = World::new(store);
    let id = world.webhook(WebhookOwner::Operators).await;
    let failed = async |now| world.write(async |tx| tx.note_webhook_failed(id, now).await).await;
    for (seconds, since) in [(1, 1), (2, 1), (3, 1)] {
        assert_eq!(failed(later(seconds)).await, Some(later(since)));
    }
    world.write(async |tx| tx.note_webhook_taken(id).await).await;
    assert_eq!(world.read().webhook_of_anyone(id).await.unwrap().unwrap().failing_since, None);
    assert_eq!(failed(later(4)).await, Some(later(4)));
    let unknown = world.id(noon());
    assert_eq!(world.write(async |tx| tx.note_webhook_failed(unknown, noon()).await).await, None);
}

/// With a webhook goes what was to be sent to it; with a tenant its webhooks. What is left of a race is nobody's.
pub async fn a_webhook_goes_with_its_messages_and_a_tenant_with_its_webhooks<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    let owner = WebhookOwner::Tenant(tenant);
    let (deleted, own, operators) =
        (world.webhook(owner).await, world.webhook(owner).await, world.webhook(WebhookOwner::Operators).await);
    assert_eq!(world.tell(tenant, noon()).await, 3);
    assert!(world.write(async |tx| tx.delete_webhook(owner, deleted).await).await);
    assert!(!world.write(async |tx| tx.delete_webhook(owner, deleted).await).await);
    assert_eq!(world.due(noon()).await, BTreeSet::from([own, operators]));
    let claimed = world.claim_of(own, noon(), 9).await.remove(0);
    assert!(world.write(async |tx| tx.delete_tenant(tenant, &Expected::Any).await).await);
    assert_eq!(world.read().webhook_of_anyone(own).await.unwrap(), None);
    assert!(!world.settle_of(&claimed, &Delivery::Sent, later(1)).await);
    assert_eq!(world.due(later(100)).await, BTreeSet::from([operators]));

    // A message to nobody: its sender finds it, and ends it.
    let orphan = WebhookMessage {
        id: world.id(noon()),
        webhook_id: own,
        body: b"{}".to_vec(),
        attempts: 0,
        tries: 0,
        cause: Cause::default(),
    };
    world.write(async |tx| tx.enqueue_webhook_message(&orphan, Event::TEST, noon()).await).await;
    assert_eq!(world.due(noon()).await, BTreeSet::from([own, operators]));
    let claimed = world.claim_of(own, noon(), 9).await.remove(0);
    assert!(world.settle_of(&claimed, &Delivery::Dropped, later(1)).await);
    assert_eq!(world.due(later(100)).await, BTreeSet::from([operators]));
}
