//! Codes: what is stored of them, who may use them, and which is next.

use time::Duration;

use super::world::{World, all_pages, later, noon};
use crate::{
    Code, CodeDigest, CodeHasher, CodeOrder, CodeStatus, KeyId, Label, NewCode, TenantId, Timestamp, memory::PlainHasher,
    ports::*,
};

impl<S: Store> World<S> {
    fn new_codes(&self, count: usize, at: Timestamp) -> Vec<NewCode> {
        let code = |_| NewCode {
            id: self.id(at),
            digest: CodeDigest::from_bytes(self.bytes()),
            key_id: KeyId::parse("k2").unwrap(),
            hint: "KP2J".to_owned(),
            label: None,
            max_uses: 1,
            expires_at: None,
        };
        (0..count).map(code).collect()
    }

    fn new_issue(&self, tenant: TenantId, at: Timestamp) -> CodeIssue {
        CodeIssue { tenant_id: tenant, batch_id: self.id(at), created_at: at }
    }

    async fn consume(&self, tenant: TenantId, code: &Code, now: Timestamp) -> bool {
        self.write(async |tx| tx.consume_code(tenant, code.id, None, now).await).await
    }
}

/// Every field of a new code is read as it was written, whatever the others of its call have.
pub async fn an_issued_code_is_read_as_it_was_written<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    let issue = world.new_issue(tenant, noon());
    let mut codes = world.new_codes(4, noon());
    let labels = ["Größe „XL“", r#"{"a", 'b'}, \x \\ NULL"#, "NULL"].map(|label| Label::parse(label).unwrap());
    for ((code, label), max_uses) in codes.iter_mut().zip(labels).zip(7..) {
        let expires_at = Some(later(3600) + Duration::MICROSECOND * max_uses);
        *code = NewCode { label: Some(label), max_uses, expires_at, ..code.clone() };
    }
    world.write(async |tx| tx.insert_codes(&issue, &codes).await).await;
    for new in codes {
        let expected = Code {
            id: new.id,
            tenant_id: tenant,
            digest: new.digest,
            key_id: new.key_id,
            hint: new.hint,
            label: new.label,
            max_uses: new.max_uses,
            use_count: 0,
            expires_at: new.expires_at,
            used_at: None,
            revoked_at: None,
            batch_id: issue.batch_id,
            created_at: noon(),
            updated_at: noon(),
        };
        assert_eq!(world.stored_code(tenant, new.id).await, expected);
    }
}

/// A code is found by its digest among those of other keys, by whoever holds its text, and by no other digest.
pub async fn a_code_is_found_by_any_of_its_digests<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    let (code, _decoy) = (world.code(tenant, 1).await, world.code(tenant, 1).await);
    let digest = PlainHasher.digest(&code.text).digest;
    let other_keys = [CodeDigest::from_bytes([0xA5; 32]), CodeDigest::from_bytes([0; 32])];
    let by = async |digests: &[CodeDigest]| world.read().code_by_digests(digests).await.unwrap().map(|code| code.id);

    assert_eq!(by(&[digest]).await, Some(code.id));
    assert_eq!(by(&[other_keys[0], digest, other_keys[1]]).await, Some(code.id));
    assert_eq!(by(&other_keys).await, None);
    assert_eq!(by(&[]).await, None);
}

/// A second code with the digest of a first is refused, and nothing of its issue is stored.
pub async fn a_digest_is_stored_once<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    let mut codes = world.new_codes(3, noon());
    codes[2].digest = codes[0].digest;
    let issue = world.new_issue(tenant, noon());
    assert!(world.try_write(async |tx| tx.insert_codes(&issue, &codes).await).await.is_err());
    assert_eq!(world.read().count_codes(tenant, noon()).await.unwrap().iter().sum::<u64>(), 0);

    world.write(async |tx| tx.insert_codes(&issue, &codes[..2]).await).await;
    assert!(world.try_write(async |tx| tx.insert_codes(&issue, &codes[2..]).await).await.is_err());
    assert_eq!(world.read().count_codes(tenant, noon()).await.unwrap().iter().sum::<u64>(), 2);
}

/// Of any number of digests those are known that a code has, whoever owns it.
pub async fn known_digests_are_told_from_unknown_ones<S: Store>(store: S) {
    let world = World::new(store);
    let mut asked = vec![CodeDigest::from_bytes([0xA5; 32])];
    assert_eq!(world.read().known_digests(&[]).await.unwrap(), []);
    assert_eq!(world.read().known_digests(&asked).await.unwrap(), []);
    let mut known = Vec::new();
    for _ in 0..2 {
        let (tenant, codes) = (world.tenant().await, world.new_codes(600, noon()));
        let issue = world.new_issue(tenant, noon());
        world.write(async |tx| tx.insert_codes(&issue, &codes).await).await;
        known.extend(codes.iter().map(|code| code.digest).step_by(2));
    }
    asked.extend(&known);
    asked.extend(world.new_codes(400, noon()).iter().map(|code| code.digest));
    let mut answered = world.read().known_digests(&asked).await.unwrap();
    for digests in [&mut answered, &mut known] {
        digests.sort_unstable_by_key(|digest| *digest.as_bytes());
    }
    assert_eq!(answered, known);
}

