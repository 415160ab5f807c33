use tenantry_domain::{
    ActivateError, ActivateProject, ActivateWith, CodeHasher as _, CodeOrder, GenerateCodesError, Id, IssuedCode, LONGEST_TTL,
    Label, MAX_CODES, MAX_USES, Refusal, activate_project, begin_bulk_issue, generate_codes, issue_next_codes,
    memory::PlainHasher, ports::*,
};
use time::Duration;

use crate::support::{Portal, block_on, noon};

#[test]
fn an_order_outside_its_bounds_is_refused_and_issues_nothing() {
    block_on(async {
        let portal = Portal::new();
        let (tenant, _) = portal.tenant("acme").await;
        let before = portal.store.reader().count_codes(tenant, noon()).await.unwrap();
        let one = CodeOrder::default;
        let issue = async |order| {
            let issued = generate_codes(&portal.store, &portal.cx(noon()), &PlainHasher, tenant, order).await;
            issued.map(|batch| batch.codes.len()).unwrap_err()
        };
        for count in [0, MAX_CODES + 1] {
            assert!(matches!(issue(CodeOrder { count, ..one() }).await, GenerateCodesError::CountOutOfRange), "{count}");
        }
        for max_uses in [0, MAX_USES + 1] {
            assert!(matches!(issue(CodeOrder { max_uses, ..one() }).await, GenerateCodesError::MaxUsesOutOfRange), "{max_uses}");
        }
        for ttl in [Duration::ZERO, Duration::MICROSECOND * -1] {
            assert!(matches!(issue(CodeOrder { ttl: Some(ttl), ..one() }).await, GenerateCodesError::TtlNotPositive), "{ttl}");
        }
        let ttl = Some(LONGEST_TTL + Duration::MICROSECOND);
        assert!(matches!(issue(CodeOrder { ttl, ..one() }).await, GenerateCodesError::TtlTooLong));
        assert_eq!(portal.store.reader().count_codes(tenant, noon()).await.unwrap(), before);
        assert_eq!(portal.audited(tenant).await, ["codes.issued", "tenant.created"], "nothing but the tenant's first codes");
    });
}

#[test]
fn an_unknown_tenant_receives_no_codes() {
    block_on(async {
        let portal = Portal::new();
        let unknown = Id::from_uuid(uuid::Uuid::from_u128(7));
        let issued = generate_codes(&portal.store, &portal.cx(noon()), &PlainHasher, unknown, CodeOrder::default()).await;
        assert!(matches!(issued, Err(GenerateCodesError::UnknownTenant)), "{issued:?}");
    });
}

#[test]
fn an_order_is_issued_as_it_was_given() {
    block_on(async {
        let portal = Portal::new();
        let (tenant, _) = portal.tenant("acme").await;
        let order =
            CodeOrder { count: 2_500, label: Some(Label::parse("Partners").unwrap()), ttl: Some(Duration::DAY), max_uses: 4 };
        let batch = portal.codes(tenant, order.clone()).await;
        assert_eq!((batch.codes.len(), &batch.label, batch.max_uses), (2_500, &order.label, 4));
        assert_eq!(batch.expires_at, Some(noon() + Duration::DAY));
        let last = batch.codes.last().unwrap();
        let stored = portal.store.reader().code(tenant, last.id).await.unwrap().unwrap();
        assert_eq!((stored.label, stored.max_uses, stored.expires_at), (order.label, 4, batch.expires_at));
        assert_eq!(stored.hint, last.code.hint());
        assert_eq!(stored.key_id.as_str(), PlainHasher::KEY_ID);
    });
}

#[test]
fn an_issued_code_shows_its_text_nowhere_but_on_demand() {
    block_on(async {
        let portal = Portal::new();
        let (tenant, batch) = portal.tenant("acme").await;
        let text = batch.codes.first().unwrap().code.reveal();
        let stored = portal.store.reader().code(tenant, batch.codes.first().unwrap().id).await.unwrap().unwrap();
        let request = ActivateProject {
            tenant,
            project: Id::from_uuid(uuid::Uuid::nil()),
            with: ActivateWith::Code(batch.codes.first().unwrap().code.clone().into()),
            guesses: None,
        };
        for shown in [format!("{batch:?}"), format!("{stored:?}"), format!("{request:?}")] {
            assert!(!shown.contains(text.as_str()) && !shown.contains(&text.replace('-', "")), "{shown}");
        }
    });
}

#[test]
fn a_code_activates_until_it_expires_and_not_from_then_on() {
    block_on(async {
        let portal = Portal::new();
        let (tenant, _) = portal.tenant("acme").await;
        let batch = portal.codes(tenant, CodeOrder { ttl: Some(Duration::HOUR), max_uses: 2, ..CodeOrder::default() }).await;
        let [early, late] =
            [portal.create_project(tenant, None).await.unwrap(), portal.create_project(tenant, None).await.unwrap()];
        let end = noon() + Duration::HOUR;
        let activate = async |project, now| {
            let with = ActivateWith::Code(batch.codes.first().unwrap().code.clone().into());
            activate_project(
                &portal.store,
                &portal.cx(now),
                &PlainHasher,
                &ActivateProject { tenant, project, with, guesses: None },
            )
            .await
        };
        let refusal = activate(late.id, end).await;
        assert!(matches!(refusal, Err(ActivateError::Refused(Refusal::Expired { at })) if at == end), "{refusal:?}");
        activate(early.id, end - Duration::MICROSECOND).await.unwrap();
        activate(early.id, end).await.unwrap();
    });
}

/// In an index, codes that are stored together go one behind the other.
#[test]
fn codes_are_made_in_the_order_of_identifiers_and_digests() {
    block_on(async {
        let portal = Portal::new();
        let (tenant, _) = portal.tenant("acme").await;
        let issued = portal.codes(tenant, CodeOrder { count: 1_000, ..CodeOrder::default() }).await;
        assert_in_order(&issued.codes);

        let order = CodeOrder { count: 12_000, ..CodeOrder::default() };
        let mut issue = begin_bulk_issue(&portal.store, &portal.cx(noon()), tenant, order).await.unwrap();
        for expected in [5_000, 5_000, 2_000, 0] {
            let part = issue_next_codes(&portal.store, &portal.cx(noon()), &PlainHasher, &mut issue).await.unwrap();
            assert_eq!(part.len(), expected);
            assert_in_order(&part);
        }
    });
}

fn assert_in_order(codes: &[IssuedCode]) {
    assert!(codes.is_sorted_by_key(|code| code.id));
    assert!(codes.is_sorted_by_key(|code| *PlainHasher.digest(&code.code).digest.as_bytes()));
}
