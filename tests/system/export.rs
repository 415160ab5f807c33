//! Codes as a file: everything but their texts.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};
use tenantry_tests::{Api, Reply, on_both_databases};

const COLUMNS: &str =
    "id,tenant_id,batch_id,hint,label,status,max_uses,use_count,expires_at,used_at,revoked_at,key_id,created_at,updated_at";

async fn export(admin: &Api, query: &str) -> Reply {
    admin.get(&format!("/api/admin/codes/export{query}")).await.expect(200)
}

/// The first cells of the rows, which are identifiers.
fn ids(file: &Reply) -> Vec<String> {
    let mut lines = file.text.split_terminator("\r\n");
    assert_eq!(lines.next(), Some(COLUMNS));
    lines.map(|line| line.split(',').next().unwrap().to_owned()).collect()
}

on_both_databases! {
    async fn an_export_has_everything_but_the_texts(world: World) {
        let server = world.server().await;
        let admin = world.admin(&server);
        let acme = world.tenant(&server, "acme").await;
        let tenant = acme.tenant["id"].as_str().unwrap();
        let path = format!("/api/admin/tenants/{tenant}/codes");
        let mut texts = acme.codes.clone();
        for label in ["=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)", "say \"hi\", twice", "plain"] {
            texts.extend(admin.issue_codes(tenant, &json!({ "count": 1, "label": label, "max_uses": 3, "ttl_seconds": 3600 })).await);
        }
        let project = acme.api.create_project("Client").await;
        let used = acme.api.activate(project["id"].as_str().unwrap(), &json!({ "code": texts[15] })).await.expect(200).text_at("/activation_code_id");
        let issued = admin.post(&path, &json!({ "count": 1 })).await.expect(201);
        let revoked = issued.text_at("/activation_codes/0/id");
        admin.post(&format!("/api/admin/codes/{revoked}/revoke"), &json!({})).await.expect(200);

        let file = export(&admin, "").await;
        assert_eq!(file.header("content-type"), Some("text/csv; charset=utf-8; header=present"));
        assert!(file.header("content-disposition").unwrap().starts_with("attachment; filename=\"codes-20"), "{file:?}");
        let listed = admin.get("/api/admin/codes?limit=200").await.expect(200).body["items"].as_array().unwrap().clone();
        let in_order: Vec<_> = listed.iter().map(|code| code["id"].as_str().unwrap().to_owned()).collect();
        assert_eq!(ids(&file), in_order, "in the order of the list");
        for code in &listed {
            let label = match code["label"].as_str().unwrap_or_default() {
                "say \"hi\", twice" => "\"say \"\"hi\"\", twice\"".to_owned(),
                label if label.starts_with(['=', '+', '-', '@']) => format!("'{label}"),
                label => label.to_owned(),
            };
            let cells = COLUMNS.split(',').map(|column| match (column, &code[column]) {
                ("label", _) => label.clone(),
                (_, Value::String(text)) => text.clone(),
                (_, Value::Null) => String::new(),
                (_, number) => number.to_string(),
            });
            let line = cells.collect::<Vec<_>>().join(",");
            assert!(file.text.lines().any(|row| row == line), "{line} is not in\n{}", file.text);
        }
        for text in &texts {
            assert!(!file.text.contains(text.as_str()), "a text is in the file");
        }
        let used_record = listed.iter().find(|code| code["id"] == json!(used)).unwrap();
        let active = format!("?status=active&batch={}", used_record["batch_id"].as_str().unwrap());
        for (query, expected) in [("?status=revoked", &revoked), (active.as_str(), &used)] {
            assert_eq!(ids(&export(&admin, query).await), std::slice::from_ref(expected), "{query}");
        }
        assert_eq!(ids(&export(&admin, "?label=plain").await), [used]);
        assert_eq!(ids(&export(&admin, "?label=nothing").await), [""; 0]);

        let events = world.rows("SELECT actor_kind, target, details FROM audit_events WHERE action = 'codes.exported' ORDER BY id").await;
        assert_eq!(events.len(), 5);
        assert_eq!(events[1]["details"], json!(r#"{"status":"revoked"}"#));
        assert_eq!(events[4]["details"], json!(r#"{"label":"one"}"#));
        for wrong in ["?tenant=acme", "?status=lost", "?batch=x", "?label=", "?hint=!", "?limit=3"] {
            admin.get(&format!("/api/admin/codes/export{wrong}")).await.expect_problem(422, "validation_failed");
        }
    }

    async fn an_export_goes_through_all_pages_once(world: World) {
        let server = world.server().await;
        let admin = world.admin(&server);
        let acme = world.tenant(&server, "acme").await;
        let beta = world.tenant(&server, "beta").await;
        let path = format!("/api/admin/tenants/{}/codes", acme.tenant["id"].as_str().unwrap());
        let request = admin.request(Method::POST, &path).header("accept", "text/csv").json(&json!({ "count": 5_000 }));
        let issued = admin.send(request).await.expect(201);
        let batch = issued.header("x-batch-id").unwrap();
        let of_batch: BTreeSet<_> = issued.text.lines().skip(1).map(|line| line.split(',').next().unwrap().to_owned()).collect();
        let exported = ids(&export(&admin, &format!("?batch={batch}")).await);
        assert_eq!((exported.len(), exported.into_iter().collect::<BTreeSet<_>>()), (5_000, of_batch));
        assert_eq!(ids(&export(&admin, "").await).len(), 5_020);
        assert_eq!(ids(&export(&admin, &format!("?tenant={}", beta.tenant["id"].as_str().unwrap())).await).len(), 10);
        // Nothing on the first pages, and yet something behind them.
        let label = json!({ "count": 1, "label": "old" });
        let first = world.tenant(&server, "gamma").await;
        admin.issue_codes(first.tenant["id"].as_str().unwrap(), &label).await;
        let request = admin.request(Method::POST, &path).header("accept", "text/csv").json(&json!({ "count": 5_000 }));
        admin.send(request).await.expect(201);
        assert_eq!(ids(&export(&admin, "?label=old").await).len(), 1);
        assert!(!server.logs().contains("panicked"));
    }
}
