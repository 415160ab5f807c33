//! Lists whose filters stand in their address.

use actix_web::http::StatusCode;
use tenantry_domain::Page;

use super::form::{Choice, Form};
use crate::problem::Problem;

/// What a list shows: what was found, or nothing where a filter can't be taken, and then its field says why.
pub(super) fn found<I>(asked: Form, found: Result<Page<I>, Problem>) -> Result<(StatusCode, Form, Page<I>), Problem> {
    match found {
        Ok(page) => Ok((StatusCode::OK, asked, page)),
        Err(problem) if !problem.fields.is_empty() => {
            let nothing = Page { items: Vec::new(), has_more: false, total: None };
            Ok((problem.code.status(), asked.refused(problem), nothing))
        }
        Err(problem) => Err(problem),
    }
}

/// The choices of a filter, and what was asked for instead of them, by an address from elsewhere.
pub(super) fn choices(all: &'static str, known: impl IntoIterator<Item = Choice>, asked: &str) -> Vec<Choice> {
    let mut choices: Vec<_> = std::iter::once(Choice::new("", all)).chain(known).collect();
    if !choices.iter().any(|choice| choice.value == asked) {
        choices.push(Choice::new(asked, asked));
    }
    choices
}
