//! What becomes of codes after their issue: new texts, moved ends, uses that are given back.

use time::Duration;

use super::{
    fixtures::Issued,
    world::{RACERS, World, later, noon, race},
};
use crate::{
    ActivateError, Code, CodeDigest, CodeEnd, CodeHasher, KeyId, KeyedCodeDigest, LONGEST_TTL, ManageCodeError, NewCodeText,
    Refusal, ReissuedCode, TenantId, Timestamp, expire_code, memory::PlainHasher, ports::*, reissue_code, revoke_code,
};

impl<S: Store> World<S> {
    fn new_text(&self) -> NewCodeText {
        let digest = CodeDigest::from_bytes(self.bytes());
        NewCodeText { digest, key_id: KeyId::parse("k9").unwrap(), hint: "ZZZZ".to_owned() }
    }

    async fn reissue(&self, code: &Issued, now: Timestamp) -> Result<ReissuedCode, ManageCodeError> {
        reissue_code(&self.store, &self.cx(now), &PlainHasher, code.id).await
    }

    async fn consume_by(&self, tenant: TenantId, code: &Code, digest: CodeDigest) -> bool {
        let text = UsedText { candidates: vec![digest], rekeyed: None };
        self.write(async |tx| tx.consume_code(tenant, code.id, Some(&text), later(9)).await).await
    }
}

/// A reissued code is found by its new text and not by its old one, and nothing else of it changes.
pub async fn a_reissued_code_has_its_new_text_alone<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    let code = world.code(tenant, 3).await;
    assert!(world.write(async |tx| tx.consume_code(tenant, code.id, None, later(1)).await).await);
    let before = world.stored_code(tenant, code.id).await;
    let text = world.new_text();
    assert!(world.write(async |tx| tx.reissue_code(tenant, code.id, before.digest, &text, later(2)).await).await);

    let after = world.stored_code(tenant, code.id).await;
    let NewCodeText { digest, key_id, hint } = text;
    assert_eq!(after, Code { digest, key_id, hint, updated_at: later(2), ..before.clone() });
    assert_eq!(world.read().code_by_digests(&[before.digest]).await.unwrap(), None);
    assert_eq!(world.read().code_by_digests(&[digest]).await.unwrap(), Some(after.clone()));
    assert!(!world.consume_by(tenant, &after, before.digest).await, "nothing is taken by the old text");
    assert!(world.consume_by(tenant, &after, digest).await);
}

/// Only an active code is reissued, by the text that it has, and no two codes get one text.
pub async fn a_code_is_reissued_while_it_is_active<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    let [revoked, exhausted, other] = [world.code(tenant, 1).await, world.code(tenant, 1).await, world.code(tenant, 1).await];
    let expired = world.code_until(tenant, later(60), noon()).await;
    assert!(world.write(async |tx| tx.revoke_code(tenant, revoked.id, later(1)).await).await);
    assert!(world.write(async |tx| tx.consume_code(tenant, exhausted.id, None, later(1)).await).await);
    for code in [&revoked, &exhausted, &expired] {
        let before = world.stored_code(tenant, code.id).await;
        let text = world.new_text();
        let reissue = async |tx: &mut S::Transaction| tx.reissue_code(tenant, code.id, before.digest, &text, later(60)).await;
        assert!(!world.write(reissue).await);
        assert_eq!(world.stored_code(tenant, code.id).await, before);
    }
    let before = world.stored_code(tenant, other.id).await;
    let (text, wrong) = (world.new_text(), CodeDigest::from_bytes(world.bytes()));
    assert!(!world.write(async |tx| tx.reissue_code(tenant, other.id, wrong, &text, later(60)).await).await);
    let taken = NewCodeText { digest: PlainHasher.digest(&revoked.text).digest, ..text };
    let reissue = async |tx: &mut S::Transaction| tx.reissue_code(tenant, other.id, before.digest, &taken, later(60)).await;
    assert!(matches!(world.try_write(reissue).await, Err(crate::StoreError::Conflict(_))));
    assert_eq!(world.stored_code(tenant, other.id).await, before);
}

