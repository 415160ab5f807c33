//! `--demo`: a tenant to play with, and the lines that do so.

use tenantry_auth::KeyRing;
use tenantry_domain::{
    Branding, Clock, CodeOrder, Context, CreatePlanError, CreateTenantError, Email, Entropy, GenerateCodesError, InvalidValue,
    IssuedBatch, NewTenant, PageLimit, PageRequest, PlainCode, PlanId, PlanName, Quota, Slug, StoreError, Tenant, TenantName,
    create_plan, create_tenant, generate_codes,
    ports::{PlanFilter, PlanReads, Store, TenantReads},
};

const SLUG: &str = "demo";
const PLAN: &str = "Demo";
const QUOTA: i64 = 100;
const EMAIL: &str = "demo@example.com";

/// Why there is no demo.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    #[error(transparent)]
    Value(#[from] InvalidValue),
    #[error("the demo's plan can't be made")]
    Plan(#[from] CreatePlanError),
    #[error("the demo's tenant can't be made")]
    Tenant(#[from] CreateTenantError),
    #[error("the demo's codes can't be issued")]
    Codes(#[from] GenerateCodesError),
    #[error("the demo can't be read")]
    Store(#[from] StoreError),
    #[error("a plan `{PLAN}` was there and is gone; start again")]
    PlanGone,
    #[error("no code was issued")]
    NoCode,
}

/// Makes the demo's plan and tenant where they are missing, and answers a code that the tenant has not used.
pub async fn prepare<S: Store>(
    store: &S,
    clock: &dyn Clock,
    entropy: &dyn Entropy,
    keys: &KeyRing,
) -> Result<PlainCode, DemoError> {
    let cx = Context::system(clock.now(), entropy);
    let issued = match store.reader().tenant_by_slug(&Slug::parse(SLUG)?).await? {
        Some(Tenant { id, .. }) => generate_codes(store, &cx, keys, id, CodeOrder::default()).await?,
        None => first_codes(store, &cx, keys).await?,
    };
    issued.codes.into_iter().next().map(|issued| issued.code).ok_or(DemoError::NoCode)
}

async fn first_codes<S: Store>(store: &S, cx: &Context<'_>, keys: &KeyRing) -> Result<IssuedBatch, DemoError> {
    let new = NewTenant {
        slug: Slug::parse(SLUG)?,
        name: TenantName::parse("Demo tenant")?,
        contact_email: Email::parse(EMAIL)?,
        plan_id: plan(store, cx).await?,
        branding: Branding::default(),
    };
    Ok(create_tenant(store, cx, keys, new).await?.issued?)
}

async fn plan<S: Store>(store: &S, cx: &Context<'_>) -> Result<PlanId, DemoError> {
    match create_plan(store, cx, PlanName::parse(PLAN)?, Quota::new(QUOTA)?).await {
        Ok(plan) => return Ok(plan.id),
        Err(CreatePlanError::NameTaken) => {}
        Err(error) => return Err(error.into()),
    }
    let mut request = PageRequest { limit: PageLimit::new(PageLimit::MAX)?, after: None, count: false };
    loop {
        let page = store.reader().plans_page(&PlanFilter::default(), request).await?;
        if let Some(plan) = page.items.iter().find(|plan| plan.name.as_str() == PLAN) {
            return Ok(plan.id);
        }
        request.after = page.items.last().map(|plan| plan.id).filter(|_| page.has_more);
        if request.after.is_none() {
            return Err(DemoError::PlanGone);
        }
    }
}

/// What to paste into another terminal, with nothing but curl and sed: each step is a paragraph of whole lines.
pub fn lines(base: &str, code: &PlainCode, mail: &str) -> String {
    let json = "-H 'content-type: application/json'";
    format!(
        r#"
The demo tenant is `{SLUG}`. Paste these lines into another terminal, one paragraph at a time.

Ask for a sign-in code, which is mailed to {mail}:

CHALLENGE=$(curl -s {base}/api/tenant/auth/otp/generate {json} -d '{{"tenant_slug":"{SLUG}"}}' | sed -n 's/.*"challenge_id":"\([^"]*\)".*/\1/p')

Type the six digits of that mail, and Enter:

read -r OTP

Sign in, create a project, and activate it with the code {code}:

TOKEN=$(curl -s {base}/api/tenant/auth/otp/verify {json} -d "{{\"challenge_id\":\"$CHALLENGE\",\"otp_code\":\"$OTP\"}}" | sed -n 's/.*"session_token":"\([^"]*\)".*/\1/p')
PROJECT=$(curl -s {base}/api/tenant/projects -H "authorization: Bearer $TOKEN" {json} -d '{{"client_name":"First client"}}' | sed -n 's/.*"id":"\(prj_[0-9a-f]*\)".*/\1/p')
curl -s {base}/api/tenant/projects/$PROJECT/activate -H "authorization: Bearer $TOKEN" {json} -d '{{"code":"{code}"}}'; echo
"#,
        code = code.reveal().as_str(),
    )
}

#[cfg(test)]
mod tests {
    use tenantry_domain::{KeyId, SeededEntropy, SystemClock, memory::MemoryStore};

    use super::*;

    #[tokio::test]
    async fn each_start_finds_or_makes_the_tenant_and_gives_a_fresh_code() {
        let entropy = SeededEntropy::new(1);
        let keys = KeyRing::parse(&KeyRing::generate_line(&KeyId::parse("k1").unwrap(), &entropy)).unwrap();
        let store = MemoryStore::new();
        let first = prepare(&store, &SystemClock, &entropy, &keys).await.unwrap();
        let second = prepare(&store, &SystemClock, &entropy, &keys).await.unwrap();
        assert_ne!(first.reveal(), second.reveal());
        let tenant = store.reader().tenant_by_slug(&Slug::parse(SLUG).unwrap()).await.unwrap().unwrap();
        assert_eq!(tenant.contact_email.as_str(), EMAIL);
    }

    #[tokio::test]
    async fn a_plan_that_is_left_from_a_start_that_failed_is_used() {
        let entropy = SeededEntropy::new(1);
        let keys = KeyRing::parse(&KeyRing::generate_line(&KeyId::parse("k1").unwrap(), &entropy)).unwrap();
        let store = MemoryStore::new();
        let cx = Context::system(SystemClock.now(), &entropy);
        let left = plan(&store, &cx).await.unwrap();
        assert_eq!(plan(&store, &cx).await.unwrap(), left);
        assert!(prepare(&store, &SystemClock, &entropy, &keys).await.is_ok());
    }

    #[test]
    fn the_lines_hold_the_address_and_the_code() {
        let code = PlainCode::generate(&SeededEntropy::new(1));
        let lines = lines("http://127.0.0.1:8080", &code, "this console");
        assert!(lines.contains("http://127.0.0.1:8080/api/tenant/auth/otp/generate -H 'content-type: application/json' -d '{\"tenant_slug\":\"demo\"}'"));
        assert!(lines.contains(&format!("-d '{{\"code\":\"{}\"}}'", code.reveal().as_str())));
    }
}
