//! Sessions: found by their token, written at most once a minute, ended at once.

use time::Duration;

use super::world::{World, first_page, later, noon, race};
use crate::{PageLimit, PageRequest, Session, SessionId, Timestamp, TokenDigest, ports::*, resume_tenant, suspend_tenant};

impl<S: Store> World<S> {
    async fn stored_session(&self, session: &Session) -> Session {
        self.read().session_by_digests(&[session.token_digest]).await.unwrap().unwrap().0
    }

    async fn touch(&self, id: SessionId, now: Timestamp, unless_active_since: Timestamp) -> bool {
        let touch = SessionTouch { now, unless_active_since, expires_at: now + Duration::HOUR, rekeyed: None };
        self.write(async |tx| tx.touch_session(id, touch).await).await
    }
}

/// Every field of a session is read as it was written, with the tenant that it belongs to.
pub async fn a_session_is_read_as_it_was_written<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    let bare = world.new_session(tenant, noon());
    let v4 = Session {
        client_ip: Some("203.0.113.9".parse().unwrap()),
        user_agent: Some("Mozilla/5.0 (X11; “Ünïcode”) ".to_owned() + &"x".repeat(160)),
        ..world.new_session(tenant, noon())
    };
    let v6 = Session {
        client_ip: Some("2001:db8:0:1::ffff:9".parse().unwrap()),
        revoked_at: Some(later(9)),
        ..world.new_session(tenant, noon())
    };
    for session in [bare, v4, v6] {
        world.write(async |tx| tx.insert_session(&session).await).await;
        let (read, owner) = world.read().session_by_digests(&[session.token_digest]).await.unwrap().unwrap();
        assert_eq!(read, session);
        assert_eq!(Some(owner), world.read().tenant(tenant).await.unwrap());
    }
}

/// A session is found by its digest among those of other keys, also when it has ended or its tenant is suspended.
pub async fn a_session_is_found_by_any_of_its_digests<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    let (session, _decoy) = (world.session(tenant, noon()).await, world.session(tenant, noon()).await);
    let others = [TokenDigest::from_bytes([0xA5; 32]), TokenDigest::from_bytes([0; 32])];
    let by = async |digests: &[TokenDigest]| world.read().session_by_digests(digests).await.unwrap();

    assert_eq!(by(&[others[0], session.token_digest, others[1]]).await.unwrap().0, session);
    assert_eq!(by(&others).await, None);
    assert_eq!(by(&[]).await, None);
    assert!(world.write(async |tx| tx.set_tenant_suspended(tenant, Some(later(1)), later(1)).await).await);
    assert!(world.write(async |tx| tx.revoke_session(tenant, session.id, later(2)).await).await);
    let (ended, owner) = by(&[session.token_digest]).await.unwrap();
    assert_eq!((ended.revoked_at, owner.suspended_at), (Some(later(2)), Some(later(1))));
}

/// 48 callers at once who ask for a session with a page of its tenant's projects hear each of their own alone: what is asked for together
/// may be read together, but not mixed up.
pub async fn first_pages_asked_for_at_once_are_each_callers_own<S: Store>(store: S) {
    let world = World::new(store);
    let mut asked = Vec::new();
    for projects in [0, 1, 3, 7] {
        let tenant = world.tenant().await;
        world.projects(tenant, projects).await;
        let (session, another) = (world.session(tenant, noon()).await, world.session(tenant, noon()).await);
        assert!(world.write(async |tx| tx.revoke_session(tenant, another.id, later(1)).await).await);
        // By one digest, by one of several, and by none.
        asked.push(vec![session.token_digest]);
        asked.push(vec![TokenDigest::from_bytes(world.bytes()), another.token_digest]);
        asked.push(vec![TokenDigest::from_bytes(world.bytes())]);
    }
    let mut expected = Vec::new();
    let page = |caller: usize| PageRequest { limit: PageLimit::new(if caller < 36 { 3 } else { 5 }).unwrap(), ..first_page() };
    for caller in 0..48 {
        let Some((session, tenant)) = world.read().session_by_digests(&asked[caller % 12]).await.unwrap() else {
            expected.push(None);
            continue;
        };
        let projects = world.read().projects_page(tenant.id, &ProjectFilter::default(), page(caller)).await.unwrap();
        expected.push(Some((session, tenant, projects)));
    }
    let heard =
        race(48, async |caller| world.read().session_and_projects(&asked[caller % 12], page(caller)).await.unwrap()).await;
    assert_eq!(heard, expected);

    // And so are later pages, and those that are counted.
    let (_, tenant, first) = heard[46].clone().unwrap();
    let rest = PageRequest { after: first.items.last().map(|project| project.id), count: true, ..page(0) };
    let (_, _, later_page) = world.read().session_and_projects(&asked[10], rest).await.unwrap().unwrap();
    assert_eq!((later_page.items.len(), later_page.total, first.items.len()), (2, Some(7), 5));
    assert_eq!(later_page, world.read().projects_page(tenant.id, &ProjectFilter::default(), rest).await.unwrap());
}

/// A second session with the digest of a first is refused.
pub async fn a_token_digest_is_stored_once<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    let first = world.session(tenant, noon()).await;
    let second = Session { token_digest: first.token_digest, ..world.new_session(tenant, noon()) };
    assert!(world.try_write(async |tx| tx.insert_session(&second).await).await.is_err());
    assert_eq!(world.stored_session(&first).await, first);
}

