use tenantry_domain::{
    ActivateProject, ActivateWith, Actor, AuditEvent, AuditFilter, CodeOrder, Context, Expected, Timestamp, Transition,
    activate_project, change_project, delete_project, delete_tenant, generate_codes, memory::PlainHasher, ports::*,
    resume_tenant, suspend_tenant, transition_project,
};
use time::Duration;

use crate::support::{Portal, block_on, details, first_page, noon};

/// An operator's call, so many seconds after noon.
fn operator(portal: &Portal, seconds: i64) -> Context<'_> {
    let now: Timestamp = noon() + Duration::seconds(seconds);
    Context {
        actor: Actor::ApiKey("ops".to_owned()),
        client_ip: Some("203.0.113.9".parse().unwrap()),
        request_id: Some(format!("req-{seconds}")),
        ..portal.cx(now)
    }
}

#[test]
fn every_change_is_audited_once_with_who_and_from_where() {
    block_on(async {
        let portal = Portal::new();
        let (tenant, _) = portal.tenant("acme").await;
        let project = portal.create_project(tenant, None).await.unwrap().id;
        let store = &portal.store;
        let cx = |seconds| operator(&portal, seconds);
        let batch = generate_codes(store, &cx(1), &PlainHasher, tenant, CodeOrder::default()).await.unwrap().batch_id;
        change_project(store, &cx(2), tenant, project, details("New").into(), &Expected::Any).await.unwrap();
        let request = ActivateProject { tenant, project, with: ActivateWith::NextAvailable, guesses: None };
        activate_project(store, &cx(3), &PlainHasher, &request).await.unwrap();
        for (seconds, transition) in [(4, Transition::Pause), (5, Transition::Resume), (6, Transition::Complete)] {
            transition_project(store, &cx(seconds), tenant, project, transition).await.unwrap();
        }
        delete_project(store, &cx(7), tenant, project, &Expected::Any).await.unwrap();
        suspend_tenant(store, &cx(8), tenant).await.unwrap();
        resume_tenant(store, &cx(9), tenant).await.unwrap();
        delete_tenant(store, &cx(10), tenant, &Expected::Any).await.unwrap();

        let events = store.reader().audit_page(Some(tenant), &AuditFilter::default(), first_page()).await.unwrap().items;
        let since: Vec<&AuditEvent> = events.iter().rev().filter(|event| event.at > noon()).collect();
        let actions: Vec<_> = since.iter().map(|event| event.action.as_str()).collect();
        let expected = [
            "codes.issued",
            "project.changed",
            "project.activated",
            "project.paused",
            "project.resumed",
            "project.completed",
            "project.deleted",
            "tenant.suspended",
            "tenant.resumed",
            "tenant.deleted",
        ];
        assert_eq!(actions, expected);
        for (seconds, event) in (1..).zip(since) {
            let cx = cx(seconds);
            assert_eq!(
                (event.at, &event.actor, event.client_ip, &event.request_id),
                (cx.now, &cx.actor, cx.client_ip, &cx.request_id)
            );
            let about = match event.action.split('.').next() {
                Some("project") => project.to_string(),
                Some("codes") => batch.to_string(),
                _ => tenant.to_string(),
            };
            assert_eq!(event.target, Some(about), "{}", event.action);
        }
    });
}

#[test]
fn a_repeat_and_a_refused_change_are_not_audited_as_changes() {
    block_on(async {
        let portal = Portal::new();
        let (tenant, batch) = portal.tenant("acme").await;
        let project = portal.create_project(tenant, Some("website")).await.unwrap().id;
        let with = ActivateWith::CodeId(batch.codes.first().unwrap().id);
        let request = ActivateProject { tenant, project, with, guesses: None };
        for _ in 0..3 {
            activate_project(&portal.store, &portal.cx(noon()), &PlainHasher, &request).await.unwrap();
        }
        assert!(portal.create_project(tenant, Some("website")).await.is_err());
        let resumed = transition_project(&portal.store, &portal.cx(noon()), tenant, project, Transition::Resume).await;
        assert!(resumed.is_err());
        let audited = portal.audited(tenant).await;
        assert_eq!(audited, ["codes.issued", "project.activated", "project.created", "tenant.created"]);
    });
}
