use tenantry_domain::{
    Actor, AuditEvent, AuditFilter, ChangeTenantError, Context, Email, Expected, Id, ManagePlanError, NewTerms, OtpChallenge,
    OtpMac, OtpPurpose, OtpStrength, Plan, PlanChange, PlanName, ProfileChange, Quota, Session, SessionId, SetSubscriptionError,
    SubscriptionState, TenantId, TenantName, Timestamp, TokenDigest, archive_plan, change_own_profile, change_plan,
    change_tenant, delete_plan, ports::*, restore_plan, set_subscription,
};
use time::Duration;

use crate::support::{Portal, block_on, first_page, noon};

/// The newest event, with its details as `name: value`.
async fn last_event(portal: &Portal) -> (String, Vec<String>) {
    let events: Vec<AuditEvent> =
        portal.store.reader().audit_page(None, &AuditFilter::default(), first_page()).await.unwrap().items;
    let event = events.into_iter().next().unwrap();
    (event.action, event.details.into_iter().map(|(name, value)| format!("{name}: {value}")).collect())
}

fn later(seconds: i64) -> Timestamp {
    noon() + Duration::seconds(seconds)
}

fn terms(plan: &Plan, state: SubscriptionState) -> NewTerms {
    NewTerms { plan_id: plan.id, state, current_period_start: None, current_period_end: None }
}

async fn session(portal: &Portal, tenant: TenantId, number: u8) -> SessionId {
    let id = Id::from_uuid(uuid::Uuid::from_u128(number.into()));
    let session = Session {
        id,
        tenant_id: tenant,
        token_digest: TokenDigest::from_bytes([number; 32]),
        last_activity: noon(),
        expires_at: noon() + Duration::HOUR,
        client_ip: None,
        user_agent: None,
        revoked_at: None,
        created_at: noon(),
    };
    let mut tx = portal.store.begin().await.unwrap();
    tx.insert_session(&session).await.unwrap();
    tx.commit().await.unwrap();
    id
}

async fn challenge(portal: &Portal, tenant: TenantId, number: u8) {
    let challenge = OtpChallenge {
        id: Id::from_uuid(uuid::Uuid::from_u128(number.into())),
        account: Some(tenant.into()),
        code_mac: OtpMac::from_bytes([number; 32]),
        key_id: tenantry_domain::KeyId::parse("k1").unwrap(),
        purpose: OtpPurpose::TenantSignIn,
        strength: OtpStrength::SixDigits,
        attempts: 0,
        expires_at: noon() + Duration::HOUR,
        consumed_at: None,
        created_at: noon(),
    };
    let mut tx = portal.store.begin().await.unwrap();
    tx.insert_challenge(&challenge).await.unwrap();
    tx.commit().await.unwrap();
}

#[test]
fn a_change_of_a_plan_is_audited_with_what_was_and_what_is() {
    block_on(async {
        let portal = Portal::new();
        let (store, plan) = (&portal.store, portal.plan(100).await);
        let change = PlanChange { name: None, monthly_run_quota: Some(Quota::new(7).unwrap()) };
        change_plan(store, &portal.cx(later(1)), plan.id, change, &Expected::Any).await.unwrap();
        let quotas = ["new_monthly_run_quota: 7", "old_monthly_run_quota: 100"].map(str::to_owned);
        assert_eq!(last_event(&portal).await, ("plan.changed".to_owned(), quotas.to_vec()));
        for (archived, action) in [(true, "plan.archived"), (false, "plan.restored")] {
            for seconds in 2..4 {
                let cx = portal.cx(later(seconds));
                let plan = match archived {
                    true => archive_plan(store, &cx, plan.id).await.unwrap(),
                    false => restore_plan(store, &cx, plan.id).await.unwrap(),
                };
                assert_eq!(plan.archived_at.is_some(), archived);
            }
            assert_eq!(last_event(&portal).await, (action.to_owned(), Vec::new()), "once, without a change of anything else");
        }
    });
}

#[test]
fn a_plan_that_is_unknown_or_used_is_not_deleted() {
    block_on(async {
        let portal = Portal::new();
        let plan = portal.plan(10).await;
        portal.create_tenant("acme", plan.id, &tenantry_domain::memory::PlainHasher).await.unwrap();
        let (store, cx) = (&portal.store, &portal.cx(later(1)));
        let used = delete_plan(store, cx, plan.id, &Expected::Any).await;
        assert!(matches!(used, Err(ManagePlanError::InUse)), "{used:?}");
        let name = PlanName::parse("Taken").unwrap();
        tenantry_domain::create_plan(store, cx, name.clone(), Quota::new(1).unwrap()).await.unwrap();
        let change = PlanChange { name: Some(name), monthly_run_quota: None };
        let taken = change_plan(store, cx, plan.id, change, &Expected::Any).await;
        assert!(matches!(taken, Err(ManagePlanError::NameTaken)), "{taken:?}");
        let unknown = Id::from_uuid(uuid::Uuid::from_u128(7));
        for refused in [
            delete_plan(store, cx, unknown, &Expected::Any).await.err(),
            change_plan(store, cx, unknown, PlanChange::default(), &Expected::Any).await.err(),
            archive_plan(store, cx, unknown).await.err(),
        ] {
            assert!(matches!(refused, Some(ManagePlanError::UnknownPlan)), "{refused:?}");
        }
    });
}

