//! Versions: what a client has isn't sent again, and of two editors who saw the same version the second is refused.

use std::sync::Arc;

use reqwest::Method;
use serde_json::{Value, json};
use tenantry_tests::{Api, Reply, World, on_both_databases};
use tokio::{sync::Barrier, task::JoinSet};

/// Something that is edited: who edits it, where, how, and with what.
#[derive(Clone)]
struct Item {
    api: Api,
    path: String,
    method: Method,
    edit: fn(u32) -> Value,
}

/// One of everything that is edited.
async fn items(world: &World, server: &tenantry_tests::Server) -> Vec<Item> {
    let admin = world.admin(server);
    let acme = world.tenant(server, "acme").await;
    let tenant = format!("/api/admin/tenants/{}", acme.tenant["id"].as_str().unwrap());
    let plan = format!("/api/admin/plans/{}", acme.tenant["subscription"]["plan_id"].as_str().unwrap());
    let project = acme.api.create_project("Client").await;
    let project = format!("/api/tenant/projects/{}", project["id"].as_str().unwrap());
    let name: fn(u32) -> Value = |number| json!({ "name": format!("Edited {number}") });
    let client: fn(u32) -> Value = |number| json!({ "client_name": format!("Edited {number}") });
    let item = |api: &Api, path: &str, method, edit| Item { api: api.clone(), path: path.to_owned(), method, edit };
    vec![
        item(&admin, &plan, Method::PATCH, name),
        item(&admin, &tenant, Method::PATCH, name),
        item(&acme.api, "/api/tenant/profile", Method::PATCH, name),
        item(&acme.api, &project, Method::PATCH, client),
        item(&acme.api, &project, Method::PUT, client),
    ]
}

/// A subscription, whose edits name its plan.
struct Subscription {
    admin: Api,
    path: String,
    plan: Value,
}

impl Subscription {
    async fn of_a_tenant(world: &World, server: &tenantry_tests::Server) -> Self {
        let admin = world.admin(server);
        let plan = admin.create_plan("Plan", 1).await;
        let (tenant, _) = admin.create_tenant("beta", plan["id"].as_str().unwrap(), "b@b.example").await;
        let path = format!("/api/admin/tenants/{}/subscription", tenant["id"].as_str().unwrap());
        Self { admin, path, plan: plan["id"].clone() }
    }

    fn edit(&self, number: u32) -> Value {
        json!({ "plan_id": self.plan, "state": "active", "current_period_end": format!("2099-01-01T00:{:02}:{:02}Z", number / 60, number % 60) })
    }
}

async fn conditionally(api: &Api, method: Method, path: &str, body: Option<&Value>, header: &str, value: &str) -> Reply {
    let request = api.request(method, path).header(header, value);
    api.send(if let Some(body) = body { request.json(body) } else { request }).await
}

fn tag(reply: &Reply) -> String {
    let tag = reply.header("etag").unwrap_or_else(|| panic!("no ETag in {reply:?}")).to_owned();
    assert!(tag.starts_with('"') && tag.ends_with('"'), "a strong tag: {tag}");
    tag
}

/// Holds one item to all that `ETag`, `If-Match` and `If-None-Match` promise.
async fn versions_are_kept(api: &Api, path: &str, method: Method, edit: impl Fn(u32) -> Value) {
    let read = api.get(path).await.expect(200);
    let first = tag(&read);
    let ask = async |value: &str| conditionally(api, Method::GET, path, None, "if-none-match", value).await;
    for same in [first.clone(), format!("W/{first}"), format!("\"1\", {first}"), "*".to_owned()] {
        let unchanged = ask(&same).await.expect(304);
        assert_eq!((tag(&unchanged), unchanged.text.as_str()), (first.clone(), ""));
        assert_eq!(unchanged.header("cache-control"), Some("no-store"));
    }
    assert_eq!(ask("\"1\"").await.expect(200).body, read.body);
    ask("1").await.expect(200);
    conditionally(api, Method::HEAD, path, None, "if-none-match", &first).await.expect(304);

    let edit_if =
        async |value: &str, number| conditionally(api, method.clone(), path, Some(&edit(number)), "if-match", value).await;
    let edited = edit_if(&first, 1).await.expect(200);
    let second = tag(&edited);
    assert_ne!(first, second);
    let read = api.get(path).await.expect(200);
    assert_eq!((tag(&read), &read.body), (second.clone(), &edited.body));
    ask(&first).await.expect(200);
    ask(&second).await.expect(304);

    for stale in [first.clone(), format!("W/{second}"), "\"\"".to_owned(), format!("\"1\", {first}, \"x,y\"")] {
        edit_if(&stale, 2).await.expect_problem(412, "precondition_failed");
    }
    for unreadable in ["", "1", "*, *", &format!("{second}x"), "\"a b\""] {
        let problem = edit_if(unreadable, 2).await.expect_problem(412, "precondition_failed");
        assert!(problem.body["detail"].as_str().unwrap().contains("as `ETag` gave them"), "{problem:?}");
    }
    assert_eq!(api.get(path).await.expect(200).body, read.body, "nothing of it was applied");
    edit_if(&format!("{first}, {second}"), 3).await.expect(200);
    edit_if("*", 4).await.expect(200);
    let plain = api.send(api.request(method.clone(), path).json(&edit(5))).await.expect(200);
    let same = edit_if(&tag(&plain), 5).await.expect(200);
    assert_eq!((tag(&same), same.body), (tag(&plain), plain.body), "a change of nothing is none");
}

