//! Operators in tests: the two doors of the portal, and who came in by the operators'.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    api::{Api, Reply, otp_in},
    mail_server::MailServer,
    server::Server,
    world::World,
};

/// Where somebody signs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// As a tenant, by its slug.
    Tenant,
    /// As an operator, by its address.
    Operator,
}

impl Door {
    /// Where its endpoints are.
    pub fn path(self) -> &'static str {
        match self {
            Self::Tenant => "/api/tenant/auth",
            Self::Operator => "/api/admin/auth",
        }
    }

    /// The request for a one-time password.
    pub fn request(self, name: &str) -> Value {
        match self {
            Self::Tenant => json!({ "tenant_slug": name }),
            Self::Operator => json!({ "email": name }),
        }
    }
}

/// An operator that has signed in.
pub struct SignedInOperator {
    /// A client with the operator's session.
    pub api: Api,
    /// The operator as the server answered it.
    pub operator: Value,
    /// Its address.
    pub email: String,
}

impl SignedInOperator {
    /// `/api/admin/operators/opr_..`
    pub fn path(&self) -> String {
        format!("/api/admin/operators/{}", self.operator["id"].as_str().expect("an operator has an id"))
    }
}

impl Api {
    /// Asks for a one-time password.
    pub async fn ask_at(&self, door: Door, name: &str) -> Reply {
        self.post(&format!("{}/otp/generate", door.path()), &door.request(name)).await
    }

    /// Answers a challenge.
    pub async fn answer_at(&self, door: Door, challenge_id: &str, otp_code: &str) -> Reply {
        let answer = json!({ "challenge_id": challenge_id, "otp_code": otp_code });
        self.post(&format!("{}/otp/verify", door.path()), &answer).await
    }

    /// Signs somebody in with the code from the next mail to `email`, and gives the answer: sign one address in at a time.
    pub async fn come_in_at(&self, door: Door, name: &str, email: &str, mail: &MailServer) -> Reply {
        let before = mail.received(email).len();
        let challenge_id = self.ask_at(door, name).await.expect(202).text_at("/challenge_id");
        let mails = mail.wait_for(email, before + 1, Duration::from_secs(30)).await;
        let code = otp_in(&mails[before].text).unwrap_or_else(|| panic!("no six-digit code in {:#?}", mails[before]));
        self.answer_at(door, &challenge_id, code).await.expect(200)
    }

    /// Signs an operator in with the code from its mail, and gives a client with its session.
    pub async fn sign_in_operator(&self, email: &str, mail: &MailServer) -> Self {
        let session = self.come_in_at(Door::Operator, email, email, mail).await;
        self.with_bearer(&session.text_at("/session_token"))
    }

    /// Makes an operator, and gives its JSON.
    pub async fn create_operator(&self, email: &str, role: &str) -> Value {
        let operator = json!({ "name": format!("The {role}"), "email": email, "role": role });
        self.post("/api/admin/operators", &operator).await.expect(201).body
    }

    /// Makes an API key with these scopes, and gives its JSON and a client with it.
    pub async fn create_api_key(&self, scopes: &[&str]) -> (Value, Self) {
        let made = self.post("/api/admin/api-keys", &json!({ "name": "Deployment", "scopes": scopes })).await.expect(201);
        let api = self.with_bearer(&made.text_at("/api_key"));
        (made.body, api)
    }
}

impl World {
    /// Makes an operator of this role by the configured API key, and signs it in by mail.
    pub async fn operator(&self, server: &Server, role: &str, email: &str) -> SignedInOperator {
        let operator = self.admin(server).create_operator(email, role).await;
        let api = server.api().sign_in_operator(email, self.mail()).await;
        SignedInOperator { api, operator, email: email.to_owned() }
    }
}

impl Server {
    /// The path of the link that the server printed for the first operator: `/bootstrap/tnb_..`.
    pub async fn bootstrap_path(&self) -> String {
        let deadline = std::time::Instant::now() + Duration::from_secs(5);
        loop {
            if let Some(path) = bootstrap_path_in(&self.stdout()) {
                return path;
            }
            assert!(std::time::Instant::now() < deadline, "the server printed no link:\n{}", self.logs());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// The path of the first bootstrap link in a text.
pub fn bootstrap_path_in(text: &str) -> Option<String> {
    let (_, rest) = text.split_once("/bootstrap/")?;
    Some(format!("/bootstrap/{}", rest.split_whitespace().next()?))
}
