//! Lists at both consoles: what is asked for is shown and nothing else, the address holds it, and it is to be had as a file.

use serde_json::{Value, json};
use tenantry_tests::{Api, Browser, Reader, on_both_databases};

/// The hints of the codes that an API lists, as the operators' list shows them.
async fn hints(admin: &Api, query: &str) -> Vec<String> {
    let codes = admin.get(&format!("/api/admin/codes?limit=200&{query}")).await.expect(200).body;
    let codes = codes["items"].as_array().unwrap().iter();
    codes.map(|code| format!("…-{}", code["hint"].as_str().unwrap())).collect()
}

/// The cells of a column of a file, by its name, in rows of which no cell has a comma.
fn column<'a>(file: &'a str, name: &str) -> Vec<&'a str> {
    let mut rows = file.split_terminator("\r\n");
    let place = rows.next().unwrap().split(',').position(|column| column == name).unwrap();
    rows.map(|row| row.split(',').nth(place).unwrap()).collect()
}

on_both_databases! {
    async fn codes_are_found_by_what_is_known_of_them(world: World) {
        let server = world.server().await;
        let admin = world.admin(&server);
        let (acme, beta) = (world.tenant(&server, "acme").await, world.tenant(&server, "beta").await);
        let tenant = acme.tenant["id"].as_str().unwrap();
        let spring = admin.issue_codes(tenant, &json!({ "count": 3, "label": "Spring & Summer" })).await;
        let project = acme.api.create_project("Globex").await;
        acme.api.activate(project["id"].as_str().unwrap(), &json!({ "code": spring[1] })).await.expect(200);
        admin.create_operator("ada@portal.example", "owner").await;
        let browser = Browser::open(server.url()).await;
        browser.sign_in_operator(&world, "ada@portal.example").await;

        browser.press("Codes").await;
        browser.at("/admin/codes").await;
        browser.write("label", "Spring & Summer").await;
        browser.press("Filter").await;
        browser.lists(0, &hints(&admin, "label=Spring%20%26%20Summer").await).await;
        browser.asks(&["label=Spring+%26+Summer"]).await;
        browser.choose("status", "active").await;
        browser.press("Filter").await;
        browser.lists(1, &["active"; 2]).await;
        browser.asks(&["status=active", "label=Spring+%26+Summer"]).await;
        let file = browser.download("As a CSV file").await;
        assert_eq!((column(&file, "status"), column(&file, "label")), (vec!["active"; 2], vec!["Spring & Summer"; 2]));
        assert!(spring.iter().all(|text| !file.contains(text)), "texts are shown once");
        // Whoever is given the address sees the same.
        browser.reload().await;
        browser.lists(1, &["active"; 2]).await;
        assert_eq!(browser.value("label").await, "Spring & Summer");
        browser.choose("status", "exhausted").await;
        browser.press("Filter").await;
        browser.lists(0, &[format!("…-{}", spring[1].rsplit('-').next().unwrap())]).await;

        browser.choose("status", "revoked").await;
        browser.press("Filter").await;
        browser.see("No code is like that.").await;
        browser.press("Show all codes").await;
        browser.lists(0, &hints(&admin, "").await[..20]).await;
        browser.write("tenant", "nobody").await;
        browser.press("Filter").await;
        browser.wrong("tenant").await;
        assert_eq!(browser.value("tenant").await, "nobody");
        browser.write("tenant", "beta").await;
        browser.press("Filter").await;
        browser.lists(2, &["beta"; 10]).await;
        browser.write("hint", &beta.codes[4].rsplit('-').next().unwrap().to_lowercase()).await;
        browser.press("Filter").await;
        browser.lists(0, &[format!("…-{}", beta.codes[4].rsplit('-').next().unwrap())]).await;
        browser.close().await;
    }

    /// Twenty a page: on, to the beginning, and back as the browser goes back.
    async fn a_list_is_read_page_by_page(world: World) {
        let server = world.server().await;
        let admin = world.admin(&server);
        let acme = world.tenant(&server, "acme").await;
        admin.issue_codes(acme.tenant["id"].as_str().unwrap(), &json!({ "count": 45, "label": "Spring" })).await;
        let all = hints(&admin, "label=Spring").await;
        admin.create_operator("ada@portal.example", "owner").await;
        for scripts in [true, false] {
            let browser = Browser::open_as(server.url(), &Reader { scripts, ..Reader::default() }).await;
            browser.sign_in_operator(&world, "ada@portal.example").await;
            browser.go("/admin/codes").await;
            browser.write("label", "Spring").await;
            browser.press("Filter").await;
            browser.lists(0, &all[..20]).await;
            assert!(!browser.text().await.contains("First page"));
            browser.press("Next page").await;
            browser.lists(0, &all[20..40]).await;
            browser.press("Next page").await;
            browser.lists(0, &all[40..]).await;
            assert!(!browser.text().await.contains("Next page"));
            assert_eq!(browser.value("label").await, "Spring", "each page has the filters");
            browser.back().await;
            browser.lists(0, &all[20..40]).await;
            browser.press("Next page").await;
            browser.lists(0, &all[40..]).await;
            browser.press("First page").await;
            browser.lists(0, &all[..20]).await;
            browser.asks(&["label=Spring"]).await;
            browser.close().await;
        }
    }

    async fn projects_are_found_at_both_doors(world: World) {
        let server = world.server().await;
        let acme = world.tenant(&server, "acme").await;
        let beta = world.tenant(&server, "beta").await;
        for name in ["Globex", "Globex North", "Initech"] {
            let project = acme.api.create_project(name).await;
            if name == "Globex" {
                acme.api.activate(project["id"].as_str().unwrap(), &json!({})).await.expect(200);
            }
        }
        beta.api.create_project("Globex of beta").await;
        world.admin(&server).create_operator("ada@portal.example", "owner").await;
        let browser = Browser::open(server.url()).await;
        browser.sign_in_tenant(&world, "acme", &acme.email).await;
        browser.lists(0, &["Initech", "Globex North", "Globex"]).await;
        browser.write("search", "glob").await;
        browser.press("Filter").await;
        browser.lists(0, &["Globex North", "Globex"]).await;
        browser.choose("status", "active").await;
        browser.press("Filter").await;
        browser.lists(0, &["Globex"]).await;
        browser.asks(&["search=glob", "status=active"]).await;
        browser.choose("status", "completed").await;
        browser.press("Filter").await;
        browser.see("No project is like that.").await;
        browser.press("Show all projects").await;
        browser.lists(0, &["Initech", "Globex North", "Globex"]).await;
        // What can't be looked for is told beside its field, and stays there.
        let long = "x".repeat(300);
        browser.write("search", &long).await;
        browser.press("Filter").await;
        browser.wrong("search").await;
        assert_eq!(browser.value("search").await, long);

        browser.sign_in_operator(&world, "ada@portal.example").await;
        browser.press("Projects").await;
        browser.lists(0, &["Globex of beta", "Initech", "Globex North", "Globex"]).await;
        browser.write("search", "GLOBEX").await;
        browser.choose("status", "pending").await;
        browser.press("Filter").await;
        browser.lists(0, &["Globex of beta", "Globex North"]).await;
        browser.write("tenant", "beta").await;
        browser.press("Filter").await;
        browser.lists(0, &["Globex of beta"]).await;
        browser.asks(&["search=GLOBEX", "status=pending", "tenant=beta"]).await;
        browser.write("search", "nothing").await;
        browser.press("Filter").await;
        browser.see("No project is like that.").await;
        browser.press("Show all projects").await;
        browser.lists(0, &["Globex of beta", "Initech", "Globex North", "Globex"]).await;
        browser.close().await;
    }

    async fn the_trail_is_filtered_and_sent_as_a_file(world: World) {
        let server = world.server().await;
        let acme = world.tenant(&server, "acme").await;
        let beta = world.tenant(&server, "beta").await;
        let project = acme.api.create_project("Globex").await;
        let project = project["id"].as_str().unwrap();
        acme.api.activate(project, &json!({ "code": beta.codes[0] })).await.expect(422);
        acme.api.activate(project, &json!({ "code": acme.codes[0] })).await.expect(200);
        beta.api.create_project("Initech").await;
        world.admin(&server).create_operator("ada@portal.example", "owner").await;
        let browser = Browser::open(server.url()).await;
        browser.sign_in_operator(&world, "ada@portal.example").await;
        browser.press("Audit trail").await;
        browser.choose("action", "Project").await;
        browser.press("Filter").await;
        browser.lists(1, &["Project created", "Project activated", "Project created"]).await;
        browser.asks(&["action=project."]).await;
        browser.write("tenant", "acme").await;
        browser.press("Filter").await;
        browser.lists(1, &["Project activated", "Project created"]).await;
        let file = browser.download("As a CSV file").await;
        assert_eq!(column(&file, "action"), ["project.activated", "project.created"]);
        assert_eq!(column(&file, "tenant_id"), [acme.tenant["id"].as_str().unwrap(); 2]);
        browser.choose("outcome", "Refused").await;
        browser.press("Filter").await;
        browser.see("Nothing like that has happened.").await;
        browser.choose("action", "Activation").await;
        browser.press("Filter").await;
        browser.lists(1, &["Activation refused refused"]).await;
        // Days are the reader's.
        let tomorrow = "const day = new Date(Date.now() + 86400000); \
            return [day.getFullYear(), day.getMonth() + 1, day.getDate()].map(part => String(part).padStart(2, '0')).join('-')";
        let tomorrow = browser.run(tomorrow).await;
        browser.pick_day("from", tomorrow.as_str().unwrap()).await;
        browser.press("Filter").await;
        browser.see("Nothing like that has happened.").await;
        browser.press("Show everything").await;
        browser.see("Signed in").await;
        browser.asks(&[]).await;

        browser.sign_in_tenant(&world, "acme", &acme.email).await;
        browser.press("History").await;
        browser.choose("actor", "You").await;
        browser.choose("action", "Projects").await;
        browser.press("Filter").await;
        browser.lists(1, &["Project activated", "Project created"]).await;
        browser.choose("actor", "An API key").await;
        browser.choose("action", "Codes that were issued").await;
        browser.press("Filter").await;
        browser.lists(1, &["Codes issued"]).await;
        let file = browser.download("As a CSV file").await;
        assert_eq!((column(&file, "action"), column(&file, "actor_kind")), (vec!["codes.issued"], vec!["api_key"]));
        assert_eq!((column(&file, "actor_id"), column(&file, "client_ip")), (vec![""], vec![""]), "not who, nor from where");
        browser.close().await;
    }

    /// Moments are in the reader's zone, with UTC for whoever asks; without scripts they are in UTC.
    async fn moments_are_the_readers(world: World) {
        let server = world.server().await;
        let acme = world.tenant(&server, "acme").await;
        let project = acme.api.create_project("Globex").await;
        let made: Value = project["created_at"].clone();
        let (day, time) = made.as_str().unwrap().split_once('T').unwrap();
        let utc = format!("{day} {} UTC", &time[..5]);
        let path = format!("/tenant/projects/{}", project["id"].as_str().unwrap());
        let moment = "const time = document.querySelector('.facts time'); return [time.dateTime, time.textContent, time.title]";
        let far = Reader { zone: Some("Pacific/Kiritimati"), ..Reader::default() };
        let browser = Browser::open_as(server.url(), &far).await;
        browser.sign_in_tenant(&world, "acme", &acme.email).await;
        // By a link, which puts the page in place; and loaded.
        browser.press("Globex").await;
        browser.shows("h1", "Globex").await;
        let there = browser.run("return new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short', timeZone: 'Etc/GMT-14' })
            .format(new Date(document.querySelector('.facts time').dateTime))").await;
        for _ in 0..2 {
            browser.see(there.as_str().unwrap()).await;
            assert_eq!(browser.run(moment).await, json!([made, there, utc]));
            browser.reload().await;
        }
        browser.close().await;

        let plain = Browser::open_as(server.url(), &Reader { scripts: false, ..far }).await;
        plain.sign_in_tenant(&world, "acme", &acme.email).await;
        plain.go(&path).await;
        assert_eq!(plain.run(moment).await, json!([made, utc, ""]));
        plain.close().await;
    }
}
