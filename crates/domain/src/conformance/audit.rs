//! The audit trail: it keeps what it was told, and outlives what it speaks of.

use std::collections::HashMap;

use time::Duration;

use super::world::{TICK, World, all_pages, first_page, later, noon};
use crate::{
    Action, ActionFilter, Actor, ActorFilter, ApiKeyId, AuditEvent, AuditFilter, Context, OperatorId, OperatorName, Outcome,
    PageRequest, Role, Target, TenantId, Timestamp, TraceId, ports::*,
};

impl<S: Store> World<S> {
    async fn events(&self, tenant: Option<TenantId>) -> Vec<AuditEvent> {
        self.read().audit_page(tenant, &AuditFilter::default(), first_page()).await.unwrap().items
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
            trace_id: Some(TraceId::parse("00f92f3577b34da6a3ce929d0e0e4736").unwrap()),
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

/// Events of three tenants and of nobody, by every kind of actor, of several actions and targets, a second apart; newest first.
async fn many_events<S: Store>(world: &World<S>) -> (Vec<AuditEvent>, [TenantId; 3]) {
    let tenants = [world.id(noon()), world.id(noon()), world.id(noon())];
    let (operators, keys) = (
        [world.id(noon()), world.id(noon())],
        [
            "key_018bcfe568007000800000000000000a",
            "a key whose name has more than 36 characters",
            "a key whose name has more than 36 CHARACTERS",
        ],
    );
    let actions =
        [Action::ProjectCreated, Action::ProjectActivated, Action::ProjectDeleted, Action::PlanCreated, Action::SignInFailed];
    let targets = [None, Some(Target::Tenant(tenants[0])), Some(Target::Plan(world.id(noon())))];
    let session = world.id(noon());
    let mut events = Vec::new();
    for number in 0..120_usize {
        let actor = match number % 8 {
            0 => Actor::Tenant { tenant: tenants[number % 3], session },
            1 => Actor::Tenant { tenant: tenants[number % 3], session: world.id(noon()) },
            2 => Actor::Operator { operator: operators[number % 2], session: world.id(noon()) },
            3 => Actor::Operator { operator: operators[number / 8 % 2], session: world.id(noon()) },
            4 => Actor::ApiKey(keys[number / 8 % 3].to_owned()),
            5 => Actor::ApiKey(operators[0].to_string()),
            6 => Actor::Anonymous,
            _ => Actor::System,
        };
        let request_id = (number % 4 < 3).then(|| format!("req_{:032x}", number / 3));
        let cx = Context { actor, request_id, ..world.cx(later(i64::try_from(number).unwrap())) };
        // What a tenant does concerns itself.
        let concerned = if number % 8 < 2 { Some(tenants[number % 3]) } else { tenants.get(number % 4).copied() };
        let event = AuditEvent::new(&cx, actions[number / 3 % 5], concerned, targets[number / 5 % 3]);
        world.write(async |tx| tx.append_audit(&event).await).await;
        events.insert(0, event);
    }
    (events, tenants)
}

/// Operators and API keys are named by what they are called now, API keys also once they are revoked, and whoever is gone isn't.
pub async fn those_who_act_are_named_while_they_exist<S: Store>(store: S) {
    let world = World::new(store);
    let (ada, gone) = (world.operator(Role::Owner).await, world.operator(Role::Viewer).await);
    let (key, revoked) = (world.new_api_key(noon()), world.new_api_key(noon()));
    world.insert_api_key(&key).await;
    world.insert_api_key(&revoked).await;
    let renamed = OperatorName::parse("Ada King „Lovelace“").unwrap();
    world
        .write(async |tx| {
            assert!(tx.revoke_api_key(revoked.id, later(1)).await?);
            tx.lock_operators().await?;
            assert!(tx.change_operator(ada.id, &renamed, Role::Owner, later(1)).await?.is_some());
            assert!(tx.delete_operator(gone.id).await?);
            Ok(())
        })
        .await;
    let names = async |operators: &[OperatorId], keys: &[ApiKeyId]| world.read().actor_names(operators, keys).await.unwrap();
    let operators = HashMap::from([(ada.id, renamed)]);
    let api_keys = HashMap::from([(key.id, key.name), (revoked.id, revoked.name)]);
    let all = ActorNames { operators: operators.clone(), api_keys: api_keys.clone() };
    assert_eq!(names(&[gone.id, ada.id, ada.id], &[revoked.id, world.id(noon()), key.id]).await, all);
    assert_eq!(names(&[ada.id], &[]).await, ActorNames { operators, ..ActorNames::default() });
    assert_eq!(names(&[], &[key.id, revoked.id]).await, ActorNames { api_keys, ..ActorNames::default() });
    assert_eq!(names(&[gone.id], &[world.id(noon())]).await, ActorNames::default());
    assert_eq!(names(&[], &[]).await, ActorNames::default());
}

/// What a filter finds is what [`AuditFilter::keeps`], of one tenant or of all, in pages of every length.
pub async fn a_filter_finds_what_it_keeps_and_nothing_else<S: Store>(store: S) {
    let world = World::new(store);
    let (events, tenants) = many_events(&world).await;
    let mut actors = vec![None];
    actors.extend(Actor::KINDS.map(|kind| Some(ActorFilter::Kind(kind))));
    for event in &events[..16] {
        actors.push(match &event.actor {
            Actor::Tenant { tenant, .. } if actors.len() % 2 == 0 => Some(ActorFilter::Tenant(*tenant)),
            Actor::Tenant { session, .. } => Some(ActorFilter::Session(*session)),
            Actor::Operator { operator, .. } => Some(ActorFilter::Operator(*operator)),
            Actor::ApiKey(key) => Some(ActorFilter::ApiKey(key.clone())),
            Actor::Anonymous | Actor::System => None,
        });
    }
    let actions = [None, Some("project."), Some("project.activated"), Some("plan."), Some("sign_in.failed")];
    let times = [(None, None), (Some(later(20)), None), (None, Some(later(60))), (Some(later(20)), Some(later(60)))];
    let targets = [None, events.iter().find_map(|event| event.target.clone()), Some("prj_none".to_owned())];
    let requests = [None, None, events.iter().find_map(|event| event.request_id.clone())];
    let outcomes = [None, Some(Outcome::Success), Some(Outcome::Failure)];
    let mut found = 0;
    for (number, actor) in actors.iter().enumerate() {
        for (place, action) in actions.into_iter().enumerate() {
            let (from, to) = times[number % 4];
            let action = action.map(|text| ActionFilter::parse(text).unwrap());
            let came_out = match (action.clone(), outcomes[(number + place) % 3]) {
                (Some(action), Some(outcome)) => Some(action.and(outcome)),
                (None, Some(outcome)) => Some(ActionFilter::of(outcome)),
                (action, None) => action,
            };
            let (target, request_id) = (targets[number % 3].clone(), requests[place % 3].clone());
            let filters = [
                AuditFilter { actor: actor.clone(), action, ..AuditFilter::default() },
                AuditFilter { actor: actor.clone(), action: came_out, ..AuditFilter::default() },
                AuditFilter { actor: actor.clone(), target, from, to, ..AuditFilter::default() },
                AuditFilter { actor: actor.clone(), request_id, from, ..AuditFilter::default() },
            ];
            for (filter, tenant) in filters.iter().flat_map(|filter| [(filter, None), (filter, Some(tenants[number % 3]))]) {
                let kept = |event: &&AuditEvent| filter.keeps(event) && (tenant.is_none() || event.tenant_id == tenant);
                let expected: Vec<_> = events.iter().filter(kept).cloned().collect();
                let page = PageRequest { count: true, ..first_page() };
                let read = world.read().audit_page(tenant, filter, page).await.unwrap();
                assert_eq!((&read.items, read.total), (&expected, Some(expected.len() as u64)), "{filter:?} of {tenant:?}");
                let read = async |page| world.read().audit_page(tenant, filter, page).await;
                assert_eq!(all_pages(7, |event: &AuditEvent| event.id, read).await, expected, "{filter:?} of {tenant:?}");
                found += expected.len();
            }
        }
    }
    assert!(found > 1_000, "{found}: the filters are too narrow");
}

/// A time has what happens at its first moment, and not what happens at its last, to the microsecond.
pub async fn a_time_has_its_first_moment_and_not_its_last<S: Store>(store: S) {
    let world = World::new(store);
    let mut moments = Vec::new();
    for moment in [noon(), noon() + Duration::MILLISECOND, later(1), later(60)] {
        for at in [moment - TICK, moment, moment + TICK] {
            let event = AuditEvent::new(&world.cx(at), Action::OtpRequested, None, None);
            world.write(async |tx| tx.append_audit(&event).await).await;
            moments.push(at);
        }
    }
    moments.extend([Timestamp::MIN, Timestamp::MAX]);
    for &from in &moments {
        for &to in &moments {
            let filter = AuditFilter { from: Some(from), to: Some(to), ..AuditFilter::default() };
            let read = world.read().audit_page(None, &filter, first_page()).await.unwrap();
            let mut found: Vec<_> = read.items.iter().map(|event| event.at).collect();
            found.sort_unstable();
            let expected: Vec<_> = moments[..12].iter().copied().filter(|at| (from..to).contains(at)).collect();
            assert_eq!(found, expected, "from {from} to {to}");
        }
    }
}
