use tracing::info;

use crate::{
    Action, AuditEvent, Code, CodeHasher, CodeId, Context, Happening, LONGEST_TTL, NewCodeText, PlainCode, Refusal, StoreError,
    Target, Timestamp, event::announce, ports::*, verdict::standing,
};

/// Why a code can't be revoked, reissued or given another end.
#[derive(Debug, thiserror::Error)]
pub enum ManageCodeError {
    /// There is no such code.
    #[error("there is no such code")]
    UnknownCode,
    /// As the code stands, it makes no sense.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// A code can't have ended before the moment that it is told to.
    #[error("the new end has passed")]
    EndPassed,
    /// A code that is to go on for longer than [`LONGEST_TTL`] is one without an end.
    #[error("the new end is more than {} days away", LONGEST_TTL.whole_days())]
    EndTooFar,
    /// Another change came first; it was made without knowing of this one.
    #[error("the code was changed meanwhile")]
    Changed,
    /// The store failed; nothing changed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A code with a new text: the only moment that this is known.
#[derive(Clone, Debug)]
pub struct ReissuedCode {
    /// The code as it is now.
    pub code: Code,
    /// Its text, to be shown once.
    pub text: PlainCode,
}

/// When a code is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodeEnd {
    /// At once.
    Now,
    /// At this moment, exclusive: it must not have passed, and be at most [`LONGEST_TTL`] away.
    At(Timestamp),
    /// Never.
    Never,
}

/// Revokes a code for good, whoever owns it.
///
/// Projects that it activated stay active: [`return_activation`](crate::return_activation) takes an activation back. Revoking it
/// again answers the code as it is and changes nothing.
///
/// # Errors
/// [`UnknownCode`](ManageCodeError::UnknownCode), [`Store`](ManageCodeError::Store).
///
/// # Example
///
/// ```
/// # use tenantry_domain::{memory::{MemoryStore, PlainHasher}, ports::*, *};
/// # futures_executor::block_on(async {
/// # let (store, cx) = (MemoryStore::new(), Context::system(SystemClock.now(), &SystemEntropy));
/// # let plan = create_plan(&store, &cx, PlanName::parse("Basic")?, Quota::new(20)?).await?;
/// # let (slug, name, contact_email) = (Slug::parse("acme")?, TenantName::parse("Acme")?, Email::parse("it@acme.example")?);
/// # let new = NewTenant { slug, name, contact_email, plan_id: plan.id, branding: Branding::default() };
/// # let acme = create_tenant(&store, &cx, &PlainHasher, new).await?;
/// # let tenant = acme.tenant.id;
/// # let id = acme.issued?.codes[0].id;
/// let code = revoke_code(&store, &cx, id).await?;
/// assert_eq!(code.status(cx.now), CodeStatus::Revoked);
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
pub async fn revoke_code<S: Store>(store: &S, cx: &Context<'_>, id: CodeId) -> Result<Code, ManageCodeError> {
    let mut tx = store.begin().await?;
    let (before, heard) = held_code(&mut tx, id).await?;
    let tenant = before.tenant_id;
    let revoked = tx.revoke_code(tenant, id, cx.now).await?;
    let code = tx.code(tenant, id).await?.ok_or(ManageCodeError::UnknownCode)?;
    if !revoked {
        return Ok(code);
    }
    tx.append_audit(&AuditEvent::new(cx, Action::CodeRevoked, Some(tenant), Some(Target::Code(id)))).await?;
    announce(&mut tx, cx, tenant, heard, &Happening::CodeRevoked { code: id }).await?;
    tx.commit().await?;
    info!(tenant.id = %tenant, code.id = %id, "revoked code");
    Ok(code)
}

/// Gives a code a new text: the same record, with its uses and its history.
///
/// From here on the old text is worth nothing, also to an activation that has read the code by it and not committed yet. Of
/// racing calls one wins, and no text is shown that another replaced before its answer was out.
///
/// Only a code that can still be used is reissued: a new text would not make any other one work.
///
/// # Errors
/// [`UnknownCode`](ManageCodeError::UnknownCode), [`Refused`](ManageCodeError::Refused) for a code that is revoked, expired or
/// exhausted, [`Changed`](ManageCodeError::Changed), [`Store`](ManageCodeError::Store).
///
/// # Example
///
/// ```
/// # use tenantry_domain::{memory::{MemoryStore, PlainHasher}, ports::*, *};
/// # futures_executor::block_on(async {
/// # let (store, cx) = (MemoryStore::new(), Context::system(SystemClock.now(), &SystemEntropy));
/// # let plan = create_plan(&store, &cx, PlanName::parse("Basic")?, Quota::new(20)?).await?;
/// # let (slug, name, contact_email) = (Slug::parse("acme")?, TenantName::parse("Acme")?, Email::parse("it@acme.example")?);
/// # let new = NewTenant { slug, name, contact_email, plan_id: plan.id, branding: Branding::default() };
/// # let acme = create_tenant(&store, &cx, &PlainHasher, new).await?;
/// # let tenant = acme.tenant.id;
/// # let lost = acme.issued?.codes.remove(0);
/// let ReissuedCode { code, text } = reissue_code(&store, &cx, &PlainHasher, lost.id).await?;
/// assert_eq!(code.id, lost.id);
/// println!("your new code: {}", *text.reveal());
///
/// let old = lost.code.reveal();
/// let request = CheckCode { text: &old, tenant: Some(tenant), project: None };
/// assert_eq!(check_code(&store, cx.now, &PlainHasher, request).await?.verdict, Err(Refusal::UnknownCode));
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
pub async fn reissue_code<S: Store>(
    store: &S,
    cx: &Context<'_>,
    hasher: &dyn CodeHasher,
    id: CodeId,
) -> Result<ReissuedCode, ManageCodeError> {
    let text = PlainCode::generate(cx.entropy);
    let keyed = hasher.digest(&text);
    let new = NewCodeText { digest: keyed.digest, key_id: keyed.key_id, hint: text.hint() };

    let mut tx = store.begin().await?;
    let (before, _) = held_code(&mut tx, id).await?;
    standing(&before, cx.now)?;
    let tenant = before.tenant_id;
    let won = tx.reissue_code(tenant, id, before.digest, &new, cx.now).await?;
    let code = tx.code(tenant, id).await?.ok_or(ManageCodeError::UnknownCode)?;
    if !won {
        standing(&code, cx.now)?;
        return Err(ManageCodeError::Changed);
    }
    let event = AuditEvent::new(cx, Action::CodeReissued, Some(tenant), Some(Target::Code(id)));
    let event = event.with("old_hint", &before.hint).with("new_hint", &code.hint);
    tx.append_audit(&event.with("old_key_id", &before.key_id).with("new_key_id", &code.key_id)).await?;
    tx.commit().await?;
    info!(tenant.id = %tenant, code.id = %id, "reissued code");
    Ok(ReissuedCode { code, text })
}

