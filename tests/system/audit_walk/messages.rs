//! What is sent: mails that an operator decides about, and webhooks.

use serde_json::{Value, json};
use tenantry_tests::{Api, DatabaseKind, World, database};

use super::walk::{Event, Walk, delete, event, id};

/// Two mails that were sent are made dead, as if the mail server had refused them.
pub async fn walk_messages(world: &World, walk: &mut Walk, admin: &Api, key: &Value) {
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
pub async fn walk_webhooks(world: &World, walk: &mut Walk, (api, sender): (&Api, &Value), door: &str, tenant: Option<&str>) {
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
