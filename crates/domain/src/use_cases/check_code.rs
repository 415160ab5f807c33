use crate::{Code, CodeHasher, Named, ProjectId, Refusal, Situation, StoreError, TenantId, Timestamp, Usable, ports::*};

/// A code's text, and who would use it for what.
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

/// Says what [`activate_project`](crate::activate_project) would answer at `now`, by the same [`Situation::verdict`], for an operator:
/// consumes nothing, changes nothing, and is not audited. What others do meanwhile can make the activation answer otherwise.
///
/// # Errors
/// See [`CheckCodeError`]. A text that is no code, a code or a project that the tenant doesn't have are verdicts.
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
