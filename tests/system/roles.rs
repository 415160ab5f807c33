//! What each operation asks for, and who has it: all of them are walked, with every scope but the one, and with that one alone.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::{Value, json};
use tenantry_domain::{Role, Scope, memory::MemoryStore};
use tenantry_tests::{Api, Reply, on_both_databases};
use tokio::task::JoinSet;

/// An operation of the operators' API, with a path that can be called.
struct Route {
    method: Method,
    path: String,
    scope: Option<Scope>,
}

/// Every operation, its path's parameters filled with the document's own examples.
fn routes() -> Vec<Route> {
    let document: Value = serde_json::from_str(&tenantry_http::openapi::<MemoryStore>()).unwrap();
    let example = |parameter: &Value| {
        let pointer = parameter["schema"]["$ref"].as_str().unwrap().trim_start_matches('#');
        document.pointer(pointer).unwrap()["examples"][0].as_str().unwrap().to_owned()
    };
    let filled = |method: &str, path: &str| {
        // A page of one thing has the identifier in its path where the API has it.
        if let Some(page) = path.strip_prefix("/admin/") {
            let Some((things, rest)) = page.split_once("/{id}") else { return path.to_owned() };
            let one = &document["paths"][format!("/api/admin/{things}/{{id}}")];
            let id =
                one.as_object().unwrap().values().find_map(|operation| operation["parameters"].as_array()?.first().map(example));
            let delivery = "msg_018bcfe568007000800000000000000a";
            return format!("/admin/{things}/{}{}", id.unwrap(), rest.replace("{delivery}", delivery));
        }
        let operation = &document["paths"][path][method.to_lowercase()];
        let parameters = operation["parameters"].as_array().into_iter().flatten().filter(|parameter| parameter["in"] == "path");
        parameters.fold(path.to_owned(), |path, parameter| {
            path.replace(&format!("{{{}}}", parameter["name"].as_str().unwrap()), &example(parameter))
        })
    };
    let routes = tenantry_http::operator_routes::<MemoryStore>().into_iter().map(|(method, path, scope)| Route {
        path: filled(method.as_str(), path),
        method: Method::from_bytes(method.as_str().as_bytes()).unwrap(),
        scope,
    });
    // Whoever ends its own sessions on the way walks no further.
    let ends = ["/auth/", "/admin/sign-out", "/admin/account/"];
    let routes: Vec<_> = routes.filter(|route| !ends.iter().any(|end| route.path.contains(end))).collect();
    assert!(routes.len() > 15, "the table is there");
    routes
}

async fn call(api: &Api, route: &Route) -> Reply {
    let request = api.request(route.method.clone(), &route.path);
    api.send(match route.method {
        Method::GET => request,
        _ if route.path.starts_with("/admin") => request.form(&[("version", "")]),
        _ => request.json(&json!({})),
    })
    .await
}

