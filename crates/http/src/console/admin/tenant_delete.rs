//! A tenant's end: what goes with it, and the name to be typed.

use actix_web::{
    http::StatusCode,
    web::{self, Path},
};
use askama::Template;
use tenantry_domain::{
    Holdings, Scope, Tenant, TenantId, delete_tenant,
    ports::{Store, TenantReads as _},
};

use super::{dashboard::grouped, tenant::find};
use crate::{
    console::{
        form::Form,
        form_body::FormBody,
        view::{Shell, admin_shell, page, see_other},
    },
    endpoints::{Answer, State},
    extract::Operator,
    operation::{Operation, get, post},
    problem::Problem,
};

const HERE: &str = "/admin/tenants";

pub(super) fn pages<S: Store>() -> Vec<Operation> {
    vec![
        get("/admin/tenants/{id}/delete", web::to(preview::<S>)).scope(Scope::TenantsWrite),
        post("/admin/tenants/{id}/delete", web::to(delete::<S>)).scope(Scope::TenantsWrite),
    ]
}

#[derive(Template)]
#[template(path = "console/admin/tenant_delete.html")]
struct DeleteTenantPage<'a> {
    shell: &'a Shell,
    form: Form,
    id: TenantId,
    name: String,
    slug: String,
    figures: [(&'static str, String); 4],
}

/// Says what would go with the tenant.
async fn preview<S: Store>(state: State<S>, who: Operator<S>, id: Path<TenantId>) -> Answer {
    let tenant = find(&state, *id).await?;
    answer(&state, &who, StatusCode::OK, &tenant, Form::default()).await
}

/// Deletes the tenant whose account was typed to say that it is meant.
async fn delete<S: Store>(state: State<S>, who: Operator<S>, id: Path<TenantId>, body: FormBody) -> Answer {
    let form = body.read().await?;
    let tenant = find(&state, *id).await?;
    let deleted = async {
        form.confirms("confirm", tenant.slug.as_str())?;
        state.again(async || delete_tenant(&state.store, &who.context(&state), *id, &form.expected()).await).await
    };
    match deleted.await {
        Ok(()) => Ok(see_other(format!("{HERE}?done=deleted"))),
        Err(problem) => answer(&state, &who, problem.code.status(), &tenant, form.refused(problem)).await,
    }
}

async fn answer<S: Store>(state: &State<S>, who: &Operator<S>, status: StatusCode, tenant: &Tenant, form: Form) -> Answer {
    let holdings = state.store.reader().count_holdings(tenant.id).await?.ok_or_else(Problem::not_found)?;
    let Holdings { projects, codes, sessions, live_redemptions, returned_redemptions } = holdings;
    let redemptions = live_redemptions.saturating_add(returned_redemptions);
    let figures = [("Projects", projects), ("Codes", codes), ("Activations", redemptions), ("Sessions", sessions)];
    let shell = admin_shell(state, who, HERE, &Form::default());
    let shown = DeleteTenantPage {
        shell: &shell,
        form: form.or("confirm", "").or("version", tenant.version()),
        id: tenant.id,
        name: tenant.name.to_string(),
        slug: tenant.slug.to_string(),
        figures: figures.map(|(label, count)| (label, grouped(count))),
    };
    page(&shell, status, &shown)
}