#[test]
fn a_new_address_is_audited_by_the_fields_name_alone() {
    block_on(async {
        let portal = Portal::new();
        let (tenant, _) = portal.tenant("acme").await;
        let (store, own) = (&portal.store, session(&portal, tenant, 1).await);
        session(&portal, tenant, 2).await;
        challenge(&portal, tenant, 3).await;
        let to =
            |address: &str| ProfileChange { contact_email: Some(Email::parse(address).unwrap()), ..ProfileChange::default() };

        let operator = Context { actor: Actor::ApiKey("ops".to_owned()), ..portal.cx(later(1)) };
        change_tenant(store, &operator, tenant, to("new@acme.example"), &Expected::Any).await.unwrap();
        let details = ["challenges_ended: 1", "changed: contact_email"].map(str::to_owned);
        assert_eq!(last_event(&portal).await, ("tenant.changed".to_owned(), details.to_vec()), "its sessions go on");

        let itself = Context { actor: Actor::Tenant { tenant, session: own }, ..portal.cx(later(2)) };
        let name = Some(TenantName::parse("New").unwrap());
        let change = ProfileChange { name, ..to("newer@acme.example") };
        change_own_profile(store, &itself, tenant, own, change, &Expected::Any).await.unwrap();
        let details = ["challenges_ended: 0", "changed: name, contact_email", "sessions_ended: 1"].map(str::to_owned);
        assert_eq!(last_event(&portal).await, ("tenant.changed".to_owned(), details.to_vec()));
        let left = store.reader().live_sessions_page(tenant, later(3), first_page()).await.unwrap().items;
        assert_eq!(left.into_iter().map(|session| session.id).collect::<Vec<_>>(), [own]);
    });
}

#[test]
fn a_tenant_changes_itself_while_its_subscription_lets_it_and_its_operator_always() {
    block_on(async {
        let portal = Portal::new();
        for state in SubscriptionState::ALL {
            let tenant = portal.tenant_in(state).await;
            let change = || ProfileChange { name: Some(TenantName::parse("New").unwrap()), ..ProfileChange::default() };
            let (store, cx, own) = (&portal.store, &portal.cx(later(1)), Id::from_uuid(uuid::Uuid::from_u128(7)));
            let answer = change_own_profile(store, cx, tenant, own, change(), &Expected::Any).await;
            let read_only = matches!(answer, Err(ChangeTenantError::SubscriptionInactive { .. }));
            assert_eq!(
                read_only,
                !matches!(state, SubscriptionState::Active | SubscriptionState::Trialing | SubscriptionState::PastDue)
            );
            change_tenant(store, cx, tenant, change(), &Expected::Any).await.unwrap();
        }
    });
}

#[test]
fn a_subscription_is_set_within_its_bounds() {
    block_on(async {
        let portal = Portal::new();
        let (tenant, _) = portal.tenant("acme").await;
        let (store, cx, larger) = (&portal.store, &portal.cx(later(1)), portal.plan(50).await);
        let before = store.reader().subscription(tenant).await.unwrap().unwrap();
        let set = async |new: NewTerms| set_subscription(store, cx, tenant, new, &Expected::Any).await;

        let after = set(terms(&larger, SubscriptionState::PastDue)).await.unwrap();
        assert_eq!(
            (after.plan_id, after.state, after.current_period_end),
            (larger.id, SubscriptionState::PastDue, before.current_period_end)
        );
        let (action, details) = last_event(&portal).await;
        let plans = [format!("new_plan_id: {}", larger.id), format!("old_plan_id: {}", before.plan_id)];
        assert_eq!(action, "subscription.changed");
        assert_eq!(
            details,
            [&plans[..1], &["new_state: past_due".to_owned()], &plans[1..], &["old_state: active".to_owned()]].concat()
        );

        for end in [before.current_period_start, before.current_period_start - Duration::MICROSECOND] {
            let refused = set(NewTerms { current_period_end: Some(end), ..terms(&larger, SubscriptionState::Active) }).await;
            assert!(matches!(refused, Err(SetSubscriptionError::PeriodEndsBeforeStart)), "{refused:?}");
        }
        archive_plan(store, cx, larger.id).await.unwrap();
        set(terms(&larger, SubscriptionState::Active)).await.unwrap();
        set(NewTerms { plan_id: before.plan_id, ..terms(&larger, SubscriptionState::Active) }).await.unwrap();
        let archived = set(terms(&larger, SubscriptionState::Active)).await;
        assert!(matches!(archived, Err(SetSubscriptionError::PlanArchived)), "{archived:?}");
        let unknown =
            set(NewTerms { plan_id: Id::from_uuid(uuid::Uuid::from_u128(7)), ..terms(&larger, SubscriptionState::Active) }).await;
        assert!(matches!(unknown, Err(SetSubscriptionError::UnknownPlan)), "{unknown:?}");
        let stranger = Id::from_uuid(uuid::Uuid::from_u128(7));
        let nobody = set_subscription(store, cx, stranger, terms(&larger, SubscriptionState::Active), &Expected::Any).await;
        assert!(matches!(nobody, Err(SetSubscriptionError::UnknownTenant)), "{nobody:?}");
    });
}
