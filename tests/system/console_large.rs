//! The consoles where there is much: many codes at once, many plans, lists of many tenants, trails with many names.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};
use tenantry_tests::{Api, Browser, Reply, Wire, World, database, on_both_databases};

/// What a page asks a server for, by a program that has an operator's API key.
trait Pages {
    async fn page(&self, path: &str) -> Reply;
    async fn form(&self, path: &str, fields: &[(String, String)]) -> Reply;
}

impl Pages for Api {
    async fn page(&self, path: &str) -> Reply {
        self.send(self.request(Method::GET, path).header("accept", "text/html")).await
    }

    async fn form(&self, path: &str, fields: &[(String, String)]) -> Reply {
        self.send(self.request(Method::POST, path).header("accept", "text/html").form(fields)).await
    }
}

fn fields(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// The form with a field's value replaced.
fn changed(fields: &[(String, String)], name: &str, value: &str) -> Vec<(String, String)> {
    let change = |(field, old): &(String, String)| (field.clone(), if field == name { value.to_owned() } else { old.clone() });
    fields.iter().map(change).collect()
}

/// An attribute as a browser reads it.
fn attribute(tag: &str, name: &str) -> String {
    let (_, rest) = tag.split_once(&format!("{name}=\"")).unwrap_or_else(|| panic!("no {name} in {tag}"));
    let text = rest.split('"').next().unwrap();
    text.replace("&quot;", "\"").replace("&#34;", "\"").replace("&#38;", "&").replace("&amp;", "&")
}

/// What the form of a page that fetches a file sends: its path and its fields.
fn fetch(page: &str) -> (String, Vec<(String, String)>) {
    let (before, _) = page.split_once(">Download all ").expect("a button that downloads");
    let form = before.rsplit("<form ").next().unwrap();
    let hidden = form.split("<input ").skip(1).map(|tag| (attribute(tag, "name"), attribute(tag, "value")));
    let button = form.rsplit("<button ").next().unwrap();
    let pressed = (attribute(button, "name"), attribute(button, "value"));
    (attribute(form, "action"), hidden.chain([pressed]).collect())
}

/// The codes that a page shows.
fn shown(page: &str) -> Vec<String> {
    let (_, rest) = page.split_once("<pre class=\"reveal\"").expect("codes");
    let (_, lines) = rest.split_once('>').unwrap();
    lines.split('<').next().unwrap().lines().map(str::to_owned).collect()
}

/// The codes of a file.
fn codes_in(file: &Reply) -> Vec<String> {
    assert!(file.header("content-type").is_some_and(|kind| kind.starts_with("text/csv")), "{file:?}");
    assert!(
        file.header("content-disposition").is_some_and(|kind| kind.starts_with("attachment; filename=\"codes-bat_")),
        "{file:?}"
    );
    assert_eq!(file.header("cache-control"), Some("no-store"));
    file.text.lines().skip(1).map(|row| row.split(',').nth(1).unwrap().to_owned()).collect()
}

async fn codes_of(world: &World) -> usize {
    world.rows("SELECT hint FROM activation_codes").await.len()
}

async fn new_tenant(world: &World, admin: &Api, quota: u32) -> Vec<(String, String)> {
    let plan = admin.create_plan("Large", quota).await;
    assert_eq!(codes_of(world).await, 0);
    fields(&[
        ("name", "Acme & Söhne"),
        ("slug", "acme"),
        ("contact_email", "it@acme.example"),
        ("plan_id", plan["id"].as_str().unwrap()),
        ("form_key", "a key of the form"),
    ])
}

on_both_databases! {
    /// More codes than a page holds: the page has the first and a form, and that fetches all of them, again and again, and makes none.
    async fn a_tenant_with_many_codes_is_made_by_a_small_page_and_a_file(world: World) {
        let server = world.server().await;
        let admin = world.admin(&server);
        let form = new_tenant(&world, &admin, 10_009).await;
        let page = admin.form("/admin/tenants/new", &form).await.expect(200);
        assert!(page.text.len() < 20_000, "{} bytes", page.text.len());
        assert!(page.text.contains("Acme &#38; Söhne is made") && page.text.contains("1,000 codes"), "{page:?}");
        let first = shown(&page.text);
        assert_eq!(first.len(), 10);
        let (path, sent) = fetch(&page.text);
        assert_eq!(path, "/admin/tenants/new");

        let file = admin.form(&path, &sent).await.expect(200);
        let codes = codes_in(&file);
        assert_eq!((codes.len(), &codes[..10]), (1_000, &first[..]));
        assert_eq!(codes.iter().collect::<BTreeSet<_>>().len(), 1_000);
        assert_eq!(admin.form(&path, &sent).await.expect(200).text, file.text, "who missed it has it again");
        assert_eq!(shown(&admin.form("/admin/tenants/new", &form).await.expect(200).text), first, "and the page, loaded again");
        assert_eq!((codes_of(&world).await, world.rows("SELECT slug FROM tenants").await.len()), (1_000, 1));
        let verdict = admin.post("/api/admin/codes/check", &json!({ "code": codes[999] })).await.expect(200);
        assert_eq!(verdict.body["usable"], true, "{verdict:?}");

        // What isn't kept any more can't be fetched, and is never made anew.
        let other = admin.form(&path, &changed(&sent, "name", "Acme")).await.expect(422);
        assert!(!other.text.contains("data:text/csv"), "{other:?}");
        assert_eq!(database::execute(world.database_url(), "DELETE FROM idempotency_keys").await.unwrap(), 1);
        for late in [sent.clone(), changed(&sent, "slug", "acme-2")] {
            let refused = admin.form(&path, &late).await.expect(409);
            assert!(refused.text.contains("kept for a day") && refused.text.contains("issue as many"), "{refused:?}");
        }
        assert_eq!((codes_of(&world).await, world.rows("SELECT slug FROM tenants").await.len()), (1_000, 1));

        // Their batch leads to as many anew.
        let batches = admin.get("/api/admin/batches").await.expect(200);
        let batch = admin.page(&format!("/admin/batches/{}", batches.text_at("/items/0/id"))).await.expect(200);
        let (before, _) = batch.text.split_once(">issue as many anew<").expect("a way to more");
        let again = attribute(before.rsplit("<a ").next().unwrap(), "href");
        let again = admin.page(&again).await.expect(200);
        assert!(again.text.contains("value=\"1000\"") && again.text.contains("value=\"Auto-generated on tenant creation\""), "{again:?}");
    }

    /// Codes that a page holds are all in it; of more than that it has the first, like a new tenant's; and a form without a key, which
    /// could ask for nothing again, is answered with the file.
    async fn codes_are_issued_by_pages_of_a_bounded_size(world: World) {
        let server = world.server().await;
        let (admin, acme) = (world.admin(&server), world.tenant(&server, "acme").await);
        let path = format!("/admin/tenants/{}/codes/new", acme.tenant["id"].as_str().unwrap());
        let order = |count: &str| fields(&[("count", count), ("label", "=Spring, \"2026\""), ("max_uses", "1"), ("form_key", count), ("as", "page")]);
        let whole = admin.form(&path, &order("500")).await.expect(200);
        assert_eq!(shown(&whole.text).len(), 500);
        assert!(whole.text.contains("500 codes are issued") && whole.text.contains("data:text/csv") && !whole.text.contains("Download all"));
        assert!(whole.text.len() < 100_000, "{} bytes", whole.text.len());
        let first = admin.form(&path, &order("501")).await.expect(200);
        assert_eq!(shown(&first.text).len(), 10);
        assert!(first.text.contains("501 codes are issued") && !first.text.contains("data:text/csv"));
        assert!(first.text.len() < 20_000, "{} bytes", first.text.len());
        let (fetched_by, sent) = fetch(&first.text);
        assert_eq!(fetched_by, path);
        assert_eq!(codes_in(&admin.form(&path, &sent).await.expect(200)).len(), 501);
        assert_eq!(codes_of(&world).await, 10 + 500 + 501);

        let keyless: Vec<_> = order("600").into_iter().filter(|(name, _)| name != "form_key").collect();
        assert_eq!(codes_in(&admin.form(&path, &keyless).await.expect(200)).len(), 600);
        admin.form(&path, &order("1001")).await.expect(422);
        assert_eq!(codes_of(&world).await, 10 + 500 + 501 + 600);
    }

    /// The page of many codes is one that people can use.
    async fn the_page_of_many_codes_is_accessible(world: World) {
        let server = world.server().await;
        let acme = world.tenant(&server, "acme").await;
        world.admin(&server).create_operator("ada@portal.example", "owner").await;
        let browser = Browser::open(server.url()).await;
        browser.sign_in_operator(&world, "ada@portal.example").await;
        browser.go(&format!("/admin/tenants/{}/codes/new", acme.tenant["id"].as_str().unwrap())).await;
        browser.write("count", "700").await;
        browser.press("Issue and show them").await;
        browser.see("700 codes are issued").await;
        browser.is_accessible().await;
        browser.press("Download all 700 as CSV").await;
        browser.see("700 codes are issued").await;
        browser.is_content().await;
        browser.press("their batch").await;
        browser.see("700 issued, 700 ordered").await;
        browser.close().await;
    }

    /// Who acted is named while it exists, for those who may see who that is, with a way to its page; and so is who was acted on.
    async fn the_trail_names_who_acted_while_they_exist(world: World) {
        let server = world.server().await;
        let admin = world.admin(&server);
        let ada = world.operator(&server, "owner", "ada@portal.example").await;
        let (key, deployment) = ada.api.create_api_key(&["plans:write", "plans:read"]).await;
        deployment.create_plan("By the key", 10).await;
        let plan = ada.api.create_plan("By Ada", 10).await;
        let hook = json!({ "url": "https://hooks.example/a", "events": ["project.created"] });
        let hook = ada.api.post("/api/admin/webhooks", &hook).await.expect(201).text_at("/id");
        let (ada_id, key_id) = (ada.operator["id"].as_str().unwrap(), key["id"].as_str().unwrap());
        let ada_page = format!("<a href=\"/admin/operators/{ada_id}\" title=\"{ada_id}\">The owner</a>");
        let key_page = format!("<a href=\"/admin/api-keys/{key_id}\" title=\"{key_id}\">Deployment</a>");

        let trail = admin.page("/admin/events").await.expect(200).text;
        for named in [&ada_page, &key_page] {
            assert!(trail.contains(named.as_str()), "{named}: {trail}");
        }
        for page in [format!("/admin/plans/{}", plan["id"].as_str().unwrap()), format!("/admin/webhooks/{hook}"), format!("/admin/api-keys/{key_id}")] {
            assert!(trail.contains(&format!("href=\"{page}\"")), "{page}: {trail}");
            admin.page(&page).await.expect(200);
        }
        assert!(ada.api.page("/admin/events").await.expect(200).text.contains(">you</a>"));

        // A manager reads the trail, and not who the operators are.
        let manager = world.operator(&server, "manager", "mallory@portal.example").await;
        let trail = manager.api.page("/admin/events").await.expect(200).text;
        let end = &ada_id[ada_id.len() - 6..];
        assert!(!trail.contains("The owner") && !trail.contains("Deployment"), "{trail}");
        assert!(trail.contains(&format!("operator opr_…{end}")), "{trail}");

        // Who is gone has an identifier; a key that is revoked has its page.
        world.operator(&server, "owner", "grace@portal.example").await;
        admin.delete(&ada.path()).await.expect(204);
        admin.delete(&format!("/api/admin/api-keys/{key_id}")).await.expect(204);
        let trail = admin.page("/admin/events").await.expect(200).text;
        assert!(!trail.contains(&format!("/admin/operators/{ada_id}\" title=\"{ada_id}\">The owner")) && trail.contains(&format!("operator opr_…{end}")), "{trail}");
        assert!(trail.contains(&key_page), "{trail}");
    }

    /// Every plan that takes tenants can be chosen, however many there are, and a tenant stays on an old one while its state is changed.
    async fn any_of_many_plans_is_chosen_by_its_name(world: World) {
        let server = world.server().await;
        let admin = world.admin(&server);
        let oldest = admin.create_plan("Antique", 10).await;
        let older = admin.create_plan("Antique furniture", 10).await;
        let archived = admin.create_plan("Archaic", 10).await;
        admin.post(&format!("/api/admin/plans/{}/archive", archived["id"].as_str().unwrap()), &json!({})).await.expect(200);
        assert!(!admin.page("/admin/tenants/new").await.expect(200).text.contains("plan_name"));
        for number in 0..200 {
            admin.create_plan(&format!("Plan {number}"), 10).await;
        }
        assert!(admin.page("/admin/tenants/new").await.expect(200).text.contains("Plan, by its name"));
        let (oldest, older) = (oldest["id"].as_str().unwrap(), older["id"].as_str().unwrap());
        assert!(admin.page(&format!("/admin/tenants/new?plan_id={oldest}")).await.expect(200).text.contains(&format!("value=\"{oldest}\" selected")));

        let form = |slug: &str, name: &str| {
            fields(&[("name", "Acme"), ("slug", slug), ("contact_email", "it@acme.example"), ("plan_id", older), ("plan_name", name), ("form_key", name)])
        };
        for (name, wrong) in [("none", "there is no such plan"), ("Archaic", "there is no such plan"), ("plan 1", ""), ("tiqu", "2 plans are called like that")] {
            let page = admin.form("/admin/tenants/new", &form("acme", name)).await;
            assert_eq!(page.status, if wrong.is_empty() { 200 } else { 422 }, "{name}: {page:?}");
            assert!(page.text.contains(wrong), "{name}: {page:?}");
        }
        admin.form("/admin/tenants/new", &form("beta", " ANTIQUE ")).await.expect(200);
        admin.form("/admin/tenants/new", &form("gamma", "")).await.expect(200);
        let plan_of = async |slug: &str| {
            let found = admin.get(&format!("/api/admin/tenants?search={slug}")).await.expect(200).text_at("/items/0/id");
            (admin.get(&format!("/api/admin/tenants/{found}")).await.expect(200).text_at("/subscription/plan_id"), found)
        };
        let (on, beta) = plan_of("beta").await;
        assert_eq!((on.as_str(), plan_of("gamma").await.0.as_str()), (oldest, older));

        let page = admin.page(&format!("/admin/tenants/{beta}")).await.expect(200).text;
        assert!(page.contains(&format!("value=\"{oldest}\" selected")), "its plan is one of the choices: {page}");
        let version = page.split("name=\"version\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
        let terms = fields(&[("plan_id", oldest), ("plan_name", "furniture"), ("state", "past_due"), ("version", &version)]);
        admin.form(&format!("/admin/tenants/{beta}/subscription"), &terms).await.expect(303);
        assert_eq!(plan_of("beta").await.0, older);
        let listed = admin.page("/admin/tenants?plan_name=Antique+furniture").await.expect(200).text;
        assert!(listed.contains(">beta<") && listed.contains(">gamma<") && !listed.contains(">acme<"), "{listed}");
        admin.page("/admin/tenants?plan_name=nothing").await.expect(422);
    }

    async fn a_form_that_is_no_utf_8_is_refused(world: World) {
        let server = world.server().await;
        let admin = world.admin(&server);
        let send = async |body: &'static [u8]| {
            let request = admin.request(Method::POST, "/admin/plans/new").header("accept", "text/html");
            admin.send(request.header("content-type", "application/x-www-form-urlencoded").body(body)).await
        };
        for bad in [&b"name=Gr%F6sse&monthly_run_quota=10"[..], b"name=Gr\xF6sse&monthly_run_quota=10"] {
            let refused = send(bad).await.expect(400);
            assert!(refused.text.contains("isn't UTF-8") || refused.text.contains("isn&#39;t UTF-8"), "{refused:?}");
            assert!(refused.header("content-type").is_some_and(|kind| kind.starts_with("text/html")), "{refused:?}");
        }
        admin.page("/admin/plans?search=Gr%F6sse").await.expect(400);
        assert_eq!(admin.get("/api/admin/plans").await.expect(200).body["items"], json!([]));
        send(b"name=Gr%C3%B6sse&monthly_run_quota=10").await.expect(303);
        assert_eq!(admin.get("/api/admin/plans").await.expect(200).body["items"][0]["name"], "Grösse");
    }

    /// What the tenant's page does, over the API: where it is signed in, and the end of that.
    async fn operators_see_and_end_a_tenants_sessions(world: World) {
        let server = world.server().await;
        let admin = world.admin(&server);
        let (acme, beta) = (world.tenant(&server, "acme").await, world.tenant(&server, "beta").await);
        let path = |tenant: &Value| format!("/api/admin/tenants/{}/sessions", tenant["id"].as_str().unwrap());
        let second = server.api().sign_in("acme", &acme.email, world.mail()).await;
        let listed = admin.get(&format!("{}?count=true", path(&acme.tenant))).await.expect(200);
        assert_eq!((listed.body["total"].as_u64(), listed.body["items"][0]["current"].as_bool()), (Some(2), Some(false)), "{listed:?}");
        let newest = listed.text_at("/items/0/id");
        assert_eq!(second.get("/api/tenant/auth/session").await.expect(200).text_at("/id"), newest);

        admin.delete(&format!("{}/{newest}", path(&beta.tenant))).await.expect_problem(404, "not_found");
        second.get("/api/tenant/auth/session").await.expect(200);
        admin.delete(&format!("{}/{newest}", path(&acme.tenant))).await.expect(204);
        second.get("/api/tenant/auth/session").await.expect(401);
        admin.delete(&format!("{}/{newest}", path(&acme.tenant))).await.expect_problem(404, "not_found");
        acme.api.get("/api/tenant/auth/session").await.expect(200);
        admin.delete(&path(&acme.tenant)).await.expect(204);
        acme.api.get("/api/tenant/auth/session").await.expect(401);
        beta.api.get("/api/tenant/auth/session").await.expect(200);
        assert_eq!(admin.get(&path(&acme.tenant)).await.expect(200).body["items"], json!([]));

        let nobody = json!({ "id": "ten_018bcfe568007000800000000000000a" });
        admin.get(&path(&nobody)).await.expect_problem(404, "not_found");
        admin.delete(&path(&nobody)).await.expect_problem(404, "not_found");
    }
}

/// A list of what twenty tenants have names them by one read, and a page of the trail those who act by one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pages_names_are_one_read() {
    let world = World::postgres().await;
    let wire = Wire::to(world.database_url()).await;
    let through = wire.url(world.database_url());
    let server = world.builder().env("TENANTRY__DATABASE__URL", through).start().await;
    let admin = world.admin(&server);
    let plan = admin.create_plan("Basic", 10).await;
    for number in 0..20 {
        let slug = format!("tenant-{number}");
        let (tenant, _) = admin.create_tenant(&slug, plan["id"].as_str().unwrap(), &format!("it@{slug}.example")).await;
        let legacy = format!("018bcfe5-6800-7000-8000-0000000000{number:02}");
        world.insert_legacy_project(&legacy, &format!("old-{number}"), "Client").await;
        let assign = format!("/api/admin/projects/prj_{}/assign", legacy.replace('-', ""));
        admin.post(&assign, &json!({ "tenant_id": tenant["id"] })).await.expect(200);
        let (_, key) = admin.create_api_key(&["plans:read", "plans:write"]).await;
        key.create_plan(&format!("Plan {number}"), 10).await;
    }
    let statements = async |path: &str, about: &[&str]| {
        wire.take();
        let page = admin.page(path).await.expect(200).text;
        let mut statements = wire.take().statements;
        // The server's own workers go on meanwhile.
        statements.retain(|statement| about.iter().any(|table| statement.contains(table)));
        (page, statements)
    };
    for (path, table) in
        [("/admin/codes", "activation_codes"), ("/admin/batches", "code_batches"), ("/admin/projects", "llm_project_config")]
    {
        let (page, statements) = statements(path, &[table, "tenants"]).await;
        assert!((0..20).all(|number| page.contains(&format!(">tenant-{number}<"))), "{path}: {page}");
        assert_eq!(statements.len(), 2, "{path}: {statements:#?}");
    }
    let (page, statements) = statements("/admin/events", &["audit_events", "operators", "api_keys", "tenants"]).await;
    assert!(page.contains(">Deployment</a>"), "{page}");
    assert_eq!(statements.len(), 2, "{statements:#?}");
}
