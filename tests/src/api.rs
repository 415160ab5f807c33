//! A thin HTTP client: what a tenant's or an operator's program would send, and the answer as it came.

use std::{fmt, time::Duration};

use reqwest::{Client, Method, RequestBuilder, header::HeaderMap};
use serde_json::{Value, json};

use crate::{mail_server::MailServer, operators::Door};

/// An answer, read to its end.
#[derive(Clone)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body as JSON; `Null` when it is empty or isn't JSON.
    pub body: Value,
    /// The body as it came.
    pub text: String,
}

impl Reply {
    /// This answer, if it has this status; else a panic that shows all of it.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert!(self.status == status, "expected {status}, got {self:?}");
        self
    }

    /// This answer, if it is a problem (RFC 9457) with this status and `code`; else a panic that shows all of it.
    #[track_caller]
    pub fn expect_problem(self, status: u16, code: &str) -> Self {
        let is_problem = self.header("content-type").is_some_and(|value| value.starts_with("application/problem+json"));
        assert!(
            self.status == status && is_problem && self.body["code"] == code && self.body["status"] == status,
            "expected a problem {status} {code}, got {self:?}"
        );
        self
    }

    /// A header's value, when it is there and is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// A text in the body, by its JSON pointer: `reply.text_at("/tenant/id")`.
    #[track_caller]
    pub fn text_at(&self, pointer: &str) -> String {
        match self.body.pointer(pointer).and_then(Value::as_str) {
            Some(text) => text.to_owned(),
            None => panic!("no text at {pointer} in {self:?}"),
        }
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.status)?;
        for (name, value) in &self.headers {
            writeln!(f, "{name}: {}", String::from_utf8_lossy(value.as_bytes()))?;
        }
        write!(f, "\n{}", self.text)
    }
}

/// A client of one server, signed in or not.
#[derive(Clone, Debug)]
pub struct Api {
    client: Client,
    base: String,
    bearer: Option<String>,
}

impl Api {
    /// A client of the server at `base` (`http://127.0.0.1:8080`) that isn't signed in.
    pub fn new(base: &str) -> Self {
        // Redirects are answers too, and a proxy of the developer's environment has no business here.
        let client =
            Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).timeout(Duration::from_secs(30)).build();
        Self { client: client.expect("an HTTP client"), base: base.trim_end_matches('/').to_owned(), bearer: None }
    }

    /// The same client with this bearer token: a session's or an API key.
    pub fn with_bearer(&self, token: &str) -> Self {
        Self { bearer: Some(token.to_owned()), ..self.clone() }
    }

    /// The same client, not signed in.
    pub fn anonymous(&self) -> Self {
        Self { bearer: None, ..self.clone() }
    }

    /// The same bearer token at another server.
    pub fn at(&self, base: &str) -> Self {
        Self { bearer: self.bearer.clone(), ..Self::new(base) }
    }

    /// The bearer token.
    pub fn bearer(&self) -> Option<&str> {
        self.bearer.as_deref()
    }

    /// A request to add to (headers, a body that isn't JSON); finish it with [`Api::send`] or [`Api::try_send`].
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.client.request(method, format!("{}{path}", self.base));
        match &self.bearer {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// Sends a request; panics when no answer comes.
    pub async fn send(&self, request: RequestBuilder) -> Reply {
        self.try_send(request).await.unwrap_or_else(|error| panic!("no answer: {error:?}"))
    }

    /// Sends a request; `Err` when no whole answer comes, as from a server that was killed.
    pub async fn try_send(&self, request: RequestBuilder) -> reqwest::Result<Reply> {
        let response = request.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await?;
        Ok(Reply { status, headers, body: serde_json::from_str(&text).unwrap_or(Value::Null), text })
    }

    /// GET.
    pub async fn get(&self, path: &str) -> Reply {
        self.send(self.request(Method::GET, path)).await
    }

    /// POST with a JSON body.
    pub async fn post(&self, path: &str, body: &Value) -> Reply {
        self.send(self.request(Method::POST, path).json(body)).await
    }

    /// PUT with a JSON body.
    pub async fn put(&self, path: &str, body: &Value) -> Reply {
        self.send(self.request(Method::PUT, path).json(body)).await
    }

    /// PATCH with a JSON body.
    pub async fn patch(&self, path: &str, body: &Value) -> Reply {
        self.send(self.request(Method::PATCH, path).json(body)).await
    }

    /// DELETE.
    pub async fn delete(&self, path: &str) -> Reply {
        self.send(self.request(Method::DELETE, path)).await
    }
}

