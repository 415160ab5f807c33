//! The table of all operations, and how actix is told of it.
//!
//! Each endpoint file names its operations; here stands which files there are, and under which heading the document shows them.

use std::{
    collections::{BTreeMap, HashMap},
    future::ready,
};

use actix_web::{
    HttpResponse, Resource, Route, Scope, guard,
    http::Method,
    web::{self, ServiceConfig},
};
use tenantry_domain::ports::Store;

use crate::{
    console,
    endpoints::{admin, bootstrap, certificate_keys, docs, health, tenant},
    observer::Occasion,
    operation::{Access, Operation},
    problem::Problem,
};

/// Operations that belong together.
#[cfg_attr(not(any(test, feature = "openapi")), expect(dead_code, reason = "only the document says what they are called"))]
pub(crate) struct Section {
    pub name: &'static str,
    pub says: &'static str,
    pub operations: Vec<Operation>,
}

fn section(name: &'static str, says: &'static str, operations: Vec<Operation>) -> Section {
    Section { name, says, operations }
}

/// Every operation.
pub(crate) fn table<S: Store>() -> Vec<Section> {
    vec![
        section("Sign-in", "A tenant signs in with a one-time password from its mailbox.", tenant::auth::operations::<S>()),
        section("Sessions", "A tenant's sessions.", tenant::sessions::operations::<S>()),
        section("Profile", "What a tenant says of itself.", tenant::profile::operations::<S>()),
        section("Usage", "A tenant's quota and codes at a glance.", tenant::usage::operations::<S>()),
        section("Own codes", "A tenant's codes, without their texts.", tenant::codes::operations::<S>()),
        section("Projects", "A tenant's projects.", tenant::projects::operations::<S>()),
        section("Activation", "One code activates one project, exactly once.", tenant::activation::operations::<S>()),
        section(
            "Certificates",
            "What an active project shows to those who can't ask the portal, and how they verify it.",
            [tenant::certificate::operations::<S>(), certificate_keys::operations::<S>()].into_iter().flatten().collect(),
        ),
        section("Own events", "What was done by a tenant, and to it.", tenant::events::operations::<S>()),
        section("Own webhooks", "Where a tenant's events are sent.", tenant::webhooks::operations::<S>()),
        section("Plans", "What is sold.", admin::plans::operations::<S>()),
        section("Tenants", "To whom.", admin::tenants::operations::<S>()),
        section("Subscriptions", "Which plan a tenant is on, and what it may do.", admin::subscriptions::operations::<S>()),
        section("Tenants' sessions", "Where a tenant is signed in.", admin::tenant_sessions::operations::<S>()),
        section("Codes", "What activates projects.", admin::codes::operations::<S>()),
        section("Batches", "Codes that came together.", admin::batches::operations::<S>()),
        section("Export", "Codes as a file.", admin::export::operations::<S>()),
        section("Import", "Codes from elsewhere.", admin::import::operations::<S>()),
        section("Code records", "The codes that there are, and what becomes of them.", admin::code_records::operations::<S>()),
        section("Code check", "What an activation would answer.", admin::code_check::operations::<S>()),
        section("All projects", "Everybody's projects, and those of nobody.", admin::projects::operations::<S>()),
        section("Bootstrap", "The first operator is made by a one-time link.", bootstrap::operations::<S>()),
        section(
            "Operators' sign-in",
            "An operator signs in with a one-time password from its mailbox.",
            admin::auth::operations::<S>(),
        ),
        section("Operators' sessions", "Who calls, and an operator's own sessions.", admin::sessions::operations::<S>()),
        section("Operators", "Who runs the portal.", admin::operators::operations::<S>()),
        section("API keys", "By which programs run it.", admin::api_keys::operations::<S>()),
        section("Messages", "What is sent to the outside, and what could not be.", admin::messages::operations::<S>()),
        section("Webhooks", "Where everybody's events are sent.", admin::webhooks::operations::<S>()),
        section("Figures", "What a dashboard shows.", admin::stats::operations::<S>()),
        section("Events", "The audit trail.", admin::events::operations::<S>()),
        section("Health", "Whether the server is alive, and whether it is ready.", health::operations::<S>()),
        section("Document", "What this API can do.", docs::operations()),
    ]
}

/// Registers every path.
pub(crate) fn configure<S: Store>(config: &mut ServiceConfig) {
    // In the order of how many ask, as a request is held against each entry before its own; but a link's page is in front of the API's operation.
    console::bootstrap::configure::<S>(config);
    register(config, table::<S>().into_iter().flat_map(|section| section.operations).collect());
    console::configure::<S>(config);
    docs::configure(config);
    config.default_service(web::to(|| ready(Err::<HttpResponse, _>(Problem::not_found()))));
}

/// Registers operations, by their paths.
pub(crate) fn register(config: &mut ServiceConfig, operations: Vec<Operation>) {
    for node in nodes(operations.into_iter().map(|operation| (operation.path, operation)).collect()) {
        match node {
            Node::Path(path, operations) => config.service(resource(path, operations)),
            Node::Under(head, nodes) => config.service(scope(head, nodes)),
        };
    }
}

