//! Every answer of the service, over HTTP, on each store: the code that works, and why another doesn't.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use embedded_service::{hasher::KeyedHasher, routes::routes, service::Service};
use reqwest::{Client, Method};
use serde_json::{Value, json};
use tenantry_domain::{
    Clock as _, KeyId, ManualClock, SeededEntropy, SystemClock, SystemEntropy, memory::MemoryStore, ports::Store,
};
use time::Duration;
use tokio::net::TcpListener;

/// A running service, and its clock.
struct Running {
    url: String,
    client: Client,
    clock: ManualClock,
}

impl Running {
    async fn start(store: impl Store) -> Self {
        // From now on, so that a database's own clock agrees.
        let clock = ManualClock::new(SystemClock.now());
        let hasher = KeyedHasher::new([7; 32], KeyId::parse("k1").unwrap());
        let service = Service::new(store, hasher, clock.clone(), SystemEntropy);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, routes(service)).await });
        Self { url, client: Client::new(), clock }
    }

    async fn call(&self, method: Method, path: &str, body: Value) -> (u16, Value) {
        let answer = self.client.request(method, format!("{}{path}", self.url)).json(&body).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap_or(Value::Null))
    }

    /// What a call makes.
    async fn make(&self, path: &str, body: Value) -> Value {
        let (status, made) = self.call(Method::POST, path, body).await;
        assert_eq!(status, 201, "{path}: {made}");
        made
    }

    async fn code(&self, customer: &str, days: Option<u16>) -> (String, String) {
        let issued = self.make(&format!("{customer}/codes"), json!({ "count": 1, "days": days })).await;
        let code = &issued["codes"][0];
        (code["id"].as_str().unwrap().to_owned(), code["code"].as_str().unwrap().to_owned())
    }

    async fn project(&self, customer: &str) -> String {
        let project = self.make(&format!("{customer}/projects"), json!({ "name": "Wayne Enterprises" })).await;
        format!("{customer}/projects/{}", project["id"].as_str().unwrap())
    }

    /// Activates, and holds the dry run before it to the same answer.
    async fn activate(&self, project: &str, code: &str) -> (u16, Value) {
        let (status, checked) = self.call(Method::POST, &format!("{project}/check"), json!({ "code": code })).await;
        assert_eq!(status, 200, "{checked}");
        let (status, answer) = self.call(Method::POST, &format!("{project}/activate"), json!({ "code": code })).await;
        assert_eq!(checked["usable"], status == 200, "{checked} {answer}");
        if status != 200 {
            assert_eq!((&checked["reason"], &checked["why"]), (&answer["reason"], &answer["why"]));
        }
        (status, answer)
    }

    async fn refused(&self, project: &str, code: &str) -> (u16, String) {
        let (status, answer) = self.activate(project, code).await;
        (status, answer["reason"].as_str().unwrap_or_default().to_owned())
    }
}

async fn every_answer(store: impl Store) {
    let service = Running::start(store).await;
    let new = json!({ "slug": "acme", "email": "it@acme.example", "activations_a_month": 2 });
    let made = service.make("/customers", new.clone()).await;
    let customer = format!("/customers/{}", made["id"].as_str().unwrap());
    assert_eq!(service.call(Method::POST, "/customers", new).await.0, 409, "a slug is had once");
    let project = service.project(&customer).await;
    let refused = async |code: &str| service.refused(&project, code).await;

    assert_eq!(refused("HELLO").await, (422, "code_malformed".to_owned()));
    let nobodys = tenantry_domain::PlainCode::generate(&SeededEntropy::new(1));
    assert_eq!(refused(&nobodys.reveal()).await, (404, "code_unknown".to_owned()));

    let (id, revoked) = service.code(&customer, None).await;
    assert_eq!(service.call(Method::DELETE, &format!("/codes/{id}"), Value::Null).await.0, 204);
    assert_eq!(refused(&revoked).await, (410, "code_revoked".to_owned()));

    let (_, expiring) = service.code(&customer, Some(1)).await;
    service.clock.advance(Duration::DAY);
    assert_eq!(refused(&expiring).await, (410, "code_expired".to_owned()));

    let (_, code) = service.code(&customer, None).await;
    let (status, active) = service.activate(&project, &code).await;
    assert_eq!((status, &active["status"]), (200, &json!("active")), "{active}");
    assert_eq!(service.activate(&project, &code).await, (200, active), "asked again, it answers the same");
    let (_, other) = service.code(&customer, None).await;
    assert_eq!(refused(&other).await, (409, "project_already_active".to_owned()));

    let second = service.project(&customer).await;
    assert_eq!(service.refused(&second, &code).await, (409, "code_exhausted".to_owned()));
    assert_eq!(service.activate(&second, &other).await.0, 200);
    let (third, last) = (service.project(&customer).await, service.code(&customer, None).await.1);
    assert_eq!(service.refused(&third, &last).await, (429, "quota_exceeded".to_owned()));

    let stranger = project.replace(&project[project.len() - 4..], "ffff");
    assert_eq!(service.refused(&stranger, &last).await, (404, "not_found".to_owned()));
}

#[tokio::test]
async fn in_memory() {
    every_answer(MemoryStore::new()).await;
}

#[cfg(feature = "database")]
#[tokio::test]
async fn on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}/shop.db", folder.path().display());
    let store = embedded_service::database::open(&url).await.unwrap();
    every_answer(store.clone()).await;
    store.close().await;
}
