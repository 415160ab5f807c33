//! One operation of the API: what serves it, who may call it, and what the document says of it.
//!
//! The same value is registered with actix and read by `openapi`, so that what is served and what is documented can't differ. A server
//! registers it alone: what is said of an operation is in a program only where the feature `openapi` is.

use std::collections::BTreeSet;

use actix_web::{
    Route,
    http::{Method, StatusCode},
};
use tenantry_domain::Scope;
use utoipa::{
    IntoParams, PartialSchema, ToSchema,
    openapi::{
        Content, ContentBuilder, Header, HeaderBuilder, Ref, RefOr, Required, ResponseBuilder,
        path::{Parameter, ParameterBuilder, ParameterIn},
        request_body::{RequestBody, RequestBodyBuilder},
        response::Response,
        schema::Schema,
    },
};

use crate::{errors::ErrorCode, observer::Occasion, schema};

/// Who may call an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Anybody.
    Public,
    /// A tenant that is signed in.
    Tenant,
    /// An operator who is signed in, whatever it may do.
    AnyOperator,
    /// An operator, or an API key, that has the scope.
    Operator(Scope),
}

/// A named schema, as the document's components hold it.
pub(crate) type NamedSchema = (String, RefOr<Schema>);

/// An operation.
pub(crate) struct Operation {
    pub method: Method,
    pub path: &'static str,
    pub route: Route,
    pub access: Access,
    pub occasion: Option<Occasion>,
    /// What it is said to be, in the order in which it is said.
    #[cfg(any(test, feature = "openapi"))]
    said: Vec<Saying>,
}

#[cfg(any(test, feature = "openapi"))]
type Saying = Box<dyn FnOnce(&mut Doc)>;

/// What the document says of an operation.
#[derive(Default)]
pub(crate) struct Doc {
    pub summary: &'static str,
    pub description: &'static str,
    pub parameters: Vec<Parameter>,
    pub body: Option<RequestBody>,
    pub answers: Vec<(StatusCode, Response)>,
    pub refusals: BTreeSet<ErrorCode>,
    pub schemas: Vec<NamedSchema>,
}

pub(crate) fn get(path: &'static str, route: Route) -> Operation {
    Operation::new(Method::GET, path, route)
}

pub(crate) fn post(path: &'static str, route: Route) -> Operation {
    Operation::new(Method::POST, path, route)
}

pub(crate) fn put(path: &'static str, route: Route) -> Operation {
    Operation::new(Method::PUT, path, route)
}

pub(crate) fn patch(path: &'static str, route: Route) -> Operation {
    Operation::new(Method::PATCH, path, route)
}

pub(crate) fn delete(path: &'static str, route: Route) -> Operation {
    Operation::new(Method::DELETE, path, route)
}

impl Operation {
    /// Until an operation says otherwise, it is for a scope that is only an owner's: forgetting to say so opens nothing.
    fn new(method: Method, path: &'static str, route: Route) -> Self {
        let operation = Self {
            method,
            path,
            route,
            access: Access::Operator(Scope::OperatorsWrite),
            occasion: None,
            #[cfg(any(test, feature = "openapi"))]
            said: Vec::new(),
        };
        operation.refuses(&[ErrorCode::BadRequest, ErrorCode::ValidationFailed, ErrorCode::Internal, ErrorCode::Unavailable])
    }

    /// What the document says of it.
    #[cfg(any(test, feature = "openapi"))]
    pub fn doc(&mut self) -> Doc {
        let mut doc = Doc::default();
        for say in self.said.drain(..) {
            say(&mut doc);
        }
        doc
    }

    #[cfg(any(test, feature = "openapi"))]
    fn say(mut self, say: impl FnOnce(&mut Doc) + 'static) -> Self {
        self.said.push(Box::new(say));
        self
    }

    #[cfg(not(any(test, feature = "openapi")))]
    fn say(self, _: impl FnOnce(&mut Doc) + 'static) -> Self {
        self
    }

    /// How its requests come out is counted.
    pub fn counted(mut self, occasion: Occasion) -> Self {
        self.occasion = Some(occasion);
        self
    }

