//! What is taken over from an older portal: once, with its uses, and by its old text.

use super::world::{World, later, noon, race};
use crate::{
    ActivateError, ActivateProject, ActivateWith, AdoptError, Adopted, AdoptedKind, AdoptedRow, Adoption, Code, CodeDigest,
    CodeHasher, CodeStatus, CodeText, InvalidValue, KeyId, KeyedCodeDigest, LegacyCode, PlainCode, Project, ProjectId,
    ProjectStatus, Redemption, Refusal, Slug, StoreError, SubscriptionState, TenantId, Timestamp, activate_project, adopt,
    memory::PlainHasher, ports::*,
};

const SOURCE: &str = "portal";

/// A hasher that knows of an older portal; its digest of a code there is the code's text behind a mark.
struct LegacyHasher;

impl CodeHasher for LegacyHasher {
    fn digest(&self, code: &PlainCode) -> KeyedCodeDigest {
        PlainHasher.digest(code)
    }

    fn candidates(&self, code: &PlainCode) -> Vec<CodeDigest> {
        PlainHasher.candidates(code)
    }

    fn read(&self, text: &str) -> Result<CodeText, InvalidValue> {
        CodeText::parse_either(text)
    }

    fn legacy_digest(&self, code: &LegacyCode) -> Option<KeyedCodeDigest> {
        let mut bytes = [b'!'; 32];
        bytes.iter_mut().skip(1).zip(code.reveal().bytes()).for_each(|(byte, symbol)| *byte = symbol);
        let key_id = KeyId::parse(PlainHasher::KEY_ID).unwrap().for_legacy();
        Some(KeyedCodeDigest { digest: CodeDigest::from_bytes(bytes), key_id })
    }

    fn legacy_candidates(&self, code: &LegacyCode) -> Vec<CodeDigest> {
        self.legacy_digest(code).into_iter().map(|keyed| keyed.digest).collect()
    }
}

fn adopted<T>(old_key: &str, row: T) -> Adopted<T> {
    Adopted { old_key: old_key.to_owned(), row }
}

impl<S: Store> World<S> {
    /// An older portal's code that isn't stored.
    fn legacy_code(&self, tenant: TenantId, text: &str, uses: [u32; 2]) -> Code {
        let KeyedCodeDigest { digest, key_id } = LegacyHasher.legacy_digest(&LegacyCode::parse(text).unwrap()).unwrap();
        let [use_count, max_uses] = uses;
        Code {
            id: self.id(noon()),
            tenant_id: tenant,
            digest,
            key_id,
            hint: "----".to_owned(),
            label: None,
            max_uses,
            use_count,
            expires_at: None,
            used_at: (use_count > 0).then(noon),
            revoked_at: None,
            batch_id: self.id(noon()),
            created_at: noon(),
            updated_at: noon(),
        }
    }

    async fn adopted_keys(&self, source: &str, kind: AdoptedKind) -> Vec<String> {
        let mut keys: Vec<_> = self.read().adopted_rows(source, kind).await.unwrap().into_iter().map(|(key, _)| key).collect();
        keys.sort();
        keys
    }

    fn redemption(&self, tenant: TenantId, code: &Code, project: Option<ProjectId>, at: Timestamp) -> Redemption {
        Redemption {
            id: self.id(at),
            tenant_id: tenant,
            activation_code_id: Some(code.id),
            project_id: project,
            redeemed_at: at,
            returned_at: None,
        }
    }
}

