//! Operators' sessions: found by their token with what the operator may do now, written at most once a minute, ended at once.

use time::Duration;

use super::world::{TICK, World, first_page, later, noon};
use crate::{OperatorId, OperatorSession, Role, TokenDigest, ports::*};

impl<S: Store> World<S> {
    async fn stored_operator_session(&self, session: &OperatorSession) -> OperatorSession {
        self.read().operator_session_by_digests(&[session.token_digest]).await.unwrap().unwrap().0
    }

    async fn live_operator_sessions(&self, operator: OperatorId, now: crate::Timestamp) -> Vec<OperatorSession> {
        self.read().live_operator_sessions_page(operator, now, first_page()).await.unwrap().items
    }
}

/// Every field of an operator's session is read as it was written, with the operator that it belongs to, as that is now.
pub async fn an_operators_session_is_read_as_it_was_written<S: Store>(store: S) {
    let world = World::new(store);
    let operator = world.operator(Role::Manager).await;
    let bare = world.new_operator_session(operator.id, noon());
    let full = OperatorSession {
        client_ip: Some("2001:db8:0:1::ffff:9".parse().unwrap()),
        user_agent: Some("Mozilla/5.0 (X11; “Ünïcode”) ".to_owned() + &"x".repeat(160)),
        revoked_at: Some(later(9)),
        ..world.new_operator_session(operator.id, noon())
    };
    for session in [&bare, &full] {
        world.write(async |tx| tx.insert_operator_session(session).await).await;
        let read = world.read().operator_session_by_digests(&[session.token_digest]).await.unwrap();
        assert_eq!(read.as_ref(), Some(&(session.clone(), operator.clone())));
    }
    world.write(async |tx| tx.change_operator(operator.id, &operator.name, Role::Viewer, later(1)).await).await;
    let (_, now) = world.read().operator_session_by_digests(&[bare.token_digest]).await.unwrap().unwrap();
    assert_eq!(now.role, Role::Viewer, "a new role holds for the sessions that are there");
}

/// An operator's session is found by its digest among those of other keys, and a tenant's by none of them.
pub async fn an_operators_session_is_found_by_any_of_its_digests<S: Store>(store: S) {
    let world = World::new(store);
    let operator = world.operator(Role::Viewer).await;
    let tenant = world.tenant().await;
    let (session, _decoy) =
        (world.operator_session(operator.id, noon()).await, world.operator_session(operator.id, noon()).await);
    let tenants = world.session(tenant, noon()).await;
    let others = [TokenDigest::from_bytes([0xA5; 32]), TokenDigest::from_bytes([0; 32])];
    let by = async |digests: &[TokenDigest]| {
        world.read().operator_session_by_digests(digests).await.unwrap().map(|(session, _)| session.id)
    };
    assert_eq!(by(&[others[0], session.token_digest, others[1]]).await, Some(session.id));
    assert_eq!(by(&others).await, None);
    assert_eq!(by(&[]).await, None);
    assert_eq!(by(&[tenants.token_digest]).await, None);
    assert_eq!(world.read().session_by_digests(&[session.token_digest]).await.unwrap(), None);
}

/// A second session of an operator with the digest of a first is refused.
pub async fn an_operators_token_digest_is_stored_once<S: Store>(store: S) {
    let world = World::new(store);
    let operator = world.operator(Role::Viewer).await;
    let first = world.operator_session(operator.id, noon()).await;
    let second = OperatorSession { token_digest: first.token_digest, ..world.new_operator_session(operator.id, noon()) };
    assert!(world.try_write(async |tx| tx.insert_operator_session(&second).await).await.is_err());
    assert_eq!(world.stored_operator_session(&first).await, first);
}

/// Activity is written once a while, by one of 32 racing writers, and never to a session that has ended.
pub async fn an_operators_activity_is_written_once_a_while<S: Store>(store: S) {
    let world = World::new(store);
    let operator = world.operator(Role::Viewer).await;
    let session = world.operator_session(operator.id, noon()).await;
    let touch = |seconds: i64| SessionTouch {
        now: later(seconds),
        unless_active_since: later(seconds) - Duration::MINUTE,
        expires_at: later(seconds) + Duration::HOUR,
        rekeyed: None,
    };
    assert_eq!(world.winners(async |_, tx| tx.touch_operator_session(session.id, touch(59)).await).await, 0);
    assert_eq!(world.winners(async |_, tx| tx.touch_operator_session(session.id, touch(60)).await).await, 1);
    let touched = OperatorSession { last_activity: later(60), expires_at: later(60) + Duration::HOUR, ..session };
    assert_eq!(world.stored_operator_session(&touched).await, touched);
    assert!(world.write(async |tx| tx.revoke_operator_session(operator.id, touched.id, later(61)).await).await);
    assert_eq!(world.winners(async |_, tx| tx.touch_operator_session(touched.id, touch(600)).await).await, 0);
}

