//! Problems as pages, for whoever sits at a browser.

use actix_web::{
    HttpResponse,
    http::{
        Method, StatusCode,
        header::{ACCEPT, HeaderMap},
    },
};
use askama::Template;

use super::{
    cookie::Door,
    sign_in::sign_in_address,
    view::{Shell, page, see_other},
};
use crate::{errors::ErrorCode, problem::Problem, state::ConsoleSettings};

/// Where a problem came up that is to be told as a page.
#[derive(Clone, Debug)]
pub(crate) struct Reader {
    door: Door,
    /// The page that was asked for; `None` where something was sent.
    wanted: Option<String>,
    brand: String,
}

impl Reader {
    /// Who reads what the request is answered, if it is a person: a browser that asks for a page, outside the API.
    pub fn of(method: &Method, path_and_query: &str, headers: &HeaderMap, console: &ConsoleSettings) -> Option<Self> {
        let asks = headers.get(ACCEPT).is_some_and(|accept| accept.to_str().is_ok_and(|types| types.contains("text/html")));
        if !asks || path_and_query.starts_with("/api/") {
            return None;
        }
        let path = path_and_query.split('?').next().unwrap_or_default();
        let wanted = (method == Method::GET).then(|| path_and_query.to_owned());
        Some(Self { door: Door::of(path).unwrap_or(Door::Tenant), wanted, brand: console.brand.clone() })
    }
}

#[derive(Template)]
#[template(path = "console/refusal.html")]
struct RefusalPage<'a> {
    shell: &'a Shell,
    title: &'static str,
    detail: &'a str,
    signed_out: bool,
    request_id: &'a str,
}

/// The page that tells of a problem. Who isn't signed in and wanted to read is sent to where one signs in.
pub(crate) fn refusal(reader: &Reader, problem: &Problem, request_id: &str) -> Option<HttpResponse> {
    let signed_out = problem.code == ErrorCode::Unauthenticated;
    if let (true, Some(wanted)) = (signed_out, &reader.wanted) {
        return Some(see_other(sign_in_address(reader.door, wanted)));
    }
    let shell = Shell { brand: reader.brand.clone(), door: reader.door, who: None, here: "", done: None };
    let detail = match (signed_out, problem.fields.first()) {
        (true, _) => "Your session has ended, and nothing was changed.",
        (false, Some(field)) => &field.detail,
        (false, None) => &problem.detail,
    };
    let told = RefusalPage { shell: &shell, title: title(problem.code), detail, signed_out, request_id };
    let mut response = page(&shell, problem.code.status(), &told).ok()?;
    for (name, value) in problem.head(StatusCode::OK).finish().headers() {
        response.headers_mut().insert(name.clone(), value.clone());
    }
    Some(response)
}

const fn title(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::Unauthenticated => "You are not signed in",
        ErrorCode::NotFound => "There is no such page",
        ErrorCode::Forbidden => "You may not do this",
        ErrorCode::RateLimited => "Too often",
        ErrorCode::Unavailable => "Just a moment",
        ErrorCode::Internal => "Something went wrong here",
        other => other.title(),
    }
}