/// What was taken over is known by its older portal, its table and its key, and is taken over once.
pub async fn an_adopted_row_is_remembered_and_not_taken_again<S: Store>(store: S) {
    let world = World::new(store);
    let row = |source: &str, kind, old_key: &str| AdoptedRow {
        source: source.to_owned(),
        kind,
        old_key: old_key.to_owned(),
        id: world.id::<Project>(noon()).uuid(),
        adopted_at: noon(),
    };
    let first = row(SOURCE, AdoptedKind::Tenant, "1");
    let others =
        [row("other", AdoptedKind::Tenant, "1"), row(SOURCE, AdoptedKind::Code, "1"), row(SOURCE, AdoptedKind::Tenant, "01")];
    world.write(async |tx| tx.insert_adopted_rows(&[&[first.clone()][..], &others].concat()).await).await;
    let read = world.read().adopted_rows("other", AdoptedKind::Tenant).await.unwrap();
    assert_eq!(read, [("1".to_owned(), others[0].id)]);
    assert_eq!(world.adopted_keys(SOURCE, AdoptedKind::Tenant).await, ["01", "1"]);
    assert_eq!(world.adopted_keys("nobody", AdoptedKind::Tenant).await, [""; 0]);
    let again = [row(SOURCE, AdoptedKind::Tenant, "2"), AdoptedRow { id: others[0].id, ..first }];
    let again = world.try_write(async |tx| tx.insert_adopted_rows(&again).await).await;
    assert!(matches!(again, Err(StoreError::Conflict(_))), "{again:?}");
    assert_eq!(world.adopted_keys(SOURCE, AdoptedKind::Tenant).await, ["01", "1"]);
}

/// A tenant is taken over with its subscription, codes, projects and uses: all are read as they were written, its codes stand as they stood,
/// its months are counted, and it can be taken over no second time.
pub async fn an_adoption_writes_all_that_belongs_to_it<S: Store>(store: S) {
    let world = World::new(store);
    let plan = world.new_plan(1);
    let tenant = world.new_tenant("adopted", noon());
    let subscription = world.new_subscription(tenant.id, &plan, SubscriptionState::Active);
    let used = world.legacy_code(tenant.id, "AAAA-AAAA-AAAA-AAAA", [2, 2]);
    let revoked = Code { revoked_at: Some(noon()), ..world.legacy_code(tenant.id, "AAAA-AAAA-AAAA-AAAB", [0, 1]) };
    let expired = Code { expires_at: Some(noon()), ..world.legacy_code(tenant.id, "AAAA-AAAA-AAAA-AAAC", [0, 1]) };
    let unused = world.legacy_code(tenant.id, "AAAA-AAAA-AAAA-AAAD", [0, 3]);
    let project = Project {
        status: ProjectStatus::Paused,
        activation_code_id: Some(used.id),
        started_at: Some(noon()),
        ..world.new_project(Some(tenant.id), "site", noon())
    };
    // Slugs from before the rules of today stay what they are.
    let slug = Slug::from_stored("Old_Site".to_owned());
    let nobodys = Project { status: ProjectStatus::Active, slug, ..world.new_project(None, "old-site", noon()) };
    let redemptions =
        vec![world.redemption(tenant.id, &used, Some(project.id), noon()), world.redemption(tenant.id, &used, None, noon())];
    let codes: Vec<_> = [("1", used), ("2", revoked), ("3", expired), ("4", unused)].map(|(key, code)| adopted(key, code)).into();
    let adoption = Adoption {
        plans: vec![adopted("1", plan.clone())],
        tenants: vec![adopted("7", tenant.clone())],
        subscriptions: vec![adopted("9", subscription.clone())],
        codes: codes.clone(),
        projects: vec![adopted("a", project.clone()), adopted("b", nobodys.clone())],
        redemptions: redemptions.clone(),
    };
    adopt(&world.store, &world.cx(later(1)), SOURCE, &adoption).await.unwrap();

    let mut reader = world.read();
    assert_eq!(reader.plan(plan.id).await.unwrap(), Some(plan));
    assert_eq!(reader.tenant(tenant.id).await.unwrap(), Some(tenant.clone()));
    assert_eq!(reader.subscription(tenant.id).await.unwrap(), Some(subscription));
    for Adopted { row: code, .. } in &codes {
        let stored = reader.code(tenant.id, code.id).await.unwrap().unwrap();
        assert_eq!(stored, Code { batch_id: stored.batch_id, ..code.clone() });
        assert_eq!(reader.batch_of_anyone(stored.batch_id).await.unwrap().unwrap().issued, 4);
    }
    let counts = reader.count_codes(tenant.id, later(1)).await.unwrap();
    assert_eq!(CodeStatus::ALL.into_iter().zip(counts).map(|(_, count)| count).collect::<Vec<_>>(), [1, 1, 1, 1]);
    assert_eq!(reader.project(tenant.id, project.id).await.unwrap(), Some(project));
    assert_eq!(reader.project_of_anyone(nobodys.id).await.unwrap(), Some(nobodys));
    let mut uses = reader.redemptions_of_code(tenant.id, codes[0].row.id).await.unwrap();
    uses.sort_by_key(|use_| use_.project_id.is_none());
    assert_eq!(uses, redemptions);
    assert_eq!(reader.activations_in(tenant.id, noon().month()).await.unwrap(), 2, "beyond the plan's quota");
    assert_eq!(world.adopted_keys(SOURCE, AdoptedKind::Code).await, ["1", "2", "3", "4"]);
    assert_eq!(world.adopted_keys(SOURCE, AdoptedKind::Subscription).await, ["9"]);

    let nothing_else = Adoption { projects: adoption.projects.clone(), ..Adoption::default() };
    let again = adopt(&world.store, &world.cx(later(2)), SOURCE, &nothing_else).await;
    assert!(matches!(again, Err(AdoptError::ProjectSlugTaken { old_key }) if old_key == "a"));
    let again = adopt(&world.store, &world.cx(later(2)), "other", &adoption).await;
    assert!(matches!(again, Err(AdoptError::PlanNameTaken { .. })));
    assert_eq!(world.adopted_keys("other", AdoptedKind::Tenant).await, [""; 0]);
}