    /// Anybody may call it.
    pub fn public(mut self) -> Self {
        self.access = Access::Public;
        self
    }

    /// Anybody may call it, while they are no part of a flood: it takes a `Stranger`.
    pub fn door(self) -> Self {
        self.public().refuses(&[ErrorCode::RateLimited])
    }

    /// A tenant that is signed in may call it.
    pub fn tenant(mut self) -> Self {
        self.access = Access::Tenant;
        self.refuses(&[ErrorCode::Unauthenticated, ErrorCode::RateLimited])
    }

    /// Every operator who is signed in may call it.
    pub fn any_operator(mut self) -> Self {
        self.access = Access::AnyOperator;
        self.refuses(&[ErrorCode::Unauthenticated, ErrorCode::RateLimited])
    }

    /// An operator with this scope may call it.
    pub fn scope(mut self, scope: Scope) -> Self {
        self.access = Access::Operator(scope);
        self.refuses(&[ErrorCode::Unauthenticated, ErrorCode::RateLimited, ErrorCode::Forbidden])
    }

    /// What it does, in a few words that also name it in clients (`List plans` is `list_plans`), and in some more.
    pub fn says(self, summary: &'static str, description: &'static str) -> Self {
        self.say(move |doc| (doc.summary, doc.description) = (summary, description))
    }

    /// The kind of the path's `{id}`.
    pub fn id<K: ToSchema>(self) -> Self {
        self.path_parameter::<K>("id")
    }

    /// A parameter of the path.
    pub fn path_parameter<T: ToSchema>(self, name: &'static str) -> Self {
        let says = self.say(move |doc| {
            let parameter = ParameterBuilder::new().name(name).parameter_in(ParameterIn::Path).required(Required::True);
            let schema = doc.schema::<T>();
            doc.parameters.push(parameter.schema(Some(schema)).build());
        });
        says.refuses(&[ErrorCode::NotFound])
    }

    /// The parameters of the query.
    pub fn query<Q: IntoParams>(self) -> Self {
        self.say(|doc| doc.parameters.extend(Q::into_params(|| Some(ParameterIn::Query))))
    }

    /// A header that may be sent.
    pub fn header(self, name: &'static str, says: &'static str) -> Self {
        self.header_as::<String>(name, says)
    }

    /// The same, with what its value may be.
    fn header_as<T: PartialSchema>(self, name: &'static str, says: &'static str) -> Self {
        self.say(move |doc| {
            let parameter = ParameterBuilder::new().name(name).parameter_in(ParameterIn::Header).description(Some(says));
            doc.parameters.push(parameter.required(Required::False).schema(Some(T::schema())).build());
        })
    }

    /// The JSON that is sent.
    pub fn body<B: ToSchema>(self) -> Self {
        self.takes::<B>("application/json", Required::True).refuses(&[ErrorCode::MalformedJson])
    }

    /// The JSON that may be sent.
    pub fn optional_body<B: ToSchema>(self) -> Self {
        self.takes::<B>("application/json", Required::False).refuses(&[ErrorCode::MalformedJson])
    }

    /// A body of another media type than JSON.
    pub fn takes<B: ToSchema>(self, media_type: &'static str, required: Required) -> Self {
        let says = self.say(move |doc| {
            let content = ContentBuilder::new().schema(Some(doc.schema::<B>())).build();
            doc.body = Some(RequestBodyBuilder::new().content(media_type, content).required(Some(required)).build());
        });
        says.refuses(&[ErrorCode::PayloadTooLarge, ErrorCode::UnsupportedMediaType, ErrorCode::RequestTimeout])
    }

    /// The JSON that is answered with this status.
    pub fn answers<T: ToSchema>(self, status: StatusCode) -> Self {
        let located = status == StatusCode::CREATED && !self.path.contains("/api/tenant/auth/");
        self.say(move |doc| {
            let content = ContentBuilder::new().schema(Some(doc.schema::<T>())).build();
            let mut response = success(status).content("application/json", content);
            if located {
                response = response.header("Location", text_header("Where what was made is, if it has an address."));
            }
            doc.answers.push((status, response.build()));
        })
    }