/// Moves the moment at which a code expires, whoever owns it.
///
/// An expired code with a later end can be used again. What it is already stays as it is, and nothing is audited: the same end
/// again, and an end at once for a code that is past its own.
///
/// # Errors
/// [`UnknownCode`](ManageCodeError::UnknownCode), [`EndPassed`](ManageCodeError::EndPassed), [`EndTooFar`](ManageCodeError::EndTooFar), [`Refused`](ManageCodeError::Refused) for a
/// revoked code, [`Changed`](ManageCodeError::Changed), [`Store`](ManageCodeError::Store).
///
/// # Example
///
/// ```
/// # use tenantry_domain::{memory::{MemoryStore, PlainHasher}, ports::*, *};
/// # futures_executor::block_on(async {
/// # let (store, cx) = (MemoryStore::new(), Context::system(SystemClock.now(), &SystemEntropy));
/// # let plan = create_plan(&store, &cx, PlanName::parse("Basic")?, Quota::new(20)?).await?;
/// # let (slug, name, contact_email) = (Slug::parse("acme")?, TenantName::parse("Acme")?, Email::parse("it@acme.example")?);
/// # let new = NewTenant { slug, name, contact_email, plan_id: plan.id, branding: Branding::default() };
/// # let acme = create_tenant(&store, &cx, &PlainHasher, new).await?;
/// # let tenant = acme.tenant.id;
/// # let id = acme.issued?.codes[0].id;
/// let code = expire_code(&store, &cx, id, CodeEnd::At(cx.now + time::Duration::DAY)).await?;
/// assert_eq!(code.status(cx.now), CodeStatus::Active);
/// let code = expire_code(&store, &cx, id, CodeEnd::Now).await?;
/// assert_eq!(code.status(cx.now), CodeStatus::Expired);
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
pub async fn expire_code<S: Store>(store: &S, cx: &Context<'_>, id: CodeId, end: CodeEnd) -> Result<Code, ManageCodeError> {
    let mut tx = store.begin().await?;
    let (before, _) = held_code(&mut tx, id).await?;
    if let Some(at) = before.revoked_at {
        return Err(Refusal::Revoked { at }.into());
    }
    let (tenant, from) = (before.tenant_id, before.expires_at);
    let to = match end {
        CodeEnd::Never => None,
        CodeEnd::Now => Some(from.filter(|&from| from <= cx.now).unwrap_or(cx.now)),
        CodeEnd::At(at) if from == Some(at) => from,
        CodeEnd::At(at) if at < cx.now => return Err(ManageCodeError::EndPassed),
        CodeEnd::At(at) if at > cx.now + LONGEST_TTL => return Err(ManageCodeError::EndTooFar),
        CodeEnd::At(at) => Some(at),
    };
    if to == from {
        return Ok(before);
    }
    let won = tx.move_code_expiry(tenant, id, from, to, cx.now).await?;
    let code = tx.code(tenant, id).await?.ok_or(ManageCodeError::UnknownCode)?;
    if !won {
        return Err(code.revoked_at.map_or(ManageCodeError::Changed, |at| Refusal::Revoked { at }.into()));
    }
    let shown = |end: Option<Timestamp>| end.map_or_else(|| "never".to_owned(), |end| end.to_string());
    let event = AuditEvent::new(cx, Action::CodeExpiryChanged, Some(tenant), Some(Target::Code(id)));
    tx.append_audit(&event.with("old_expires_at", shown(from)).with("new_expires_at", shown(to))).await?;
    tx.commit().await?;
    info!(tenant.id = %tenant, code.id = %id, "moved a code's expiry");
    Ok(code)
}

/// The code as it is, with its tenant held, and whether anybody may want to hear of what becomes of it.
async fn held_code(tx: &mut impl Transaction, id: CodeId) -> Result<(Code, bool), ManageCodeError> {
    let code = tx.code_of_anyone(id).await?.ok_or(ManageCodeError::UnknownCode)?;
    let heard = tx.hold_tenant(code.tenant_id).await?.is_some_and(|entitlement| entitlement.has_listeners);
    Ok((code, heard))
}
