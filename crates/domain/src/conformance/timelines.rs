//! A code's timeline: everything that concerned it, oldest first, whoever it was by.

use super::world::{World, later, noon};
use crate::{
    Action, ActivateError, AuditEvent, CodeEnd, Expected, PageLimit, PageRequest, Refusal, Target, delete_tenant, expire_code,
    memory::PlainHasher, ports::*, reissue_code, return_activation, revoke_code,
};

impl<S: Store> World<S> {
    async fn timeline(&self, code: &crate::Code, limit: u16) -> Vec<AuditEvent> {
        let mut request = PageRequest { limit: PageLimit::new(limit).unwrap(), after: None, count: true };
        let mut events: Vec<AuditEvent> = Vec::new();
        loop {
            let page = self.read().code_timeline(code.id, Some(code.batch_id), request).await.unwrap();
            let total = page.total;
            events.extend(page.items);
            if !page.has_more {
                assert_eq!(total, Some(events.len() as u64), "the count of the timeline");
                return events;
            }
            assert!(events.len().is_multiple_of(usize::from(limit)), "a page that is not the last is full");
            request.after = events.last().map(|event| event.id);
        }
    }
}

/// The timeline has the issue, the tries that were refused, another tenant's among them, and all that became of the code, oldest first,
/// page by page; nothing of another code. It outlives the code.
pub async fn a_codes_timeline_has_all_that_concerned_it<S: Store>(store: S) {
    let world = World::new(store);
    let (tenant, stranger) = (world.tenant().await, world.tenant().await);
    let (code, other) = (world.code(tenant, 1).await, world.code(tenant, 1).await);
    let [project, second, foreign] = [world.project(tenant).await, world.project(tenant).await, world.project(stranger).await];
    let record = world.stored_code(tenant, code.id).await;
    let refused = async |tenant, project, seconds, by: crate::ActivateWith| {
        let answer = world.activate(tenant, project, by, later(seconds)).await;
        let Err(ActivateError::Refused(refusal)) = answer else { panic!("{answer:?}") };
        refusal
    };

    world.activate(tenant, project, code.by_text(), later(1)).await.unwrap();
    world.activate(tenant, second, other.by_text(), later(2)).await.unwrap();
    assert_eq!(refused(stranger, foreign, 3, code.by_text()).await, Refusal::UnknownCode);
    return_activation(&world.store, &world.cx(later(4)), project).await.unwrap();
    expire_code(&world.store, &world.cx(later(5)), code.id, CodeEnd::Now).await.unwrap();
    assert_eq!(refused(tenant, project, 6, code.by_id()).await, Refusal::Expired { at: later(5) });
    expire_code(&world.store, &world.cx(later(7)), code.id, CodeEnd::Never).await.unwrap();
    reissue_code(&world.store, &world.cx(later(8)), &PlainHasher, code.id).await.unwrap();
    assert_eq!(refused(tenant, project, 9, code.by_text()).await, Refusal::UnknownCode, "an old text is nobody's");
    revoke_code(&world.store, &world.cx(later(10)), code.id).await.unwrap();
    let event = AuditEvent::new(&world.cx(later(11)), Action::CodesRevoked, Some(tenant), Some(Target::Batch(record.batch_id)));
    world.write(async |tx| tx.append_audit(&event).await).await;

    let expected = [
        (Action::CodesIssued, 0),
        (Action::ProjectActivated, 1),
        (Action::ActivationRefused, 3),
        (Action::ActivationReturned, 4),
        (Action::CodeExpiryChanged, 5),
        (Action::ActivationRefused, 6),
        (Action::CodeExpiryChanged, 7),
        (Action::CodeReissued, 8),
        (Action::CodeRevoked, 10),
        (Action::CodesRevoked, 11),
    ];
    for limit in [1, 3, 10, PageLimit::MAX] {
        let events = world.timeline(&record, limit).await;
        let said: Vec<_> = events.iter().map(|event| (event.action.as_str(), event.at)).collect();
        assert_eq!(said, expected.map(|(action, seconds)| (action.as_str(), later(seconds))), "pages of {limit}");
        assert_eq!(events[2].tenant_id, Some(stranger), "whose try it was");
        assert!(!events[2].details.contains_key("activation_code_id"), "a stranger isn't told whose code it was");
    }
    assert_eq!(world.timeline(&world.stored_code(tenant, other.id).await, 9).await.len(), 2);
    delete_tenant(&world.store, &world.cx(later(12)), tenant, &Expected::Any).await.unwrap();
    assert_eq!(world.timeline(&record, 9).await.len(), expected.len());
    let page = PageRequest { limit: PageLimit::default(), after: None, count: false };
    let without_issue = world.read().code_timeline(code.id, None, page).await.unwrap();
    assert_eq!((without_issue.items.len(), without_issue.total), (expected.len() - 2, None));
    assert!(world.read().code_timeline(world.id(noon()), None, page).await.unwrap().items.is_empty());
}
