//! What a tenant does at the console: it signs in with another code, by the keyboard alone, copies what is shown once, and has a webhook.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tenantry_tests::{Api, Browser, Reader, Receiver, World, on_both_databases, otp_in, verified};
use thirtyfour::Key;

const SOON: Duration = Duration::from_secs(30);

/// The code in the mail of this number to an address, counted from 1.
async fn mailed(world: &World, email: &str, number: usize) -> String {
    let mails = world.mail().wait_for(email, number, SOON).await;
    otp_in(&mails[number - 1].text).expect("a code in the mail").to_owned()
}

/// Waits until the newest message to a webhook is as expected.
async fn delivered(api: &Api, hook: &str, expected: impl Fn(&Value) -> bool) {
    let deadline = Instant::now() + SOON;
    loop {
        let newest = api.get(&format!("{hook}/deliveries?limit=1")).await.expect(200).body["items"][0].clone();
        if expected(&newest) {
            return;
        }
        assert!(Instant::now() < deadline, "{newest}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Goes on by Tab to what has this name or says this. What has the focus on the way can be seen to have it.
async fn tab_to(browser: &Browser, what: &str) {
    const FOCUS: &str = "const at = document.activeElement, style = getComputedStyle(at);
        return [at.name || at.innerText.trim(), at.matches(':focus-visible') && style.outlineStyle === 'solid' && parseInt(style.outlineWidth) > 1]";
    for _ in 0..60 {
        browser.type_keys(Key::Tab).await;
        let focus = browser.run(FOCUS).await;
        assert_eq!(focus[1], true, "the focus isn't seen on {}", focus[0]);
        if focus[0] == what {
            return;
        }
    }
    panic!("{} has no {what:?} within 60 tabs:\n{}", browser.path().await, browser.text().await);
}

on_both_databases! {
    async fn a_code_is_sent_again(world: World) {
        let server = world.server().await;
        let acme = world.tenant(&server, "acme").await;
        let challenge = "[name=challenge_id]";
        let browser = Browser::open(server.url()).await;
        browser.go("/tenant/sign-in").await;
        browser.write("tenant_slug", "acme").await;
        browser.press("Send me a code").await;
        browser.see("Enter your code").await;
        let first = mailed(&world, &acme.email, 2).await;
        let asked = browser.attribute(challenge, "value").await;
        browser.shows_another("[data-countdown]", "10 minutes").await;
        let left = browser.text_of("[data-countdown]").await;
        browser.shows_another("[data-countdown]", &left).await;

        browser.press("Send another code").await;
        browser.changes(challenge, "value", &asked).await;
        let second = mailed(&world, &acme.email, 3).await;
        // Each code belongs to the page that it was asked for on.
        if first != second {
            browser.write("otp_code", &first).await;
            browser.press("Sign in").await;
            browser.wrong("otp_code").await;
        }
        // The account's budget is spent: one came by the API, two by this page. The last one is good all the same.
        browser.press("Send another code").await;
        browser.see("try again in").await;
        browser.write("otp_code", &second).await;
        browser.press("Sign in").await;
        browser.at("/tenant").await;
        browser.close().await;
    }

    /// Links and forms do it too, and the time that is left is said once.
    async fn a_code_is_sent_again_without_scripts(world: World) {
        let server = world.server().await;
        let acme = world.tenant(&server, "acme").await;
        let browser = Browser::open_as(server.url(), &Reader { scripts: false, ..Reader::default() }).await;
        browser.go("/tenant/sign-in?next=/tenant/codes").await;
        browser.write("tenant_slug", "acme").await;
        browser.press("Send me a code").await;
        browser.see("Time left: 10 minutes").await;
        let first = browser.attribute("[name=challenge_id]", "value").await;
        browser.press("Send another code").await;
        browser.changes("[name=challenge_id]", "value", &first).await;
        let second = mailed(&world, &acme.email, 3).await;
        browser.see("Time left: 10 minutes").await;
        browser.write("otp_code", &second).await;
        browser.press("Sign in").await;
        browser.at("/tenant/codes").await;
        browser.close().await;
    }

    async fn the_keyboard_alone_activates_a_project(world: World) {
        let server = world.server().await;
        let acme = world.tenant(&server, "acme").await;
        let browser = Browser::open(server.url()).await;
        browser.go("/tenant").await;
        browser.focused("[name=tenant_slug]").await;
        browser.type_keys("acme" + Key::Enter).await;
        browser.focused("[name=otp_code]").await;
        browser.type_keys(mailed(&world, &acme.email, 2).await + Key::Enter).await;
        // A page that was put in place is read from its top.
        browser.at("/tenant").await;
        browser.focused("main").await;
        tab_to(&browser, "Make the first project").await;
        browser.type_keys(Key::Enter).await;
        browser.see("New project").await;
        browser.focused("main").await;
        tab_to(&browser, "client_name").await;
        browser.type_keys("Globex").await;
        tab_to(&browser, "Make the project").await;
        browser.type_keys(" ").await;
        browser.see("Created.").await;
        browser.focused("main").await;
        tab_to(&browser, "code").await;
        browser.type_keys("12RY-S55W-4MZR-KP2K" + Key::Enter).await;
        browser.wrong("code").await;
        browser.focused("[name=code]").await;
        let all = browser.driver().action_chain().key_down(Key::Control).send_keys("a").key_up(Key::Control);
        all.perform().await.unwrap();
        browser.type_keys(acme.codes[0].as_str()).await;
        tab_to(&browser, "Activate").await;
        browser.type_keys(Key::Enter).await;
        browser.see("Activated.").await;
        let projects = acme.api.get("/api/tenant/projects").await.expect(200).body;
        assert_eq!((&projects["items"][0]["client_name"], &projects["items"][0]["project_status"]), (&json!("Globex"), &json!("active")));
        browser.close().await;
    }

    async fn what_is_shown_once_is_copied_by_a_press(world: World) {
        let server = world.server().await;
        let acme = world.tenant(&server, "acme").await;
        world.admin(&server).create_operator("ada@portal.example", "owner").await;
        let issue = format!("/admin/tenants/{}/codes/new", acme.tenant["id"].as_str().unwrap());
        let shown = async |browser: &Browser| {
            browser.go(&issue).await;
            browser.press("Issue and show them").await;
            browser.see("10 codes are issued").await;
            browser.revealed().await
        };
        let browser = Browser::open(server.url()).await;
        browser.sign_in_operator(&world, "ada@portal.example").await;
        let codes = shown(&browser).await;
        let allowed = json!({ "permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"], "origin": server.url() });
        browser.tell("Browser.grantPermissions", allowed).await;
        // For a moment the button says that it is done.
        browser.run("const button = document.querySelector('[data-copy]');
            window.said = new Promise(said => new MutationObserver(() => said(button.textContent)).observe(button, { childList: true }))").await;
        browser.press("Copy").await;
        assert_eq!(browser.run_later("said.then(done)").await, "Copied");
        let copied = browser.run_later("navigator.clipboard.readText().then(done, done)").await;
        assert_eq!(copied.as_str().unwrap().lines().collect::<Vec<_>>(), codes);
        // A browser that can't copy, as most can't at an address without TLS, has no button that does nothing.
        let none = json!({ "source": "Object.defineProperty(Navigator.prototype, 'clipboard', { value: undefined })" });
        browser.tell("Page.addScriptToEvaluateOnNewDocument", none).await;
        shown(&browser).await;
        browser.sees_not("button[data-copy]").await;
        browser.close().await;

        let plain = Browser::open_as(server.url(), &Reader { scripts: false, ..Reader::default() }).await;
        plain.sign_in_operator(&world, "ada@portal.example").await;
        let codes = shown(&plain).await;
        plain.sees_not("button[data-copy]").await;
        let file = plain.download("Download as CSV").await;
        assert!(codes.iter().all(|code| file.contains(code)));
        plain.close().await;
    }

    async fn a_webhook_is_made_changed_tried_and_deleted(world: World) {
        let server = world.builder().env("TENANTRY__WEBHOOKS__ALLOW_PRIVATE", true).start().await;
        let acme = world.tenant(&server, "acme").await;
        let receiver = Receiver::start();
        let browser = Browser::open(server.url()).await;
        browser.sign_in_tenant(&world, "acme", &acme.email).await;
        browser.press("Webhooks").await;
        browser.press("Make the first webhook").await;
        browser.write("url", "ftp://hooks.example").await;
        browser.write("description", "Billing").await;
        browser.press("Make the webhook").await;
        browser.wrong("url").await;
        assert_eq!((browser.value("url").await, browser.value("description").await), ("ftp://hooks.example".to_owned(), "Billing".to_owned()));
        browser.write("url", &receiver.url()).await;
        browser.press("Make the webhook").await;
        browser.wrong("events").await;
        assert_eq!(browser.value("url").await, receiver.url());
        browser.tick("events", "project.created").await;
        browser.press("Make the webhook").await;
        browser.see("shown this once").await;
        let first = browser.text_of(".reveal").await;
        browser.press("I have it").await;
        browser.see("Nothing yet.").await;
        let hook = format!("/api{}", browser.path().await);

        browser.press("Change it").await;
        browser.write("url", "nowhere").await;
        browser.tick("events", "project.activated").await;
        browser.press("Save").await;
        browser.wrong("url").await;
        assert_eq!(browser.value("url").await, "nowhere", "what was typed is kept");
        browser.write("url", &receiver.url()).await;
        browser.write("description", "Accounts").await;
        browser.press("Save").await;
        browser.see("Saved.").await;
        browser.shows("h1", "Accounts").await;
        let read = acme.api.get(&hook).await.expect(200).body;
        assert_eq!((&read["description"], &read["events"]), (&json!("Accounts"), &json!(["project.created", "project.activated"])));

        browser.press("Give it another secret").await;
        browser.choose("overlap_seconds", "No longer").await;
        browser.press("Make another secret").await;
        browser.see("shown this once").await;
        let secret = browser.text_of(".reveal").await;
        assert!(secret.starts_with("whsec_") && secret != first);
        browser.reload().await;
        browser.see("What was sent to it").await;
        assert!(!browser.driver().source().await.unwrap().contains(&secret), "it is shown once");

        browser.press("Send a test").await;
        browser.see("A test message is on its way.").await;
        let test = receiver.wait_for(1, SOON).await.remove(0);
        assert_eq!(verified(&[(&secret, &test, None), (&first, &test, None)]).await, [true, false]);
        delivered(&acme.api, &hook, |delivery| delivery["state"] == "sent").await;
        browser.reload().await;
        browser.lists(1, &["taken"]).await;
        assert!(browser.text_of("tbody").await.contains("200 in "), "what was answered, and how fast");

        receiver.answer(503);
        acme.api.create_project("Globex").await;
        delivered(&acme.api, &hook, |delivery| delivery["response_code"] == 503).await;
        browser.reload().await;
        browser.lists(1, &["waiting", "taken"]).await;
        browser.see("It has taken no message since").await;
        browser.see("503 in ").await;
        receiver.answer(200);
        browser.press("Send again").await;
        browser.see("It is tried again at once.").await;
        // What it did not take comes again by itself, before this or after.
        let mut count = 3;
        let again = loop {
            let newest = receiver.wait_for(count, SOON).await.remove(count - 1);
            if newest.id() == test.id() {
                break newest;
            }
            count += 1;
        };
        assert_eq!(again.body, test.body, "the same message");
        assert_eq!(verified(&[(&secret, &again, None)]).await, [true]);

        browser.press("Delete the webhook").await;
        browser.write("confirm", " ").await;
        browser.press_in("details[open]", "Delete the webhook").await;
        browser.wrong("confirm").await;
        let url = receiver.url();
        browser.write("confirm", url.trim_start_matches("http://").trim_end_matches("/hooks")).await;
        browser.press_in("details[open]", "Delete the webhook").await;
        browser.see("Deleted.").await;
        acme.api.get(&hook).await.expect(404);
        browser.see("There are no webhooks yet.").await;
        browser.close().await;
    }
}