/// One call stores any number of codes: more than a statement of a database has room for, and none at all.
pub async fn one_call_stores_thousands_of_codes<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    let issue = world.new_issue(tenant, noon());
    for count in [0, 6_000] {
        let codes = world.new_codes(count, noon());
        world.write(async |tx| tx.insert_codes(&issue, &codes).await).await;
        let stored = world.read().count_codes(tenant, noon()).await.unwrap();
        assert_eq!(stored, [0, 0, 0, count as u64]);
    }
}

/// Of 32 racing uses of a code, as many succeed as are left; the code says when it was used last.
pub async fn racing_uses_of_a_code_succeed_as_often_as_it_may_be_used<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    for uses in [1, 3, 31] {
        let code = world.code(tenant, uses).await;
        let winners = world.winners(async |_, tx| tx.consume_code(tenant, code.id, None, later(9)).await).await;
        assert_eq!(winners, uses as usize, "winners of {uses} uses");
        let code = world.stored_code(tenant, code.id).await;
        assert_eq!((code.use_count, code.used_at, code.updated_at), (uses, Some(later(9)), later(9)));
    }
}

/// Of 32 racing revocations of a code one succeeds, and its moment stays.
pub async fn racing_revocations_of_a_code_have_one_winner<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    let code = world.code(tenant, 1).await;
    assert_eq!(world.winners(async |_, tx| tx.revoke_code(tenant, code.id, later(1)).await).await, 1);
    assert!(!world.write(async |tx| tx.revoke_code(tenant, code.id, later(2)).await).await);
    let code = world.stored_code(tenant, code.id).await;
    assert_eq!((code.revoked_at, code.updated_at), (Some(later(1)), later(1)));
    assert!(!world.consume(tenant, &code, later(2)).await, "a revoked code is not used");
}

/// The next code is the one that expires first, then the oldest; codes that are valid for ever come last.
pub async fn the_next_code_expires_first_or_is_the_oldest<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    let day = Duration::DAY;
    let young_for_ever = world.codes(tenant, CodeOrder::default(), later(20)).await.remove(0);
    let old_for_ever = world.codes(tenant, CodeOrder::default(), later(10)).await.remove(0);
    let in_two_days = world.code_until(tenant, noon() + day * 2, later(1)).await;
    let young_in_a_day = world.code_until(tenant, noon() + day, later(2)).await;
    let old_in_a_day = world.code_until(tenant, noon() + day, later(1)).await;
    let expired = world.code_until(tenant, later(30), later(1)).await;
    let revoked = world.code_until(tenant, later(90), later(1)).await;
    assert!(world.write(async |tx| tx.revoke_code(tenant, revoked.id, later(30)).await).await);

    for expected in [&old_in_a_day, &young_in_a_day, &in_two_days, &old_for_ever, &young_for_ever] {
        let next = world.write(async |tx| tx.consume_next_code(tenant, later(30)).await).await;
        assert_eq!(next, Some(expected.id));
        let used = world.stored_code(tenant, expected.id).await;
        assert_eq!((used.use_count, used.used_at, used.updated_at), (1, Some(later(30)), later(30)));
    }
    assert_eq!(world.write(async |tx| tx.consume_next_code(tenant, later(30)).await).await, None);
    assert_eq!(world.stored_code(tenant, expired.id).await.use_count, 0);
}

/// A code for several projects is next until it is used up, and 32 racing callers take every use that there is.
pub async fn racing_callers_take_every_next_code<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    let codes = world.codes(tenant, CodeOrder { count: 12, ..CodeOrder::default() }, noon()).await;
    let winners = world.winners(async |_, tx| Ok(tx.consume_next_code(tenant, noon()).await?.is_some())).await;
    assert_eq!(winners, codes.len());
    assert_eq!(world.read().count_codes(tenant, noon()).await.unwrap(), [0, 0, 12, 0]);

    let twice = world.code(tenant, 2).await;
    for expected in [Some(twice.id), Some(twice.id), None] {
        assert_eq!(world.write(async |tx| tx.consume_next_code(tenant, noon()).await).await, expected);
    }
}

/// Lists and counts by status agree with [`Code::status`]: revoked before expired before exhausted before active.
pub async fn lists_and_counts_agree_on_a_codes_status<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    for case in 0_u8..8 {
        let [revoked, expired, exhausted] = [case & 1 != 0, case & 2 != 0, case & 4 != 0];
        let expires_at = if expired { later(60) } else { later(60) + Duration::MICROSECOND };
        let code = world.code_until(tenant, expires_at, noon()).await;
        if exhausted {
            assert!(world.write(async |tx| tx.consume_code(tenant, code.id, None, later(1)).await).await);
        }
        if revoked {
            assert!(world.write(async |tx| tx.revoke_code(tenant, code.id, later(2)).await).await);
        }
    }
    let now = later(60);
    assert_eq!(world.read().count_codes(tenant, now).await.unwrap(), [4, 2, 1, 1]);
    let listed = async |status| {
        let filter = CodeFilter { status, ..CodeFilter::default() };
        all_pages(3, |code: &Code| code.id, async |page| world.read().codes_page(tenant, &filter, now, page).await).await
    };
    assert_eq!(listed(None).await.len(), 8);
    for (status, count) in CodeStatus::ALL.into_iter().zip([4, 2, 1, 1]) {
        let codes = listed(Some(status)).await;
        assert_eq!(codes.len(), count, "{status:?}");
        assert!(codes.iter().all(|code| code.status(now) == status), "{status:?}: {codes:?}");
        for code in codes {
            assert_eq!(world.consume(tenant, &code, now).await, status == CodeStatus::Active, "{status:?}");
        }
    }
}
