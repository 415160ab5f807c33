//! Plans.

use actix_web::{
    HttpResponse,
    web::{Path, Query},
};
use serde::{Deserialize, Serialize};
use tenantry_domain::{
    Plan, PlanId, PlanName, Quota, Timestamp, create_plan,
    ports::{PlanReads as _, Store},
};

use crate::{
    body::JsonBody,
    endpoints::{Answer, State},
    extract::Operator,
    paging::{List, PageQuery, page_request},
    problem::{Fields, Problem},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewPlanJson {
    name: String,
    monthly_run_quota: i64,
}

#[derive(Serialize)]
struct PlanJson {
    id: PlanId,
    name: PlanName,
    monthly_run_quota: u32,
    archived_at: Option<Timestamp>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl From<Plan> for PlanJson {
    fn from(plan: Plan) -> Self {
        Self {
            id: plan.id,
            name: plan.name,
            monthly_run_quota: plan.monthly_run_quota.get(),
            archived_at: plan.archived_at,
            created_at: plan.created_at,
            updated_at: plan.updated_at,
        }
    }
}

/// All plans.
pub(crate) async fn list<S: Store>(state: State<S>, _who: Operator<S>, query: Query<PageQuery>) -> Answer {
    let page = page_request(query.limit, query.cursor.as_deref())?;
    let page = state.store.reader().plans_page(page).await?;
    Ok(HttpResponse::Ok().json(List::new(page, |plan| plan.id, PlanJson::from)))
}

/// Makes a plan.
pub(crate) async fn create<S: Store>(state: State<S>, who: Operator<S>, body: JsonBody) -> Answer {
    let new = body.read::<NewPlanJson>().await?;
    let mut fields = Fields::default();
    let name = fields.take("/name", PlanName::parse(&new.name));
    let quota = fields.take("/monthly_run_quota", Quota::new(new.monthly_run_quota));
    let (Some(name), Some(quota)) = (name, quota) else { return Err(fields.into_problem()) };
    let plan = create_plan(&state.store, &who.context(&state), name, quota).await?;
    let location = format!("/api/admin/plans/{}", plan.id);
    Ok(HttpResponse::Created().insert_header(("location", location)).json(PlanJson::from(plan)))
}

/// One plan.
pub(crate) async fn read<S: Store>(state: State<S>, _who: Operator<S>, id: Path<PlanId>) -> Answer {
    let plan = state.store.reader().plan(*id).await?.ok_or_else(Problem::not_found)?;
    Ok(HttpResponse::Ok().json(PlanJson::from(plan)))
}
