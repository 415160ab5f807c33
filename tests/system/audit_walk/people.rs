//! Who comes in: sign-ins, sessions, operators and their API keys.

use serde_json::{Value, json};
use tenantry_tests::{Api, Door, World, otp_in};

use super::walk::{Event, Walk, actor, delete, event, id};

/// Somebody signs in: both steps are of the walk, where it is the first time.
pub async fn sign_in(
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
pub async fn walk_sessions(
    world: &World,
    walk: &mut Walk,
    door: Door,
    api: &Api,
    name: &str,
    email: &str,
    account: (&str, &str),
) {
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
pub async fn walk_a_tenants_sessions(world: &World, walk: &mut Walk, (api, admin): (&Api, &Api), key: &Value, tenant: &str) {
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

pub async fn walk_operators(world: &World, walk: &mut Walk, api: &Api, link: &str) {
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