/// Activity is written only when the last is not after `unless_active_since`; then it moves both moments and nothing else.
pub async fn activity_is_written_once_a_while<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    let session = world.session(tenant, noon()).await;
    let minute = Duration::MINUTE;
    assert!(!world.touch(session.id, later(59), later(59) - minute).await, "active within the minute");
    assert_eq!(world.stored_session(&session).await, session);
    assert!(world.touch(session.id, later(60), later(60) - minute).await, "active exactly a minute ago");
    let touched = Session { last_activity: later(60), expires_at: later(60) + Duration::HOUR, ..session };
    assert_eq!(world.stored_session(&touched).await, touched);
    assert!(!world.touch(touched.id, later(61), later(61) - minute).await, "the minute begins anew");
}

/// Activity of a session whose token has a new digest: it is found by that one, and no longer by the former.
pub async fn a_rekeyed_session_is_found_by_its_new_digest_alone<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    let session = world.session(tenant, noon()).await;
    let digest = TokenDigest::from_bytes(world.bytes());
    let expires_at = later(60) + Duration::HOUR;
    let touch = SessionTouch { now: later(60), unless_active_since: later(0), expires_at, rekeyed: Some(digest) };
    assert_eq!(world.winners(async |_, tx| tx.touch_session(session.id, touch).await).await, 1);
    assert_eq!(world.read().session_by_digests(&[session.token_digest]).await.unwrap(), None);
    let rekeyed = Session { token_digest: digest, last_activity: later(60), expires_at, ..session };
    assert_eq!(world.stored_session(&rekeyed).await, rekeyed);
}

/// Of 32 racing writes of activity one succeeds.
pub async fn racing_touches_of_a_session_have_one_winner<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    let session = world.session(tenant, noon()).await;
    let touch = SessionTouch { now: later(90), unless_active_since: later(30), expires_at: later(3600), rekeyed: None };
    assert_eq!(world.winners(async |_, tx| tx.touch_session(session.id, touch).await).await, 1);
}

/// A session that has ended or doesn't exist is not kept alive by activity.
pub async fn activity_revives_no_ended_session<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    let session = world.session(tenant, noon()).await;
    assert!(world.write(async |tx| tx.revoke_session(tenant, session.id, later(1)).await).await);
    let ended = world.stored_session(&session).await;
    assert!(!world.touch(session.id, later(120), later(60)).await);
    assert!(!world.touch(world.id(noon()), later(120), later(60)).await);
    assert_eq!(world.stored_session(&session).await, ended);
}

/// Of 32 racing revocations of a session one succeeds, and its moment stays.
pub async fn racing_revocations_of_a_session_have_one_winner<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    let session = world.session(tenant, noon()).await;
    assert_eq!(world.winners(async |_, tx| tx.revoke_session(tenant, session.id, later(1)).await).await, 1);
    assert!(!world.write(async |tx| tx.revoke_session(tenant, session.id, later(2)).await).await);
    assert_eq!(world.stored_session(&session).await.revoked_at, Some(later(1)));
}

/// Ending all sessions of a tenant ends those that are live, says how many, and leaves other tenants signed in.
pub async fn ending_all_sessions_counts_the_live_ones<S: Store>(store: S) {
    let world = World::new(store);
    let (tenant, other) = (world.tenant().await, world.tenant().await);
    let [live, also_live, ended] = [world.session(tenant, noon()), world.session(tenant, noon()), world.session(tenant, noon())];
    let (live, also_live, ended) = (live.await, also_live.await, ended.await);
    let expired = world.session(tenant, noon() - Duration::HOUR).await;
    let others = world.session(other, noon()).await;
    assert!(world.write(async |tx| tx.revoke_session(tenant, ended.id, later(1)).await).await);

    let listed = world.read().live_sessions_page(tenant, later(2), first_page()).await.unwrap().items;
    let mut expected = vec![live.clone(), also_live.clone()];
    expected.sort_by_key(|session| std::cmp::Reverse(session.id));
    assert_eq!(listed, expected);
    assert_eq!(world.write(async |tx| tx.revoke_sessions(tenant, later(2)).await).await, 2);
    assert_eq!(world.write(async |tx| tx.revoke_sessions(tenant, later(3)).await).await, 0);

    assert!(world.read().live_sessions_page(tenant, later(2), first_page()).await.unwrap().items.is_empty());
    for (session, revoked_at) in
        [(live, Some(later(2))), (also_live, Some(later(2))), (ended, Some(later(1))), (expired, None), (others, None)]
    {
        assert_eq!(world.stored_session(&session).await.revoked_at, revoked_at);
    }
}

/// Ending all other sessions of a tenant leaves the one that is kept, and other tenants' sessions.
pub async fn ending_other_sessions_keeps_one<S: Store>(store: S) {
    let world = World::new(store);
    let (tenant, other) = (world.tenant().await, world.tenant().await);
    let (kept, others) = (world.session(tenant, noon()).await, world.session(other, noon()).await);
    let ended = [world.session(tenant, noon()).await, world.session(tenant, noon()).await];
    let expired = world.session(tenant, noon() - Duration::HOUR).await;
    let end = async |now| world.write(async |tx| tx.revoke_other_sessions(tenant, kept.id, now).await).await;
    assert_eq!((end(later(1)).await, end(later(2)).await), (2, 0));
    for session in ended {
        assert_eq!(world.stored_session(&session).await.revoked_at, Some(later(1)));
    }
    for session in [kept, others, expired] {
        assert_eq!(world.stored_session(&session).await, session);
    }
}

/// Suspending a tenant ends its sessions in the same transaction; going on revives none.
pub async fn a_suspended_tenants_sessions_end_at_once<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    let session = world.session(tenant, noon()).await;
    suspend_tenant(&world.store, &world.cx(later(1)), tenant).await.unwrap();
    resume_tenant(&world.store, &world.cx(later(2)), tenant).await.unwrap();
    assert_eq!(world.stored_session(&session).await.revoked_at, Some(later(1)));
    assert_eq!(world.audited(tenant).await, ["tenant.suspended", "tenant.resumed"]);
}
