//! Forms as browsers send them, read with the bounds of every body.

use std::future::{Ready, ready};

use actix_web::{FromRequest, HttpRequest, dev::Payload, web::Bytes};

use super::form::{Form, readable};
use crate::{
    body::{Body, MediaType},
    problem::Problem,
};

/// A form that hasn't been read.
pub(super) struct FormBody(Body);

impl FromRequest for FormBody {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        ready(Ok(Self(Body::of(request, payload))))
    }
}

impl FormBody {
    /// Reads the form.
    pub async fn read(mut self) -> Result<Form, Problem> {
        self.receive().await.map(|sent| Form::parse(&sent))
    }

    /// Reads the bytes that were sent, which are readable.
    pub async fn receive(&mut self) -> Result<Bytes, Problem> {
        let sent = self.0.receive(MediaType::Form).await?;
        readable(&sent).map(|()| sent)
    }
}
