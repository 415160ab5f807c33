//! Batches: what they hold, how their issue ends, and how all of their codes are revoked.

use time::Duration;

use super::world::{World, all_pages, first_page, later, noon, race};
use crate::{
    Batch, BatchSource, BatchState, BulkIssueError, CodeImport, CodeOrder, CodeStatus, ImportCodesError, ImportLine, Label,
    PlainCode, TenantId, begin_bulk_issue, cancel_bulk_issue, complete_bulk_issue, generate_codes, import_codes,
    issue_next_codes, memory::PlainHasher, ports::*, revoke_batch,
};

impl<S: Store> World<S> {
    /// A batch that isn't stored: ordered and empty.
    fn new_batch(&self, tenant: TenantId, ordered: u32) -> Batch {
        Batch {
            id: self.id(noon()),
            tenant_id: tenant,
            label: None,
            max_uses: Some(1),
            expires_at: None,
            ordered,
            issued: 0,
            state: BatchState::Issuing,
            source: BatchSource::Issued,
            created_by: Some("system".to_owned()),
            created_at: noon(),
            updated_at: noon(),
        }
    }

    /// A batch that is being issued.
    async fn batch(&self, tenant: TenantId, ordered: u32) -> Batch {
        let batch = self.new_batch(tenant, ordered);
        self.write(async |tx| tx.insert_batch(&batch).await).await;
        batch
    }

    /// A complete batch of so many codes.
    async fn issued(&self, tenant: TenantId, count: u32) -> Batch {
        let order = CodeOrder { count, ..CodeOrder::default() };
        let made = generate_codes(&self.store, &self.cx(noon()), &PlainHasher, tenant, order).await.unwrap();
        self.read().batch_of_anyone(made.batch_id).await.unwrap().unwrap()
    }

    async fn stored_batch(&self, batch: &Batch) -> Batch {
        self.read().batch_of_anyone(batch.id).await.unwrap().unwrap()
    }

    async fn count_of(&self, batch: &Batch) -> [u64; 4] {
        self.read().count_batch_codes(batch.tenant_id, batch.id, later(60)).await.unwrap()
    }
}

/// Every field of a batch is read as it was written.
pub async fn a_batch_is_read_as_it_was_written<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    let bare = world.batch(tenant, 1).await;
    assert_eq!(world.stored_batch(&bare).await, bare);
    let full = Batch {
        label: Some(Label::parse("Größe „XL“").unwrap()),
        max_uses: None,
        expires_at: Some(later(3600) + Duration::MICROSECOND),
        issued: 3,
        state: BatchState::Cancelled,
        source: BatchSource::Imported,
        created_by: None,
        updated_at: later(1),
        ..world.new_batch(tenant, 1_000_000)
    };
    world.write(async |tx| tx.insert_batch(&full).await).await;
    assert_eq!(world.stored_batch(&full).await, full);
    assert_eq!(world.read().batch_of_anyone(world.id(noon())).await.unwrap(), None);
    let orphan = world.new_batch(world.id(noon()), 1);
    assert!(world.try_write(async |tx| tx.insert_batch(&orphan).await).await.is_err(), "a batch has a tenant");
}

/// Pages of batches, put together, are the list: each once, newest first.
pub async fn pages_of_batches_are_complete<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    let mut expected = Vec::new();
    for seconds in 0..7 {
        let batch = Batch { id: world.id(later(seconds)), ..world.new_batch(tenant, 1) };
        world.write(async |tx| tx.insert_batch(&batch).await).await;
        expected.insert(0, batch);
    }
    for limit in [1, 3, 7, 8] {
        let filter = BatchFilter::default();
        let read = async |page| world.read().batches_of_anyone_page(&filter, page).await;
        assert_eq!(all_pages(limit, |batch: &Batch| batch.id, read).await, expected, "{limit}");
    }
}

