//! The API's document, OpenAPI 3.1, made of the table that is served.

use std::collections::BTreeMap;

use actix_web::http::{Method, StatusCode};
use serde_json::json;
use tenantry_domain::ports::Store;
use utoipa::{
    PartialSchema as _, ToSchema as _,
    openapi::{
        ContentBuilder, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, PathItem, Paths, Ref, RefOr, Response,
        ResponseBuilder, ResponsesBuilder, Schema,
        example::{Example, ExampleBuilder},
        path::{Operation as Documented, OperationBuilder},
        schema::{Components, ComponentsBuilder},
        security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
        tag::TagBuilder,
    },
};

use crate::{
    errors::ErrorCode,
    operation::{Access, NamedSchema, Operation, text_header},
    problem::ProblemJson,
    routes::{Section, table},
};

const TENANT: &str = "tenant_session";
const OPERATOR: &str = "operator";

const DESCRIPTION: &str = "\
JSON over HTTP: names in snake_case, moments by RFC 3339 in UTC, identifiers with a prefix that says their kind.\n\n\
Errors are `application/problem+json` (RFC 9457). Their `code` is one of a closed list, each with one status; what is wrong with fields \
of the input stands in `errors`, all of it at once. Unknown fields are refused by name.\n\n\
A `POST` that makes or uses something up takes an `Idempotency-Key`: the request is carried out once, and sent again it is given the first answer \
of success, for 24 hours. Another request with the same key is `idempotency_mismatch`; one that comes while the first is under way is \
`idempotency_in_flight`. A refusal isn't kept: the same request may succeed later.\n\n\
Lists are answered a page at a time, newest first: take `next_cursor` as the next request's `cursor` until it is null.\n\n\
A row that is another tenant's is answered as one that doesn't exist.";

/// The document, as JSON with a line for each value, ending in a line feed.
///
/// The same for every store: `S` only names the handlers.
#[must_use]
pub fn openapi<S: Store>() -> String {
    let mut text = document(table::<S>()).to_pretty_json().unwrap_or_default();
    text.push('\n');
    text
}

fn document(sections: Vec<Section>) -> OpenApi {
    let mut paths = Paths::new();
    let mut schemas: BTreeMap<_, _> = BTreeMap::from([(ProblemJson::name().into_owned(), ProblemJson::schema())]);
    let mut nested = Vec::new();
    ProblemJson::schemas(&mut nested);
    schemas.extend(nested);
    let mut tags = Vec::new();
    for section in sections {
        tags.push(TagBuilder::new().name(section.name).description(Some(section.says)).build());
        for operation in section.operations {
            let path = operation.path;
            let method = operation.method.clone();
            let (documented, used) = documented(section.name, operation);
            schemas.extend(used);
            insert(paths.paths.entry(path.to_owned()).or_default(), &method, documented);
        }
    }
    let info = InfoBuilder::new()
        .title("Tenantry")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(DESCRIPTION))
        .license(Some(LicenseBuilder::new().name("MIT OR Apache-2.0").identifier(Some("MIT OR Apache-2.0")).build()))
        .build();
    OpenApiBuilder::new().info(info).paths(paths).components(Some(components(schemas))).tags(Some(tags)).build()
}

fn components(schemas: BTreeMap<String, RefOr<Schema>>) -> Components {
    let bearer = |format: &str, says: &str| {
        let http = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format(format).description(Some(says));
        SecurityScheme::Http(http.build())
    };
    let mut components = ComponentsBuilder::new()
        .schemas_from_iter(schemas)
        .security_scheme(TENANT, bearer("tns_", "A tenant's session token, from `POST /api/tenant/auth/otp/verify`."))
        .security_scheme(
            OPERATOR,
            bearer("tnk_ or tno_", "An API key, or an operator's session token. What either may do is said by its scopes."),
        )
        .responses_from_iter(ErrorCode::ALL.iter().map(|&code| (code.as_str(), problem(code.status(), &[code]))))
        .build();
    components.examples = ErrorCode::ALL.iter().map(|&code| (code.as_str().to_owned(), example(code).into())).collect();
    components
}

fn insert(item: &mut PathItem, method: &Method, operation: Documented) {
    let slot = match *method {
        Method::PUT => &mut item.put,
        Method::POST => &mut item.post,
        Method::PATCH => &mut item.patch,
        Method::DELETE => &mut item.delete,
        _ => &mut item.get,
    };
    *slot = Some(operation);
}