/// Of 8 racing adoptions of the same codes one takes them, and the others leave nothing.
pub async fn racing_adoptions_have_one_winner<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    let taken = race(8, async |racer| {
        // Each reads the older portal for itself, and gives the same code another identifier, and by another key another digest.
        let digest = CodeDigest::from_bytes([u8::try_from(racer).unwrap(); 32]);
        let code = Code { digest, ..world.legacy_code(tenant, "AAAA-AAAA-AAAA-AAAA", [1, 1]) };
        let redemptions = vec![world.redemption(tenant, &code, None, noon())];
        let adoption = Adoption { codes: vec![adopted("1", code)], redemptions, ..Adoption::default() };
        match adopt(&world.store, &world.cx(later(1)), SOURCE, &adoption).await {
            Ok(()) => true,
            Err(AdoptError::Store(StoreError::Conflict(_))) => false,
            Err(other) => panic!("{other:?}"),
        }
    });
    assert_eq!(taken.await.into_iter().filter(|&taken| taken).count(), 1);
    assert_eq!(world.read().activations_in(tenant, noon().month()).await.unwrap(), 1);
    assert_eq!(world.read().count_codes(tenant, later(1)).await.unwrap().into_iter().sum::<u64>(), 1);
}

/// A code of an older portal activates a project by its text there, as often as it may, and by no other text.
pub async fn an_adopted_code_activates_by_its_old_text<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    let code = world.legacy_code(tenant, "LULU-2345-LULU-6789", [1, 2]);
    let redemptions = vec![world.redemption(tenant, &code, None, noon())];
    let adoption = Adoption { codes: vec![adopted("1", code.clone())], redemptions, ..Adoption::default() };
    adopt(&world.store, &world.cx(later(1)), SOURCE, &adoption).await.unwrap();
    let projects = world.projects(tenant, 2).await;
    let activate = async |project, text: &str| {
        let with = ActivateWith::Code(LegacyHasher.read(text).unwrap());
        let request = ActivateProject { tenant, project, with, guesses: None };
        activate_project(&world.store, &world.cx(later(2)), &LegacyHasher, &request).await
    };
    let refused = activate(projects[0], "LULU-2345-LULU-678A").await;
    assert!(matches!(refused, Err(ActivateError::Refused(Refusal::UnknownCode))), "{refused:?}");
    let active = activate(projects[0], "lulu 2345 lulu 6789").await.unwrap();
    assert_eq!((active.status, active.activation_code_id), (ProjectStatus::Active, Some(code.id)));
    let refused = activate(projects[1], "LULU-2345-LULU-6789").await;
    assert!(matches!(refused, Err(ActivateError::Refused(Refusal::Exhausted))), "{refused:?}");
    let after = world.stored_code(tenant, code.id).await;
    assert_eq!((after.use_count, after.digest, after.key_id), (2, code.digest, code.key_id));
}
