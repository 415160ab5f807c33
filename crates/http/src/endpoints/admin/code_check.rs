//! What an activation with a code would answer, without one.

use actix_web::{HttpResponse, http::StatusCode, web};
use serde::{Deserialize, Serialize};
use tenantry_domain::{CheckCode, CheckedCode, Refusal, Scope, Timestamp, Usable, check_code, ports::Store};
use utoipa::ToSchema;
use zeroize::Zeroizing;

use super::code_records::CodeJson;
use crate::{
    body::JsonBody,
    endpoints::{Answer, State},
    extract::Operator,
    operation::{Operation, post},
    problem::{Fields, Problem},
    schema,
};

pub(crate) fn operations<S: Store>() -> Vec<Operation> {
    vec![
        post("/api/admin/codes/check", web::to(check::<S>))
            .scope(Scope::CodesRead)
            .says(
                "Check a code",
                "Says what an activation with this text would answer now, by the same rules, and takes nothing. Of several reasons the first \
                is told: of the text, the project, the tenant, its subscription, the code, the month's quota, in this order. A text that is \
                no code is a verdict, not an error.",
            )
            .body::<CheckJson>()
            .answers::<VerdictJson>(StatusCode::OK),
    ]
}

/// A code's text, and who would use it for what.
#[derive(Deserialize, ToSchema)]
#[schema(as = CheckCode)]
#[serde(deny_unknown_fields)]
struct CheckJson {
    /// The text as it was typed.
    #[schema(value_type = schema::CodeText)]
    code: Zeroizing<String>,
    /// Who would use it. Absent: whoever owns the project, else whoever owns the code.
    #[schema(value_type = Option<schema::TenantId>)]
    tenant_id: Option<String>,
    /// What it would activate. Absent: any pending project.
    #[schema(value_type = Option<schema::ProjectId>)]
    project_id: Option<String>,
}

impl CheckJson {
    fn parse(&self) -> Result<CheckCode<'_>, Problem> {
        let mut fields = Fields::default();
        let tenant = fields.take_optional("/tenant_id", self.tenant_id.as_deref().map(str::parse));
        let project = fields.take_optional("/project_id", self.project_id.as_deref().map(str::parse));
        match (tenant, project) {
            (Some(tenant), Some(project)) => Ok(CheckCode { text: &self.code, tenant, project }),
            _ => Err(fields.into_problem()),
        }
    }
}

/// What an activation would answer.
#[derive(Serialize, ToSchema)]
#[schema(as = Verdict)]
struct VerdictJson {
    /// Whether it would succeed.
    usable: bool,
    /// Why not: the `code` that the problem would have. Null where it would succeed.
    #[schema(example = "code_exhausted")]
    reason: Option<&'static str>,
    /// The same for people to read.
    detail: String,
    /// The code, whoever owns it; null where there is none.
    code: Option<CodeJson>,
}

/// The verdict, for people to read.
pub(crate) fn in_words(checked: &CheckedCode) -> String {
    match (&checked.verdict, &checked.code) {
        (Ok(Usable::Now), _) => "an activation takes one use of the code".to_owned(),
        (Ok(Usable::Again), _) => "this code has activated the project: doing so again takes nothing".to_owned(),
        (Err(Refusal::UnknownCode), Some(_)) => "the code belongs to another tenant".to_owned(),
        (Err(refusal), _) => refusal.to_string(),
    }
}

impl VerdictJson {
    fn of(checked: CheckedCode, now: Timestamp) -> Self {
        let detail = in_words(&checked);
        Self {
            usable: checked.verdict.is_ok(),
            reason: checked.verdict.err().map(|refusal| refusal.reason()),
            detail,
            code: checked.code.map(|code| CodeJson::at(now, code)),
        }
    }
}

/// Says whether a code can be used, and why not.
pub(crate) async fn check<S: Store>(state: State<S>, _who: Operator<S>, body: JsonBody) -> Answer {
    let asked = body.read::<CheckJson>().await?;
    let now = state.clock.now();
    let checked = check_code(&state.store, now, state.keys.as_ref(), asked.parse()?).await?;
    Ok(HttpResponse::Ok().json(VerdictJson::of(checked, now)))
}