/// Of editors on all servers who saw the same version one succeeds; 412 for all others. What they write, from this number on, must not be
/// there yet: whoever changes nothing succeeds beside the winner.
async fn racing_editors_have_one_winner(world: &World, servers: &[tenantry_tests::Server], item: &Item, first: u32) {
    let seen = tag(&item.api.get(&item.path).await.expect(200));
    let barrier = Arc::new(Barrier::new(16));
    let mut racers = JoinSet::new();
    for number in first..first + 16 {
        let (item, seen, barrier) = (item.clone(), seen.clone(), Arc::clone(&barrier));
        let api = item.api.at(servers[number as usize % servers.len()].url());
        racers.spawn(async move {
            barrier.wait().await;
            conditionally(&api, item.method, &item.path, Some(&(item.edit)(number)), "if-match", &seen).await.status
        });
    }
    let mut statuses = racers.join_all().await;
    statuses.sort_unstable();
    let mut expected = vec![412; 16];
    expected[0] = 200;
    assert_eq!(statuses, expected, "{} on {:?}", item.path, world.kind());
}

on_both_databases! {
    async fn what_is_edited_has_a_version(world: World) {
        let server = world.server().await;
        for item in items(&world, &server).await {
            versions_are_kept(&item.api, &item.path, item.method, item.edit).await;
        }
        let subscription = Subscription::of_a_tenant(&world, &server).await;
        versions_are_kept(&subscription.admin, &subscription.path, Method::PUT, |number| subscription.edit(number)).await;
    }

    async fn of_racing_editors_who_saw_one_version_one_succeeds(world: World) {
        let servers = world.servers().await;
        for (item, first) in items(&world, &servers[0]).await.iter().zip((100..).step_by(100)) {
            racing_editors_have_one_winner(&world, &servers, item, first).await;
        }
        let subscription = Subscription::of_a_tenant(&world, &servers[0]).await;
        let seen = tag(&subscription.admin.get(&subscription.path).await.expect(200));
        let mut racers = JoinSet::new();
        for number in 0..16 {
            let (api, path) = (subscription.admin.at(servers[number as usize % servers.len()].url()), subscription.path.clone());
            let (edit, seen) = (subscription.edit(number), seen.clone());
            racers.spawn(async move { conditionally(&api, Method::PUT, &path, Some(&edit), "if-match", &seen).await.status });
        }
        let statuses = racers.join_all().await;
        assert_eq!(statuses.iter().filter(|&&status| status == 200).count(), 1);
        assert_eq!(statuses.iter().filter(|&&status| status == 412).count(), 15);
    }

    async fn a_deletion_can_be_meant_for_what_was_seen(world: World) {
        let server = world.server().await;
        let admin = world.admin(&server);
        let acme = world.tenant(&server, "acme").await;
        let plan = admin.create_plan("Unused", 1).await;
        let plan = format!("/api/admin/plans/{}", plan["id"].as_str().unwrap());
        let project = acme.api.create_project("Client").await;
        let project = format!("/api/tenant/projects/{}", project["id"].as_str().unwrap());
        let tenant = format!("/api/admin/tenants/{}", acme.tenant["id"].as_str().unwrap());
        for (api, path, edit) in [
            (&admin, &plan, json!({ "name": "Edited" })), (&acme.api, &project, json!({ "client_name": "Edited" })), (&admin, &tenant, json!({ "name": "Edited" })),
        ] {
            let delete = async |value: &str| conditionally(api, Method::DELETE, path, None, "if-match", value).await;
            let seen = tag(&api.get(path).await.expect(200));
            let now = tag(&api.patch(path, &edit).await.expect(200));
            delete(&seen).await.expect_problem(412, "precondition_failed");
            delete("x").await.expect_problem(412, "precondition_failed");
            api.get(path).await.expect(200);
            delete(&now).await.expect(204);
            delete(&now).await.expect_problem(404, "not_found");
            delete("*").await.expect_problem(404, "not_found");
        }
    }

    async fn what_was_made_and_what_moved_has_a_version_too(world: World) {
        let server = world.server().await;
        let admin = world.admin(&server);
        let made = admin.post("/api/admin/plans", &json!({ "name": "Plan", "monthly_run_quota": 10 })).await.expect(201);
        let path = made.header("location").unwrap().to_owned();
        assert_eq!(tag(&admin.get(&path).await.expect(200)), tag(&made));
        admin.post(&format!("{path}/archive"), &json!({})).await.expect(200);
        assert_ne!(tag(&admin.get(&path).await.expect(200)), tag(&made));

        let acme = world.tenant(&server, "acme").await;
        let tenant = format!("/api/admin/tenants/{}", acme.tenant["id"].as_str().unwrap());
        let mut seen = tag(&admin.get(&tenant).await.expect(200));
        let mut moved = async |what: &str| {
            let now = tag(&admin.get(&tenant).await.expect(200));
            assert_ne!(now, seen, "{what}");
            seen = now;
        };
        let plan_id = &acme.tenant["subscription"]["plan_id"];
        admin.put(&format!("{tenant}/subscription"), &json!({ "plan_id": plan_id, "state": "past_due" })).await.expect(200);
        moved("its subscription is shown with it").await;
        acme.api.patch("/api/tenant/profile", &json!({ "name": "Edited" })).await.expect(200);
        moved("it changed itself").await;
        for step in ["suspend", "resume"] {
            admin.post(&format!("{tenant}/{step}"), &json!({})).await.expect(204);
            moved(step).await;
        }

        let beta = world.tenant(&server, "beta").await;
        let made = beta.api.post("/api/tenant/projects", &json!({ "client_name": "Client" })).await.expect(201);
        let path = made.header("location").unwrap().to_owned();
        let mut tags = vec![tag(&made)];
        for step in ["activate", "pause", "resume", "complete"] {
            beta.api.post(&format!("{path}/{step}"), &json!({})).await.expect(200);
            let now = tag(&beta.api.get(&path).await.expect(200));
            assert!(!tags.contains(&now), "{step}");
            tags.push(now);
        }
    }

    /// A version is no way to learn of what isn't yours, or to say anything before who asks is known.
    async fn a_condition_comes_behind_who_asks_and_what_is_theirs(world: World) {
        let server = world.server().await;
        let acme = world.tenant(&server, "acme").await;
        let beta = world.tenant(&server, "beta").await;
        let project = beta.api.create_project("Secret").await;
        let path = format!("/api/tenant/projects/{}", project["id"].as_str().unwrap());
        let own = tag(&beta.api.get(&path).await.expect(200));
        for value in [own.as_str(), "\"1\"", "*"] {
            for (method, body) in [(Method::PATCH, Some(json!({ "client_name": "Mine" }))), (Method::PUT, Some(json!({ "client_name": "Mine" }))), (Method::DELETE, None)] {
                conditionally(&acme.api, method.clone(), &path, body.as_ref(), "if-match", value).await.expect_problem(404, "not_found");
                conditionally(&server.api(), method, &path, body.as_ref(), "if-match", value).await.expect_problem(401, "unauthenticated");
            }
            conditionally(&acme.api, Method::GET, &path, None, "if-none-match", value).await.expect_problem(404, "not_found");
        }
        conditionally(&server.api(), Method::PATCH, &path, None, "if-match", "malformed").await.expect_problem(401, "unauthenticated");
        assert_eq!(tag(&beta.api.get(&path).await.expect(200)), own);
    }
}
