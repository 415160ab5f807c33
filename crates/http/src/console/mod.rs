//! The two consoles: pages for operators below `/admin`, and for tenants below `/tenant`.
//!
//! A page calls the same use cases as the API, and no rule lives here. Each file has the pages of one thing: its routes, its forms, its
//! templates, whose texts are in `templates/console`. Everything works by links and forms alone; htmx, which follows them without loading the
//! frame anew, and `console.js` make it quicker and nothing more.
//!
//! What was sent and done is answered with 303 to a page that shows it, and says so by a word in its address (`?done=saved`). A form that is
//! refused comes back as it was sent, with what is wrong beside each field. What is shown once is answered at once, and kept under the form's
//! own idempotency key, so that reloading it neither does it again nor loses it.

mod admin;
mod agent;
mod assets;
pub(crate) mod bootstrap;
mod cookie;
mod events;
mod form;
mod form_body;
mod list;
mod refusal;
mod sessions;
mod sign_in;
mod tenant;
mod view;
mod webhooks;

use std::collections::BTreeSet;

use actix_web::{
    HttpRequest, HttpResponse,
    http::Method,
    web::{self, ServiceConfig},
};
use tenantry_domain::ports::Store;

use self::view::see_other;
pub(crate) use self::{
    cookie::Door,
    form::Form,
    refusal::{Reader, refusal},
};
use crate::{
    operation::{Operation, get},
    routes::register,
};

/// Every page.
pub(crate) fn pages<S: Store>() -> Vec<Operation> {
    [sign_in::pages::<S>(), tenant::pages::<S>(), admin::pages::<S>()].into_iter().flatten().collect()
}

/// Registers every page but the one-time link's, and what pages load.
pub(crate) fn configure<S: Store>(config: &mut ServiceConfig) {
    let mut pages = pages::<S>();
    let read: BTreeSet<_> = pages.iter().filter(|page| page.method == Method::GET).map(|page| page.path).collect();
    let sent: BTreeSet<_> = pages.iter().map(|page| page.path).filter(|path| !read.contains(path)).collect();
    pages.extend(sent.into_iter().map(|path| get(path, web::to(up)).public()));
    register(config, pages);
    config
        .service(web::redirect("/", Door::Tenant.home()))
        .service(web::resource("/assets/{digest}/{name}").route(web::get().to(assets::file)));
}

/// Who comes back to where a form was sent, by hand or by its history, is taken to the page that has the form.
async fn up(request: HttpRequest) -> HttpResponse {
    see_other(request.path().rsplit_once('/').map_or("/", |(page, _)| page))
}