/// Of 32 racing reissues of a code one wins, and its text is the code's: no text is shown that is worth nothing.
pub async fn racing_reissues_of_a_code_have_one_winner<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    let code = world.code(tenant, 1).await;
    let from = world.stored_code(tenant, code.id).await.digest;
    let texts: Vec<_> = (0..RACERS).map(|_| world.new_text()).collect();
    let won = race(RACERS, async |racer| {
        world.write(async |tx| tx.reissue_code(tenant, code.id, from, &texts[racer], later(1)).await).await
    })
    .await;
    assert_eq!(won.iter().filter(|&&won| won).count(), 1, "winners");
    let winner = texts.iter().zip(won).find(|&(_, won)| won).map(|(text, _)| text.digest);
    assert_eq!(Some(world.stored_code(tenant, code.id).await.digest), winner);
}

/// An activation by a text that races its reissue takes the code's use before that, or is told that there is no such code: from the commit of
/// a reissue on, the old text takes nothing.
pub async fn an_activation_that_races_a_reissue_takes_nothing_behind_it<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    for _ in 0..16 {
        let (code, projects) = (world.code(tenant, 1).await, world.projects(tenant, 7).await);
        let answers = race(8, async |racer| match projects.get(racer) {
            Some(&project) => match world.activate(tenant, project, code.by_text(), later(1)).await {
                Ok(_) => Some(true),
                Err(ActivateError::Refused(Refusal::UnknownCode | Refusal::Exhausted)) => None,
                Err(other) => panic!("{other:?}"),
            },
            None => match world.reissue(&code, later(1)).await {
                Ok(_) => Some(false),
                Err(ManageCodeError::Refused(Refusal::Exhausted)) => None,
                Err(other) => panic!("{other:?}"),
            },
        })
        .await;
        let won: Vec<bool> = answers.into_iter().flatten().collect();
        assert_eq!(won.len(), 1, "an activation or the reissue, not both");
        let used = world.stored_code(tenant, code.id).await;
        assert_eq!(used.use_count, u32::from(won[0]));
    }
}

/// The use case tells apart why a code isn't reissued, shows the text that the code has from then on, and audits it once.
pub async fn a_reissue_shows_the_text_that_the_code_has<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    let (code, project) = (world.code(tenant, 1).await, world.project(tenant).await);
    let reissued = world.reissue(&code, later(1)).await.unwrap();
    assert_eq!(reissued.code, world.stored_code(tenant, code.id).await);
    assert_eq!(reissued.code.hint, reissued.text.hint());
    let old = world.activate(tenant, project, code.by_text(), later(2)).await;
    assert!(matches!(old, Err(ActivateError::Refused(Refusal::UnknownCode))), "{old:?}");
    let new = Issued { id: code.id, text: reissued.text };
    world.activate(tenant, project, new.by_text(), later(3)).await.unwrap();
    assert_eq!(world.reissue(&code, later(4)).await.unwrap_err().to_string(), Refusal::Exhausted.to_string());
    let unknown = Issued { id: world.id(noon()), ..code.clone() };
    assert!(matches!(world.reissue(&unknown, later(4)).await, Err(ManageCodeError::UnknownCode)));
    let expected = ["codes.issued", "code.reissued", "activation.refused", "project.activated"];
    assert_eq!(world.audited(tenant).await, expected);
}

/// A revocation by anyone's code is answered again as it is, and audited once.
pub async fn a_revocation_is_answered_again_and_audited_once<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    let code = world.code(tenant, 1).await;
    let answers = race(8, async |_| revoke_code(&world.store, &world.cx(later(1)), code.id).await.unwrap()).await;
    let again = revoke_code(&world.store, &world.cx(later(9)), code.id).await.unwrap();
    assert_eq!(again.revoked_at, Some(later(1)));
    assert!(answers.iter().all(|answer| *answer == again), "{answers:?}");
    assert_eq!(world.audited(tenant).await, ["codes.issued", "code.revoked"]);
    let unknown = revoke_code(&world.store, &world.cx(later(1)), world.id(noon())).await;
    assert!(matches!(unknown, Err(ManageCodeError::UnknownCode)), "{unknown:?}");
}

/// A code's end moves from where it was, and a revoked code's doesn't. Of 32 racing moves one wins.
pub async fn racing_moves_of_a_codes_end_have_one_winner<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    let code = world.code_until(tenant, later(60), noon()).await;
    let moved = async |from, to| world.write(async |tx| tx.move_code_expiry(tenant, code.id, from, to, later(1)).await).await;
    assert!(!moved(None, Some(later(90))).await);
    assert!(!moved(Some(later(60) + Duration::MICROSECOND), None).await);
    let ends = world.winners(async |racer, tx| {
        let to = Some(later(100 + i64::try_from(racer).unwrap()));
        tx.move_code_expiry(tenant, code.id, Some(later(60)), to, later(1)).await
    });
    assert_eq!(ends.await, 1);
    let end = world.stored_code(tenant, code.id).await.expires_at;
    assert!(end >= Some(later(100)));
    assert!(moved(end, None).await);
    assert_eq!(world.stored_code(tenant, code.id).await.expires_at, None);
    assert!(moved(None, Some(later(60))).await);
    assert!(world.write(async |tx| tx.revoke_code(tenant, code.id, later(2)).await).await);
    assert!(!moved(Some(later(60)), None).await);
}