fn documented(tag: &str, mut operation: Operation) -> (Documented, Vec<NamedSchema>) {
    let (access, doc) = (operation.access, operation.doc());
    let (security, needs) = match access {
        Access::Public => (None, None),
        Access::Tenant => (Some(SecurityRequirement::new::<_, [&str; 0], _>(TENANT, [])), None),
        Access::AnyOperator => (Some(SecurityRequirement::new::<_, [&str; 0], _>(OPERATOR, [])), None),
        // The scopes of a bearer scheme can be named since OpenAPI 3.1.
        Access::Operator(scope) => (Some(SecurityRequirement::new(OPERATOR, [scope.as_str()])), Some(scope)),
    };
    let mut description = doc.description.to_owned();
    if let Some(scope) = needs {
        description.push_str(&format!("\n\nNeeds the scope `{scope}`."));
    }
    let mut responses = ResponsesBuilder::new();
    for (status, response) in doc.answers {
        responses = responses.response(status.as_u16().to_string(), response);
    }
    for (status, codes) in by_status(&doc.refusals) {
        let response = match codes.as_slice() {
            [code] => RefOr::Ref(Ref::from_response_name(code.as_str())),
            codes => problem(status, codes).into(),
        };
        responses = responses.response(status.as_str(), response);
    }
    let built = OperationBuilder::new()
        .tag(tag)
        .operation_id(Some(operation_id(doc.summary)))
        .summary(Some(doc.summary))
        .description(Some(description.trim()))
        .parameters(Some(doc.parameters))
        .request_body(doc.body)
        .responses(responses.build())
        .securities(Some(security))
        .build();
    (built, doc.schemas)
}

/// `List a tenant's codes` is `list_a_tenants_codes`.
fn operation_id(summary: &str) -> String {
    let kept: String = summary.to_lowercase().chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, ' ' | '-')).collect();
    kept.replace(['-', ' '], "_")
}

fn by_status<'a>(codes: impl IntoIterator<Item = &'a ErrorCode>) -> BTreeMap<StatusCode, Vec<ErrorCode>> {
    let mut statuses: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for &code in codes {
        statuses.entry(code.status()).or_default().push(code);
    }
    statuses
}

/// A problem with this code.
fn example(code: ErrorCode) -> Example {
    let value = json!({
        "type": format!("urn:tenantry:problem:{}", code.as_str()),
        "title": code.title(),
        "status": code.status().as_u16(),
        "detail": code.title(),
        "instance": "req_018bcfe568007000800000000000000a",
        "code": code.as_str(),
    });
    ExampleBuilder::new().summary(code.title()).value(Some(value)).build()
}

/// The answer of a status: its codes by name, and an example of each.
fn problem(status: StatusCode, codes: &[ErrorCode]) -> Response {
    let names: Vec<_> = codes.iter().map(|code| format!("`{}`", code.as_str())).collect();
    let examples = codes.iter().map(|code| {
        let shared = format!("#/components/examples/{}", code.as_str());
        (code.as_str(), RefOr::Ref::<Example>(Ref::new(shared)))
    });
    let content = ContentBuilder::new()
        .schema(Some(RefOr::Ref::<Schema>(Ref::from_schema_name(ProblemJson::name()))))
        .examples_from_iter(examples)
        .build();
    let mut response = ResponseBuilder::new()
        .description(names.join(", "))
        .header("X-Request-Id", text_header("Names the request, as `instance` does."))
        .content("application/problem+json", content);
    if status == StatusCode::UNAUTHORIZED {
        response = response.header("WWW-Authenticate", text_header("Which scheme to come with."));
    }
    let passes =
        |code: &ErrorCode| matches!(code, ErrorCode::RateLimited | ErrorCode::Unavailable | ErrorCode::IdempotencyInFlight);
    if codes.iter().any(passes) {
        response = response.header("Retry-After", text_header("After how many seconds to try again."));
    }
    response.build()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use tenantry_domain::memory::MemoryStore;

    use super::*;

    #[test]
    fn every_post_that_makes_something_heeds_a_key() {
        for mut operation in table::<MemoryStore>().into_iter().flat_map(|section| section.operations) {
            let doc = operation.doc();
            let makes = operation.method == Method::POST && doc.answers.iter().any(|(status, _)| *status == StatusCode::CREATED);
            let heeds = doc.refusals.contains(&ErrorCode::IdempotencyMismatch);
            // Who isn't signed in yet has no keys.
            assert!(heeds || !makes || operation.access == Access::Public, "{} {}", operation.method, operation.path);
            assert!(!heeds || operation.method == Method::POST, "{} {}", operation.method, operation.path);
        }
    }

    #[test]
    fn every_operation_is_named_once_and_says_what_it_does_and_answers() {
        let mut names = HashSet::new();
        for mut operation in table::<MemoryStore>().into_iter().flat_map(|section| section.operations) {
            let doc = operation.doc();
            let place = format!("{} {}", operation.method, operation.path);
            assert!(!doc.summary.is_empty() && doc.description.ends_with('.'), "{place}");
            assert!(!doc.answers.is_empty(), "{place} says what it answers");
            assert!(names.insert(operation_id(doc.summary)), "{place} has the name of another");
            let parameters = doc.parameters.iter().filter(|p| p.parameter_in == utoipa::openapi::path::ParameterIn::Path);
            assert_eq!(parameters.count(), operation.path.matches('{').count(), "{place} has its path's parameters");
        }
    }
}
