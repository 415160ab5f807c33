//! Activation: the reason that everything else is here.

use time::Duration;
use tracing::{info, warn};

use crate::{
    Action, AuditEvent, Chain, Code, CodeHasher, CodeId, CodeText, Context, Entitlement, EventType, Happening, Id,
    KeyedCodeDigest, Limit, Named, Project, ProjectId, RateDecision, Redemption, Refusal, Situation, StoreError,
    SubscriptionState, Target, TenantAction, TenantId, Usable,
    event::{announce, quota_threshold},
    ports::*,
};

/// A request to activate a project: whose, which, and with what.
#[derive(Clone, Debug)]
pub struct ActivateProject {
    /// The tenant that asks.
    pub tenant: TenantId,
    /// Its project.
    pub project: ProjectId,
    /// The code.
    pub with: ActivateWith,
    /// What the tenant's wrong texts are counted in: a text that is none of its codes takes one from the bucket, a right one
    /// takes nothing. `None`: it may present as many as it likes. `tenantry-auth` makes the bucket (`KeyRing::guesses_bucket`).
    pub guesses: Option<Limit>,
}

/// What a project is activated with: a code's text, a code's identifier, or whichever code is available.
#[derive(Clone, Debug)]
pub enum ActivateWith {
    /// A code's text: of what was typed by [`CodeHasher::read`], of a [`PlainCode`](crate::PlainCode) by `into()`.
    Code(CodeText),
    /// One of the tenant's codes, which its sign-in entitles it to.
    CodeId(CodeId),
    /// Whichever of the tenant's codes is available.
    NextAvailable,
}