    /// The last answer also as CSV, for a request whose `Accept` asks for `text/csv`.
    pub fn or_csv(self) -> Self {
        self.say(|doc| {
            if let Some((_, response)) = doc.answers.last_mut() {
                response.content.insert("text/csv".to_owned(), RefOr::T(text_content()));
            }
        })
    }

    /// CSV that is answered.
    pub fn answers_csv(self) -> Self {
        self.say(|doc| {
            let response = success(StatusCode::OK).content("text/csv", text_content()).build();
            doc.answers.push((StatusCode::OK, response));
        })
    }

    /// An answer without a body.
    pub fn answers_nothing(self) -> Self {
        self.say(|doc| doc.answers.push((StatusCode::NO_CONTENT, success(StatusCode::NO_CONTENT).build())))
    }

    /// A header of the last answer that was named.
    pub fn with_header(self, name: &'static str, says: &'static str) -> Self {
        self.say(move |doc| doc.with_header(name, says))
    }

    /// It has a version: the answer carries an `ETag`, and `If-None-Match` is heeded.
    pub fn versioned(self) -> Self {
        let versioned = self.with_header("ETag", "The version that was answered.");
        let versioned =
            versioned.say(|doc| doc.answers.push((StatusCode::NOT_MODIFIED, success(StatusCode::NOT_MODIFIED).build())));
        versioned.header("If-None-Match", "An `ETag`: answers 304 without a body while that is still the version.")
    }

    /// It is an edit that `If-Match` can make conditional; an answer of 200 carries the new `ETag`.
    pub fn conditional(self) -> Self {
        let edit = self.say(|doc| {
            if doc.answers.last().is_some_and(|(status, _)| *status == StatusCode::OK) {
                doc.with_header("ETag", "The version that the edit made.");
            }
        });
        edit.header("If-Match", "An `ETag`: the edit takes place only while that is still the version, else 412.")
            .refuses(&[ErrorCode::PreconditionFailed])
    }

    /// It heeds `Idempotency-Key`. To be said behind the answer.
    pub fn idempotent(self) -> Self {
        let replays =
            self.with_header("Idempotency-Replayed", "`true`: the answer that this `Idempotency-Key` was given before.");
        replays.header_as::<schema::IdempotencyKey>(
            "Idempotency-Key",
            "1 to 255 visible ASCII characters. The first answer of success is kept for 24 hours and replayed for the same request, with \
            `Idempotency-Replayed: true`.",
        )
        .refuses(&[ErrorCode::IdempotencyMismatch, ErrorCode::IdempotencyInFlight])
    }

    /// Errors that it may answer beside those that all of its kind have.
    pub fn refuses(self, codes: &'static [ErrorCode]) -> Self {
        self.say(move |doc| doc.refusals.extend(codes))
    }
}

impl Doc {
    fn with_header(&mut self, name: &str, says: &str) {
        if let Some((_, response)) = self.answers.last_mut() {
            response.headers.insert(name.to_owned(), RefOr::T(text_header(says)));
        }
    }

    /// A reference to a schema, which the document then holds.
    fn schema<T: ToSchema>(&mut self) -> RefOr<Schema> {
        let name = T::name();
        T::schemas(&mut self.schemas);
        self.schemas.push((name.to_string(), T::schema()));
        RefOr::Ref(Ref::from_schema_name(name))
    }
}

fn success(status: StatusCode) -> ResponseBuilder {
    let description = status.canonical_reason().unwrap_or_default();
    let builder = ResponseBuilder::new().description(description);
    builder.header("X-Request-Id", text_header("Names the request, in the log and in the audit trail too."))
}

fn text_content() -> Content {
    ContentBuilder::new().schema(Some(String::schema())).build()
}

/// A header whose value is text.
pub(crate) fn text_header(says: &str) -> Header {
    HeaderBuilder::new().schema(Some(String::schema())).description(Some(says)).build()
}
