//! Every operation that changes something is carried out once, and what the audit trail says of it is held against what was done. A new
//! operation has to be walked here too, or says by a line here that it changes nothing.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};
use tenantry_domain::memory::MemoryStore;
use tenantry_tests::{Api, DatabaseKind, Door, Reply, World, database, on_both_databases, otp_in};

/// Every operation of the table whose method isn't one that only reads: `POST /api/admin/plans`.
fn changing_operations() -> BTreeSet<String> {
    let document: Value = serde_json::from_str(&tenantry_http::openapi::<MemoryStore>()).unwrap();
    let mut operations = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        let methods =
            item.as_object().unwrap().keys().filter(|method| ["post", "put", "patch", "delete"].contains(&method.as_str()));
        operations.extend(methods.map(|method| format!("{} {path}", method.to_uppercase())));
    }
    assert!(operations.len() > 40, "the table is there");
    operations
}

/// An event as it is to be.
struct Event {
    action: &'static str,
    target: String,
    tenant: Option<String>,
    /// By whom, where that isn't who sent the request.
    actor: Option<Value>,
    details: Value,
}

/// An event about something; `details` has all that is to be said of it, and null for a text that isn't known here.
fn event(action: &'static str, target: &str, details: Value) -> Event {
    Event { action, target: target.to_owned(), tenant: None, actor: None, details }
}

impl Event {
    fn of(self, tenant: &str) -> Self {
        Self { tenant: Some(tenant.to_owned()), ..self }
    }

