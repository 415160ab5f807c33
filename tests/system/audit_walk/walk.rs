//! A walk: each step's events are held against what they are to be.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};
use tenantry_tests::{Api, Reply};

/// An event as it is to be.
pub struct Event {
    pub action: &'static str,
    pub target: String,
    pub tenant: Option<String>,
    /// By whom, where that isn't who sent the request.
    pub actor: Option<Value>,
    pub details: Value,
}

/// An event about something; `details` has all that is to be said of it, and null for a text that isn't known here.
pub fn event(action: &'static str, target: &str, details: Value) -> Event {
    Event { action, target: target.to_owned(), tenant: None, actor: None, details }
}

impl Event {
    pub fn of(self, tenant: &str) -> Self {
        Self { tenant: Some(tenant.to_owned()), ..self }
    }

    pub fn by(self, actor: &Value) -> Self {
        Self { actor: Some(actor.clone()), ..self }
    }

    fn is(&self, found: &Value, sender: &Value, reply: &Reply) -> bool {
        let (details, said) = (self.details.as_object().unwrap(), found["details"].as_object().unwrap());
        found["action"] == self.action
            && found["target"].as_str().unwrap_or_default() == self.target
            && found["tenant_id"].as_str() == self.tenant.as_deref()
            && found["actor"] == *self.actor.as_ref().unwrap_or(sender)
            && found["client_ip"] == "127.0.0.1"
            && found["request_id"].as_str() == reply.header("x-request-id")
            && found["outcome"] == "success"
            && details.len() == said.len()
            && details.keys().all(|name| said.contains_key(name))
            && details.iter().all(|(name, value)| value.is_null() && said[name].is_string() || said[name] == *value)
    }
}

/// The walk so far.
pub struct Walk {
    /// Reads the trail, and leaves none itself.
    pub watcher: Api,
    pub walked: BTreeSet<String>,
    /// How many events there are.
    pub events: u64,
    /// What mustn't be in any of them.
    pub canaries: BTreeSet<String>,
}

impl Walk {
    async fn count(&self) -> u64 {
        self.watcher.get("/api/admin/events?limit=1&count=true").await.expect(200).body["total"].as_u64().unwrap()
    }

    /// Leaves aside what happened outside the walk.
    pub async fn skip(&mut self) {
        self.events = self.count().await;
    }

    /// Holds what a request did, and nothing else did meanwhile, against what its events are to be.
    pub async fn step(&mut self, operation: &str, sender: &Value, reply: Reply, expected: &[Event]) -> Reply {
        assert!((200..300).contains(&reply.status), "{operation}: {reply:?}");
        self.walked.insert(operation.to_owned());
        let request = reply.header("x-request-id").unwrap();
        let found = self.watcher.get(&format!("/api/admin/events?limit=200&request_id={request}")).await.expect(200).body;
        let found = found["items"].as_array().unwrap();
        for expected in expected {
            let matching = found.iter().filter(|found| expected.is(found, sender, &reply)).count();
            assert_eq!(
                matching, 1,
                "{operation}: {} of {} with {} in {found:#?}",
                expected.action, expected.target, expected.details
            );
        }
        let count = self.count().await;
        assert_eq!((found.len(), count - self.events), (expected.len(), expected.len() as u64), "{operation}: {found:#?}");
        self.events = count;
        reply
    }

    pub fn secret(&mut self, text: &str) {
        self.canaries.insert(text.to_owned());
    }
}

/// An actor as events show it.
pub fn actor(kind: &str, id: Option<&str>, session: Option<&str>) -> Value {
    json!({ "kind": kind, "id": id, "session_id": session })
}

pub fn id(value: &Value) -> String {
    value["id"].as_str().unwrap().to_owned()
}

pub async fn delete(api: &Api, path: &str) -> Reply {
    api.send(api.request(Method::DELETE, path)).await
}
