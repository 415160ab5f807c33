//! Makes the pictures of the consoles: `cargo run -p tenantry-tests --example screenshots`, after `cargo build --bins`.
//!
//! It starts a server on SQLite, has an operator and a tenant do what they do, and writes what Chromium shows into `docs/screenshots`.

use std::{fs, path::Path, time::Duration};

use serde_json::json;
use tenantry_tests::{Browser, Reader, Server, World};

const LIGHT: Reader = Reader { size: (1280, 860), dark: false, scripts: true, zone: None };
const DARK: Reader = Reader { size: (1280, 860), dark: true, scripts: true, zone: None };
const PHONE: Reader = Reader { size: (500, 900), dark: false, scripts: true, zone: None };

/// Pages of the operators' console; `{tenant}` stands for a tenant's identifier.
const ADMIN: [(&str, &str); 5] = [
    ("dashboard", "/admin"),
    ("tenants", "/admin/tenants"),
    ("tenant", "/admin/tenants/{tenant}"),
    ("codes", "/admin/codes"),
    ("audit-trail", "/admin/events"),
];

/// Pages of a tenant's.
const TENANT: [(&str, &str); 2] = [("projects", "/tenant"), ("profile", "/tenant/profile")];

#[tokio::main]
async fn main() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/screenshots");
    fs::create_dir_all(&folder).expect("a folder");
    let world = World::sqlite().await;
    let server = world.builder().env("TENANTRY__OTP__REQUESTS_PER_ACCOUNT_BURST", 10).start().await;
    let tenant = fill(&world, &server).await;
    for (look, name) in [(LIGHT, "light"), (DARK, "dark"), (PHONE, "phone")] {
        let browser = Browser::open_as(server.url(), &look).await;
        browser.sign_in_operator(&world, "ada@portal.example").await;
        for (page, path) in ADMIN {
            show(&browser, &path.replace("{tenant}", &tenant), &folder.join(format!("{page}-{name}.png"))).await;
        }
        browser.sign_in_tenant(&world, "acme", "owner@acme.example").await;
        for (page, path) in TENANT {
            show(&browser, path, &folder.join(format!("{page}-{name}.png"))).await;
        }
        browser.close().await;
    }
}

/// Tenants, codes and projects, so that there is something to see. Answers a tenant's identifier.
async fn fill(world: &World, server: &Server) -> String {
    let admin = world.admin(server);
    admin.create_operator("ada@portal.example", "owner").await;
    let plans = [admin.create_plan("Basic", 50).await, admin.create_plan("Studio", 400).await];
    let mut shown = String::new();
    for (number, (slug, name)) in
        [("acme", "Acme Works"), ("globex", "Globex"), ("initech", "Initech"), ("umbra", "Umbra Labs"), ("hooli", "Hooli")]
            .into_iter()
            .enumerate()
    {
        let email = format!("owner@{slug}.example");
        let plan = plans[number % 2]["id"].as_str().expect("an identifier");
        let new = json!({ "slug": slug, "name": name, "contact_email": email, "plan_id": plan, "primary_color": "#8a2b5f" });
        let made = admin.post("/api/admin/tenants", &new).await.expect(201).body;
        let codes = made["activation_codes"].as_array().expect("codes").clone();
        if number > 2 {
            continue;
        }
        let api = server.api().sign_in(slug, &email, world.mail()).await;
        for (client, code) in ["Northwind", "Contoso", "Tailspin", "Fabrikam"].iter().zip(&codes) {
            let project = api.create_project(client).await;
            let id = project["id"].as_str().expect("an identifier");
            if *client != "Fabrikam" {
                api.activate(id, &json!({ "code": code["code"] })).await.expect(200);
            }
            if *client == "Contoso" {
                api.post(&format!("/api/tenant/projects/{id}/pause"), &json!({})).await.expect(200);
            }
        }
        if slug == "acme" {
            shown = made["id"].as_str().expect("an identifier").to_owned();
        }
    }
    shown
}

async fn show(browser: &Browser, path: &str, file: &Path) {
    browser.go(path).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    fs::write(file, browser.picture().await).expect("a picture");
}