on_both_databases! {
    /// With every scope but the one that it asks for, an operation is forbidden and says what is missing; with that one alone it isn't.
    async fn every_operation_asks_for_its_scope(world: World) {
        let server = world.server().await;
        let admin = world.admin(&server);
        let mut keys = BTreeMap::new();
        for &scope in Scope::ALL {
            let others: Vec<_> = Scope::ALL.iter().filter(|&&other| other != scope).map(|other| other.as_str()).collect();
            let (_, lacking) = admin.create_api_key(&others).await;
            let (_, having) = admin.create_api_key(&[scope.as_str()]).await;
            keys.insert(scope, (lacking, having));
        }
        for route in routes() {
            let Some(scope) = route.scope else { continue };
            let (lacking, having) = &keys[&scope];
            let name = format!("{} {}", route.method, route.path);
            let refused = call(lacking, &route).await.expect_problem(403, "forbidden");
            assert!(refused.text_at("/detail").contains(&format!("`{scope}`")), "{name}: {refused:?}");
            let allowed = call(having, &route).await;
            // A page of a tenant's codes asks for what a tenant's pages ask for, and for what codes do.
            let lacks_another = allowed.status == 403 && route.path.starts_with("/admin/tenants/") && route.method == Method::GET;
            if lacks_another {
                assert!(!allowed.text_at("/detail").contains(&format!("`{scope}`")), "{name}: {allowed:?}");
                continue;
            }
            assert!(![401, 403].contains(&allowed.status) && allowed.status < 500, "{name}: {allowed:?}");
            call(&server.api(), &route).await.expect_problem(401, "unauthenticated");
        }
    }

    /// Owners may do everything, managers and viewers what their roles say, at every operation.
    async fn every_operation_is_open_to_the_roles_that_have_its_scope(world: World) {
        let server = world.server().await;
        let acme = world.tenant(&server, "acme").await;
        for role in Role::ALL {
            let operator = world.operator(&server, role.as_str(), &format!("{}@portal.example", role.as_str())).await;
            for route in routes() {
                let may = route.scope.is_none_or(|scope| role.scopes().has(scope));
                let reply = call(&operator.api, &route).await;
                let name = format!("{} {} as {}", route.method, route.path, role.as_str());
                assert_eq!(reply.status == 403, !may, "{name}: {reply:?}");
                assert!(reply.status != 401 && reply.status < 500, "{name}: {reply:?}");
            }
        }
        for route in routes() {
            call(&acme.api, &route).await.expect_problem(401, "unauthenticated");
        }
    }

    /// The last owner can be neither demoted nor removed, and what races ends with one.
    async fn two_last_owners_who_go_at_once_leave_one(world: World) {
        let servers = world.servers().await;
        let owners = [
            world.operator(&servers[0], "owner", "ada@portal.example").await,
            world.operator(&servers[0], "owner", "grace@portal.example").await,
        ];
        for round in 0..8 {
            let mut racers = JoinSet::new();
            for (number, owner) in owners.iter().enumerate() {
                let (api, path) = (owner.api.at(servers[number % servers.len()].url()), owner.path());
                racers.spawn(async move { (number, api.patch(&path, &json!({ "role": "manager" })).await) });
            }
            let mut replies = racers.join_all().await;
            replies.sort_by_key(|(number, _)| *number);
            let statuses: Vec<_> = replies.iter().map(|(_, reply)| reply.status).collect();
            assert!(statuses == [200, 409] || statuses == [409, 200], "round {round}: {replies:?}");
            let left = statuses.iter().position(|&status| status == 409).unwrap();
            replies.remove(left).1.expect_problem(409, "conflict");
            let (last, demoted) = (&owners[left], &owners[1 - left]);
            last.api.delete(&last.path()).await.expect_problem(409, "conflict");
            last.api.patch(&demoted.path(), &json!({ "role": "owner" })).await.expect(200);
        }
        // Each removes the other: one is gone before its own request, or finds itself the last.
        let mut racers = JoinSet::new();
        for (number, owner) in owners.iter().enumerate() {
            let (api, path) = (owner.api.at(servers[number % servers.len()].url()), owners[1 - number].path());
            racers.spawn(async move { api.delete(&path).await });
        }
        let mut statuses: Vec<_> = racers.join_all().await.iter().map(|reply| reply.status).collect();
        statuses.sort_unstable();
        assert!(statuses == [204, 401] || statuses == [204, 409], "{statuses:?}");
        assert_eq!(world.rows("SELECT role FROM operators").await, [json!({ "role": "owner" })]);
    }

    async fn operators_are_made_once_changed_and_listed(world: World) {
        let server = world.server().await;
        let owner = world.operator(&server, "owner", "ada@portal.example").await;
        let grace = owner.api.create_operator("grace@portal.example", "viewer").await;
        let path = format!("/api/admin/operators/{}", grace["id"].as_str().unwrap());
        let again = json!({ "name": "Grace", "email": "GRACE@portal.example", "role": "viewer" });
        owner.api.post("/api/admin/operators", &again).await.expect_problem(409, "conflict");
        let bad = json!({ "name": "", "email": "grace", "role": "king" });
        let problem = owner.api.post("/api/admin/operators", &bad).await.expect_problem(422, "validation_failed");
        assert_eq!(problem.body["errors"].as_array().unwrap().len(), 3);
        assert_eq!(owner.api.get("/api/admin/operators?count=true").await.expect(200).body["total"], 2);

        let changed = owner.api.patch(&path, &json!({ "name": "Grace Hopper", "role": "manager" })).await.expect(200).body;
        assert_eq!((&changed["name"], &changed["role"]), (&json!("Grace Hopper"), &json!("manager")));
        assert_eq!(owner.api.get(&path).await.expect(200).body, changed);
        assert_eq!(owner.api.patch(&path, &json!({ "role": "manager" })).await.expect(200).body, changed, "nothing changed, not even the moment");
        owner.api.patch(&path, &json!({ "role": "king" })).await.expect_problem(422, "validation_failed");
        let trail = world.rows("SELECT details FROM audit_events WHERE action = 'operator.changed'").await;
        let details: Value = serde_json::from_str(trail[0]["details"].as_str().unwrap()).unwrap();
        assert_eq!((trail.len(), details), (1, json!({ "changed": "name, role", "old_role": "viewer", "new_role": "manager" })));

        owner.api.delete(&path).await.expect(204);
        for reply in [owner.api.get(&path).await, owner.api.patch(&path, &json!({ "name": "Grace" })).await, owner.api.delete(&path).await] {
            reply.expect_problem(404, "not_found");
        }
        owner.api.create_operator("grace@portal.example", "owner").await;
    }
}
