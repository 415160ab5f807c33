use crate::{Code, CodeHasher, Named, ProjectId, Refusal, Situation, StoreError, TenantId, Timestamp, Usable, ports::*};

/// A question about a code: its text, and who would use it for what.
#[derive(Clone, Copy)]
pub struct CheckCode<'a> {
    /// The text as it was typed.
    pub text: &'a str,
    /// Who would use it; `None`: whoever owns the project, else whoever owns the code.
    pub tenant: Option<TenantId>,
    /// What it would activate; `None`: any pending project.
    pub project: Option<ProjectId>,
}

/// What an activation with a code would answer now.
#[derive(Clone, Debug)]
pub struct CheckedCode {
    /// Whether it would succeed, or why not.
    pub verdict: Result<Usable, Refusal>,
    /// The code, whoever owns it.
    pub code: Option<Code>,
}

/// Why a code can't be checked.
#[derive(Debug, thiserror::Error)]
pub enum CheckCodeError {
    /// There is no such tenant.
    #[error("there is no such tenant")]
    UnknownTenant,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Says whether a code would work, and if not, why: the answer of an activation, without the activation.
///
/// It gives the verdict that [`activate_project`](crate::activate_project) would give at `now`, by the same
/// [`Situation::verdict`]. It consumes nothing, changes nothing, and is not audited. It is meant for operators: it also finds a
/// code that is another tenant's. What others do meanwhile can make the activation answer otherwise.
///
/// # Errors
/// See [`CheckCodeError`]. A text that is no code, a code or a project that the tenant doesn't have are verdicts.
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
/// # let code = acme.issued?.codes.remove(0);
/// revoke_code(&store, &cx, code.id).await?;
///
/// let text = code.code.reveal();
/// let request = CheckCode { text: &text, tenant: None, project: None };
/// let checked = check_code(&store, cx.now, &PlainHasher, request).await?;
/// assert_eq!(checked.verdict, Err(Refusal::Revoked { at: cx.now }));
/// assert_eq!(checked.code.map(|code| code.tenant_id), Some(tenant));
///
/// // A typing error is found without asking the store.
/// let request = CheckCode { text: "12RY-S55W-4MZR-KP2K", tenant: None, project: None };
/// let checked = check_code(&store, cx.now, &PlainHasher, request).await?;
/// assert_eq!(checked.verdict.unwrap_err().reason(), "code_malformed");
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
pub async fn check_code<S: Store>(
    store: &S,
    now: Timestamp,
    hasher: &dyn CodeHasher,
    request: CheckCode<'_>,
) -> Result<CheckedCode, CheckCodeError> {
    let text = match hasher.read(request.text) {
        Ok(text) => text,
        Err(invalid) => return Ok(CheckedCode { verdict: Err(Refusal::Malformed(invalid)), code: None }),
    };
    let mut reader = store.reader();
    let code = reader.code_by_digests(&text.candidates(hasher)).await?;
    let project = match request.project {
        None => Named::Nothing,
        Some(id) => Named::looked_up(reader.project_of_anyone(id).await?),
    };
    let owner = match &project {
        Named::Found(project) => project.tenant_id,
        Named::Missing | Named::Nothing => None,
    };
    let Some(tenant) = request.tenant.or(owner).or(code.as_ref().map(|code| code.tenant_id)) else {
        let unknown = if project == Named::Nothing { Refusal::UnknownCode } else { Refusal::UnknownProject };
        return Ok(CheckedCode { verdict: Err(unknown), code });
    };

    let entitlement = reader.entitlement(tenant).await?;
    if entitlement.is_none() && reader.tenant(tenant).await?.is_none() {
        return Err(CheckCodeError::UnknownTenant);
    }
    let project = match &project {
        Named::Found(project) if project.tenant_id != Some(tenant) => Named::Missing,
        project => project.as_ref(),
    };
    let situation = Situation {
        now,
        entitlement,
        project,
        code: Named::looked_up(code.as_ref().filter(|code| code.tenant_id == tenant)),
        activations: Some(reader.activations_in(tenant, now.month()).await?),
    };
    Ok(CheckedCode { verdict: situation.verdict(), code })
}
