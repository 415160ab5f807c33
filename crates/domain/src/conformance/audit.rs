//! The audit trail: it keeps what it was told, and outlives what it speaks of.

use super::world::{World, first_page, later, noon};
use crate::{Action, Actor, AuditEvent, Context, Target, TenantId, ports::*};

impl<S: Store> World<S> {
    async fn events(&self, tenant: Option<TenantId>) -> Vec<AuditEvent> {
        self.read().audit_page(tenant, first_page()).await.unwrap().items
    }
}

/// Every field of an event is read as it was written, whoever acted and from wherever.
pub async fn an_event_is_read_as_it_was_written<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    let session = world.id(noon());
    let contexts = [
        world.cx(noon()),
        Context {
            actor: Actor::Tenant { tenant, session },
            client_ip: Some("203.0.113.9".parse().unwrap()),
            request_id: Some("req-1".to_owned()),
            ..world.cx(later(1))
        },
        Context { actor: Actor::Operator { operator: world.id(noon()), session: world.id(noon()) }, ..world.cx(later(4)) },
        Context {
            actor: Actor::ApiKey("déploiement".to_owned()),
            client_ip: Some("2001:db8:0:1::ffff:9".parse().unwrap()),
            ..world.cx(later(2))
        },
        Context {
            actor: Actor::Anonymous,
            client_ip: Some("::ffff:203.0.113.9".parse().unwrap()),
            request_id: Some("ü\"'{}".to_owned()),
            ..world.cx(later(3))
        },
    ];
    let mut expected = Vec::new();
    for cx in &contexts {
        let bare = AuditEvent::new(cx, Action::SignInFailed, Some(tenant), None);
        let full = AuditEvent::new(cx, Action::CodesIssued, Some(tenant), Some(Target::Tenant(tenant)));
        let full = full.with("count", 3).with("label", "„Größe“ {\"a\": [1]}\n\\").with("", "");
        for event in [bare, full] {
            world.write(async |tx| tx.append_audit(&event).await).await;
            expected.push(event);
        }
    }
    expected.sort_by_key(|event| std::cmp::Reverse(event.id));
    assert_eq!(world.events(Some(tenant)).await, expected);
}

/// A tenant's page has the events that concern it; without a tenant, the page has all.
pub async fn a_page_has_the_events_of_its_tenant<S: Store>(store: S) {
    let world = World::new(store);
    let (tenant, other) = (world.tenant().await, world.tenant().await);
    let mut written = Vec::new();
    for (seconds, concerned) in [(1, Some(tenant)), (2, Some(other)), (3, None), (4, Some(tenant))] {
        let event = AuditEvent::new(&world.cx(later(seconds)), Action::OtpRequested, concerned, None);
        world.write(async |tx| tx.append_audit(&event).await).await;
        written.insert(0, event);
    }
    assert_eq!(world.events(None).await, written);
    assert_eq!(world.events(Some(tenant)).await, [written[0].clone(), written[3].clone()]);
    assert_eq!(world.events(Some(other)).await, [written[2].clone()]);
}

/// An event may concern a tenant that no longer exists.
pub async fn an_event_needs_nothing_that_exists<S: Store>(store: S) {
    let world = World::new(store);
    let gone = world.id(noon());
    let actor = Actor::Tenant { tenant: gone, session: world.id(noon()) };
    let cx = Context { actor, ..world.cx(later(1)) };
    let event = AuditEvent::new(&cx, Action::ProjectDeleted, Some(gone), Some(Target::Project(world.id(noon()))));
    world.write(async |tx| tx.append_audit(&event).await).await;
    assert_eq!(world.events(Some(gone)).await, [event]);
}