/// A list has the batches of its tenant, with its label to the letter.
pub async fn batches_are_listed_by_tenant_and_label<S: Store>(store: S) {
    let world = World::new(store);
    let (tenant, other) = (world.tenant().await, world.tenant().await);
    let label = |text: &str| Some(Label::parse(text).unwrap());
    let mut made = Vec::new();
    for (tenant, text) in [(tenant, "Spring"), (tenant, "spring"), (other, "Spring"), (other, "Spring sale")] {
        let batch = Batch { label: label(text), ..world.new_batch(tenant, 1) };
        world.write(async |tx| tx.insert_batch(&batch).await).await;
        made.push(batch.id);
    }
    let listed = async |tenant, label| {
        let page = world.read().batches_of_anyone_page(&BatchFilter { tenant, label }, first_page()).await.unwrap();
        let listed = page.items.into_iter().map(|batch| made.iter().position(|&id| id == batch.id).unwrap());
        let mut listed: Vec<_> = listed.collect();
        listed.sort_unstable();
        listed
    };
    assert_eq!(listed(None, None).await, [0, 1, 2, 3]);
    assert_eq!(listed(Some(tenant), None).await, [0, 1]);
    assert_eq!(listed(None, label("Spring")).await, [0, 2]);
    assert_eq!(listed(Some(other), label("Spring")).await, [2]);
    assert_eq!(listed(Some(tenant), label("Spring sale")).await, [0; 0]);
}

/// A batch's codes are counted as their status is, and no other batch's with them.
pub async fn the_codes_of_a_batch_are_counted_by_status<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    let order = CodeOrder { count: 5, ttl: Some(Duration::seconds(60)), ..CodeOrder::default() };
    let codes = world.codes(tenant, order, noon()).await;
    world.issued(tenant, 9).await;
    let batch = world.stored_code(tenant, codes[0].id).await.batch_id;
    world.write(async |tx| tx.consume_code(tenant, codes[0].id, None, noon()).await).await;
    world.write(async |tx| tx.revoke_code(tenant, codes[1].id, noon()).await).await;
    let count = async |now| world.read().count_batch_codes(tenant, batch, now).await.unwrap();
    assert_eq!(count(later(59)).await, [1, 0, 1, 3]);
    assert_eq!(count(later(60)).await, [1, 4, 0, 0]);
    assert_eq!(CodeStatus::ALL[0], CodeStatus::Revoked);
    assert_eq!(world.read().count_batch_codes(world.tenant().await, batch, noon()).await.unwrap(), [0; 4]);
}

/// A cancelled issue says how many codes it holds, keeps them, and takes no more.
pub async fn an_issue_that_is_cancelled_holds_what_it_counted<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    let cx = |seconds| world.cx(later(seconds));
    let order = CodeOrder { count: 12_000, ..CodeOrder::default() };
    let mut issue = begin_bulk_issue(&world.store, &cx(0), tenant, order).await.unwrap();
    let first = issue_next_codes(&world.store, &cx(1), &PlainHasher, &mut issue).await.unwrap();
    let batch = world.read().batch_of_anyone(issue.batch_id()).await.unwrap().unwrap();
    assert_eq!((batch.state, batch.ordered, batch.issued as usize), (BatchState::Issuing, 12_000, first.len()));
    assert!(matches!(complete_bulk_issue(&world.store, &cx(2), &issue).await, Err(BulkIssueError::Ended)), "some are missing");

    let holds = cancel_bulk_issue(&world.store, &cx(3), &issue, "tired").await.unwrap();
    assert_eq!(holds, Some(batch.issued));
    assert_eq!(cancel_bulk_issue(&world.store, &cx(4), &issue, "tired").await.unwrap(), None, "once");
    let more = issue_next_codes(&world.store, &cx(5), &PlainHasher, &mut issue).await;
    assert!(matches!(more, Err(BulkIssueError::Ended)), "{more:?}");
    let after = world.stored_batch(&batch).await;
    assert_eq!((after.state, after.issued, after.updated_at), (BatchState::Cancelled, batch.issued, later(3)));
    assert_eq!(world.count_of(&batch).await, [0, 0, 0, first.len() as u64]);
    assert_eq!(world.audited(tenant).await, ["codes.issue_started", "codes.issue_cancelled"]);
}

