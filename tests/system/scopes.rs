//! Every route of the operators' API, with nobody, with a tenant, with every scope but its own, and with its own alone.

use reqwest::Method;
use serde_json::json;
use tenantry_domain::{Scope, memory::MemoryStore};
use tenantry_tests::{Api, on_both_databases};

/// A client with an API key that has these scopes.
async fn key_with(admin: &Api, scopes: impl IntoIterator<Item = Scope>) -> Api {
    let scopes: Vec<_> = scopes.into_iter().map(Scope::as_str).collect();
    let made = admin.post("/api/admin/api-keys", &json!({ "name": "Walker", "scopes": scopes })).await.expect(201);
    admin.with_bearer(&made.text_at("/api_key"))
}

/// The path with an identifier that nothing has, of the kind that stands there: one of another kind is not found before anything is asked.
fn concrete(path: &str) -> String {
    let kinds = [
        ("plans", "pln"),
        ("tenants", "ten"),
        ("codes", "code"),
        ("batches", "bat"),
        ("projects", "prj"),
        ("operators", "opr"),
        ("api-keys", "key"),
        ("sessions", "ops"),
    ];
    let kind = kinds.iter().find(|(resource, _)| path.contains(&format!("/{resource}/{{id}}"))).map_or("", |(_, kind)| kind);
    path.replace("{id}", &format!("{kind}_018bcfe568007000800000000000000a"))
}

on_both_databases! {
    async fn every_route_asks_for_its_scope_and_for_no_other(world: World) {
        let server = world.server().await;
        let (admin, tenant) = (world.admin(&server), world.tenant(&server, "acme").await.api);
        let routes = tenantry_http::operator_routes::<MemoryStore>();
        assert!(routes.len() >= 40, "{} routes", routes.len());
        for &scope in Scope::ALL {
            let without = key_with(&admin, Scope::ALL.iter().copied().filter(|&other| other != scope)).await;
            let alone = key_with(&admin, [scope]).await;
            for (method, path, _) in routes.iter().filter(|&&(.., asked)| asked == Some(scope)) {
                let place = format!("{method} {path}");
                let ask = async |api: &Api| {
                    let method = Method::from_bytes(method.as_str().as_bytes()).unwrap();
                    api.send(api.request(method, &concrete(path))).await
                };
                ask(&server.api()).await.expect_problem(401, "unauthenticated");
                ask(&tenant).await.expect_problem(401, "unauthenticated");
                let refused = ask(&without).await.expect_problem(403, "forbidden");
                assert!(refused.text_at("/detail").contains(&format!("`{scope}`")), "{place}: {refused:?}");
                let allowed = ask(&alone).await;
                assert!(!matches!(allowed.status, 401 | 403 | 500..), "{place} with {scope} alone: {allowed:?}");
            }
        }
        for (method, path, _) in routes.iter().filter(|(.., asked)| asked.is_none()) {
            let method = Method::from_bytes(method.as_str().as_bytes()).unwrap();
            let path = concrete(path);
            server.api().send(server.api().request(method.clone(), &path)).await.expect_problem(401, "unauthenticated");
            tenant.send(tenant.request(method, &path)).await.expect_problem(401, "unauthenticated");
        }
    }
}
