//! A tenant's quota and codes at a glance.

use actix_web::{HttpResponse, http::StatusCode, web};
use serde::Serialize;
use tenantry_domain::{
    Timestamp,
    ports::{CodeReads as _, LedgerReads as _, Store, TenantReads as _},
};
use utoipa::ToSchema;

use crate::{
    endpoints::{Answer, State},
    errors::ErrorCode,
    extract::TenantSession,
    operation::{Operation, get},
    problem::Problem,
    schema,
};

pub(crate) fn operations<S: Store>() -> Vec<Operation> {
    vec![
        get("/api/tenant/usage", web::to(read::<S>))
            .tenant()
            .says("Read the month's usage", "The quota and what is used of it, and how many codes have each status.")
            .answers::<UsageJson>(StatusCode::OK)
            .refuses(&[ErrorCode::NotFound]),
    ]
}

/// A tenant's quota and codes.
#[derive(Serialize, ToSchema)]
#[schema(as = Usage)]
struct UsageJson {
    #[schema(value_type = schema::SubscriptionState)]
    subscription_state: &'static str,
    /// Activations a calendar month (UTC).
    monthly_run_quota: u32,
    /// Activations so far.
    used_this_month: u32,
    /// When more follow.
    #[schema(value_type = schema::Moment)]
    month_ends_at: Timestamp,
    codes: CodeCountsJson,
}

/// How many codes have each status.
#[derive(Serialize, ToSchema)]
#[schema(as = CodeCounts)]
pub(crate) struct CodeCountsJson {
    revoked: u64,
    expired: u64,
    exhausted: u64,
    active: u64,
}

impl From<[u64; 4]> for CodeCountsJson {
    /// Takes the counts in the order of [`CodeStatus::ALL`](tenantry_domain::CodeStatus::ALL).
    fn from([revoked, expired, exhausted, active]: [u64; 4]) -> Self {
        Self { revoked, expired, exhausted, active }
    }
}

/// The month's quota and use, and how many codes have each status.
pub(crate) async fn read<S: Store>(state: State<S>, who: TenantSession<S>) -> Answer {
    let now = state.clock.now();
    let month = now.month();
    let mut reader = state.store.reader();
    let entitlement = reader.entitlement(who.id()).await?.ok_or_else(Problem::not_found)?;
    let used = reader.activations_in(who.id(), month).await?;
    let counts = reader.count_codes(who.id(), now).await?;
    Ok(HttpResponse::Ok().json(UsageJson {
        subscription_state: entitlement.state.as_str(),
        monthly_run_quota: entitlement.quota.get(),
        used_this_month: used,
        month_ends_at: month.end(),
        codes: counts.into(),
    }))
}