/// Codes are counted into a batch up to what was ordered; of 32 racing parts as many fit as there is room for.
pub async fn a_batch_never_holds_more_than_was_ordered<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    let batch = world.batch(tenant, 21).await;
    let winners = world.winners(async |_, tx| tx.count_issued(tenant, batch.id, 2, later(1)).await).await;
    assert_eq!(winners, 10);
    let stored = world.stored_batch(&batch).await;
    assert_eq!((stored.issued, stored.updated_at), (20, later(1)));
}

/// An issue is complete when all that were ordered are there, and not before.
pub async fn only_a_whole_batch_is_complete<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    let batch = world.batch(tenant, 2).await;
    for (issued, whole) in [(0, false), (1, false), (2, true)] {
        assert_eq!(world.stored_batch(&batch).await.issued, issued);
        assert_eq!(world.write(async |tx| tx.complete_batch(tenant, batch.id, later(1)).await).await, whole, "{issued}");
        assert_eq!(world.write(async |tx| tx.count_issued(tenant, batch.id, 1, noon()).await).await, !whole);
    }
    let stored = world.stored_batch(&batch).await;
    assert_eq!((stored.state, stored.updated_at), (BatchState::Complete, later(1)));
    assert_eq!(world.write(async |tx| tx.cancel_batch(tenant, batch.id, later(2)).await).await, None);
}

/// Of 32 racing ends of an issue, whole and early ones, one succeeds.
pub async fn racing_ends_of_an_issue_have_one_winner<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    let batch = world.batch(tenant, 1).await;
    assert!(world.write(async |tx| tx.count_issued(tenant, batch.id, 1, noon()).await).await);
    let winners = world
        .winners(async |racer, tx| match racer % 2 {
            0 => tx.complete_batch(tenant, batch.id, later(1)).await,
            _ => Ok(tx.cancel_batch(tenant, batch.id, later(1)).await?.is_some()),
        })
        .await;
    assert_eq!(winners, 1);
}

/// Another tenant's name changes nothing of a batch.
pub async fn a_stranger_changes_no_batch<S: Store>(store: S) {
    let world = World::new(store);
    let (owner, stranger) = (world.tenant().await, world.tenant().await);
    let batch = world.batch(owner, 0).await;
    let whole = world.issued(owner, 3).await;
    assert!(!world.write(async |tx| tx.count_issued(stranger, batch.id, 0, later(1)).await).await);
    assert!(!world.write(async |tx| tx.complete_batch(stranger, batch.id, later(1)).await).await);
    assert_eq!(world.write(async |tx| tx.cancel_batch(stranger, batch.id, later(1)).await).await, None);
    let revoked = world.write(async |tx| tx.revoke_batch_codes(stranger, whole.id, None, 10, later(1)).await).await;
    assert_eq!(revoked, RevokedCodes { revoked: 0, last: None });
    assert_eq!(world.stored_batch(&batch).await, batch);
    assert_eq!(world.count_of(&whole).await, [0, 0, 0, 3]);
}

/// Each part of a revocation goes on behind the last one; codes that are revoked already keep their moment.
pub async fn a_batch_is_revoked_in_parts<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    let (batch, other) = (world.issued(tenant, 7).await, world.issued(tenant, 2).await);
    let codes = world.read().codes_page(tenant, &CodeFilter::default(), noon(), first_page()).await.unwrap().items;
    let early = codes.iter().find(|code| code.batch_id == batch.id).unwrap().id;
    assert!(world.write(async |tx| tx.revoke_code(tenant, early, later(1)).await).await);

    let (mut after, mut parts) = (None, Vec::new());
    loop {
        let part = world.write(async |tx| tx.revoke_batch_codes(tenant, batch.id, after, 3, later(2)).await).await;
        parts.push(part.revoked);
        assert!(part.last > after || part.last.is_none());
        after = part.last;
        if after.is_none() {
            break;
        }
    }
    assert_eq!((parts.len(), parts.iter().sum::<u64>()), (3, 6));
    assert_eq!(world.count_of(&batch).await, [7, 0, 0, 0]);
    assert_eq!(world.count_of(&other).await, [0, 0, 0, 2]);
    assert_eq!(world.stored_code(tenant, early).await.revoked_at, Some(later(1)));
}