/// The use case ends a code at once, at a moment or never, lets an expired one go on, and audits what it changed.
pub async fn a_code_ends_when_it_is_told_to<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    let code = world.code(tenant, 1).await;
    let end = async |end, seconds| expire_code(&world.store, &world.cx(later(seconds)), code.id, end).await;
    let until = async |told, seconds| end(told, seconds).await.unwrap().expires_at;

    assert_eq!(until(CodeEnd::At(later(60)), 1).await, Some(later(60)));
    assert_eq!(until(CodeEnd::At(later(60)), 70).await, Some(later(60)), "what it is already, although it has passed");
    assert!(matches!(end(CodeEnd::At(later(59)), 60).await, Err(ManageCodeError::EndPassed)));
    assert_eq!(until(CodeEnd::Now, 70).await, Some(later(60)), "it has ended");
    assert_eq!(until(CodeEnd::Never, 71).await, None);
    assert_eq!(until(CodeEnd::Now, 72).await, Some(later(72)));
    assert_eq!(world.stored_code(tenant, code.id).await.expires_at, Some(later(72)));
    assert!(matches!(
        expire_code(&world.store, &world.cx(later(1)), world.id(noon()), CodeEnd::Now).await,
        Err(ManageCodeError::UnknownCode)
    ));
    let moved = "code.expiry_changed";
    assert_eq!(world.audited(tenant).await, ["codes.issued", moved, moved, moved]);
    let farthest = later(80) + LONGEST_TTL;
    assert!(matches!(end(CodeEnd::At(farthest + Duration::MICROSECOND), 80).await, Err(ManageCodeError::EndTooFar)));
    assert_eq!(until(CodeEnd::At(farthest), 80).await, Some(farthest));
    assert_eq!(until(CodeEnd::At(farthest), 79).await, Some(farthest), "what it is already");
    revoke_code(&world.store, &world.cx(later(80)), code.id).await.unwrap();
    assert!(matches!(end(CodeEnd::Never, 81).await, Err(ManageCodeError::Refused(Refusal::Revoked { at })) if at == later(80)));
}

/// As many uses are given back as were taken, however many callers race; the code can be used again, however it stands.
pub async fn racing_returns_of_uses_stop_at_none<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    let code = world.code(tenant, 9).await;
    for _ in 0..7 {
        assert!(world.write(async |tx| tx.consume_code(tenant, code.id, None, later(1)).await).await);
    }
    assert!(world.write(async |tx| tx.revoke_code(tenant, code.id, later(2)).await).await);
    assert_eq!(world.winners(async |_, tx| tx.give_back_use(tenant, code.id, later(3)).await).await, 7);
    let code = world.stored_code(tenant, code.id).await;
    assert_eq!((code.use_count, code.used_at, code.updated_at), (0, Some(later(1)), later(3)));
}

/// A code for many that is used by its text under a former key goes over to the signing key with the first use; of 32 racing uses by that
/// text, whichever digest each read, none is refused for it.
pub async fn racing_uses_of_a_code_under_a_former_key_all_succeed<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    let issued = world.code(tenant, RACERS as u32).await;
    let before = world.stored_code(tenant, issued.id).await;
    let signing = KeyedCodeDigest { digest: CodeDigest::from_bytes(world.bytes()), key_id: KeyId::parse("k2").unwrap() };
    let text = UsedText { candidates: vec![signing.digest, before.digest], rekeyed: Some(signing.clone()) };
    let used = world.winners(async |_, tx| tx.consume_code(tenant, issued.id, Some(&text), later(1)).await).await;
    assert_eq!(used, RACERS);
    let after = world.stored_code(tenant, issued.id).await;
    assert_eq!((after.digest, after.key_id, after.use_count), (signing.digest, signing.key_id, RACERS as u32));
    assert_eq!(world.read().code_by_digests(&[before.digest]).await.unwrap(), None);
    assert_eq!(world.read().code_by_digests(&[signing.digest]).await.unwrap().map(|code| code.id), Some(issued.id));
}
