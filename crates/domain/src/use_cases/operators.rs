use tracing::info;

use super::audit_forbidden::audit_forbidden;
use crate::{
    Action, AuditEvent, Context, Email, Id, Operator, OperatorChange, OperatorId, OperatorName, Role, Scopes, StoreError, Target,
    ports::*,
};

/// An operator to be made.
#[derive(Clone, Debug)]
pub struct NewOperator {
    /// What it is called.
    pub name: OperatorName,
    /// What it signs in with, and where its one-time passwords go.
    pub email: Email,
    /// What it is for.
    pub role: Role,
}

/// Why an operator can't be made, changed or removed.
#[derive(Debug, thiserror::Error)]
pub enum OperatorError {
    /// There is no such operator.
    #[error("there is no such operator")]
    UnknownOperator,
    /// Another operator has the address.
    #[error("another operator has this address")]
    EmailTaken,
    /// No owner would be left.
    #[error("the last owner can't be removed or demoted")]
    LastOwner,
    /// The role has scopes that the caller doesn't: nobody makes, changes or removes who may do more than itself.
    #[error("the role may do more than the caller")]
    BeyondCaller {
        /// What the caller lacks.
        missing: Scopes,
    },
    /// The store failed; nothing changed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Makes an operator.
///
/// `caller` is what may be done by whoever asks for it: no role is given that may do more. The first operator of all is made by a
/// one-time link: see `tenantry-auth`'s `create_bootstrap_link`.
///
/// # Errors
/// See [`OperatorError`].
///
/// # Example
/// A manager can't make an owner:
///
/// ```
/// # use tenantry_domain::{memory::{MemoryStore, PlainHasher}, ports::*, *};
/// # futures_executor::block_on(async {
/// # let (store, cx) = (MemoryStore::new(), Context::system(SystemClock.now(), &SystemEntropy));
/// let (name, email) = (OperatorName::parse("Ada")?, Email::parse("ada@portal.example")?);
/// let new = NewOperator { name, email, role: Role::Owner };
/// let refused = create_operator(&store, &cx, Role::Manager.scopes(), new.clone()).await;
/// assert!(matches!(refused, Err(OperatorError::BeyondCaller { .. })));
///
/// let ada = create_operator(&store, &cx, Role::Owner.scopes(), new).await?;
/// assert_eq!(ada.role, Role::Owner);
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
pub async fn create_operator<S: Store>(
    store: &S,
    cx: &Context<'_>,
    caller: Scopes,
    new: NewOperator,
) -> Result<Operator, OperatorError> {
    let made = create(store, cx, caller, new).await;
    audited(store, cx, made).await
}

async fn create<S: Store>(store: &S, cx: &Context<'_>, caller: Scopes, new: NewOperator) -> Result<Operator, OperatorError> {
    let NewOperator { name, email, role } = new;
    within(caller, role)?;
    let id = Id::generate(cx.now, cx.entropy);
    let operator = Operator { id, name, email, role, created_at: cx.now, updated_at: cx.now };
    let mut tx = store.begin().await?;
    tx.lock_operators().await?;
    if !tx.insert_operator(&operator).await? {
        return Err(OperatorError::EmailTaken);
    }
    let event = AuditEvent::new(cx, Action::OperatorCreated, None, Some(Target::Operator(id)));
    tx.append_audit(&event.with("role", role.as_str())).await?;
    tx.commit().await?;
    info!(operator.id = %id, operator.role = role.as_str(), "created operator");
    Ok(operator)
}

/// Changes an operator's name or role; a new role holds from its next request on. A change that changes nothing writes nothing.
///
/// # Errors
/// See [`OperatorError`].
pub async fn change_operator<S: Store>(
    store: &S,
    cx: &Context<'_>,
    caller: Scopes,
    id: OperatorId,
    change: OperatorChange,
) -> Result<Operator, OperatorError> {
    let changed = rename_or_promote(store, cx, caller, id, change).await;
    audited(store, cx, changed).await
}

async fn rename_or_promote<S: Store>(
    store: &S,
    cx: &Context<'_>,
    caller: Scopes,
    id: OperatorId,
    change: OperatorChange,
) -> Result<Operator, OperatorError> {
    let mut tx = store.begin().await?;
    // Two changes of different fields keep both, and what the audit trail says of the old role is true.
    tx.lock_operators().await?;
    let before = tx.operator(id).await?.ok_or(OperatorError::UnknownOperator)?;
    let name = change.name.unwrap_or_else(|| before.name.clone());
    let role = change.role.unwrap_or(before.role);
    within(caller, before.role)?;
    within(caller, role)?;
    let mut event = AuditEvent::new(cx, Action::OperatorChanged, None, Some(Target::Operator(id)));
    let mut fields = Vec::new();
    if name != before.name {
        fields.push("name");
    }
    if role != before.role {
        fields.push("role");
        event = event.with_change("role", before.role.as_str(), role.as_str());
    }
    if fields.is_empty() {
        return Ok(before);
    }
    let changed = tx.change_operator(id, &name, role, cx.now).await?.ok_or(OperatorError::LastOwner)?;
    tx.append_audit(&event.with_changed(&fields)).await?;
    tx.commit().await?;
    info!(operator.id = %id, operator.role = role.as_str(), "changed operator");
    Ok(changed)
}

/// Removes an operator: its sessions end at once. The API keys that it made go on.
///
/// # Errors
/// See [`OperatorError`].
pub async fn delete_operator<S: Store>(store: &S, cx: &Context<'_>, caller: Scopes, id: OperatorId) -> Result<(), OperatorError> {
    let deleted = delete(store, cx, caller, id).await;
    audited(store, cx, deleted).await
}

async fn delete<S: Store>(store: &S, cx: &Context<'_>, caller: Scopes, id: OperatorId) -> Result<(), OperatorError> {
    let mut tx = store.begin().await?;
    tx.lock_operators().await?;
    let before = tx.operator(id).await?.ok_or(OperatorError::UnknownOperator)?;
    within(caller, before.role)?;
    if !tx.delete_operator(id).await? {
        return Err(OperatorError::LastOwner);
    }
    let event = AuditEvent::new(cx, Action::OperatorDeleted, None, Some(Target::Operator(id)));
    tx.append_audit(&event.with("role", before.role.as_str())).await?;
    tx.commit().await?;
    info!(operator.id = %id, "deleted operator");
    Ok(())
}

/// The same, once it is audited that somebody tried to make, change or remove who may do more than itself.
async fn audited<S: Store, T>(store: &S, cx: &Context<'_>, result: Result<T, OperatorError>) -> Result<T, OperatorError> {
    if let Err(OperatorError::BeyondCaller { missing }) = &result {
        audit_forbidden(store, cx, *missing, None).await;
    }
    result
}

fn within(caller: Scopes, role: Role) -> Result<(), OperatorError> {
    let missing = role.scopes().without(caller);
    if missing == Scopes::NONE { Ok(()) } else { Err(OperatorError::BeyondCaller { missing }) }
}