/// The operator's part of the main path.
impl Api {
    /// Creates a plan, and gives its JSON.
    pub async fn create_plan(&self, name: &str, monthly_run_quota: u32) -> Value {
        let plan = json!({ "name": name, "monthly_run_quota": monthly_run_quota });
        self.post("/api/admin/plans", &plan).await.expect(201).body
    }

    /// Creates a tenant, and gives its JSON and the texts of its codes.
    pub async fn create_tenant(&self, slug: &str, plan_id: &str, contact_email: &str) -> (Value, Vec<String>) {
        let tenant =
            json!({ "slug": slug, "name": format!("Tenant {slug}"), "contact_email": contact_email, "plan_id": plan_id });
        let reply = self.post("/api/admin/tenants", &tenant).await.expect(201);
        let codes = code_texts(&reply);
        (reply.body, codes)
    }

    /// Issues codes to a tenant, and gives their texts. `request` is `{count, label?, ttl_seconds?, max_uses?}`.
    pub async fn issue_codes(&self, tenant_id: &str, request: &Value) -> Vec<String> {
        code_texts(&self.post(&format!("/api/admin/tenants/{tenant_id}/codes"), request).await.expect(201))
    }
}

/// The tenant's part of the main path.
impl Api {
    /// Asks for a one-time password; gives the challenge's id.
    pub async fn ask_for_otp(&self, slug: &str) -> String {
        self.ask_at(Door::Tenant, slug).await.expect(202).text_at("/challenge_id")
    }

    /// Answers a challenge.
    pub async fn verify_otp(&self, challenge_id: &str, otp_code: &str) -> Reply {
        self.answer_at(Door::Tenant, challenge_id, otp_code).await
    }

    /// Signs a tenant in with the code from its mail, and gives a client with its session. `email` is the tenant's contact address.
    ///
    /// It reads the next mail to that address, so sign one address in at a time.
    pub async fn sign_in(&self, slug: &str, email: &str, mail: &MailServer) -> Self {
        let session = self.come_in_at(Door::Tenant, slug, email, mail).await;
        self.with_bearer(&session.text_at("/session_token"))
    }

    /// Creates a project, and gives its JSON.
    pub async fn create_project(&self, client_name: &str) -> Value {
        self.post("/api/tenant/projects", &json!({ "client_name": client_name })).await.expect(201).body
    }

    /// Activates a project: `request` is `{code}`, `{activation_code_id}` or `{}`.
    pub async fn activate(&self, project_id: &str, request: &Value) -> Reply {
        self.post(&format!("/api/tenant/projects/{project_id}/activate"), request).await
    }
}

/// The first run of exactly six digits that stands alone in the text.
pub fn otp_in(text: &str) -> Option<&str> {
    text.split(|character: char| !character.is_alphanumeric())
        .find(|word| word.len() == 6 && word.bytes().all(|byte| byte.is_ascii_digit()))
}

#[track_caller]
fn code_texts(reply: &Reply) -> Vec<String> {
    let codes = reply.body["activation_codes"].as_array().unwrap_or_else(|| panic!("no activation_codes in {reply:?}"));
    codes
        .iter()
        .map(|code| code["code"].as_str().unwrap_or_else(|| panic!("a code without its text in {reply:?}")).to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::otp_in;

    #[test]
    fn an_otp_is_six_digits_that_stand_alone() {
        assert_eq!(otp_in("Your code is 012345. It expires"), Some("012345"));
        assert_eq!(otp_in("order 1234567, ref a123456, 12345, then:\n987654\n"), Some("987654"));
        assert_eq!(otp_in("nothing here"), None);
    }
}
