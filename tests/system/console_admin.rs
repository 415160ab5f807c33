//! The operators' console, in a real browser.

use serde_json::json;
use tenantry_tests::{Browser, Reader, World, on_both_databases};

/// From the printed link to an activated project: an owner, a plan, a tenant with its codes, and that tenant.
async fn first_run(world: &World, reader: &Reader) {
    let server = world.server().await;
    let browser = Browser::open_as(server.url(), reader).await;
    browser.go(&server.bootstrap_path().await).await;
    browser.write("name", "Ada Lovelace").await;
    browser.write("email", "ada@portal.example").await;
    browser.press("Become the owner").await;
    browser.see("Three steps to the first activation").await;
    browser.press("Make the first plan").await;
    browser.write("name", "Basic").await;
    browser.write("monthly_run_quota", "50").await;
    browser.press("Make the plan").await;
    browser.see("Created.").await;
    browser.go("/admin").await;
    browser.press("Make the first tenant").await;
    browser.write("name", "Acme Ltd").await;
    browser.write("slug", "acme").await;
    browser.write("contact_email", "owner@acme.example").await;
    browser.choose("plan_id", "Basic").await;
    browser.press("Make the tenant").await;
    browser.see("Acme Ltd is made").await;
    if reader.scripts {
        browser.is_accessible().await;
    }
    let codes = browser.revealed().await;
    assert_eq!(codes.len(), 5, "a tenth of the plan's quota");
    browser.press("Sign out").await;
    browser.see("You are signed out.").await;

    browser.sign_in_tenant(world, "acme", "owner@acme.example").await;
    browser.press("Make the first project").await;
    browser.write("client_name", "Globex").await;
    browser.press("Make the project").await;
    browser.write("code", &codes[0]).await;
    browser.press("Activate").await;
    browser.see("Activated.").await;
    browser.close().await;
}

