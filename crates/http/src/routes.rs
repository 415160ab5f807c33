//! The table of all paths.

use std::future::ready;

use actix_web::{
    HttpResponse, Resource, Route, guard,
    http::Method,
    web::{self, ServiceConfig},
};
use tenantry_domain::{Transition, ports::Store};

use crate::{
    endpoints::{
        admin::{codes, plans, projects as all_projects, tenants},
        health,
        tenant::{activation, auth, codes as own_codes, projects, sessions, usage},
    },
    problem::Problem,
};

/// Registers every path.
pub(crate) fn configure<S: Store>(config: &mut ServiceConfig) {
    config
        .service(resource("/health/live", [get(web::to(health::live))]))
        .service(resource("/health/ready", [get(web::to(health::ready::<S>))]))
        // Tenants
        .service(resource("/api/tenant/auth/otp/generate", [post(web::to(auth::generate_otp::<S>))]))
        .service(resource("/api/tenant/auth/otp/verify", [post(web::to(auth::verify_otp::<S>))]))
        .service(resource("/api/tenant/auth/session", [get(web::to(sessions::current::<S>))]))
        .service(resource("/api/tenant/auth/refresh", [post(web::to(sessions::refresh::<S>))]))
        .service(resource("/api/tenant/auth/logout", [post(web::to(sessions::sign_out::<S>))]))
        .service(resource("/api/tenant/auth/sessions", [get(web::to(sessions::list::<S>))]))
        .service(resource("/api/tenant/auth/sessions/revoke-all", [post(web::to(sessions::revoke_all::<S>))]))
        .service(resource("/api/tenant/auth/sessions/{id}", [delete(web::to(sessions::revoke::<S>))]))
        .service(resource("/api/tenant/usage", [get(web::to(usage::read::<S>))]))
        .service(resource("/api/tenant/codes", [get(web::to(own_codes::list::<S>))]))
        .service(resource("/api/tenant/projects", [get(web::to(projects::list::<S>)), post(web::to(projects::create::<S>))]))
        .service(resource(
            "/api/tenant/projects/{id}",
            [
                get(web::to(projects::read::<S>)),
                patch(web::to(projects::change::<S>)),
                put(web::to(projects::replace::<S>)),
                delete(web::to(projects::delete::<S>)),
            ],
        ))
        .service(resource("/api/tenant/projects/{id}/activate", [post(web::to(activation::activate::<S>))]))
        .service(resource("/api/tenant/projects/{id}/pause", [post(transition::<S>(Transition::Pause))]))
        .service(resource("/api/tenant/projects/{id}/resume", [post(transition::<S>(Transition::Resume))]))
        .service(resource("/api/tenant/projects/{id}/complete", [post(transition::<S>(Transition::Complete))]))
        // Operators
        .service(resource("/api/admin/plans", [get(web::to(plans::list::<S>)), post(web::to(plans::create::<S>))]))
        .service(resource("/api/admin/plans/{id}", [get(web::to(plans::read::<S>))]))
        .service(resource("/api/admin/tenants", [get(web::to(tenants::list::<S>)), post(web::to(tenants::create::<S>))]))
        .service(resource("/api/admin/tenants/{id}", [get(web::to(tenants::read::<S>)), delete(web::to(tenants::delete::<S>))]))
        .service(resource("/api/admin/tenants/{id}/suspend", [post(web::to(tenants::suspend::<S>))]))
        .service(resource("/api/admin/tenants/{id}/resume", [post(web::to(tenants::resume::<S>))]))
        .service(resource("/api/admin/tenants/{id}/codes", [post(web::to(codes::issue::<S>))]))
        .service(resource("/api/admin/projects", [get(web::to(all_projects::list::<S>))]))
        .service(resource("/api/admin/projects/{id}/assign", [post(web::to(all_projects::assign::<S>))]))
        .default_service(web::to(|| ready(Err::<HttpResponse, _>(Problem::not_found()))));
}

fn transition<S: Store>(transition: Transition) -> Route {
    web::to(move |state, session, path| projects::transition::<S>(state, session, path, transition))
}

/// A path with its methods; another method is answered 405, with the ones that there are.
fn resource<const N: usize>(path: &str, methods: [(Method, Route); N]) -> Resource {
    let names: Vec<&str> =
        methods.iter().map(|(method, _)| if method == Method::GET { "GET, HEAD" } else { method.as_str() }).collect();
    let allow = names.join(", ");
    let wrong = web::to(move || ready(Err::<HttpResponse, _>(Problem::method_not_allowed(&allow))));
    let resource = methods.into_iter().fold(web::resource(path), |resource, (method, route)| match method {
        Method::GET => resource.route(route.guard(guard::Any(guard::Get()).or(guard::Head()))),
        method => resource.route(route.method(method)),
    });
    resource.default_service(wrong)
}

fn get(route: Route) -> (Method, Route) {
    (Method::GET, route)
}

fn post(route: Route) -> (Method, Route) {
    (Method::POST, route)
}

fn put(route: Route) -> (Method, Route) {
    (Method::PUT, route)
}

fn patch(route: Route) -> (Method, Route) {
    (Method::PATCH, route)
}

fn delete(route: Route) -> (Method, Route) {
    (Method::DELETE, route)
}