/// Racing revocations of a batch revoke each of its codes once, beside uses of them.
pub async fn racing_revocations_of_a_batch_revoke_each_code_once<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    let batch = world.issued(tenant, 40).await;
    let revoked = race(8, async |racer| {
        if racer % 2 == 0 {
            revoke_batch(&world.store, &world.cx(later(1)), batch.id).await.unwrap()
        } else {
            world.write(async |tx| tx.consume_next_code(tenant, noon()).await).await;
            0
        }
    })
    .await;
    assert_eq!(revoked.iter().sum::<u64>(), 40);
    assert_eq!(world.count_of(&batch).await, [40, 0, 0, 0]);
    assert_eq!(revoke_batch(&world.store, &world.cx(later(2)), batch.id).await.unwrap(), 0);
}

/// A revocation ends an issue that is under way: whichever of its parts came first are revoked, and no other follows.
pub async fn a_revocation_that_races_an_issue_leaves_no_code_standing<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    let order = CodeOrder { count: 20_000, ..CodeOrder::default() };
    let issue = begin_bulk_issue(&world.store, &world.cx(noon()), tenant, order).await.unwrap();
    let id = issue.batch_id();
    let issue = futures_util::lock::Mutex::new(issue);
    race(2, async |racer| {
        if racer == 0 {
            let mut issue = issue.lock().await;
            while issue_next_codes(&world.store, &world.cx(later(1)), &PlainHasher, &mut issue)
                .await
                .is_ok_and(|codes| !codes.is_empty())
            {}
        } else {
            revoke_batch(&world.store, &world.cx(later(1)), id).await.unwrap();
        }
    })
    .await;
    let batch = world.read().batch_of_anyone(id).await.unwrap().unwrap();
    let [revoked, standing @ ..] = world.count_of(&batch).await;
    // A batch that was whole before it was revoked isn't marked complete here; both ends of the race are cancelled.
    assert_eq!((batch.state, standing), (BatchState::Cancelled, [0, 0, 0]));
    assert_eq!(u64::from(batch.issued), revoked);
}

/// A deleted tenant's batches go with it; another's stay.
pub async fn a_deleted_tenant_takes_its_batches<S: Store>(store: S) {
    let world = World::new(store);
    let (deleted, kept) = (world.tenant().await, world.tenant().await);
    let (gone, left) = (world.issued(deleted, 1).await, world.issued(kept, 1).await);
    assert!(world.write(async |tx| tx.delete_tenant(deleted, &crate::Expected::Any).await).await);
    assert_eq!(world.read().batch_of_anyone(gone.id).await.unwrap(), None);
    assert_eq!(world.stored_batch(&left).await, left);
    assert_eq!(world.count_of(&gone).await, [0; 4]);
}

/// Of racing imports that have codes in common one takes all of its own; the others take none, and are told which lines are known.
pub async fn racing_imports_of_the_same_codes_have_one_winner<S: Store>(store: S) {
    let world = World::new(store);
    let tenants = [world.tenant().await, world.tenant().await];
    let texts: Vec<_> = (0..300).map(|_| PlainCode::generate(world.cx(noon()).entropy).reveal()).collect();
    let answers = race(6, async |racer| {
        let mut import = CodeImport::new(None);
        let cx = world.cx(noon());
        // Each in an order of its own.
        let lines = texts.iter().cycle().skip(racer * 50).take(texts.len());
        for (number, code) in (2..).zip(lines) {
            import.add(&cx, &PlainHasher, &ImportLine { number, code, label: "", max_uses: "", expires_at: "" });
        }
        import_codes(&world.store, &cx, tenants[racer % 2], import).await
    })
    .await;
    let won: Vec<_> = answers.iter().filter_map(|answer| answer.as_ref().ok()).collect();
    assert_eq!(won.len(), 1, "{answers:?}");
    for refused in answers.iter().filter_map(|answer| answer.as_ref().err()) {
        assert!(matches!(refused, ImportCodesError::Refused(report) if report.bad == 300), "{refused:?}");
    }
    assert_eq!(world.count_of(won[0]).await, [0, 0, 0, 300]);
    let [first, second] =
        [world.read().count_codes(tenants[0], noon()).await, world.read().count_codes(tenants[1], noon()).await];
    assert_eq!(first.unwrap()[3] + second.unwrap()[3], 300);
}