/// A part of the tree of paths. actix holds a request against each entry of a list, and against those with a parameter by an expression; in
/// one list of all operations that took as long as everything else that a short request does.
enum Node {
    /// What is left of a path, and its operations.
    Path(&'static str, Vec<Operation>),
    /// Those that begin with these words.
    Under(&'static str, Vec<Node>),
}

/// Groups operations by the first segment of what is left of their paths.
fn nodes(operations: Vec<(&'static str, Operation)>) -> Vec<Node> {
    // A brace sorts behind every letter: a path with a word in a place comes before one with a parameter there, and is found first.
    let mut heads = BTreeMap::<_, BTreeMap<_, Vec<_>>>::new();
    for (rest, operation) in operations {
        let end = rest.get(1..).and_then(|behind| behind.find('/')).map_or(rest.len(), |end| end + 1);
        heads.entry(&rest[..end]).or_default().entry(rest).or_default().push(operation);
    }
    // What is under a parameter is only looked for under the first one: two that are called differently stay in one list.
    let parameters = heads.keys().filter(|head| head.contains('{')).count();
    let mut nodes_of_all = Vec::new();
    for (head, paths) in heads {
        if head.is_empty() || paths.len() == 1 || (head.contains('{') && parameters > 1) {
            nodes_of_all.extend(paths.into_iter().map(|(rest, operations)| Node::Path(rest, operations)));
            continue;
        }
        let below = paths.into_iter().flat_map(|(rest, operations)| {
            let rest = &rest[head.len()..];
            operations.into_iter().map(move |operation| (rest, operation))
        });
        nodes_of_all.push(Node::Under(head, nodes(below.collect())));
    }
    nodes_of_all
}

fn scope(head: &str, nodes: Vec<Node>) -> Scope {
    nodes.into_iter().fold(web::scope(head), |above, node| match node {
        Node::Path(path, operations) => above.service(resource(path, operations)),
        Node::Under(head, nodes) => above.service(scope(head, nodes)),
    })
}

/// What the operations of a path are called when they are counted.
pub(crate) struct Templates(HashMap<&'static str, Vec<(Method, Occasion)>>);

impl Templates {
    /// Of every path.
    pub fn new<S: Store>() -> Self {
        let mut templates = HashMap::<_, Vec<_>>::new();
        let operations = table::<S>().into_iter().flat_map(|section| section.operations);
        for operation in operations.chain(console::pages::<S>()) {
            let occasions = templates.entry(operation.path).or_default();
            occasions.extend(operation.occasion.map(|occasion| (operation.method, occasion)));
        }
        Self(templates)
    }

    /// The template that a request was matched with, as it may be kept, and what the request is about, where that is counted. What is no
    /// operation's is `-`.
    pub fn find(&self, matched: Option<&str>, method: &Method) -> (&'static str, Option<Occasion>) {
        let found = matched.and_then(|path| self.0.get_key_value(path));
        let occasion = found.and_then(|(_, occasions)| occasions.iter().find(|(of, _)| of == method));
        (found.map_or("-", |(path, _)| *path), occasion.map(|&(_, occasion)| occasion))
    }
}

/// Who may call the methods of a path. Extractors look here, and refuse what they don't find.
pub(crate) struct PathAccess(Vec<(Method, Access)>);

impl PathAccess {
    /// Who may call the method.
    pub fn of(&self, method: &Method) -> Option<Access> {
        let method = if method == Method::HEAD { &Method::GET } else { method };
        self.0.iter().find(|(named, _)| named == method).map(|&(_, access)| access)
    }
}

/// A path with its methods; another method is answered 405, with the ones that there are.
pub(crate) fn resource(path: &str, operations: Vec<Operation>) -> Resource {
    let names: Vec<&str> = operations
        .iter()
        .map(|operation| if operation.method == Method::GET { "GET, HEAD" } else { operation.method.as_str() })
        .collect();
    let allow = names.join(", ");
    let wrong = web::to(move || ready(Err::<HttpResponse, _>(Problem::method_not_allowed(&allow))));
    let access = operations.iter().map(|operation| (operation.method.clone(), operation.access)).collect();
    let resource = web::resource(path).app_data(PathAccess(access));
    let route = |resource: Resource, method: Method, route: Route| match method {
        Method::GET => resource.route(route.guard(guard::Any(guard::Get()).or(guard::Head()))),
        method => resource.route(route.method(method)),
    };
    let resource =
        operations.into_iter().fold(resource, |resource, operation| route(resource, operation.method, operation.route));
    resource.default_service(wrong)
}

/// Every operation of the operators' API, and every page of their console, with the scope that it asks for, for tests that walk them; `None`: any operator.
#[must_use]
pub fn operator_routes<S: Store>() -> Vec<(Method, &'static str, Option<tenantry_domain::Scope>)> {
    let operations = table::<S>().into_iter().flat_map(|section| section.operations).chain(console::pages::<S>());
    operations
        .filter_map(|operation| match operation.access {
            Access::Operator(scope) => Some((operation.method, operation.path, Some(scope))),
            Access::AnyOperator => Some((operation.method, operation.path, None)),
            Access::Tenant | Access::Public => None,
        })
        .collect()
}