    fn by(self, actor: &Value) -> Self {
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
struct Walk {
    /// Reads the trail, and leaves none itself.
    watcher: Api,
    walked: BTreeSet<String>,
    /// How many events there are.
    events: u64,
    /// What mustn't be in any of them.
    canaries: BTreeSet<String>,
}

impl Walk {
    async fn count(&self) -> u64 {
        self.watcher.get("/api/admin/events?limit=1&count=true").await.expect(200).body["total"].as_u64().unwrap()
    }

    /// Leaves aside what happened outside the walk.
    async fn skip(&mut self) {
        self.events = self.count().await;
    }

    /// Holds what a request did, and nothing else did meanwhile, against what its events are to be.
    async fn step(&mut self, operation: &str, sender: &Value, reply: Reply, expected: &[Event]) -> Reply {
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

    fn secret(&mut self, text: &str) {
        self.canaries.insert(text.to_owned());
    }
}

/// An actor as events show it.
fn actor(kind: &str, id: Option<&str>, session: Option<&str>) -> Value {
    json!({ "kind": kind, "id": id, "session_id": session })
}

fn id(value: &Value) -> String {
    value["id"].as_str().unwrap().to_owned()
}

async fn delete(api: &Api, path: &str) -> Reply {
    api.send(api.request(Method::DELETE, path)).await
}

/// Somebody signs in: both steps are of the walk, where it is the first time.
async fn sign_in(
    world: &World,
    walk: &mut Walk,
    door: Door,
    api: &Api,
    name: &str,
    email: &str,
    account: (&str, &str),
) -> (Api, Value) {
    let anonymous = actor("anonymous", None, None);
    let (kind, account) = account;
    let of_tenant = |event: Event| if door == Door::Tenant { event.of(account) } else { event };
    let asked_about = if door == Door::Tenant { "" } else { account };
    let asked = api.ask_at(door, name).await;
    let challenge = asked.text_at("/challenge_id");
    let details = json!({ "challenge_id": challenge, "purpose": format!("{kind}_sign_in"), "strength": "six_digits" });
    walk.step(
        &format!("POST {}/otp/generate", door.path()),
        &anonymous,
        asked,
        &[of_tenant(event("otp.requested", asked_about, details))],
    )
    .await;
    let before = walk.canaries.iter().filter(|canary| canary.len() == 6).count();
    let mut mails = world.mail().wait_for(email, 1, std::time::Duration::from_secs(30)).await;
    while mails.iter().filter_map(|mail| otp_in(&mail.text)).all(|otp| walk.canaries.contains(otp)) {
        mails = world.mail().wait_for(email, mails.len() + 1, std::time::Duration::from_secs(30)).await;
    }
    let otp = otp_in(&mails.last().unwrap().text).unwrap().to_owned();
    walk.secret(&otp);
    assert_eq!(walk.canaries.iter().filter(|canary| canary.len() == 6).count(), before + 1);
    let signed_in = api.answer_at(door, &challenge, &otp).await.expect(200);
    let token = signed_in.text_at("/session_token");
    walk.secret(&token);
    let api = api.with_bearer(&token);
    let session = match door {
        Door::Tenant => api.get("/api/tenant/auth/session").await.expect(200).text_at("/id"),
        Door::Operator => api.get("/api/admin/auth/session").await.expect(200).text_at("/session/id"),
    };
    let itself = actor(kind, Some(account), Some(&session));
    let came_in = of_tenant(event("sign_in.succeeded", &session, json!({})).by(&itself));
    walk.step(&format!("POST {}/otp/verify", door.path()), &anonymous, signed_in, &[came_in]).await;
    (api, itself)
}

fn session_of(actor: &Value) -> &str {
    actor["session_id"].as_str().unwrap()
}

/// A door's sessions: refreshed, ended one by one, and all at once.
async fn walk_sessions(world: &World, walk: &mut Walk, door: Door, api: &Api, name: &str, email: &str, account: (&str, &str)) {
    let of_tenant = |event: Event| if door == Door::Tenant { event.of(account.1) } else { event };
    let base = door.path();
    let (first, first_actor) = sign_in(world, walk, door, api, name, email, account).await;
    let (second, second_actor) = sign_in(world, walk, door, api, name, email, account).await;
    let (third, third_actor) = sign_in(world, walk, door, api, name, email, account).await;
    let refreshed = first.post(&format!("{base}/refresh"), &json!({})).await;
    let about = of_tenant(event("session.refreshed", session_of(&first_actor), json!({})));
    walk.step(&format!("POST {base}/refresh"), &first_actor, refreshed, &[about]).await;
    let ended = delete(&first, &format!("{base}/sessions/{}", session_of(&second_actor))).await;
    let about = of_tenant(event("session.revoked", session_of(&second_actor), json!({})));
    walk.step(&format!("DELETE {base}/sessions/{{id}}"), &first_actor, ended, &[about]).await;
    second.get(&format!("{base}/session")).await.expect(401);
    let ended = third.post(&format!("{base}/logout"), &json!({})).await;
    let about = of_tenant(event("session.revoked", session_of(&third_actor), json!({})));
    walk.step(&format!("POST {base}/logout"), &third_actor, ended, &[about]).await;
    let ended = first.post(&format!("{base}/sessions/revoke-all"), &json!({})).await;
    let live = ended.body["sessions_ended"].to_string();
    let about = of_tenant(event("sessions.revoked", account.1, json!({ "sessions_ended": live })));
    walk.step(&format!("POST {base}/sessions/revoke-all"), &first_actor, ended, &[about]).await;
}

/// A tenant's sessions as operators end them: one, and all.
async fn walk_a_tenants_sessions(world: &World, walk: &mut Walk, (api, admin): (&Api, &Api), key: &Value, tenant: &str) {
    let path = format!("/api/admin/tenants/{tenant}/sessions");
    let (own, itself) = sign_in(world, walk, Door::Tenant, api, "acme", "it@acme.example", ("tenant", tenant)).await;
    let ended = delete(admin, &format!("{path}/{}", session_of(&itself))).await;
    let about = event("session.revoked", session_of(&itself), json!({})).of(tenant);
    walk.step("DELETE /api/admin/tenants/{id}/sessions/{session}", key, ended, &[about]).await;
    own.get("/api/tenant/auth/session").await.expect(401);
    let ended = delete(admin, &path).await;
    let about = event("sessions.revoked", tenant, json!({ "sessions_ended": null })).of(tenant);
    walk.step("DELETE /api/admin/tenants/{id}/sessions", key, ended, &[about]).await;
}

async fn walk_operators(world: &World, walk: &mut Walk, api: &Api, link: &str) {
    let anonymous = actor("anonymous", None, None);
    walk.secret(link.trim_start_matches("/bootstrap/"));
    for personal in ["ada@portal.example", "Lovelace", "grace@portal.example", "Hopper"] {
        walk.secret(personal);
    }
    let made = api.post(link, &json!({ "name": "Ada Lovelace", "email": "ada@portal.example" })).await;
    let (owner_id, token) = (made.text_at("/operator/id"), made.text_at("/session_token"));
    walk.secret(&token);
    let owner = api.with_bearer(&token);
    let session = owner.get("/api/admin/auth/session").await.expect(200).text_at("/session/id");
    let ada = actor("operator", Some(&owner_id), Some(&session));
    let events = [
        event("operator.bootstrapped", &owner_id, json!({ "purpose": "first_operator" })),
        event("sign_in.succeeded", &session, json!({})).by(&ada),
    ];
    walk.step("POST /bootstrap/{token}", &anonymous, made, &events).await;

    let made = owner
        .post("/api/admin/operators", &json!({ "name": "Grace Hopper", "email": "grace@portal.example", "role": "viewer" }))
        .await;
    let grace = id(&made.body);
    walk.step("POST /api/admin/operators", &ada, made, &[event("operator.created", &grace, json!({ "role": "viewer" }))]).await;
    let path = format!("/api/admin/operators/{grace}");
    let changed = owner.patch(&path, &json!({ "name": "Rear Admiral Hopper", "role": "manager" })).await;
    let details = json!({ "changed": "name, role", "old_role": "viewer", "new_role": "manager" });
    walk.step("PATCH /api/admin/operators/{id}", &ada, changed, &[event("operator.changed", &grace, details)]).await;
    walk_sessions(world, walk, Door::Operator, api, "grace@portal.example", "grace@portal.example", ("operator", &grace)).await;
    let deleted = delete(&owner, &path).await;
    walk.step(
        "DELETE /api/admin/operators/{id}",
        &ada,
        deleted,
        &[event("operator.deleted", &grace, json!({ "role": "manager" }))],
    )
    .await;

    let wanted = json!({ "name": "Lovelace's", "scopes": ["plans:read", "audit:read"], "expires_at": "2099-01-01T00:00:00Z" });
    let made = owner.post("/api/admin/api-keys", &wanted).await;
    let (key, text) = (id(&made.body), made.text_at("/api_key"));
    walk.secret(&text);
    let details = json!({ "scopes": null, "expires_at": "2099-01-01T00:00:00Z" });
    walk.step("POST /api/admin/api-keys", &ada, made, &[event("api_key.created", &key, details)]).await;
    let revoked = delete(&owner, &format!("/api/admin/api-keys/{key}")).await;
    walk.step("DELETE /api/admin/api-keys/{id}", &ada, revoked, &[event("api_key.revoked", &key, json!({}))]).await;
}

/// Gives a plan that a tenant can be on.
async fn walk_plans(walk: &mut Walk, admin: &Api, key: &Value) -> String {
    let made = admin.post("/api/admin/plans", &json!({ "name": "Basic", "monthly_run_quota": 20 })).await;
    let plan = id(&made.body);
    walk.step("POST /api/admin/plans", key, made, &[event("plan.created", &plan, json!({ "monthly_run_quota": "20" }))]).await;
    let path = format!("/api/admin/plans/{plan}");
    let changed = admin.patch(&path, &json!({ "name": "Better", "monthly_run_quota": 30 })).await;
    let details =
        json!({ "old_name": "Basic", "new_name": "Better", "old_monthly_run_quota": "20", "new_monthly_run_quota": "30" });
    walk.step("PATCH /api/admin/plans/{id}", key, changed, &[event("plan.changed", &plan, details)]).await;
    for (word, action) in [("archive", "plan.archived"), ("restore", "plan.restored")] {
        let done = admin.post(&format!("{path}/{word}"), &json!({})).await;
        walk.step(&format!("POST /api/admin/plans/{{id}}/{word}"), key, done, &[event(action, &plan, json!({}))]).await;
    }
    let done = delete(admin, &path).await;
    walk.step("DELETE /api/admin/plans/{id}", key, done, &[event("plan.deleted", &plan, json!({ "name": "Better" }))]).await;
    let plan = id(&admin.create_plan("Standard", 100).await);
    walk.skip().await;
    plan
}

async fn walk_tenants(walk: &mut Walk, admin: &Api, key: &Value, plan: &str) {
    for personal in ["it@beta.example", "new@beta.example", "Beta Incorporated", "logo.svg"] {
        walk.secret(personal);
    }
    let wanted = json!({ "slug": "beta", "name": "Beta Incorporated", "contact_email": "it@beta.example", "plan_id": plan });
    let made = admin.post("/api/admin/tenants", &wanted).await;
    let tenant = id(&made.body);
    for code in made.body["activation_codes"].as_array().unwrap() {
        walk.secret(code["code"].as_str().unwrap());
    }
    let batch = admin.get(&format!("/api/admin/batches?tenant={tenant}")).await.expect(200).text_at("/items/0/id");
    let events = [
        event("tenant.created", &tenant, json!({ "plan_id": plan })).of(&tenant),
        event("codes.issued", &batch, json!({ "count": "10", "max_uses": "1" })).of(&tenant),
    ];
    walk.step("POST /api/admin/tenants", key, made, &events).await;
    let path = format!("/api/admin/tenants/{tenant}");
    let changed =
        admin.patch(&path, &json!({ "contact_email": "new@beta.example", "logo_url": "https://beta.example/logo.svg" })).await;
    let details = json!({ "changed": "contact_email, logo_url", "challenges_ended": "0" });
    walk.step("PATCH /api/admin/tenants/{id}", key, changed, &[event("tenant.changed", &tenant, details).of(&tenant)]).await;
    let wanted = json!({ "plan_id": plan, "state": "past_due", "current_period_end": "2099-01-01T00:00:00Z" });
    let set = admin.put(&format!("{path}/subscription"), &wanted).await;
    let details = json!({
        "old_state": "active", "new_state": "past_due", "old_current_period_end": null, "new_current_period_end": "2099-01-01T00:00:00Z",
    });
    walk.step(
        "PUT /api/admin/tenants/{id}/subscription",
        key,
        set,
        &[event("subscription.changed", &tenant, details).of(&tenant)],
    )
    .await;
    for (word, action, details) in
        [("suspend", "tenant.suspended", json!({ "sessions_ended": "0" })), ("resume", "tenant.resumed", json!({}))]
    {
        let done = admin.post(&format!("{path}/{word}"), &json!({})).await;
        walk.step(&format!("POST /api/admin/tenants/{{id}}/{word}"), key, done, &[event(action, &tenant, details).of(&tenant)])
            .await;
    }
    let done = delete(admin, &path).await;
    walk.step("DELETE /api/admin/tenants/{id}", key, done, &[event("tenant.deleted", &tenant, json!({})).of(&tenant)]).await;
}

async fn walk_codes(walk: &mut Walk, admin: &Api, key: &Value, tenant: &str) {
    let path = format!("/api/admin/tenants/{tenant}/codes");
    let issued = admin.post(&path, &json!({ "count": 2, "label": "CANARYLABEL", "max_uses": 3 })).await;
    let batch = issued.text_at("/batch_id");
    let (code, text) = (issued.text_at("/activation_codes/0/id"), issued.text_at("/activation_codes/0/code"));
    walk.secret("CANARYLABEL");
    walk.secret(&text);
    let details = json!({ "count": "2", "max_uses": "3" });
    walk.step("POST /api/admin/tenants/{id}/codes", key, issued, &[event("codes.issued", &batch, details).of(tenant)]).await;
    let request = admin.request(Method::POST, &path).header("accept", "text/csv").json(&json!({ "count": 1_001 }));
    let streamed = admin.send(request).await;
    for row in streamed.text.lines().skip(1).take(50) {
        walk.secret(row.split(',').nth(1).unwrap());
    }
    let stream = streamed.header("x-batch-id").unwrap().to_owned();
    let events = [
        event("codes.issue_started", &stream, json!({ "ordered": "1001", "max_uses": "1" })).of(tenant),
        event("codes.issued", &stream, json!({ "count": "1001", "max_uses": "1" })).of(tenant),
    ];
    walk.step("POST /api/admin/tenants/{id}/codes", key, streamed, &events).await;
    let request = admin.request(Method::POST, &format!("{path}/import")).header("content-type", "text/csv");
    let imported = admin.send(request.body("code,label\n12RY-S55W-4MZR-KP2J,CANARYLABEL\n")).await;
    walk.secret("12RY-S55W-4MZR-KP2J");
    let taken_in = imported.header("x-batch-id").unwrap().to_owned();
    let about = event("codes.imported", &taken_in, json!({ "count": "1" })).of(tenant);
    walk.step("POST /api/admin/tenants/{id}/codes/import", key, imported, &[about]).await;
    // It changes nothing, but takes something away.
    let exported = admin.get(&format!("/api/admin/codes/export?tenant={tenant}&label=CANARYLABEL")).await;
    let about = event("codes.exported", "", json!({ "label": "one" })).of(tenant);
    walk.step("GET /api/admin/codes/export", key, exported, &[about]).await;
    let checked = admin.post("/api/admin/codes/check", &json!({ "code": text })).await;
    walk.step("POST /api/admin/codes/check", key, checked, &[]).await;

    let path = format!("/api/admin/codes/{code}");
    let reissued = admin.post(&format!("{path}/reissue"), &json!({})).await;
    let new = reissued.text_at("/code");
    walk.secret(&new);
    let hint = |text: &str| text[text.len() - 4..].to_owned();
    let details = json!({ "old_hint": hint(&text), "new_hint": hint(&new), "old_key_id": null, "new_key_id": null });
    walk.step("POST /api/admin/codes/{id}/reissue", key, reissued, &[event("code.reissued", &code, details).of(tenant)]).await;
    let moved = admin.post(&format!("{path}/expire"), &json!({ "expires_at": "2099-01-01T00:00:00Z" })).await;
    let details = json!({ "old_expires_at": null, "new_expires_at": "2099-01-01T00:00:00Z" });
    walk.step("POST /api/admin/codes/{id}/expire", key, moved, &[event("code.expiry_changed", &code, details).of(tenant)]).await;
    let revoked = admin.post(&format!("{path}/revoke"), &json!({})).await;
    walk.step("POST /api/admin/codes/{id}/revoke", key, revoked, &[event("code.revoked", &code, json!({})).of(tenant)]).await;
    let revoked = admin.post(&format!("/api/admin/batches/{batch}/revoke"), &json!({})).await;
    let details = json!({ "codes": "1", "ended_issue": "false" });
    walk.step("POST /api/admin/batches/{id}/revoke", key, revoked, &[event("codes.revoked", &batch, details).of(tenant)]).await;
}

async fn walk_projects(
    walk: &mut Walk,
    (api, own): (&Api, &Value),
    (admin, key): (&Api, &Value),
    (tenant, code): (&str, &str),
    legacy: &str,
) {
    for personal in ["CANARYCLIENT", "CANARYTEXT"] {
        walk.secret(personal);
    }
    let made = api.post("/api/tenant/projects", &json!({ "client_name": "CANARYCLIENT", "description": "CANARYTEXT" })).await;
    let project = id(&made.body);
    let about = |action, details| event(action, &project, details).of(tenant);
    walk.step("POST /api/tenant/projects", own, made, &[about("project.created", json!({}))]).await;
    let path = format!("/api/tenant/projects/{project}");
    let changed = api.patch(&path, &json!({ "objectives": "CANARYTEXT" })).await;
    walk.step("PATCH /api/tenant/projects/{id}", own, changed, &[about("project.changed", json!({ "changed": "objectives" }))])
        .await;
    let changed = api.put(&path, &json!({ "client_name": "CANARYCLIENT II" })).await;
    let details = json!({ "changed": "client_name, description, objectives" });
    walk.step("PUT /api/tenant/projects/{id}", own, changed, &[about("project.changed", details)]).await;
    let activated = api.activate(&project, &json!({ "code": code })).await;
    let used = activated.text_at("/activation_code_id");
    let details = json!({ "activation_code_id": used });
    walk.step("POST /api/tenant/projects/{id}/activate", own, activated, &[about("project.activated", details)]).await;
    let returned = json!({ "activation_code_id": used, "redeemed_at": null });
    let given_back = api.post(&format!("{path}/return"), &json!({})).await;
    walk.step("POST /api/tenant/projects/{id}/return", own, given_back, &[about("activation.returned", returned.clone())]).await;
    api.activate(&project, &json!({ "code": code })).await.expect(200);
    walk.skip().await;
    let given_back = admin.post(&format!("/api/admin/projects/{project}/return"), &json!({})).await;
    walk.step("POST /api/admin/projects/{id}/return", key, given_back, &[about("activation.returned", returned)]).await;
    api.activate(&project, &json!({ "code": code })).await.expect(200);
    walk.skip().await;
    for (word, action) in [("pause", "project.paused"), ("resume", "project.resumed"), ("complete", "project.completed")] {
        let done = api.post(&format!("{path}/{word}"), &json!({})).await;
        walk.step(&format!("POST /api/tenant/projects/{{id}}/{word}"), own, done, &[about(action, json!({}))]).await;
    }
    let done = delete(api, &path).await;
    walk.step("DELETE /api/tenant/projects/{id}", own, done, &[about("project.deleted", json!({}))]).await;

    let assigned = admin.post(&format!("/api/admin/projects/{legacy}/assign"), &json!({ "tenant_id": tenant })).await;
    let details = json!({ "old_tenant_id": "none", "new_tenant_id": tenant });
    let about = event("project.assigned", legacy, details).of(tenant);
    walk.step("POST /api/admin/projects/{id}/assign", key, assigned, &[about]).await;
}

/// Two mails that were sent are made dead, as if the mail server had refused them.
async fn walk_messages(world: &World, walk: &mut Walk, admin: &Api, key: &Value) {
    let sent = admin.get("/api/admin/messages?state=sent&limit=2").await.expect(200).body;
    let [retried, discarded] = [0, 1].map(|place| id(&sent["items"][place]));
    let (ids, payload) = (
        [&retried, &discarded].map(|id| world.uuid_literal(id)).join(", "),
        match world.kind() {
            DatabaseKind::Postgres => r"'\x00'",
            DatabaseKind::Sqlite => "x'00'",
        },
    );
    let kill = format!("UPDATE outbox SET outcome = 'dead', payload = {payload}, not_after = NULL WHERE id IN ({ids})");
    assert_eq!(database::execute(world.database_url(), &kill).await.unwrap(), 2);
    for (message, step, action) in [(&retried, "retry", "message.retried"), (&discarded, "discard", "message.discarded")] {
        let done = admin.post(&format!("/api/admin/messages/{message}/{step}"), &json!({})).await;
        let about = event(action, message, json!({ "topic": "mail.otp" }));
        walk.step(&format!("POST /api/admin/messages/{{id}}/{step}"), key, done, &[about]).await;
    }
}

/// The operators' webhooks, or a tenant's own.
async fn walk_webhooks(world: &World, walk: &mut Walk, (api, sender): (&Api, &Value), door: &str, tenant: Option<&str>) {
    let about = |action, webhook: &str, details| Event { tenant: tenant.map(str::to_owned), ..event(action, webhook, details) };
    for personal in ["https://CANARY.example/hooks", "CANARYHOOK"] {
        walk.secret(personal);
    }
    let new = json!({ "url": "https://CANARY.example/hooks", "description": "CANARYHOOK", "events": ["tenant.created"] });
    let made = api.post(door, &new).await;
    let (webhook, secret) = (id(&made.body), made.text_at("/secret"));
    walk.secret(&secret);
    let created = about("webhook.created", &webhook, json!({ "events": "tenant.created" }));
    walk.step(&format!("POST {door}"), sender, made, &[created]).await;
    let path = format!("{door}/{webhook}");
    let changed = api.patch(&path, &json!({ "description": null, "events": ["codes.issued"] })).await;
    let details = json!({ "changed": "description, events", "old_events": "tenant.created", "new_events": "codes.issued" });
    walk.step(&format!("PATCH {door}/{{id}}"), sender, changed, &[about("webhook.changed", &webhook, details)]).await;
    let rotated = api.post(&format!("{path}/rotate-secret"), &json!({ "overlap_seconds": 60 })).await;
    walk.secret(&rotated.text_at("/secret"));
    let details = about("webhook.secret_rotated", &webhook, json!({ "overlap_seconds": "60" }));
    walk.step(&format!("POST {door}/{{id}}/rotate-secret"), sender, rotated, &[details]).await;
    let tested = api.post(&format!("{path}/test"), &json!({})).await;
    let message = id(&tested.body);
    let details = json!({ "message_id": message });
    let step = format!("POST {door}/{{id}}/test");
    walk.step(&step, sender, tested, &[about("webhook.tested", &webhook, details.clone())]).await;
    let give_up =
        "UPDATE outbox SET settled_at = created_at, outcome = 'dead' WHERE webhook_id IS NOT NULL AND settled_at IS NULL";
    database::execute(world.database_url(), give_up).await.unwrap();
    let again = api.post(&format!("{path}/deliveries/{message}/redeliver"), &json!({})).await;
    let step = format!("POST {door}/{{id}}/deliveries/{{delivery}}/redeliver");
    walk.step(&step, sender, again, &[about("webhook.redelivered", &webhook, details)]).await;
    let deleted = delete(api, &path).await;
    walk.step(&format!("DELETE {door}/{{id}}"), sender, deleted, &[about("webhook.deleted", &webhook, json!({}))]).await;
}

on_both_databases! {
    /// Exactly the right events: who, what, to what, from where, in which request, what changed, and no secret.
    async fn every_change_is_in_the_trail_once_and_no_secret_is(world: World) {
        let server = world.builder().env("TENANTRY__OTP__REQUESTS_PER_ACCOUNT_BURST", 20).start().await;
        let (api, admin) = (server.api(), world.admin(&server));
        world.insert_legacy_project("018bcfe5-6800-7000-8000-00000000000a", "old-1", "CANARYCLIENT").await;
        let link = server.bootstrap_path().await;
        let mut walk = Walk { watcher: admin.clone(), walked: BTreeSet::new(), events: 0, canaries: BTreeSet::new() };
        walk.secret(world.api_key());
        walk.skip().await;
        let name = admin.get("/api/admin/auth/session").await.expect(200).text_at("/api_key/name");
        let key = actor("api_key", Some(&name), None);

        walk_operators(&world, &mut walk, &api, &link).await;
        let plan = walk_plans(&mut walk, &admin, &key).await;
        walk_tenants(&mut walk, &admin, &key, &plan).await;

        let (acme, codes) = admin.create_tenant("acme", &plan, "it@acme.example").await;
        walk.skip().await;
        let tenant = id(&acme);
        codes.iter().for_each(|code| walk.secret(code));
        for personal in ["it@acme.example", "other@acme.example"] {
            walk.secret(personal);
        }
        walk_codes(&mut walk, &admin, &key, &tenant).await;
        walk_sessions(&world, &mut walk, Door::Tenant, &api, "acme", "it@acme.example", ("tenant", &tenant)).await;
        walk_a_tenants_sessions(&world, &mut walk, (&api, &admin), &key, &tenant).await;
        let (own, itself) = sign_in(&world, &mut walk, Door::Tenant, &api, "acme", "it@acme.example", ("tenant", &tenant)).await;
        let legacy = "prj_018bcfe568007000800000000000000a";
        walk_projects(&mut walk, (&own, &itself), (&admin, &key), (&tenant, &codes[0]), legacy).await;
        let changed = own.patch("/api/tenant/profile", &json!({ "contact_email": "other@acme.example", "primary_color": "#123456" })).await;
        let details = json!({ "changed": "contact_email, primary_color", "challenges_ended": "0", "sessions_ended": "0" });
        walk.step("PATCH /api/tenant/profile", &itself, changed, &[event("tenant.changed", &tenant, details).of(&tenant)]).await;
        walk_messages(&world, &mut walk, &admin, &key).await;
        walk_webhooks(&world, &mut walk, (&admin, &key), "/api/admin/webhooks", None).await;
        walk_webhooks(&world, &mut walk, (&own, &itself), "/api/tenant/webhooks", Some(&tenant)).await;

        walk.walked.retain(|operation| !operation.starts_with("GET "));
        assert_eq!(walk.walked, changing_operations(), "every changing operation is walked");

        // What is stored, not only what is shown.
        let trail = Value::from(world.rows("SELECT details, target, actor_name, client_ip, request_id FROM audit_events").await).to_string();
        assert!(trail.contains("old_monthly_run_quota"), "the trail is there");
        for canary in &walk.canaries {
            let told = trail.split(|c: char| !c.is_ascii_alphanumeric() && !"-_@. ".contains(c)).any(|word| word == canary);
            assert!(!told && (canary.len() == 6 || !trail.contains(canary.as_str())), "{canary} is in the trail");
        }
        assert!(walk.canaries.len() > 60);
    }

    /// Refusals that matter: who was refused what, and why. The answers say no more than they did.
    async fn refusals_that_matter_are_in_the_trail(world: World) {
        let server = world.server().await;
        let (api, admin) = (server.api(), world.admin(&server));
        let acme = world.tenant(&server, "acme").await;
        let tenant = id(&acme.tenant);
        let failures = async |action: &str| {
            let found = admin.get(&format!("/api/admin/events?outcome=failure&limit=200&action={action}")).await.expect(200).body;
            found["items"].as_array().unwrap().clone()
        };
        let none: [Value; 0] = [];
        assert_eq!(admin.get("/api/admin/events?outcome=failure").await.expect(200).body["items"], json!(none));

        // A wrong password, of a tenant and of nobody.
        for (slug, whose) in [("acme", json!(tenant)), ("nobody", json!(null))] {
            let challenge = api.ask_for_otp(slug).await;
            let refused = api.verify_otp(&challenge, "000000").await.expect_problem(401, "invalid_otp");
            let found = &failures("sign_in.failed").await[0];
            assert_eq!((&found["tenant_id"], &found["actor"]), (&whose, &actor("anonymous", None, None)));
            assert_eq!(found["details"], json!({ "challenge_id": challenge, "purpose": "tenant_sign_in" }));
            assert_eq!((found["request_id"].as_str(), &found["client_ip"]), (refused.header("x-request-id"), &json!("127.0.0.1")));
        }

        // An activation, with the reason.
        let project = id(&acme.api.create_project("Client").await);
        let refused = acme.api.activate(&project, &json!({ "code": "12RY-S55W-4MZR-KP2J" })).await.expect_problem(422, "code_unknown");
        let found = &failures("activation.").await[0];
        assert_eq!((&found["target"], &found["details"]), (&json!(project), &json!({ "reason": "code_unknown" })));
        assert_eq!((&found["actor"]["kind"], found["request_id"].as_str()), (&json!("tenant"), refused.header("x-request-id")));

        // What a key and an operator may not do, and whom they may not make.
        let (key, program) = admin.create_api_key(&["plans:read"]).await;
        let refused = program.post("/api/admin/plans", &json!({ "name": "CANARY", "monthly_run_quota": 1 })).await.expect_problem(403, "forbidden");
        let found = &failures("access.").await[0];
        assert_eq!(found["actor"], actor("api_key", key["id"].as_str(), None));
        assert_eq!(found["details"], json!({ "missing": "plans:write", "operation": "POST /api/admin/plans" }));
        assert_eq!((found["request_id"].as_str(), &found["client_ip"]), (refused.header("x-request-id"), &json!("127.0.0.1")));
        let (key, program) = admin.create_api_key(&["operators:write", "api_keys:write"]).await;
        let path = format!("/api/admin/operators/{}", id(&admin.create_operator("ada@portal.example", "owner").await));
        let beyond = [
            program.post("/api/admin/api-keys", &json!({ "name": "CANARY", "scopes": ["codes:write"] })).await,
            program.post("/api/admin/operators", &json!({ "name": "CANARY", "email": "canary@portal.example", "role": "owner" })).await,
            program.patch(&path, &json!({ "role": "viewer" })).await,
            program.delete(&path).await,
        ];
        let found = failures("access.forbidden").await;
        assert_eq!(found.len(), 1 + beyond.len());
        for (refused, found) in beyond.into_iter().rev().zip(&found) {
            assert_eq!(found["request_id"].as_str(), refused.expect_problem(403, "forbidden").header("x-request-id"));
            assert_eq!(found["actor"], actor("api_key", key["id"].as_str(), None));
            assert!(found["details"]["missing"].as_str().unwrap().contains("codes:write"), "{found}");
        }

        // A suspended tenant, which is told what everybody is told.
        admin.post(&format!("/api/admin/tenants/{tenant}/suspend"), &json!({})).await.expect(204);
        acme.api.get("/api/tenant/events").await.expect_problem(401, "unauthenticated");
        api.ask_at(Door::Tenant, "acme").await.expect(202);
        let found = failures("otp.").await;
        assert_eq!((found.len(), &found[0]["action"], &found[0]["tenant_id"]), (1, &json!("otp.refused"), &json!(tenant)));
        let trail = admin.get("/api/admin/events?limit=200").await.expect(200).text;
        assert!(!trail.contains("CANARY") && !trail.contains("portal.example") && !trail.contains("12RY"), "{trail}");
    }
}
