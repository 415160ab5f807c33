//! Codes after their issue: found, revoked, reissued, ended, and what their timelines tell.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};
use tenantry_tests::{Api, Reply, on_both_databases};
use tokio::{sync::Barrier, task::JoinSet};

const NOBODYS: &str = "code_018bcfe568007000800000000000000a";

/// The items of a list, read in pages of two.
async fn listed(api: &Api, path: &str) -> Vec<Value> {
    let (mut items, mut cursor) = (Vec::new(), String::new());
    let joint = if path.contains('?') { '&' } else { '?' };
    loop {
        let page = api.get(&format!("{path}{joint}limit=2&count=true{cursor}")).await.expect(200).body;
        items.extend(page["items"].as_array().unwrap().clone());
        let Some(next) = page["next_cursor"].as_str() else {
            assert_eq!(page["total"], items.len());
            return items;
        };
        cursor = format!("&cursor={next}");
    }
}

fn ids(items: &[Value]) -> Vec<&str> {
    items.iter().map(|item| item["id"].as_str().unwrap()).collect()
}

async fn project(api: &Api) -> String {
    api.create_project("Client").await["id"].as_str().unwrap().to_owned()
}

/// The actions of a code's timeline.
async fn told(admin: &Api, id: &str) -> Vec<String> {
    let events = listed(admin, &format!("/api/admin/codes/{id}/timeline")).await;
    events.iter().map(|event| event["action"].as_str().unwrap().to_owned()).collect()
}

