//! What a tenant says of itself, and how its console looks.

use actix_web::{http::StatusCode, web};
use askama::Template;
use tenantry_domain::{
    DomainName, Email, HexColor, HttpsUrl, ProfileChange, TenantId, TenantName, change_own_profile, ports::Store,
};

use super::colors::{self, Shown};
use crate::{
    console::{
        form::Form,
        form_body::FormBody,
        view::{Moment, Shell, page, see_other, tenant_shell},
    },
    endpoints::{Answer, State},
    extract::TenantSession,
    operation::{Operation, get, post},
    problem::{Fields, Problem},
};

const HERE: &str = "/tenant/profile";

pub(super) fn pages<S: Store>() -> Vec<Operation> {
    vec![
        get("/tenant/profile", web::to(show::<S>)).tenant(),
        post("/tenant/profile", web::to(save::<S>)).tenant(),
        get("/tenant/colors/{digits}.css", web::to(colors::style)).public(),
    ]
}

#[derive(Template)]
#[template(path = "console/tenant/profile.html")]
struct ProfilePage<'a> {
    shell: &'a Shell,
    form: Form,
    id: TenantId,
    slug: String,
    created_at: Moment,
    updated_at: Moment,
    /// The colour that the form has.
    color: Option<Shown>,
}

async fn show<S: Store>(state: State<S>, who: TenantSession<S>, asked: Form) -> Answer {
    answer(&state, &who, &asked, StatusCode::OK, Form::default())
}

/// Saves what was typed; or, where that is all that was asked for, shows what its colour would look like.
async fn save<S: Store>(state: State<S>, who: TenantSession<S>, body: FormBody) -> Answer {
    let form = body.read().await?;
    let saved = async {
        let change = profile(&form)?;
        if form.ticked("preview") {
            return Ok(false);
        }
        let (cx, session) = (who.context(&state), who.session.id);
        state
            .again(async || change_own_profile(&state.store, &cx, who.id(), session, change.clone(), &form.expected()).await)
            .await?;
        Ok::<_, Problem>(true)
    };
    match saved.await {
        Ok(true) => Ok(see_other(format!("{HERE}?done=saved"))),
        Ok(false) => answer(&state, &who, &Form::default(), StatusCode::OK, form),
        Err(problem) => answer(&state, &who, &Form::default(), problem.code.status(), form.refused(problem)),
    }
}

fn profile(form: &Form) -> Result<ProfileChange, Problem> {
    let mut fields = Fields::default();
    let name = fields.take("/name", TenantName::parse(form.value("name")));
    let contact_email = fields.take("/contact_email", Email::parse(form.value("contact_email")));
    let logo_url = fields.take_optional("/logo_url", form.optional("logo_url").map(HttpsUrl::parse));
    let primary_color = fields.take_optional("/primary_color", form.optional("primary_color").map(HexColor::parse));
    let domain = fields.take_optional("/domain", form.optional("domain").map(DomainName::parse));
    match (name, contact_email, logo_url, primary_color, domain) {
        (name @ Some(_), contact_email @ Some(_), logo_url @ Some(_), primary_color @ Some(_), domain @ Some(_)) => {
            Ok(ProfileChange { name, contact_email, logo_url, primary_color, domain })
        }
        _ => Err(fields.into_problem()),
    }
}

fn answer<S: Store>(state: &State<S>, who: &TenantSession<S>, asked: &Form, status: StatusCode, form: Form) -> Answer {
    let (tenant, branding) = (&who.tenant, &who.tenant.branding);
    let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
    let form = form
        .or("name", &tenant.name)
        .or("contact_email", tenant.contact_email.as_str())
        .or("logo_url", text(branding.logo_url.as_ref().map(HttpsUrl::as_str)))
        .or("primary_color", text(branding.primary_color.as_ref().map(HexColor::as_str)))
        .or("domain", text(branding.domain.as_ref().map(DomainName::as_str)))
        .or("version", tenant.version());
    let color = HexColor::parse(form.value("primary_color")).ok().map(|color| Shown::new(&color));
    let shell = tenant_shell(state, who, HERE, asked);
    let shown = ProfilePage {
        shell: &shell,
        form,
        id: tenant.id,
        slug: tenant.slug.to_string(),
        created_at: Moment(tenant.created_at),
        updated_at: Moment(tenant.updated_at),
        color,
    };
    page(&shell, status, &shown)
}