/// Of 32 racing revocations of an operator's session one succeeds; another operator's attempt none.
pub async fn racing_revocations_of_an_operators_session_have_one_winner<S: Store>(store: S) {
    let world = World::new(store);
    let (operator, other) = (world.operator(Role::Viewer).await, world.operator(Role::Owner).await);
    let session = world.operator_session(operator.id, noon()).await;
    assert!(!world.write(async |tx| tx.revoke_operator_session(other.id, session.id, later(1)).await).await);
    assert_eq!(world.winners(async |_, tx| tx.revoke_operator_session(operator.id, session.id, later(1)).await).await, 1);
    assert!(!world.write(async |tx| tx.revoke_operator_session(operator.id, session.id, later(2)).await).await);
    assert_eq!(world.stored_operator_session(&session).await.revoked_at, Some(later(1)));
}

/// Ending all sessions of an operator ends those that are live, says how many, and leaves other operators signed in.
pub async fn ending_all_sessions_of_an_operator_counts_the_live_ones<S: Store>(store: S) {
    let world = World::new(store);
    let (operator, other) = (world.operator(Role::Viewer).await, world.operator(Role::Owner).await);
    let live = world.operator_session(operator.id, noon()).await;
    let ended = world.operator_session(operator.id, noon()).await;
    let expired = world.operator_session(operator.id, noon() - Duration::HOUR).await;
    let others = world.operator_session(other.id, noon()).await;
    assert!(world.write(async |tx| tx.revoke_operator_session(operator.id, ended.id, later(1)).await).await);
    assert_eq!(world.live_operator_sessions(operator.id, later(2)).await, std::slice::from_ref(&live));
    assert_eq!(world.write(async |tx| tx.revoke_operator_sessions(operator.id, later(2)).await).await, 1);
    assert_eq!(world.write(async |tx| tx.revoke_operator_sessions(operator.id, later(3)).await).await, 0);
    assert_eq!(world.live_operator_sessions(operator.id, later(2)).await, []);
    assert_eq!(world.live_operator_sessions(other.id, later(2)).await, std::slice::from_ref(&others));
    for (session, revoked_at) in [(live, Some(later(2))), (ended, Some(later(1))), (expired, None), (others, None)] {
        assert_eq!(world.stored_operator_session(&session).await.revoked_at, revoked_at);
    }
}

/// An operator's session is live until one microsecond before it expires, for every read and write alike.
pub async fn an_operators_session_expires_at_its_moment_and_not_before<S: Store>(store: S) {
    let world = World::new(store);
    let operator = world.operator(Role::Viewer).await;
    let session = world.operator_session(operator.id, noon()).await;
    let end = session.expires_at;
    assert_eq!(world.live_operator_sessions(operator.id, end - TICK).await.len(), 1);
    assert_eq!(world.live_operator_sessions(operator.id, end).await.len(), 0);
    let touch = |now| SessionTouch { now, unless_active_since: now, expires_at: end, rekeyed: None };
    assert!(!world.write(async |tx| tx.touch_operator_session(session.id, touch(end)).await).await);
    assert!(!world.write(async |tx| tx.revoke_operator_session(operator.id, session.id, end).await).await);
    assert_eq!(world.write(async |tx| tx.revoke_operator_sessions(operator.id, end).await).await, 0);
    assert!(world.write(async |tx| tx.touch_operator_session(session.id, touch(end - TICK)).await).await);
    assert!(world.write(async |tx| tx.revoke_operator_session(operator.id, session.id, end - TICK).await).await);
}

/// The same for an operator's: it is found by its new digest, and no longer by the former.
pub async fn a_rekeyed_operators_session_is_found_by_its_new_digest_alone<S: Store>(store: S) {
    let world = World::new(store);
    let operator = world.operator(Role::Viewer).await;
    let session = world.operator_session(operator.id, noon()).await;
    let digest = TokenDigest::from_bytes(world.bytes());
    let expires_at = later(60) + Duration::HOUR;
    let touch = SessionTouch { now: later(60), unless_active_since: later(0), expires_at, rekeyed: Some(digest) };
    assert_eq!(world.winners(async |_, tx| tx.touch_operator_session(session.id, touch).await).await, 1);
    assert_eq!(world.read().operator_session_by_digests(&[session.token_digest]).await.unwrap(), None);
    let rekeyed = OperatorSession { token_digest: digest, last_activity: later(60), expires_at, ..session };
    assert_eq!(world.stored_operator_session(&rekeyed).await, rekeyed);
}
