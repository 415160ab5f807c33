//! Operators: one for an address, and always an owner.

use super::world::{RACERS, World, later, noon, race};
use crate::{
    Email, Operator, OperatorChange, OperatorError, OperatorId, OperatorName, OtpAccount, Role, Scopes, change_operator,
    create_operator, delete_operator, ports::*,
};

impl<S: Store> World<S> {
    async fn stored_operator(&self, id: OperatorId) -> Option<Operator> {
        self.read().operator(id).await.unwrap()
    }

    async fn set_role(&self, operator: &Operator, role: Role) -> Option<Operator> {
        self.write(async |tx| {
            tx.lock_operators().await?;
            tx.change_operator(operator.id, &operator.name, role, later(1)).await
        })
        .await
    }

    async fn remove_operator(&self, id: OperatorId) -> bool {
        self.write(async |tx| {
            tx.lock_operators().await?;
            tx.delete_operator(id).await
        })
        .await
    }
}

/// Every field of an operator is read as it was written, alone, by its address and locked.
pub async fn an_operator_is_read_as_it_was_written<S: Store>(store: S) {
    let world = World::new(store);
    assert!(!world.read().has_operators().await.unwrap());
    for (role, name) in Role::ALL.into_iter().zip(["Ada Lovelace", "Grace “Amazing” Hopper", "Łukasz"]) {
        let name = OperatorName::parse(name).unwrap();
        let email = Email::parse(&format!("First.Last+{}@Portal.Example", role.as_str())).unwrap();
        let operator = Operator { name, email, updated_at: later(7), ..world.new_operator(role, noon()) };
        world.insert_operator(&operator).await;
        assert_eq!(world.stored_operator(operator.id).await.as_ref(), Some(&operator));
        assert_eq!(world.read().operator_by_email(&operator.email).await.unwrap().as_ref(), Some(&operator));
        assert_eq!(world.write(async |tx| tx.lock_operator(operator.id).await).await, Some(operator));
    }
    assert!(world.read().has_operators().await.unwrap());
    let unknown = world.id(noon());
    assert_eq!(world.stored_operator(unknown).await, None);
    assert_eq!(world.write(async |tx| tx.lock_operator(unknown).await).await, None);
}

/// An address is one account in whatever case it is written, and a similar address is another.
pub async fn an_operator_is_found_by_its_address_in_any_case<S: Store>(store: S) {
    let world = World::new(store);
    let email = |text: &str| Email::parse(text).unwrap();
    let operator = Operator { email: email("Ada.Lovelace@portal.example"), ..world.new_operator(Role::Owner, noon()) };
    world.insert_operator(&operator).await;
    let found = async |text: &str| world.read().operator_by_email(&email(text)).await.unwrap();
    assert_eq!(found("ADA.lovelace@PORTAL.example").await, Some(operator.clone()), "and the address is as it was given");
    for other in ["adalovelace@portal.example", "ada.lovelace@portal.example.org", "ada_lovelace@portal.example"] {
        assert_eq!(found(other).await, None, "{other}");
    }
    let twin = Operator { email: email("ada.LOVELACE@portal.example"), ..world.new_operator(Role::Viewer, noon()) };
    assert!(!world.write(async |tx| tx.insert_operator(&twin).await).await);
}

/// Of 32 racing operators with one address, written in different cases, one is made.
pub async fn racing_operators_with_one_address_have_one_winner<S: Store>(store: S) {
    let world = World::new(store);
    let won = world
        .winners(async |racer, tx| {
            let address = if racer % 2 == 0 { "ada@portal.example" } else { "ADA@portal.example" };
            let operator = Operator { email: Email::parse(address).unwrap(), ..world.new_operator(Role::Viewer, noon()) };
            tx.insert_operator(&operator).await
        })
        .await;
    assert_eq!(won, 1);
}

/// A change replaces name and role and keeps the rest.
pub async fn a_changed_operator_keeps_its_address<S: Store>(store: S) {
    let world = World::new(store);
    let (operator, other) = (world.operator(Role::Viewer).await, world.operator(Role::Viewer).await);
    let name = OperatorName::parse("Countess of Lovelace").unwrap();
    let changed = world.write(async |tx| tx.change_operator(operator.id, &name, Role::Manager, later(1)).await).await;
    let expected = Operator { name, role: Role::Manager, updated_at: later(1), ..operator };
    assert_eq!(changed.as_ref(), Some(&expected));
    assert_eq!(world.stored_operator(expected.id).await, Some(expected));
    assert_eq!(world.stored_operator(other.id).await, Some(other.clone()));
    let unknown = world.id(noon());
    assert_eq!(world.write(async |tx| tx.change_operator(unknown, &other.name, Role::Owner, later(1)).await).await, None);
}