on_both_databases! {
    async fn the_first_run_leads_from_the_link_to_an_activated_project(world: World) {
        first_run(&world, &Reader::default()).await;
    }

    /// Links and forms alone do it all.
    async fn the_first_run_needs_no_scripts(world: World) {
        first_run(&world, &Reader { scripts: false, ..Reader::default() }).await;
    }

    /// A tenant is changed, suspended and deleted; its codes are issued, explained, reissued and revoked.
    async fn an_operator_looks_after_a_tenant_and_its_codes(world: World) {
        let server = world.server().await;
        let acme = world.tenant(&server, "acme").await;
        world.admin(&server).create_operator("ada@portal.example", "owner").await;
        let browser = Browser::open(server.url()).await;
        browser.sign_in_operator(&world, "ada@portal.example").await;
        let tenant = format!("/admin/tenants/{}", acme.tenant["id"].as_str().unwrap());

        browser.go(&tenant).await;
        browser.press("Change its subscription").await;
        browser.choose("state", "past due").await;
        browser.press("Save the subscription").await;
        browser.see("Saved.").await;
        let project = json!({ "client_name": "Globex" });
        acme.api.post("/api/tenant/projects", &project).await.expect_problem(403, "subscription_inactive");

        browser.press("Sessions").await;
        browser.press("Sign it out everywhere").await;
        browser.see("It is signed in nowhere.").await;
        acme.api.get("/api/tenant/profile").await.expect(401);
        let acme_api = server.api().sign_in("acme", &acme.email, world.mail()).await;
        browser.press("Suspend").await;
        browser.see("Suspended.").await;
        acme_api.get("/api/tenant/profile").await.expect(401);
        browser.press("Resume").await;
        browser.see("Resumed.").await;

        browser.press("Issue codes").await;
        browser.write("count", "3").await;
        browser.write("label", "Spring").await;
        browser.press("Issue and show them").await;
        browser.see("Keep them now").await;
        let codes = browser.revealed().await;
        assert_eq!(codes.len(), 3);

        browser.go("/admin/codes/check").await;
        browser.write("code", "no code at all").await;
        browser.press("Check").await;
        browser.see("code_malformed").await;
        browser.write("code", &codes[1]).await;
        browser.press("Check").await;
        browser.see("subscription_inactive").await;
        browser.is_accessible().await;

        let hint = codes[1].rsplit('-').next().unwrap();
        browser.press(&format!("Code …-{hint}")).await;
        browser.see("What happened").await;
        browser.press("Revoke it").await;
        browser.write("confirm", "oops").await;
        browser.press(&format!("Revoke …-{hint}")).await;
        browser.wrong("confirm").await;
        browser.write("confirm", hint).await;
        browser.press(&format!("Revoke …-{hint}")).await;
        browser.see("Revoked.").await;

        browser.go(&format!("{tenant}/delete")).await;
        browser.is_accessible().await;
        browser.write("confirm", "acme").await;
        browser.press("Delete acme").await;
        browser.see("Deleted.").await;
        world.admin(&server).get(&tenant.replace("/admin", "/api/admin")).await.expect(404);
        browser.close().await;
    }

    /// What an operator mends: a lost code, an activation by mistake, a project from before there were tenants.
    async fn an_operator_reissues_returns_and_assigns(world: World) {
        let server = world.server().await;
        let acme = world.tenant(&server, "acme").await;
        let admin = world.admin(&server);
        admin.create_operator("ada@portal.example", "owner").await;
        let project = acme.api.create_project("Globex").await;
        let project = project["id"].as_str().unwrap();
        acme.api.activate(project, &json!({ "code": acme.codes[0] })).await.expect(200);
        let browser = Browser::open(server.url()).await;
        browser.sign_in_operator(&world, "ada@portal.example").await;

        let code = admin.get("/api/admin/codes?status=active").await.expect(200).text_at("/items/0/id");
        browser.go(&format!("/admin/codes/{code}")).await;
        browser.press("Give it a new text").await;
        browser.press("Reissue the code").await;
        browser.see("Keep").await;
        let texts = browser.revealed().await;
        assert_eq!(texts.len(), 1);
        let other = acme.api.create_project("Initech").await;
        acme.api.activate(other["id"].as_str().unwrap(), &json!({ "code": texts[0] })).await.expect(200);

        browser.go(&format!("/admin/projects/{project}")).await;
        let slug = acme.api.get(&format!("/api/tenant/projects/{project}")).await.expect(200).text_at("/project_id");
        browser.press("Return the activation").await;
        browser.write("confirm", &slug).await;
        browser.press_in("details[open]", "Return the activation").await;
        browser.see("Returned:").await;
        let status = acme.api.get(&format!("/api/tenant/projects/{project}")).await.expect(200).text_at("/project_status");
        assert_eq!(status, "pending");

        world.insert_legacy_project("018bcfe5-6800-7000-8000-00000000000a", "old", "From before").await;
        browser.go("/admin/projects?tenant=none").await;
        browser.press("From before").await;
        browser.write("tenant_id", "nobody").await;
        browser.press("Assign").await;
        browser.wrong("tenant_id").await;
        browser.write("tenant_id", "acme").await;
        browser.press("Assign").await;
        browser.see("Assigned.").await;
        browser.close().await;
    }

    /// Keys, operators and webhooks: what is shown once, and what is asked twice.
    async fn an_operator_gives_and_takes_access(world: World) {
        let server = world.server().await;
        world.admin(&server).create_operator("ada@portal.example", "owner").await;
        let browser = Browser::open(server.url()).await;
        browser.sign_in_operator(&world, "ada@portal.example").await;

        browser.press("API keys").await;
        browser.go("/admin/api-keys/new").await;
        browser.write("name", "Deployment").await;
        browser.tick("scopes", "plans:read").await;
        browser.press("Make the key").await;
        let key = browser.text_of(".reveal").await;
        let api = server.api().with_bearer(key.trim());
        api.get("/api/admin/plans").await.expect(200);
        api.get("/api/admin/tenants").await.expect(403);
        browser.is_accessible().await;

        browser.go("/admin/operators/new").await;
        browser.write("name", "Grace").await;
        browser.write("email", "not an address").await;
        browser.run("document.querySelector('form.fields').noValidate = true").await;
        browser.press("Make the operator").await;
        browser.wrong("email").await;
        browser.write("email", "grace@portal.example").await;
        browser.choose("role", "Viewer").await;
        browser.press("Make the operator").await;
        browser.see("Grace").await;

        browser.go("/admin/webhooks/new").await;
        browser.write("url", "https://hooks.example.com/tenantry").await;
        browser.tick("events", "tenant.created").await;
        browser.press("Make the webhook").await;
        browser.see("shown this once").await;
        browser.is_accessible().await;
        assert!(browser.text_of(".reveal").await.starts_with("whsec_"));
        browser.close().await;
    }

    /// Every page of the operators', in light and dark and on a phone.
    async fn the_operators_pages_are_accessible(world: World) {
        let server = world.server().await;
        let acme = world.tenant(&server, "acme").await;
        let admin = world.admin(&server);
        let operator = admin.create_operator("ada@portal.example", "owner").await;
        let project = acme.api.create_project("Globex").await;
        acme.api.activate(project["id"].as_str().unwrap(), &json!({ "code": acme.codes[0] })).await.expect(200);
        let code = admin.get("/api/admin/codes").await.expect(200).text_at("/items/0/id");
        let plan = admin.get("/api/admin/plans").await.expect(200).text_at("/items/0/id");
        let tenant = format!("/admin/tenants/{}", acme.tenant["id"].as_str().unwrap());
        let project = format!("/admin/projects/{}", project["id"].as_str().unwrap());
        let mut paths: Vec<String> = [
            "", "/tenants", "/tenants/new", "/plans", "/plans/new", "/codes", "/codes/check", "/batches", "/projects", "/events", "/messages",
            "/operators", "/operators/new", "/api-keys", "/api-keys/new", "/webhooks", "/webhooks/new", "/account", "/nothing-here",
        ]
        .map(|path| format!("/admin{path}"))
        .to_vec();
        paths.extend(["", "/codes", "/projects", "/sessions", "/events", "/codes/new", "/delete"].map(|tab| format!("{tenant}{tab}")));
        paths.extend([project, format!("/admin/codes/{code}"), format!("/admin/plans/{plan}")]);
        paths.push(format!("/admin/operators/{}", operator["id"].as_str().unwrap()));
        let (key, _) = admin.create_api_key(&["plans:read"]).await;
        paths.push(format!("/admin/api-keys/{}", key["id"].as_str().unwrap()));
        let hook = json!({ "url": "https://hooks.example.com/", "events": ["tenant.created"] });
        let hook = admin.post("/api/admin/webhooks", &hook).await.expect(201).text_at("/id");
        admin.post(&format!("/api/admin/webhooks/{hook}/test"), &json!({})).await;
        paths.push(format!("/admin/webhooks/{hook}"));
        for things in ["batches", "messages"] {
            let id = admin.get(&format!("/api/admin/{things}")).await.expect(200).text_at("/items/0/id");
            paths.push(format!("/admin/{things}/{id}"));
        }
        let looks = [Reader::default(), Reader { dark: true, ..Reader::default() }, Reader { size: (500, 900), ..Reader::default() }];
        for look in looks {
            let browser = Browser::open_as(server.url(), &look).await;
            browser.sign_in_operator(&world, "ada@portal.example").await;
            for path in &paths {
                browser.go(path).await;
                browser.is_accessible().await;
            }
            browser.close().await;
        }
    }
}
