//! The endpoints, a file for each thing that they are about. Each extracts, calls a use case, and answers.

pub(crate) mod admin;
pub(crate) mod bootstrap;
pub(crate) mod certificate_keys;
pub(crate) mod docs;
pub(crate) mod events;
pub(crate) mod health;
pub(crate) mod tenant;
pub(crate) mod webhooks;

use actix_web::{HttpResponse, web::Data};

use crate::{problem::Problem, state::AppState};

/// What an endpoint answers.
pub(crate) type Answer = Result<HttpResponse, Problem>;

/// What endpoints work with, as actix hands it to them.
pub(crate) type State<S> = Data<AppState<S>>;