/// Why a project isn't activated.
#[derive(Debug, thiserror::Error)]
pub enum ActivateError {
    /// It is refused; nothing was consumed.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Too many of the tenant's texts were none of its codes: this one wasn't looked at.
    #[error("too many texts were none of the tenant's codes")]
    Limited {
        /// After how long it can be tried again.
        retry_after: Duration,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Activates a project with a code, exactly once, however many calls race.
///
/// In one transaction it takes one use of the code, starts the project, writes the ledger, counts the month and audits. A code is
/// used as often as it may be, and a project is activated once.
///
/// Repeating an activation that succeeded answers the project as it is and consumes nothing, so that a caller who missed the
/// answer may ask again.
///
/// A text that is none of the tenant's codes is charged to `guesses`, whatever the refusal says. Once that is used up, no text is
/// looked at, be it right or wrong; a code's id and `NextAvailable` go on. Of texts that race each other, those that passed while
/// there was something left are all charged: the tenant then waits the longer.
///
/// # Errors
/// See [`ActivateError`]; of several reasons the first in [`Refusal`]'s order, `Limited` behind an unknown project. Refusals that
/// matter are audited.
///
/// # Example
/// What a person typed is read by the hasher, which knows what a code looks like:
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
/// # let client_name = ClientName::parse("Globex")?;
/// # let details = ProjectDetails { client_name, description: None, objectives: None, priority: None };
/// # let project = create_project(&store, &cx, tenant, NewProject { slug: None, details }).await?;
/// # let typed = acme.issued?.codes[0].code.reveal().to_lowercase();
/// let code = PlainHasher.read(&typed)?; // any case, with or without hyphens
/// let request = ActivateProject { tenant, project: project.id, with: ActivateWith::Code(code), guesses: None };
/// match activate_project(&store, &cx, &PlainHasher, &request).await {
///     Ok(project) => assert_eq!(project.status, ProjectStatus::Active),
///     Err(ActivateError::Refused(refusal)) => println!("{}: {refusal}", refusal.reason()),
///     Err(ActivateError::Limited { retry_after }) => println!("again in {retry_after}"),
///     Err(ActivateError::Store(failure)) => return Err(failure.into()),
/// }
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
pub async fn activate_project<S: Store>(
    store: &S,
    cx: &Context<'_>,
    hasher: &dyn CodeHasher,
    request: &ActivateProject,
) -> Result<Project, ActivateError> {
    if let Some(project) = at_once(store, cx, hasher, request).await? {
        return Ok(project);
    }
    let mut tried = Tried::default();
    let outcome = loop {
        // Each round more is one that a change of the subscription overtook.
        if let Some(outcome) = attempt(store, cx, hasher, request, &mut tried).await.transpose() {
            break outcome;
        }
    };
    if let Err(ActivateError::Refused(refusal)) = &outcome {
        note_refusal(store, cx, request, tried, refusal).await?;
    }
    outcome
}

/// Activates in one step, if the store can and nothing stands against it.
async fn at_once<S: Store>(
    store: &S,
    cx: &Context<'_>,
    hasher: &dyn CodeHasher,
    request: &ActivateProject,
) -> Result<Option<Project>, StoreError> {
    let (with, by_text) = match &request.with {
        ActivateWith::Code(text) => match text.digest(hasher) {
            Some(signing) => (ActivationBy::Digest(signing.digest), true),
            None => return Ok(None),
        },
        ActivateWith::CodeId(id) => (ActivationBy::Id(*id), false),
        ActivateWith::NextAvailable => (ActivationBy::NextAvailable, false),
    };
    let states = SubscriptionState::ALL.iter().copied().filter(|state| state.allows(TenantAction::ActivateProject));
    let activation = Activation {
        tenant: request.tenant,
        project: request.project,
        with,
        within: request.guesses.filter(|_| by_text),
        states: &states.collect::<Vec<_>>(),
        redemption: Id::generate(cx.now, cx.entropy),
        event: activated(cx, request),
        now: cx.now,
    };
    let project = store.activate_at_once(&activation).await?;
    if let Some(Project { activation_code_id: Some(code), .. }) = project {
        note_success(request, code);
    }
    Ok(project)
}

fn activated(cx: &Context<'_>, request: &ActivateProject) -> AuditEvent {
    AuditEvent::new(cx, Action::ProjectActivated, Some(request.tenant), Some(Target::Project(request.project)))
}

fn note_success(request: &ActivateProject, code: CodeId) {
    info!(tenant.id = %request.tenant, project.id = %request.project, code.id = %code, "activated project");
}

/// Which code an attempt was made with, also where it is another tenant's: for operators' eyes.
#[derive(Clone, Copy, Default)]
struct Tried {
    code: Option<CodeId>,
    own: bool,
    /// By its text.
    by_text: bool,
}

impl Tried {
    fn is_guess(self) -> bool {
        self.by_text && !self.own
    }
}

/// `None` when the tenant's subscription changed meanwhile, and nothing was done.
async fn attempt<S: Store>(
    store: &S,
    cx: &Context<'_>,
    hasher: &dyn CodeHasher,
    request: &ActivateProject,
    tried: &mut Tried,
) -> Result<Option<Project>, ActivateError> {
    let &ActivateProject { tenant, project: id, ref with, .. } = request;
    let mut tx = store.begin().await?;
    let (entitlement, guess) = hold(&mut tx, cx, request).await?.ok_or(Refusal::UnknownProject)?;
    // Locked, so that a repeat that races its original waits for it, and then finds the project active and the code used.
    let project = tx.lock_project(tenant, id).await?.ok_or(Refusal::UnknownProject)?;
    if let RateDecision::Limited { retry_after } = guess {
        return Err(ActivateError::Limited { retry_after });
    }
    let code = chosen_code(&mut tx, hasher, tenant, with, tried).await?;
    let situation = Situation {
        now: cx.now,
        entitlement: Some(entitlement),
        project: Named::Found(&project),
        code: code.as_ref(),
        activations: None,
    };
    if situation.verdict()? == Usable::Again {
        return Ok(Some(project));
    }

    let code_id = match &code {
        Named::Found(code) => consume(&mut tx, hasher, request, code, situation).await?,
        Named::Nothing | Named::Missing => tx.consume_next_code(tenant, cx.now).await?.ok_or(Refusal::NoCodeAvailable)?,
    };
    let Some(started) = tx.start_project(tenant, id, code_id, cx.now.after(project.updated_at)).await? else {
        return Err(Refusal::AlreadyActive.into());
    };
    tx.insert_redemption(&Redemption {
        id: Id::generate(cx.now, cx.entropy),
        tenant_id: tenant,
        activation_code_id: Some(code_id),
        project_id: Some(id),
        redeemed_at: cx.now,
        returned_at: None,
    })
    .await?;
    let (month, quota) = (cx.now.month(), entitlement.quota);
    let Some(used) = tx.count_activation(tenant, month, quota, cx.now).await? else {
        return Err(Refusal::QuotaExceeded { quota, month }.into());
    };
    // Behind the month's count, which lets one activation of a tenant pass at a time, so that these locks never overlap.
    if !tx.confirm_entitlement(tenant, entitlement.version).await? {
        return Ok(None);
    }
    tx.append_audit(&activated(cx, request).about_code(code_id).with("activation_code_id", code_id)).await?;
    let happened = Happening::Project { event_type: EventType::ProjectActivated, project: &started, code: Some(code_id) };
    announce(&mut tx, cx, tenant, entitlement.has_listeners, &happened).await?;
    if let Some(percent) = quota_threshold(used, quota) {
        announce(&mut tx, cx, tenant, entitlement.has_listeners, &Happening::Quota { month, used, quota, percent }).await?;
    }
    tx.commit().await?;
    note_success(request, code_id);
    Ok(Some(started))
}

/// Holds the tenant, and finds out whether one more of its texts may be looked at.
async fn hold(
    tx: &mut impl Transaction,
    cx: &Context<'_>,
    request: &ActivateProject,
) -> Result<Option<(Entitlement, RateDecision)>, StoreError> {
    match (&request.with, request.guesses) {
        (ActivateWith::Code(_), Some(limit)) => tx.hold_tenant_within(request.tenant, limit, cx.now).await,
        _ => Ok(tx.hold_tenant(request.tenant).await?.map(|entitlement| (entitlement, RateDecision::Allowed))),
    }
}

/// The code that the request names, if the tenant has it.
async fn chosen_code(
    tx: &mut impl Transaction,
    hasher: &dyn CodeHasher,
    tenant: TenantId,
    with: &ActivateWith,
    tried: &mut Tried,
) -> Result<Named<Code>, StoreError> {
    let found = match with {
        ActivateWith::NextAvailable => return Ok(Named::Nothing),
        ActivateWith::Code(text) => tx.code_by_digests(&text.candidates(hasher)).await?,
        ActivateWith::CodeId(id) => tx.code(tenant, *id).await?,
    };
    let own = found.as_ref().is_some_and(|code| code.tenant_id == tenant);
    let named = match with {
        ActivateWith::CodeId(id) => Some(*id),
        ActivateWith::Code(_) | ActivateWith::NextAvailable => found.as_ref().map(|code| code.id),
    };
    *tried = Tried { code: named, own, by_text: matches!(with, ActivateWith::Code(_)) };
    Ok(Named::looked_up(found.filter(|_| own)))
}

/// Takes one use of a code that was active when it was read. By its text, only while that is still its text.
async fn consume(
    tx: &mut impl Transaction,
    hasher: &dyn CodeHasher,
    request: &ActivateProject,
    code: &Code,
    situation: Situation<'_>,
) -> Result<CodeId, ActivateError> {
    let &ActivateProject { tenant, ref with, .. } = request;
    let text = match with {
        ActivateWith::Code(text) => {
            let stored = KeyedCodeDigest { digest: code.digest, key_id: code.key_id.clone() };
            Some(UsedText { candidates: text.candidates(hasher), rekeyed: text.rekeyed(hasher, &stored) })
        }
        ActivateWith::CodeId(_) | ActivateWith::NextAvailable => None,
    };
    if tx.consume_code(tenant, code.id, text.as_ref(), situation.now).await? {
        return Ok(code.id);
    }
    // Since it was read, another activation took the last use, or an operator revoked, reissued or ended it.
    let now = chosen_code(tx, hasher, tenant, with, &mut Tried::default()).await?;
    Situation { code: now.as_ref(), ..situation }.verdict()?;
    Err(Refusal::Exhausted.into())
}

/// Audits a refusal that matters, and charges one that was a guess: where that fails, nothing is answered.
async fn note_refusal<S: Store>(
    store: &S,
    cx: &Context<'_>,
    request: &ActivateProject,
    tried: Tried,
    refusal: &Refusal,
) -> Result<(), StoreError> {
    // Nothing to hold against a tenant: its own retries, another's identifiers.
    let matters = !matches!(refusal, Refusal::UnknownProject | Refusal::AlreadyActive);
    let event = matters.then(|| refusal_event(cx, request, tried, refusal));
    let charged = request.guesses.filter(|_| tried.is_guess());
    if event.is_none() && charged.is_none() {
        return Ok(());
    }
    let noted = async {
        let mut tx = store.begin().await?;
        if let Some(limit) = charged {
            tx.charge(limit, cx.now).await?;
        }
        if let Some(event) = &event {
            tx.append_audit(event).await?;
        }
        tx.commit().await
    };
    match noted.await {
        Err(failure) if charged.is_none() => {
            warn!(tenant.id = %request.tenant, error = %Chain(&failure), "could not audit a refused activation");
            Ok(())
        }
        noted => noted,
    }
}

fn refusal_event(cx: &Context<'_>, request: &ActivateProject, tried: Tried, refusal: &Refusal) -> AuditEvent {
    let event = AuditEvent::new(cx, Action::ActivationRefused, Some(request.tenant), Some(Target::Project(request.project)));
    let mut event = event.with("reason", refusal.reason());
    event.code_id = tried.code;
    // What the tenant may read: the code that it named by itself, or that is its own.
    let named = match request.with {
        ActivateWith::CodeId(id) => Some(id),
        ActivateWith::Code(_) | ActivateWith::NextAvailable => tried.code.filter(|_| tried.own),
    };
    match named {
        Some(id) => event.with("activation_code_id", id),
        None => event,
    }
}
