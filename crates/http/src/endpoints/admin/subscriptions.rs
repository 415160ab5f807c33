//! Tenants' subscriptions.

use actix_web::{
    HttpResponse,
    http::StatusCode,
    web::{self, Path},
};
use serde::{Deserialize, Serialize};
use tenantry_domain::{
    InvalidValue, NewTerms, PlanId, Scope, Subscription, SubscriptionState, TenantId, Timestamp,
    ports::{Store, TenantReads as _},
    set_subscription,
};
use utoipa::ToSchema;

use crate::{
    body::JsonBody,
    conditional::{IfMatch, IfNoneMatch, etag},
    endpoints::{Answer, State},
    extract::Operator,
    operation::{Operation, get, put},
    problem::{Fields, Problem},
    schema,
};

pub(crate) fn operations<S: Store>() -> Vec<Operation> {
    vec![
        get("/api/admin/tenants/{id}/subscription", web::to(read::<S>))
            .scope(Scope::TenantsRead)
            .says("Read a subscription", "Which plan a tenant is on, and how its payments stand.")
            .id::<schema::TenantId>()
            .answers::<SubscriptionJson>(StatusCode::OK)
            .versioned(),
        put("/api/admin/tenants/{id}/subscription", web::to(replace::<S>))
            .scope(Scope::TenantsWrite)
            .says(
                "Set a subscription",
                "active: everything. trialing: one project. past_due: existing projects go on, nothing new and no activation. unpaid, \
                canceled, suspended: read only. No activation that has not seen the change comes after this answer. Nobody is moved to an \
                archived plan.",
            )
            .id::<schema::TenantId>()
            .body::<SetSubscriptionJson>()
            .answers::<SubscriptionJson>(StatusCode::OK)
            .conditional(),
    ]
}

/// Which plan a tenant is on, and how its payments stand.
#[derive(Serialize, ToSchema)]
#[schema(as = Subscription)]
pub(crate) struct SubscriptionJson {
    #[schema(value_type = schema::PlanId)]
    plan_id: PlanId,
    #[schema(value_type = schema::SubscriptionState)]
    state: &'static str,
    /// Inclusive.
    #[schema(value_type = schema::Moment)]
    current_period_start: Timestamp,
    /// Exclusive.
    #[schema(value_type = schema::Moment)]
    current_period_end: Timestamp,
    #[schema(value_type = schema::Moment)]
    created_at: Timestamp,
    #[schema(value_type = schema::Moment)]
    updated_at: Timestamp,
}

impl From<Subscription> for SubscriptionJson {
    fn from(subscription: Subscription) -> Self {
        Self {
            plan_id: subscription.plan_id,
            state: subscription.state.as_str(),
            current_period_start: subscription.current_period_start,
            current_period_end: subscription.current_period_end,
            created_at: subscription.created_at,
            updated_at: subscription.updated_at,
        }
    }
}

/// How a subscription is to stand.
#[derive(Deserialize, ToSchema)]
#[schema(as = SetSubscription)]
#[serde(deny_unknown_fields)]
pub(crate) struct SetSubscriptionJson {
    #[schema(value_type = schema::PlanId)]
    pub plan_id: String,
    #[schema(value_type = schema::SubscriptionState)]
    pub state: String,
    /// Inclusive; absent: as it was.
    #[schema(value_type = Option<schema::Moment>)]
    pub current_period_start: Option<String>,
    /// Exclusive, and after the start; absent: as it was.
    #[schema(value_type = Option<schema::Moment>)]
    pub current_period_end: Option<String>,
}

impl SetSubscriptionJson {
    pub fn parse(&self) -> Result<NewTerms, Problem> {
        let mut fields = Fields::default();
        let plan_id = fields.take("/plan_id", self.plan_id.parse());
        let state = fields.take("/state", SubscriptionState::parse(&self.state));
        let start = fields.parse_optional("/current_period_start", self.current_period_start.as_ref(), moment);
        let end = fields.parse_optional("/current_period_end", self.current_period_end.as_ref(), moment);
        match (plan_id, state, start, end) {
            (Some(plan_id), Some(state), Some(current_period_start), Some(current_period_end)) => {
                Ok(NewTerms { plan_id, state, current_period_start, current_period_end })
            }
            _ => Err(fields.into_problem()),
        }
    }
}

fn moment(text: &str) -> Result<Timestamp, InvalidValue> {
    text.parse()
}

/// A tenant's subscription.
async fn read<S: Store>(state: State<S>, _who: Operator<S>, id: Path<TenantId>, seen: IfNoneMatch) -> Answer {
    let subscription = state.store.reader().subscription(*id).await?.ok_or_else(Problem::not_found)?;
    Ok(seen.answer(subscription.version(), SubscriptionJson::from(subscription)))
}

/// Sets a tenant's subscription as a whole.
async fn replace<S: Store>(state: State<S>, who: Operator<S>, id: Path<TenantId>, if_match: IfMatch, body: JsonBody) -> Answer {
    let expected = if_match.expected()?;
    let terms = body.read::<SetSubscriptionJson>().await?.parse()?;
    let subscription =
        state.again(async || set_subscription(&state.store, &who.context(&state), *id, terms, &expected).await).await?;
    Ok(HttpResponse::Ok().insert_header(etag(subscription.version())).json(SubscriptionJson::from(subscription)))
}
