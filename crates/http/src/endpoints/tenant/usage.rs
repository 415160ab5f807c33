//! A tenant's quota and codes at a glance.

use actix_web::HttpResponse;
use serde_json::json;
use tenantry_domain::{
    CodeStatus,
    ports::{CodeReads as _, LedgerReads as _, Store, TenantReads as _},
};

use crate::{
    endpoints::{Answer, State},
    extract::TenantSession,
    problem::Problem,
};

/// The month's quota and use, and how many codes have each status.
pub(crate) async fn read<S: Store>(state: State<S>, who: TenantSession<S>) -> Answer {
    let now = state.clock.now();
    let month = now.month();
    let mut reader = state.store.reader();
    let entitlement = reader.entitlement(who.id()).await?.ok_or_else(Problem::not_found)?;
    let used = reader.activations_in(who.id(), month).await?;
    let counts = reader.count_codes(who.id(), now).await?;
    let codes: serde_json::Map<_, _> =
        CodeStatus::ALL.into_iter().zip(counts).map(|(status, count)| (status.as_str().to_owned(), json!(count))).collect();
    Ok(HttpResponse::Ok().json(json!({
        "subscription_state": entitlement.state.as_str(),
        "monthly_run_quota": entitlement.quota.get(),
        "used_this_month": used,
        "month_ends_at": month.end(),
        "codes": codes,
    })))
}