/// The last owner is neither demoted nor removed, whoever else is there; with a second one, the first may go.
pub async fn the_last_owner_stays<S: Store>(store: S) {
    let world = World::new(store);
    let (owner, manager) = (world.operator(Role::Owner).await, world.operator(Role::Manager).await);
    assert_eq!(world.set_role(&owner, Role::Manager).await, None);
    assert!(!world.remove_operator(owner.id).await);
    let renamed = world.set_role(&owner, Role::Owner).await;
    assert_eq!(renamed.map(|owner| owner.role), Some(Role::Owner), "an owner that stays one may be changed");

    assert!(world.set_role(&manager, Role::Owner).await.is_some());
    assert!(world.remove_operator(owner.id).await);
    assert!(!world.remove_operator(owner.id).await, "it is gone");
    assert_eq!(world.set_role(&manager, Role::Viewer).await, None, "now this is the last one");
    assert!(!world.remove_operator(manager.id).await);
}

/// Of 32 owners who are removed and demoted at once, one is left.
pub async fn racing_removals_of_owners_leave_one<S: Store>(store: S) {
    let world = World::new(store);
    let mut owners = Vec::new();
    for _ in 0..RACERS {
        owners.push(world.operator(Role::Owner).await);
    }
    let gone = race(RACERS, async |racer| match racer % 2 {
        0 => world.remove_operator(owners[racer].id).await,
        _ => world.set_role(&owners[racer], Role::Viewer).await.is_some(),
    })
    .await;
    assert_eq!(gone.into_iter().filter(|&gone| gone).count(), RACERS - 1);
    let mut left = 0;
    for owner in &owners {
        left += u32::from(world.stored_operator(owner.id).await.is_some_and(|operator| operator.role == Role::Owner));
    }
    assert_eq!(left, 1);
}

/// Racing changes of an operator's name and role keep both: each merges what it finds under the lock.
pub async fn racing_changes_of_an_operator_keep_every_field<S: Store>(store: S) {
    let world = World::new(store);
    for _ in 0..8 {
        let operator = world.operator(Role::Viewer).await;
        let name = OperatorName::parse("Countess of Lovelace").unwrap();
        let changes =
            [OperatorChange { name: Some(name.clone()), role: None }, OperatorChange { name: None, role: Some(Role::Manager) }];
        let changed = race(2, async |racer| {
            change_operator(&world.store, &world.cx(later(1)), Scopes::all(), operator.id, changes[racer].clone()).await
        })
        .await;
        assert!(changed.iter().all(Result::is_ok));
        let expected = Operator { name, role: Role::Manager, updated_at: later(1), ..operator };
        assert_eq!(world.stored_operator(expected.id).await, Some(expected));
    }
}

/// A deleted operator's sessions and challenges go with it, and its address is free again; another's stay, and so do the API keys that it
/// made.
pub async fn a_deleted_operator_takes_its_sessions_and_challenges<S: Store>(store: S) {
    let world = World::new(store);
    let (owner, deleted) = (world.operator(Role::Owner).await, world.operator(Role::Manager).await);
    let budget = super::otps::BUDGET;
    let mut rows = Vec::new();
    for operator in [owner.id, deleted.id] {
        let challenge = world.challenge(Some(operator.into()), noon()).await;
        let claim = world.write(async |tx| tx.claim_otp_attempt(challenge.id, challenge.purpose, budget, noon()).await).await;
        assert!(claim.is_some());
        let key = crate::ApiKey { created_by: Some(operator), ..world.new_api_key(noon()) };
        world.insert_api_key(&key).await;
        rows.push((operator, world.operator_session(operator, noon()).await, challenge, key));
    }
    assert!(world.remove_operator(deleted.id).await);
    for (operator, session, challenge, key) in rows {
        let stays = operator == owner.id;
        let mut reader = world.read();
        assert_eq!(reader.operator_session_by_digests(&[session.token_digest]).await.unwrap().is_some(), stays);
        assert_eq!(reader.otp_failures(OtpAccount::Operator(operator), noon()).await.unwrap(), u32::from(stays));
        assert_eq!(world.write(async |tx| tx.consume_challenge(challenge.id, noon()).await).await, stays);
        assert_eq!(reader.api_key(key.id).await.unwrap(), Some(key), "also the maker's name stays");
    }
    let successor = Operator { email: deleted.email, ..world.new_operator(Role::Viewer, later(1)) };
    world.insert_operator(&successor).await;
}

