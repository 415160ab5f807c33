//! What an operator does at the console with one thing after the other: files of codes, ends, batches, messages and other operators.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tenantry_tests::{Api, Browser, Receiver, Server, World, on_both_databases};

/// A browser in which an owner is signed in.
async fn at_the_console(world: &World, server: &Server) -> Browser {
    world.admin(server).create_operator("ada@portal.example", "owner").await;
    let browser = Browser::open(server.url()).await;
    browser.sign_in_operator(world, "ada@portal.example").await;
    browser
}

/// The rows of a file of codes that were just issued, each with the code's text in its second cell.
fn texts(file: &str) -> Vec<String> {
    let mut rows = file.split_terminator("\r\n");
    assert_eq!(rows.next(), Some("id,code,label,expires_at,max_uses"));
    rows.map(|row| row.split(',').nth(1).expect("a code").to_owned()).collect()
}

/// Waits until a message stands so.
async fn until(admin: &Api, message: &str, state: &str) {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let message = admin.get(&format!("/api/admin/messages/{message}")).await.expect(200).body;
        if message["state"] == state {
            return;
        }
        assert!(Instant::now() < deadline, "not {state}: {message}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

on_both_databases! {
    async fn codes_are_issued_into_files(world: World) {
        let server = world.server().await;
        let acme = world.tenant(&server, "acme").await;
        let admin = world.admin(&server);
        let browser = at_the_console(&world, &server).await;
        let issue = format!("/admin/tenants/{}/codes/new", acme.tenant["id"].as_str().unwrap());
        browser.go(&issue).await;
        browser.write("count", "3").await;
        browser.press("Issue and show them").await;
        browser.see("3 codes are issued").await;
        let shown = browser.revealed().await;
        assert_eq!(texts(&browser.download("Download as CSV").await), shown);

        // More than a page shows are refused there, and sent as a file.
        browser.go(&issue).await;
        browser.write("count", "1500").await;
        browser.write("label", "Many").await;
        browser.press("Issue and show them").await;
        browser.wrong("count").await;
        assert_eq!((browser.value("count").await, browser.value("label").await), ("1500".to_owned(), "Many".to_owned()));
        let file = browser.download("Issue as a CSV file").await;
        let many = texts(&file);
        assert_eq!(many.iter().collect::<BTreeSet<_>>().len(), 1500);
        assert_eq!(admin.get("/api/admin/codes?label=Many&count=true").await.expect(200).body["total"], 1500);
        let project = acme.api.create_project("Globex").await;
        acme.api.activate(project["id"].as_str().unwrap(), &json!({ "code": many[1499] })).await.expect(200);
        // The page stays where it was, and does it once.
        browser.press("Issue as a CSV file").await;
        browser.see("hese codes were issued").await;
        assert_eq!(admin.get("/api/admin/codes?label=Many&count=true").await.expect(200).body["total"], 1500);
        browser.close().await;
    }

    async fn a_codes_end_is_moved(world: World) {
        let server = world.server().await;
        world.tenant(&server, "acme").await;
        let admin = world.admin(&server);
        let browser = at_the_console(&world, &server).await;
        let code = admin.get("/api/admin/codes").await.expect(200).text_at("/items/0/id");
        let stands = async || {
            let code = admin.get(&format!("/api/admin/codes/{code}")).await.expect(200).body;
            (code["status"].clone(), code["expires_at"].clone())
        };
        browser.go(&format!("/admin/codes/{code}")).await;
        browser.press("Move its end").await;
        browser.pick_day("expires_at", "2020-02-29").await;
        browser.press_in("details[open]", "Move its end").await;
        browser.wrong("expires_at").await;
        assert_eq!(browser.value("expires_at").await, "2020-02-29", "what was typed is kept");
        assert_eq!(stands().await, (json!("active"), Value::Null));

        browser.pick_day("expires_at", "2099-12-31").await;
        browser.press_in("details[open]", "Move its end").await;
        browser.see("Its end is moved.").await;
        assert_eq!(stands().await, (json!("active"), json!("2100-01-01T00:00:00Z")));
        assert_eq!(browser.run("return document.querySelectorAll('.facts time')[0].dateTime").await, "2100-01-01T00:00:00Z");

        browser.press("Move its end").await;
        assert_eq!(browser.value("expires_at").await, "2099-12-31", "the day that it ends with");
        browser.press("End it now").await;
        browser.shows(".head .tag", "expired").await;
        assert_eq!(stands().await.0, "expired");
        browser.press("Move its end").await;
        browser.pick_day("expires_at", "").await;
        browser.press_in("details[open]", "Move its end").await;
        browser.shows(".head .tag", "active").await;
        assert_eq!(stands().await, (json!("active"), Value::Null));
        browser.see("for ever").await;

        // What was typed is no name, and the page says so where it was typed.
        browser.press("Revoke it").await;
        browser.write("confirm", " ").await;
        browser.press(&format!("Revoke {}", browser.text_of("h1 .code").await)).await;
        browser.wrong("confirm").await;
        assert_eq!(stands().await.0, "active");
        browser.close().await;
    }

    async fn a_batch_is_revoked_whole(world: World) {
        let server = world.server().await;
        let acme = world.tenant(&server, "acme").await;
        let admin = world.admin(&server);
        let order = json!({ "count": 3, "label": "Spring" });
        let issue = format!("/api/admin/tenants/{}/codes", acme.tenant["id"].as_str().unwrap());
        let issued = admin.post(&issue, &order).await.expect(201);
        let project = acme.api.create_project("Globex").await;
        let project = project["id"].as_str().unwrap();
        acme.api.activate(project, &json!({ "code": issued.text_at("/activation_codes/0/code") })).await.expect(200);
        let browser = at_the_console(&world, &server).await;

        browser.go("/admin/batches?label=Spring").await;
        browser.lists(2, &["Spring"]).await;
        browser.press_row("Spring").await;
        browser.at(&format!("/admin/batches/{}", issued.text_at("/batch_id"))).await;
        browser.shows(".figures", "Available\n2\nUsed\n1\nExpired\n0\nRevoked\n0").await;
        browser.press("Revoke all of it").await;
        browser.write("confirm", "all").await;
        browser.press("Revoke 3 codes").await;
        browser.wrong("confirm").await;
        assert_eq!(browser.value("confirm").await, "all");
        browser.write("confirm", "3").await;
        browser.press("Revoke 3 codes").await;
        browser.see("Revoked.").await;
        browser.shows(".figures", "Available\n0\nUsed\n0\nExpired\n0\nRevoked\n3").await;
        browser.press("Its codes").await;
        browser.lists(1, &["revoked"; 3]).await;
        let left = acme.api.create_project("Initech").await;
        let refused = json!({ "code": issued.text_at("/activation_codes/1/code") });
        acme.api.activate(left["id"].as_str().unwrap(), &refused).await.expect(409);
        let status = acme.api.get(&format!("/api/tenant/projects/{project}")).await.expect(200).text_at("/project_status");
        assert_eq!(status, "active", "what was activated stays");
        browser.close().await;
    }

    /// Given up by the server, seen by an operator: one is tried again, and one isn't worth it.
    async fn dead_messages_are_tried_again_or_discarded(world: World) {
        let server = world.builder().env("TENANTRY__WEBHOOKS__ALLOW_PRIVATE", true).start().await;
        let admin = world.admin(&server);
        world.tenant(&server, "acme").await;
        let receiver = Receiver::start();
        // Who says that nobody is there any more is not asked again.
        receiver.answer(410);
        let mut dead = Vec::new();
        for _ in 0..2 {
            let hook = json!({ "url": receiver.url(), "events": ["tenant.created"] });
            let hook = format!("/api/admin/webhooks/{}", admin.post("/api/admin/webhooks", &hook).await.expect(201).text_at("/id"));
            let message = admin.post(&format!("{hook}/test"), &json!({})).await.expect(202).text_at("/id");
            until(&admin, &message, "dead").await;
            admin.patch(&hook, &json!({ "enabled": true })).await.expect(200);
            dead.push(message);
        }
        receiver.answer(200);
        let browser = at_the_console(&world, &server).await;
        browser.shows("[aria-labelledby=outbox] .tag", "needs a look").await;
        browser.press("2").await;
        browser.at("/admin/messages").await;
        browser.lists(2, &["dead", "dead"]).await;
        browser.see("410").await;
        // Newest first.
        browser.press("Retry").await;
        browser.see("It is tried again at once.").await;
        browser.at(&format!("/admin/messages/{}", dead[1])).await;
        until(&admin, &dead[1], "sent").await;
        let received = receiver.wait_for(3, Duration::from_secs(30)).await;
        assert_eq!((received[2].id(), received.len()), (dead[1].as_str(), 3));

        browser.go("/admin/messages?state=dead").await;
        browser.lists(2, &["dead"]).await;
        browser.press_row("dead").await;
        browser.at(&format!("/admin/messages/{}", dead[0])).await;
        browser.press("Discard it").await;
        browser.is_accessible().await;
        browser.write("confirm", "oops").await;
        browser.press("Discard the message").await;
        browser.wrong("confirm").await;
        until(&admin, &dead[0], "dead").await;
        browser.write("confirm", &dead[0][dead[0].len() - 6..]).await;
        browser.press("Discard the message").await;
        browser.see("Discarded.").await;
        until(&admin, &dead[0], "dropped").await;
        browser.go("/admin").await;
        browser.shows("[aria-labelledby=outbox] .tag", "healthy").await;
        browser.close().await;
    }

    async fn an_operator_is_changed_and_removed_and_the_last_owner_stays(world: World) {
        let server = world.server().await;
        let grace = world.operator(&server, "viewer", "grace@portal.example").await;
        let browser = at_the_console(&world, &server).await;
        let admin = world.admin(&server);
        let acme = world.tenant(&server, "acme").await;
        let issue = format!("/api/admin/tenants/{}/codes", acme.tenant["id"].as_str().unwrap());
        grace.api.post(&issue, &json!({ "count": 1 })).await.expect(403);

        browser.go("/admin/operators").await;
        browser.press("The viewer").await;
        browser.write("name", " ").await;
        browser.choose("role", "Manager").await;
        browser.press("Save").await;
        browser.wrong("name").await;
        assert_eq!(browser.value("role").await, "manager", "what was chosen is kept");
        browser.write("name", "Grace Hopper").await;
        browser.press("Save").await;
        browser.see("Saved.").await;
        let read = admin.get(&grace.path()).await.expect(200).body;
        assert_eq!((&read["name"], &read["role"]), (&json!("Grace Hopper"), &json!("manager")));
        grace.api.post(&issue, &json!({ "count": 1 })).await.expect(201);

        browser.press("Remove the operator").await;
        browser.write("confirm", "ada@portal.example").await;
        browser.press("Remove Grace Hopper").await;
        browser.wrong("confirm").await;
        admin.get(&grace.path()).await.expect(200);
        browser.write("confirm", &grace.email).await;
        browser.press("Remove Grace Hopper").await;
        browser.see("Deleted.").await;
        admin.get(&grace.path()).await.expect(404);
        grace.api.get("/api/admin/plans").await.expect(401);

        browser.press("The owner").await;
        browser.choose("role", "Viewer").await;
        browser.press("Save").await;
        browser.wrong("role").await;
        browser.see("his is the last owner").await;
        browser.press("Operators").await;
        browser.lists(1, &["owner"]).await;
        browser.press("The owner").await;
        browser.press("Remove the operator").await;
        browser.write("confirm", "ada@portal.example").await;
        browser.press("Remove The owner").await;
        browser.wrong("confirm").await;
        browser.see("his is the last owner").await;
        browser.press("Dashboard").await;
        browser.at("/admin").await;
        browser.close().await;
    }
}