on_both_databases! {
    async fn operators_find_codes_by_what_they_know_of_them(world: World) {
        let server = world.server().await;
        let admin = world.admin(&server);
        let acme = world.tenant(&server, "acme").await;
        let beta = world.tenant(&server, "beta").await;
        let (acme_id, beta_id) = (acme.tenant["id"].as_str().unwrap(), beta.tenant["id"].as_str().unwrap());
        let order = json!({ "count": 3, "label": "Spring & „Sommer“" });
        let issued = admin.post(&format!("/api/admin/tenants/{acme_id}/codes"), &order).await.expect(201).body;
        let spring: Vec<&str> = issued["activation_codes"].as_array().unwrap().iter().map(|code| code["id"].as_str().unwrap()).collect();
        let revoked = admin.post(&format!("/api/admin/codes/{}/revoke", spring[0]), &json!({})).await.expect(200).body;

        assert_eq!(listed(&admin, "/api/admin/codes").await.len(), 23);
        assert_eq!(listed(&admin, &format!("/api/admin/codes?tenant={beta_id}")).await.len(), 10);
        let of_acme = listed(&admin, &format!("/api/admin/codes?tenant={acme_id}")).await;
        assert!(of_acme.windows(2).all(|pair| pair[0]["id"].as_str() > pair[1]["id"].as_str()), "newest first");
        let label = "label=Spring%20%26%20%E2%80%9ESommer%E2%80%9C";
        assert_eq!(listed(&admin, &format!("/api/admin/codes?{label}")).await.len(), 3);
        assert_eq!(listed(&admin, &format!("/api/admin/codes?{label}&status=revoked")).await, std::slice::from_ref(&revoked));
        assert_eq!(listed(&admin, &format!("/api/admin/codes?{label}&tenant={beta_id}")).await, [Value::Null; 0]);
        assert_eq!(listed(&admin, "/api/admin/codes?status=revoked").await, std::slice::from_ref(&revoked));
        assert_eq!(listed(&admin, &format!("/api/admin/codes?status=active&tenant={acme_id}")).await.len(), 12);
        let batch = issued["batch_id"].as_str().unwrap();
        let of_batch = listed(&admin, &format!("/api/admin/codes?batch={batch}")).await;
        let mut expected = spring.clone();
        expected.sort_unstable_by(|a, b| b.cmp(a));
        assert_eq!(ids(&of_batch), expected);
        let hint = revoked["hint"].as_str().unwrap().to_lowercase();
        let found = listed(&admin, &format!("/api/admin/codes?hint={hint}&tenant={acme_id}")).await;
        assert!(found.contains(&revoked), "{found:?}");

        let read = admin.get(&format!("/api/admin/codes/{}", spring[0])).await.expect(200);
        assert_eq!(read.body, revoked);
        assert_eq!((&read.body["status"], &read.body["use_count"], &read.body["tenant_id"]), (&json!("revoked"), &json!(0), &json!(acme_id)));
        admin.get(&format!("/api/admin/codes/{NOBODYS}")).await.expect_problem(404, "not_found");
        for query in ["status=new", "tenant=acme", "batch=1", "hint=KP2", "label=", "colour=red"] {
            admin.get(&format!("/api/admin/codes?{query}")).await.expect_problem(422, "validation_failed");
        }
        for text in issued["activation_codes"].as_array().unwrap().iter().map(|code| code["code"].as_str().unwrap()) {
            assert!(!read.text.contains(text), "a text is shown once");
        }
    }

    async fn tenants_find_their_own_codes_alone(world: World) {
        let server = world.server().await;
        let admin = world.admin(&server);
        let acme = world.tenant(&server, "acme").await;
        let beta = world.tenant(&server, "beta").await;
        for tenant in [&acme, &beta] {
            admin.issue_codes(tenant.tenant["id"].as_str().unwrap(), &json!({ "count": 3, "label": "Spring" })).await;
        }
        let own = listed(&acme.api, "/api/tenant/codes?label=Spring").await;
        assert_eq!(own.len(), 3);
        let hint = own[0]["hint"].as_str().unwrap();
        let found = listed(&acme.api, &format!("/api/tenant/codes?hint={}&status=active", hint.to_lowercase())).await;
        assert!(found.contains(&own[0]), "{found:?}");
        let foreign = listed(&beta.api, "/api/tenant/codes?label=Spring").await;
        assert!(ids(&foreign).iter().all(|id| !ids(&own).contains(id)));
        for query in ["hint=KP2", "label=", "batch=bat_018bcfe568007000800000000000000a", "tenant=x"] {
            acme.api.get(&format!("/api/tenant/codes?{query}")).await.expect_problem(422, "validation_failed");
        }
    }

    async fn a_code_is_revoked_once_and_answered_again(world: World) {
        let server = world.server().await;
        let admin = world.admin(&server);
        let acme = world.tenant(&server, "acme").await;
        let id = acme.tenant["activation_codes"][0]["id"].as_str().unwrap();
        let path = format!("/api/admin/codes/{id}/revoke");
        let first = admin.post(&path, &json!({})).await.expect(200).body;
        assert_eq!(admin.post(&path, &json!({})).await.expect(200).body, first);
        let refused = acme.api.activate(&project(&acme.api).await, &json!({ "code": acme.codes[0] })).await;
        refused.expect_problem(409, "code_revoked");
        assert_eq!(told(&admin, id).await, ["codes.issued", "code.revoked", "activation.refused"]);
        admin.post(&format!("/api/admin/codes/{NOBODYS}/revoke"), &json!({})).await.expect_problem(404, "not_found");
    }

    async fn a_reissued_code_has_a_new_text_and_its_history(world: World) {
        let server = world.server().await;
        let admin = world.admin(&server);
        let acme = world.tenant(&server, "acme").await;
        let order = json!({ "count": 1, "max_uses": 2 });
        let issued = admin.post(&format!("/api/admin/tenants/{}/codes", acme.tenant["id"].as_str().unwrap()), &order).await.expect(201);
        let (id, old) = (issued.text_at("/activation_codes/0/id"), issued.text_at("/activation_codes/0/code"));
        let [first, second, third] = [project(&acme.api).await, project(&acme.api).await, project(&acme.api).await];
        acme.api.activate(&first, &json!({ "code": old })).await.expect(200);

        let path = format!("/api/admin/codes/{id}/reissue");
        let reissued = admin.post(&path, &json!({})).await.expect(200);
        let new = reissued.text_at("/code");
        assert_ne!(new, old);
        assert_eq!((reissued.text_at("/id"), &reissued.body["use_count"]), (id.clone(), &json!(1)));
        assert!(new.ends_with(&reissued.text_at("/hint")));
        acme.api.activate(&second, &json!({ "code": old })).await.expect_problem(422, "code_unknown");
        let refused = acme.api.activate(&first, &json!({ "code": old })).await;
        refused.expect_problem(409, "project_already_active");
        acme.api.activate(&second, &json!({ "code": new })).await.expect(200);
        acme.api.activate(&third, &json!({ "code": new })).await.expect_problem(409, "code_exhausted");
        assert!(!world.stolen_database().contains(&new), "the new text is stored nowhere");

        admin.post(&path, &json!({})).await.expect_problem(409, "code_exhausted");
        admin.post(&format!("/api/admin/projects/{second}/return"), &json!({})).await.expect(200);
        admin.post(&path, &json!({})).await.expect(200);
        admin.post(&format!("/api/admin/codes/{id}/expire"), &json!({})).await.expect(200);
        admin.post(&path, &json!({})).await.expect_problem(409, "code_expired");
        admin.post(&format!("/api/admin/codes/{id}/revoke"), &json!({})).await.expect(200);
        admin.post(&path, &json!({})).await.expect_problem(409, "code_revoked");
        admin.post(&format!("/api/admin/codes/{NOBODYS}/reissue"), &json!({})).await.expect_problem(404, "not_found");
    }

    /// The text that is shown is the one that the code has, and a retry with the same key shows it again.
    async fn a_missed_answer_of_a_reissue_can_be_asked_for_again(world: World) {
        let server = world.server().await;
        let admin = world.admin(&server);
        let acme = world.tenant(&server, "acme").await;
        let id = acme.tenant["activation_codes"][0]["id"].as_str().unwrap();
        let keyed = async || {
            let request = admin.request(reqwest::Method::POST, &format!("/api/admin/codes/{id}/reissue"));
            admin.send(request.header("Idempotency-Key", "reissue-1")).await.expect(200).body
        };
        let first = keyed().await;
        assert_eq!(keyed().await, first);
        acme.api.activate(&project(&acme.api).await, &json!({ "code": first["code"] })).await.expect(200);
    }

    /// With a code for one use, either the activation by the old text or the reissue wins, whichever servers they run on.
    async fn an_activation_by_the_old_text_never_comes_behind_the_reissue(world: World) {
        let servers = world.servers().await;
        let acme = world.tenant(&servers[0], "acme").await;
        for (code, text) in acme.tenant["activation_codes"].as_array().unwrap().iter().zip(&acme.codes) {
            let barrier = Arc::new(Barrier::new(9));
            let mut racers: JoinSet<(bool, Reply)> = JoinSet::new();
            for number in 0..8 {
                let (api, barrier, text) = (acme.api.at(servers[number % servers.len()].url()), Arc::clone(&barrier), text.clone());
                let project = project(&acme.api).await;
                racers.spawn(async move {
                    barrier.wait().await;
                    (false, api.activate(&project, &json!({ "code": text })).await)
                });
            }
            let admin = world.admin(&servers[servers.len() - 1]);
            let (barrier, path) = (Arc::clone(&barrier), format!("/api/admin/codes/{}/reissue", code["id"].as_str().unwrap()));
            racers.spawn(async move {
                barrier.wait().await;
                (true, admin.post(&path, &json!({})).await)
            });
            let replies = racers.join_all().await;
            let won: Vec<_> = replies.iter().filter(|(_, reply)| reply.status == 200).collect();
            assert_eq!(won.len(), 1, "{replies:?}");
            for (_, reply) in replies.iter().filter(|(_, reply)| reply.status != 200) {
                assert!(["code_unknown", "code_exhausted"].contains(&reply.body["code"].as_str().unwrap()), "{reply:?}");
            }
        }
    }

    async fn of_racing_reissues_the_one_that_is_shown_is_right(world: World) {
        let servers = world.servers().await;
        let acme = world.tenant(&servers[0], "acme").await;
        let id = acme.tenant["activation_codes"][0]["id"].as_str().unwrap().to_owned();
        let mut racers = JoinSet::new();
        for number in 0..12 {
            let (admin, path) = (world.admin(&servers[number % servers.len()]), format!("/api/admin/codes/{id}/reissue"));
            racers.spawn(async move { admin.post(&path, &json!({})).await });
        }
        let replies = racers.join_all().await;
        // Those that follow each other all win: the last of them is right, and the others are not.
        let mut right = 0;
        for reply in &replies {
            match reply.status {
                200 => {
                    let checked = world.admin(&servers[0]).post("/api/admin/codes/check", &json!({ "code": reply.body["code"] })).await;
                    right += usize::from(checked.expect(200).body["usable"] == true);
                }
                _ => { reply.clone().expect_problem(409, "conflict"); }
            }
        }
        assert_eq!(right, 1, "{replies:?}");
    }

    async fn a_codes_end_is_moved(world: World) {
        let server = world.server().await;
        let admin = world.admin(&server);
        let acme = world.tenant(&server, "acme").await;
        let id = acme.tenant["activation_codes"][0]["id"].as_str().unwrap();
        let path = format!("/api/admin/codes/{id}/expire");
        let to = async |body: Value| admin.post(&path, &body).await;
        let ended = admin.send(admin.request(reqwest::Method::POST, &path)).await.expect(200).body;
        assert_eq!(ended["status"], "expired");
        assert_eq!(to(json!({})).await.expect(200).body, ended, "it has ended");
        let refused = acme.api.activate(&project(&acme.api).await, &json!({ "code": acme.codes[0] })).await;
        refused.expect_problem(409, "code_expired");
        let later = to(json!({ "expires_at": "2099-01-01T01:00:00+01:00" })).await.expect(200).body;
        assert_eq!((&later["status"], &later["expires_at"]), (&json!("active"), &json!("2099-01-01T00:00:00Z")));
        let passed = to(json!({ "expires_at": "2020-01-01T00:00:00Z" })).await.expect_problem(422, "validation_failed");
        assert_eq!((&passed.body["errors"][0]["pointer"], &passed.body["errors"][0]["code"]), (&json!("/expires_at"), &json!("has_passed")));
        let far = to(json!({ "expires_at": "2999-01-01T00:00:00Z" })).await.expect_problem(422, "validation_failed");
        assert_eq!((&far.body["errors"][0]["pointer"], &far.body["errors"][0]["code"]), (&json!("/expires_at"), &json!("out_of_range")));
        let unheld = ["1900-01-01T00:00:00Z", "9999-12-31T23:59:59-01:00"].map(|at| json!({ "expires_at": at }));
        for body in [json!({ "expires_at": "tomorrow" }), json!({ "expires_at": 3 }), json!({ "at": null })].into_iter().chain(unheld) {
            to(body).await.expect_problem(422, "validation_failed");
        }
        assert_eq!(to(json!({ "expires_at": null })).await.expect(200).body["expires_at"], Value::Null);
        acme.api.activate(&project(&acme.api).await, &json!({ "code": acme.codes[0] })).await.expect(200);
        admin.post(&format!("/api/admin/codes/{id}/revoke"), &json!({})).await.expect(200);
        to(json!({})).await.expect_problem(409, "code_revoked");
        admin.post(&format!("/api/admin/codes/{NOBODYS}/expire"), &json!({})).await.expect_problem(404, "not_found");
        let moved = "code.expiry_changed";
        let expected = ["codes.issued", moved, "activation.refused", moved, moved, "project.activated", "code.revoked"];
        assert_eq!(told(&admin, id).await, expected);
    }

    /// Operators see every try, also by strangers; no tenant learns from its own trail, or from an answer, whose code it tried.
    async fn a_timeline_tells_who_tried_what(world: World) {
        let server = world.server().await;
        let admin = world.admin(&server);
        let acme = world.tenant(&server, "acme").await;
        let beta = world.tenant(&server, "beta").await;
        let id = acme.tenant["activation_codes"][0]["id"].as_str().unwrap();
        let (own, foreign) = (project(&acme.api).await, project(&beta.api).await);
        let stranger = beta.api.activate(&foreign, &json!({ "code": acme.codes[0] })).await.expect_problem(422, "code_unknown");
        acme.api.activate(&own, &json!({ "code": acme.codes[0] })).await.expect(200);
        admin.post(&format!("/api/admin/projects/{own}/return"), &json!({})).await.expect(200);
        let events = listed(&admin, &format!("/api/admin/codes/{id}/timeline")).await;
        let actions: Vec<_> = events.iter().map(|event| event["action"].as_str().unwrap()).collect();
        assert_eq!(actions, ["codes.issued", "activation.refused", "project.activated", "activation.returned"]);
        let tried = &events[1];
        assert_eq!((&tried["tenant_id"], &tried["reason"], &tried["actor"]["kind"]), (&beta.tenant["id"], &json!("code_unknown"), &json!("tenant")));
        assert_eq!((&tried["project_id"], &tried["request_id"], &tried["details"]), (&json!(foreign), &stranger.body["instance"], &json!({})));
        assert_eq!((&events[2]["project_id"], &events[3]["project_id"]), (&json!(own), &json!(own)));
        assert_eq!((&events[3]["actor"]["kind"], &events[2]["reason"]), (&json!("api_key"), &Value::Null));
        let strangers = world.rows("SELECT details FROM audit_events WHERE action = 'activation.refused'").await;
        assert!(!strangers[0]["details"].as_str().unwrap().contains(id), "what the stranger's own trail says");
        assert_eq!(beta.api.get(&format!("/api/admin/codes/{id}/timeline")).await.status, 401);

        admin.delete(&format!("/api/admin/tenants/{}", acme.tenant["id"].as_str().unwrap())).await.expect(204);
        admin.get(&format!("/api/admin/codes/{id}")).await.expect_problem(404, "not_found");
        assert_eq!(told(&admin, id).await, &actions[1..], "without the issue, which only the code can name");
        admin.get(&format!("/api/admin/codes/{NOBODYS}/timeline")).await.expect_problem(404, "not_found");
    }

    /// However a server is killed, a code has the text that was shown last, or the one that it had.
    async fn a_reissue_is_whole_or_not_at_all(world: World) {
        let mut server = world.server().await;
        let acme = world.tenant(&server, "acme").await;
        let ids: Vec<String> = acme.tenant["activation_codes"].as_array().unwrap().iter().map(|code| code["id"].as_str().unwrap().to_owned()).collect();
        let mut racers = JoinSet::new();
        for (id, text) in ids.into_iter().zip(acme.codes.clone()) {
            let admin = world.admin(&server);
            racers.spawn(async move {
                let request = admin.request(reqwest::Method::POST, &format!("/api/admin/codes/{id}/reissue"));
                (text, admin.try_send(request).await.ok().filter(|reply| reply.status == 200))
            });
        }
        tokio::time::sleep(Duration::from_millis(8)).await;
        server.kill9().await;
        let answers = racers.join_all().await;
        server.restart().await;
        let admin = world.admin(&server);
        for (old, reply) in answers {
            let usable = async |text: &Value| admin.post("/api/admin/codes/check", &json!({ "code": text })).await.expect(200).body["usable"] == true;
            if let Some(reply) = reply {
                assert!(usable(&reply.body["code"]).await && !usable(&json!(old)).await, "an acknowledged reissue was lost");
            }
        }
    }
}