/// What a transaction that is dropped did to operators, their sessions, keys and links leaves no trace.
pub async fn a_dropped_transaction_leaves_operators_as_they_were<S: Store>(store: S) {
    let world = World::new(store);
    let (owner, doomed) = (world.operator(Role::Owner).await, world.operator(Role::Viewer).await);
    let session = world.operator_session(owner.id, noon()).await;
    let key = world.new_api_key(noon());
    world.insert_api_key(&key).await;
    let link = world.bootstrap_link(crate::BootstrapPurpose::Recovery).await;
    let (made, second) = (world.new_operator(Role::Owner, noon()), world.new_operator_session(owner.id, noon()));
    {
        let mut tx = world.begin().await;
        tx.lock_operators().await.unwrap();
        assert!(tx.insert_operator(&made).await.unwrap());
        assert!(tx.change_operator(owner.id, &owner.name, Role::Viewer, later(1)).await.unwrap().is_some());
        assert!(tx.delete_operator(doomed.id).await.unwrap());
        tx.insert_operator_session(&second).await.unwrap();
        assert!(tx.revoke_operator_session(owner.id, session.id, later(1)).await.unwrap());
        assert!(tx.touch_api_key(key.id, later(1), noon(), None).await.unwrap());
        assert!(tx.revoke_api_key(key.id, later(1)).await.unwrap());
        assert!(tx.consume_bootstrap_link(&[link.token_digest], later(1)).await.unwrap().is_some());
        assert_eq!(tx.operator(doomed.id).await.unwrap(), None, "its own write");
    }
    assert_eq!(world.stored_operator(made.id).await, None);
    for operator in [owner.clone(), doomed] {
        assert_eq!(world.stored_operator(operator.id).await, Some(operator));
    }
    let mut reader = world.read();
    assert_eq!(reader.operator_session_by_digests(&[session.token_digest]).await.unwrap(), Some((session, owner)));
    assert_eq!(reader.operator_session_by_digests(&[second.token_digest]).await.unwrap(), None);
    assert_eq!(reader.api_key(key.id).await.unwrap(), Some(key));
    assert_eq!(reader.open_bootstrap_link(&[link.token_digest], later(1)).await.unwrap(), Some(link));
}

/// A refused operator leaves nothing: a taken address, a role beyond the caller's, the last owner.
pub async fn an_operator_that_is_refused_says_why<S: Store>(store: S) {
    let world = World::new(store);
    let (owner, viewer) = (world.operator(Role::Owner).await, world.operator(Role::Viewer).await);
    let (store, cx, manager) = (&world.store, &world.cx(later(1)), Role::Manager.scopes());
    let new = |email: &Email, role| crate::NewOperator { name: owner.name.clone(), email: email.clone(), role };
    let free = Email::parse("free@portal.example").unwrap();
    let promote = OperatorChange { name: None, role: Some(Role::Owner) };
    let demote = OperatorChange { name: None, role: Some(Role::Viewer) };

    let taken = create_operator(store, cx, Scopes::all(), new(&viewer.email, Role::Viewer)).await.unwrap_err();
    assert!(matches!(taken, OperatorError::EmailTaken));
    let refusals = [
        create_operator(store, cx, manager, new(&free, Role::Owner)).await.map(drop),
        change_operator(store, cx, manager, viewer.id, promote).await.map(drop),
        change_operator(store, cx, manager, owner.id, demote.clone()).await.map(drop),
        delete_operator(store, cx, manager, owner.id).await,
    ];
    for refusal in refusals {
        assert!(matches!(refusal, Err(OperatorError::BeyondCaller { missing }) if missing == Scopes::all().without(manager)));
    }
    let last = change_operator(store, cx, Scopes::all(), owner.id, demote.clone()).await.unwrap_err();
    assert!(matches!(last, OperatorError::LastOwner));
    let last = delete_operator(store, cx, Scopes::all(), owner.id).await.unwrap_err();
    assert!(matches!(last, OperatorError::LastOwner));
    let unknown = delete_operator(store, cx, Scopes::all(), world.id(noon())).await.unwrap_err();
    assert!(matches!(unknown, OperatorError::UnknownOperator));
    // A change that changes nothing isn't one.
    let same = change_operator(store, cx, Scopes::all(), viewer.id, demote).await.unwrap();
    assert_eq!(same, viewer);
    for operator in [owner, viewer] {
        assert_eq!(world.stored_operator(operator.id).await, Some(operator));
    }
}
