//! Activation of a project.

use actix_web::{HttpResponse, web::Path};
use serde::Deserialize;
use tenantry_domain::{ActivateProject, ActivateWith, InvalidValue, PlainCode, ProjectId, activate_project, ports::Store};
use zeroize::Zeroizing;

use super::projects::ProjectJson;
use crate::{
    body::JsonBody,
    endpoints::{Answer, State},
    extract::TenantSession,
    problem::Problem,
};

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ActivateJson {
    code: Option<Zeroizing<String>>,
    activation_code_id: Option<String>,
}

impl ActivateJson {
    fn into_choice(self) -> Result<ActivateWith, Problem> {
        match (self.code, self.activation_code_id) {
            (Some(text), None) => PlainCode::parse(&text).map(ActivateWith::Code).map_err(Problem::code_malformed),
            (None, Some(id)) => {
                id.parse().map(ActivateWith::CodeId).map_err(|invalid| Problem::field("/activation_code_id", invalid))
            }
            (None, None) => Ok(ActivateWith::NextAvailable),
            (Some(_), Some(_)) => {
                let both = InvalidValue::new("exclusive", "send `code` or `activation_code_id`, not both");
                Err(Problem::field("/activation_code_id", both))
            }
        }
    }
}

/// Activates a project by a code's text, a code's id, or whichever code is available.
pub(crate) async fn activate<S: Store>(state: State<S>, who: TenantSession<S>, id: Path<ProjectId>, body: JsonBody) -> Answer {
    let with = body.read_or_default::<ActivateJson>().await?.into_choice()?;
    let request = ActivateProject { tenant: who.id(), project: *id, with };
    let project = activate_project(&state.store, &who.context(&state), state.keys.as_ref(), &request).await?;
    Ok(HttpResponse::Ok().json(ProjectJson::from(project)))
}
