//! The tenants' console, in a real browser.

use tenantry_tests::{Browser, Reader, on_both_databases};

on_both_databases! {
    /// From the mail to an activated project and back, with what is refused on the way.
    async fn a_tenant_signs_in_makes_a_project_and_activates_it(world: World) {
        let server = world.server().await;
        let acme = world.tenant(&server, "acme").await;
        let browser = Browser::open(server.url()).await;

        browser.go("/tenant/codes?status=active").await;
        browser.at("/tenant/sign-in").await;
        browser.is_accessible().await;
        browser.write("tenant_slug", "Not A Slug!").await;
        browser.press("Send me a code").await;
        browser.wrong("tenant_slug").await;
        assert_eq!(browser.value("tenant_slug").await, "Not A Slug!");
        // A code as it may be pasted, and a wrong one.
        browser.write("tenant_slug", "nobody").await;
        browser.press("Send me a code").await;
        browser.see("Enter your code").await;
        browser.is_accessible().await;
        browser.write("otp_code", "12 34-56").await;
        assert_eq!(browser.value("otp_code").await, "123456");
        assert_eq!(browser.run("return document.querySelector('.otp').autocomplete").await, "one-time-code");
        let left = browser.text_of("[data-countdown]").await;
        assert!(left.split_once(':').is_some_and(|(minutes, _)| minutes.parse().is_ok_and(|minutes: u8| minutes <= 10)), "{left}");
        browser.press("Sign in").await;
        browser.wrong("otp_code").await;
        browser.sign_in_tenant(&world, "acme", &acme.email).await;
        browser.see("You have no projects yet.").await;
        // Moments are shown in the reader's zone, and in UTC to whoever asks.
        let [shown, exact] = ["textContent", "title"].map(|what| format!("return document.querySelector('time').{what}"));
        let (shown, exact) = (browser.run(&shown).await, browser.run(&exact).await);
        assert!(exact.as_str().unwrap().ends_with(" UTC") && shown != exact, "{shown} {exact}");

        browser.press("Make the first project").await;
        browser.write("client_name", "Globex").await;
        browser.write("project_id", "Not a slug").await;
        browser.press("Make the project").await;
        browser.wrong("project_id").await;
        assert_eq!(browser.value("client_name").await, "Globex", "what was typed is kept");
        browser.is_accessible().await;
        browser.write("project_id", "globex").await;
        browser.press("Make the project").await;
        browser.see("Created.").await;

        browser.write("code", "12RY-S55W-4MZR-KP2K").await;
        browser.press("Activate").await;
        browser.wrong("code").await;
        browser.is_accessible().await;
        browser.write("code", &acme.codes[0].to_lowercase().replace('-', " ")).await;
        browser.press("Activate").await;
        browser.see("Activated.").await;
        assert_eq!(browser.download("Certificate").await.split('.').count(), 3, "the parts of a certificate");
        browser.press("Pause").await;
        browser.see("Paused.").await;
        assert!(!browser.text().await.contains("Certificate"), "a paused project has none");
        browser.press("Resume").await;
        browser.see("Resumed.").await;
        browser.press("Return the activation").await;
        browser.press_in("details[open]", "Return the activation").await;
        browser.see("Returned:").await;
        browser.press("Use the next available code").await;
        browser.see("Activated.").await;
        browser.press("Complete").await;
        browser.see("Completed.").await;
        browser.press("Delete the project").await;
        browser.write("confirm", "another").await;
        browser.press("Delete globex").await;
        browser.wrong("confirm").await;
        browser.write("confirm", "globex").await;
        browser.press("Delete globex").await;
        browser.see("Deleted.").await;

        let stored = browser.run("return [Object.keys(localStorage), Object.keys(sessionStorage), document.cookie]").await;
        assert_eq!(stored, serde_json::json!([[], [], ""]), "a page can read no secret");
        browser.press("Sign out").await;
        browser.see("You are signed out.").await;
        browser.go("/tenant").await;
        browser.at("/tenant/sign-in").await;
        browser.close().await;
    }

    /// Names, colours and sessions.
    async fn a_tenant_changes_its_profile_and_ends_its_sessions(world: World) {
        let server = world.server().await;
        let acme = world.tenant(&server, "acme").await;
        let browser = Browser::open(server.url()).await;
        browser.sign_in_tenant(&world, "acme", &acme.email).await;
        browser.press("Profile").await;
        browser.write("primary_color", "yellow").await;
        browser.press("Save").await;
        browser.wrong("primary_color").await;
        browser.write("primary_color", "#ffee00").await;
        browser.write("name", "Acme Works").await;
        browser.press("Save").await;
        browser.see("Saved.").await;
        // The colour as it came could not be read on white: axe measures the contrast of what is shown.
        browser.go("/tenant/profile").await;
        browser.is_accessible().await;
        assert_eq!(acme.api.get("/api/tenant/profile").await.expect(200).body["name"], "Acme Works");
        browser.press("Sessions").await;
        browser.press("Sign out everywhere").await;
        browser.at("/tenant/sign-in").await;
        acme.api.get("/api/tenant/profile").await.expect(401);
        browser.close().await;
    }

    /// Every page of a tenant's, in light and dark and on a phone.
    async fn a_tenants_pages_are_accessible(world: World) {
        let server = world.builder().env("TENANTRY__OTP__REQUESTS_PER_ACCOUNT_BURST", 10).start().await;
        let acme = world.tenant(&server, "acme").await;
        let project = acme.api.create_project("Globex").await;
        acme.api.activate(project["id"].as_str().unwrap(), &serde_json::json!({ "code": acme.codes[0] })).await.expect(200);
        let project = format!("/tenant/projects/{}", project["id"].as_str().unwrap());
        let hook = serde_json::json!({ "url": "https://hooks.example.com/", "events": ["project.created"] });
        let hook = acme.api.post("/api/tenant/webhooks", &hook).await.expect(201).text_at("/id");
        let hook = format!("/tenant/webhooks/{hook}");
        let looks = [Reader::default(), Reader { dark: true, ..Reader::default() }, Reader { size: (500, 900), ..Reader::default() }];
        for look in looks {
            let browser = Browser::open_as(server.url(), &look).await;
            browser.sign_in_tenant(&world, "acme", &acme.email).await;
            for path in [
                "/tenant",
                "/tenant/projects/new",
                &project,
                "/tenant/codes",
                "/tenant/events",
                "/tenant/webhooks",
                "/tenant/webhooks/new",
                &hook,
                "/tenant/profile",
                "/tenant/sessions",
                "/tenant/nothing-here",
            ] {
                browser.go(path).await;
                browser.is_accessible().await;
            }
            browser.close().await;
        }
    }
}
