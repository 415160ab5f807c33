//! What tenants have: plans, themselves, codes and projects.

use reqwest::Method;
use serde_json::{Value, json};
use tenantry_tests::Api;

use super::walk::{Walk, delete, event, id};

/// Gives a plan that a tenant can be on.
pub async fn walk_plans(walk: &mut Walk, admin: &Api, key: &Value) -> String {
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

pub async fn walk_tenants(walk: &mut Walk, admin: &Api, key: &Value, plan: &str) {
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

pub async fn walk_codes(walk: &mut Walk, admin: &Api, key: &Value, tenant: &str) {
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

pub async fn walk_projects(
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
