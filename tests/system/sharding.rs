//! What a tenant asks for could be asked of one shard: each of its statements names the tenant on every table that is a tenant's, but for those
//! that `docs/sharding.md` lists and explains.

use std::{collections::BTreeSet, fs, ops::Range, path::Path, time::Duration};

use reqwest::Method;
use serde_json::{Value, json};
use tenantry_domain::memory::MemoryStore;
use tenantry_tests::{Reply, SignedIn, Wire, World, otp_in};

/// A statement as words; names without their quotes.
struct Words(Vec<String>);

impl Words {
    fn of(statement: &str) -> Self {
        let mut spaced = String::new();
        for symbol in statement.chars() {
            match symbol {
                '(' | ')' | ',' | ';' | '=' | '<' | '>' => spaced.extend([' ', symbol, ' ']),
                '"' => {}
                _ => spaced.push(symbol),
            }
        }
        Self(spaced.split_whitespace().map(str::to_owned).collect())
    }

    fn at(&self, place: usize) -> &str {
        self.0.get(place).map_or("", String::as_str)
    }

    /// Each of these tables that the statement reads or writes: where, and by which name.
    fn mentions<'a>(&'a self, tables: &BTreeSet<String>) -> Vec<(usize, &'a str)> {
        const FOLLOW: [&str; 18] = [
            "",
            "WHERE",
            "SET",
            "ON",
            "LEFT",
            "JOIN",
            "INNER",
            "ORDER",
            "GROUP",
            "LIMIT",
            "FOR",
            "VALUES",
            "RETURNING",
            "SELECT",
            "UNION",
            "USING",
            "CROSS",
            "DO",
        ];
        let is_name = |word: &str| word.chars().all(|symbol| symbol.is_ascii_alphanumeric() || symbol == '_');
        let places = (1..self.0.len()).filter(|&place| {
            tables.contains(self.at(place)) && matches!(self.at(place - 1), "FROM" | "JOIN" | "UPDATE" | "INTO" | "ONLY" | ",")
        });
        let named = places.map(|place| {
            let next = if self.at(place + 1) == "AS" { place + 2 } else { place + 1 };
            let alias = Some(self.at(next)).filter(|word| !FOLLOW.contains(word) && is_name(word));
            (place, alias.unwrap_or(self.at(place)))
        });
        named.collect()
    }

    /// The words of the query that a place stands in: what its brackets hold, or everything.
    fn query_around(&self, place: usize) -> Range<usize> {
        let (mut depth, mut start) = (0, 0);
        for before in (0..place).rev() {
            match self.at(before) {
                ")" => depth += 1,
                "(" if depth > 0 => depth -= 1,
                "(" if matches!(self.at(before + 1), "SELECT" | "UPDATE" | "INSERT" | "DELETE" | "WITH") => {
                    start = before + 1;
                    break;
                }
                _ => {}
            }
        }
        let mut depth = 0;
        let end = (start..self.0.len()).find(|&after| {
            depth += i32::from(self.at(after) == "(") - i32::from(self.at(after) == ")");
            depth < 0
        });
        start..end.unwrap_or(self.0.len())
    }

    /// What a column is held to, if anything: the word on the other side.
    fn held_to(&self, place: usize) -> Option<&str> {
        let mut after = (place + 1..self.0.len()).map(|next| self.at(next)).skip_while(|word| *word == ")");
        match after.next() {
            Some("=") => after.find(|word| !matches!(*word, "(" | "SELECT")),
            Some("IN") => after.nth(1),
            // What is nobody's: the operators' webhooks, legacy projects.
            Some("IS") => after.next().filter(|word| *word == "NULL"),
            _ => (place > 1 && self.at(place - 1) == "=").then(|| self.at(place - 2)),
        }
    }

    /// What the tenant of a table is held to that is read or written there; for an INSERT, that it is written.
    fn holds(&self, place: usize, called: &str) -> Vec<&str> {
        let column = if self.at(place) == "tenants" { "id" } else { "tenant_id" };
        if self.at(place - 1) == "INTO" {
            let mut columns = self.0.iter().skip(place + 1).take_while(|word| *word != ")");
            return columns.any(|word| word == column).then_some("$").into_iter().collect();
        }
        let whole = format!("{called}.{column}");
        let is_it = |at: &usize| self.at(*at) == whole || (called == self.at(place) && self.at(*at) == column);
        self.query_around(place).filter(is_it).filter_map(|at| self.held_to(at)).collect()
    }

    /// The tables whose tenant it doesn't name; all of them, where what it names is nobody's in particular.
    fn unnamed(&self, tables: &BTreeSet<String>) -> BTreeSet<&str> {
        let held = self.mentions(tables).into_iter().map(|(place, called)| (self.at(place), self.holds(place, called)));
        let held: Vec<_> = held.collect();
        let is_anyones = !held.iter().any(|(_, holds)| holds.iter().any(|other| other.starts_with('$')));
        held.into_iter().filter(|(_, holds)| is_anyones || holds.is_empty()).map(|(table, _)| table).collect()
    }
}

#[test]
fn a_statement_without_its_tenant_is_found() {
    let tables = ["tenants", "activation_codes", "usage_months"].map(str::to_owned).into();
    for (statement, unnamed) in [
        ("SELECT tenant_id, id FROM activation_codes WHERE id = $1", &["activation_codes"][..]),
        ("SELECT id FROM activation_codes WHERE id = $1 AND tenant_id = $2", &[]),
        (r#"SELECT "c"."tenant_id" FROM "activation_codes" AS "c" WHERE "c"."id" = $1"#, &["activation_codes"]),
        ("SELECT 1 FROM activation_codes c, plans p WHERE COALESCE(c.tenant_id, c.tenant_id) = $1", &[]),
        ("SELECT 1 FROM tenants t JOIN usage_months u ON u.tenant_id = t.id WHERE t.id = $1", &[]),
        ("SELECT 1 FROM tenants t JOIN usage_months u ON u.month = $2 WHERE t.id = $1", &["usage_months"]),
        ("INSERT INTO usage_months (tenant_id, year) VALUES ($1, $2)", &[]),
        ("DELETE FROM usage_months WHERE year = $1", &["usage_months"]),
        ("UPDATE activation_codes SET use_count = use_count + 1 WHERE id = $1", &["activation_codes"]),
        ("SELECT 1 FROM activation_codes WHERE tenant_id IN ($1)", &[]),
        ("SELECT 1 FROM usage_months u JOIN tenants t ON t.id = u.tenant_id WHERE u.month = $1", &["tenants", "usage_months"]),
        (
            "WITH c AS (SELECT id FROM activation_codes WHERE tenant_id = $1) UPDATE usage_months u SET year = 1 FROM c",
            &["usage_months"],
        ),
        (
            "WITH c AS (UPDATE activation_codes c SET id = $2 WHERE c.id = $2) SELECT 1 FROM tenants WHERE id = $1",
            &["activation_codes"],
        ),
        ("SELECT 1 FROM plans", &[]),
    ] {
        let words = Words::of(statement);
        assert_eq!(words.unnamed(&tables), unnamed.iter().copied().collect(), "{statement}");
    }
}

/// A row of the page: a statement that doesn't name its tenant.
struct Listed {
    /// Of its text.
    part: String,
    /// Those tables whose tenant it doesn't name.
    tables: BTreeSet<String>,
    /// It runs when the server finds the time.
    in_background: bool,
    seen: bool,
}

fn listed() -> Vec<Listed> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/sharding.md");
    let page = fs::read_to_string(page).expect("the page");
    let (_, section) = page.split_once("## Statements that don't name their tenant").expect("the section");
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| `")?.split(" | ");
        let part = cells.next()?.strip_suffix('`')?.to_owned();
        let tables = cells.next()?.split(", ").map(|table| table.trim_matches('`').to_owned()).collect();
        let in_background = cells.next()?.starts_with("in the background");
        Some(Listed { part, tables, in_background, seen: false })
    });
    rows.collect()
}

/// Every operation of a tenant's, each answered as it should be.
struct Visit<'a> {
    acme: &'a SignedIn,
    asked: BTreeSet<String>,
}

impl Visit<'_> {
    async fn ask(&mut self, operation: &str, ids: &[&str], body: Option<Value>, status: u16) -> Reply {
        self.asked.insert(operation.to_owned());
        let (method, path) = operation.split_once(' ').unwrap();
        let (path, query) = path.split_once('?').map_or((path, String::new()), |(path, query)| (path, format!("?{query}")));
        let mut ids = ids.iter();
        let filled: Vec<_> =
            path.split('/').map(|part| if part.starts_with('{') { *ids.next().unwrap() } else { part }).collect();
        let api = &self.acme.api;
        let mut request = api.request(Method::from_bytes(method.as_bytes()).unwrap(), &format!("{}{query}", filled.join("/")));
        if let Some(body) = body {
            request = request.json(&body);
        }
        if matches!(method, "PUT" | "PATCH" | "DELETE") {
            request = request.header("if-match", "*");
        }
        api.send(request).await.expect(status)
    }

    async fn projects(&mut self, world: &World) {
        const ONE: &str = "/api/tenant/projects/{id}";
        for query in ["", "?status=active", "?search=client&count=true", "?limit=1"] {
            self.ask(&format!("GET /api/tenant/projects{query}"), &[], None, 200).await;
        }
        for with in [json!({ "code": self.acme.codes[0] }), json!({}), json!({ "code": self.acme.codes[0] })] {
            let made = self.ask("POST /api/tenant/projects", &[], Some(json!({ "client_name": "Client" })), 201).await;
            let id = &made.text_at("/id");
            self.ask(&format!("GET {ONE}"), &[id], None, 200).await;
            self.ask(&format!("PATCH {ONE}"), &[id], Some(json!({ "priority": "high" })), 200).await;
            self.ask(&format!("PUT {ONE}"), &[id], Some(json!({ "client_name": "Client" })), 200).await;
            let used = world.rows("SELECT use_count FROM activation_codes WHERE use_count > 0").await.len() == 2;
            self.ask(&format!("POST {ONE}/activate"), &[id], Some(with), if used { 409 } else { 200 }).await;
            if !used {
                self.ask(&format!("POST {ONE}/pause"), &[id], None, 200).await;
                self.ask(&format!("POST {ONE}/resume"), &[id], None, 200).await;
                self.ask(&format!("GET {ONE}/certificate"), &[id], None, 200).await;
            }
        }
        let listed = self.ask("GET /api/tenant/projects?status=active", &[], None, 200).await;
        let [one, other] = ["/items/0/id", "/items/1/id"].map(|place| listed.text_at(place));
        self.ask(&format!("POST {ONE}/return"), &[&one], None, 200).await;
        self.ask(&format!("DELETE {ONE}"), &[&one], None, 204).await;
        self.ask(&format!("POST {ONE}/complete"), &[&other], None, 200).await;
        for query in ["", "?status=active", "?status=exhausted"] {
            self.ask(&format!("GET /api/tenant/codes{query}"), &[], None, 200).await;
        }
        self.ask("GET /api/tenant/usage", &[], None, 200).await;
    }

    async fn webhooks(&mut self) {
        const ALL: &str = "/api/tenant/webhooks";
        const ONE: &str = "/api/tenant/webhooks/{id}";
        let hook = json!({ "url": "https://hooks.example.com/", "events": ["project.activated"] });
        let made = self.ask(&format!("POST {ALL}"), &[], Some(hook), 201).await;
        let id = &made.text_at("/id");
        self.ask(&format!("GET {ALL}"), &[], None, 200).await;
        self.ask(&format!("GET {ONE}"), &[id], None, 200).await;
        self.ask(&format!("POST {ONE}/test"), &[id], None, 202).await;
        // Somebody listens: the activation's steps one by one.
        let project = self.acme.api.create_project("Client with a listener").await;
        self.acme.api.activate(project["id"].as_str().unwrap(), &json!({ "code": self.acme.codes[5] })).await.expect(200);
        let sent = self.ask(&format!("GET {ONE}/deliveries"), &[id], None, 200).await;
        let delivery = sent.text_at("/items/0/id");
        self.asked.insert(format!("POST {ONE}/deliveries/{{delivery}}/redeliver"));
        self.acme.api.post(&format!("{ALL}/{id}/deliveries/{delivery}/redeliver"), &json!({})).await;
        self.ask(&format!("POST {ONE}/rotate-secret"), &[id], Some(json!({})), 200).await;
        self.ask(&format!("PATCH {ONE}"), &[id], Some(json!({ "enabled": false })), 200).await;
        self.ask(&format!("DELETE {ONE}"), &[id], None, 204).await;
    }

    async fn account(&mut self, world: &World) {
        self.ask("GET /api/tenant/auth/session", &[], None, 200).await;
        self.ask("GET /api/tenant/profile", &[], None, 200).await;
        self.ask("PATCH /api/tenant/profile", &[], Some(json!({ "name": "Acme and sons" })), 200).await;
        self.ask("POST /api/tenant/auth/refresh", &[], None, 200).await;
        for query in ["", "?action=project.activated"] {
            self.ask(&format!("GET /api/tenant/events{query}"), &[], None, 200).await;
        }
        // A second session, and another that ends both.
        for end in ["one", "itself", "all"] {
            let asked = self.ask("POST /api/tenant/auth/otp/generate", &[], Some(json!({ "tenant_slug": "acme" })), 202).await;
            let before = 1 + ["one", "itself", "all"].iter().position(|word| *word == end).unwrap();
            let mails = world.mail().wait_for(&self.acme.email, before + 1, Duration::from_secs(30)).await;
            let answer =
                json!({ "challenge_id": asked.text_at("/challenge_id"), "otp_code": otp_in(&mails[before].text).unwrap() });
            let came_in = self.ask("POST /api/tenant/auth/otp/verify", &[], Some(answer), 200).await;
            let other = self.acme.api.with_bearer(&came_in.text_at("/session_token"));
            let id = other.get("/api/tenant/auth/session").await.expect(200).text_at("/id");
            self.ask("GET /api/tenant/auth/sessions", &[], None, 200).await;
            match end {
                "one" => drop(self.ask("DELETE /api/tenant/auth/sessions/{id}", &[&id], None, 204).await),
                "itself" => {
                    self.asked.insert("POST /api/tenant/auth/logout".to_owned());
                    other.post("/api/tenant/auth/logout", &json!({})).await.expect(204);
                }
                _ => drop(self.ask("POST /api/tenant/auth/sessions/revoke-all", &[], None, 200).await),
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_statement_of_a_tenants_names_its_tenant_or_is_listed() {
    let world = World::postgres().await;
    let wire = Wire::to(world.database_url()).await;
    let server = world.builder().env("TENANTRY__DATABASE__URL", wire.url(world.database_url()));
    let server = server.env("TENANTRY__OTP__REQUESTS_PER_ACCOUNT_BURST", 100).start().await;
    let acme = world.tenant(&server, "acme").await;
    let rows = "SELECT table_name FROM information_schema.columns WHERE column_name = 'tenant_id' AND table_schema = 'public'";
    let rows = world.rows(rows).await;
    let tables: BTreeSet<String> =
        rows.iter().map(|row| row["table_name"].as_str().unwrap().to_owned()).chain(["tenants".to_owned()]).collect();
    assert!(tables.len() > 10, "{tables:?}");
    wire.take();
    let mut visit = Visit { acme: &acme, asked: BTreeSet::new() };
    visit.projects(&world).await;
    visit.webhooks().await;
    visit.account(&world).await;
    let asked: BTreeSet<_> = visit.asked.iter().map(|asked| asked.split('?').next().unwrap().to_owned()).collect();
    assert_eq!(asked, operations(), "every operation of a tenant's is asked for");

    let statements: BTreeSet<String> = wire.take().statements.into_iter().collect();
    let mut listed = listed();
    let mut wrong = Vec::new();
    for statement in &statements {
        let words = Words::of(statement);
        let mut unnamed = words.unnamed(&tables);
        let all = unnamed.clone();
        for row in listed.iter_mut().filter(|row| statement.contains(&row.part)) {
            row.seen |= row.tables.iter().all(|table| all.contains(table.as_str()));
            unnamed.retain(|table| !row.tables.contains(*table));
        }
        if !unnamed.is_empty() {
            wrong.push(format!("{unnamed:?}: {statement}"));
        }
    }
    assert!(wrong.is_empty(), "statements that name no tenant, and are not in docs/sharding.md:\n{}", wrong.join("\n"));
    let stale: Vec<_> = listed.iter().filter(|row| !row.seen && !row.in_background).map(|row| &row.part).collect();
    assert!(stale.is_empty(), "docs/sharding.md lists statements that nobody runs so: {stale:?}");
    let named = statements.iter().filter(|statement| !Words::of(statement).mentions(&tables).is_empty()).count();
    println!("{} statements, {named} of them on tables of tenants", statements.len());
}

/// The operations that a tenant has, as the document names them.
fn operations() -> BTreeSet<String> {
    let document: Value = serde_json::from_str(&tenantry_http::openapi::<MemoryStore>()).unwrap();
    let paths = document["paths"].as_object().unwrap().iter().filter(|(path, _)| path.starts_with("/api/tenant/"));
    let operations = paths.flat_map(|(path, item)| {
        let methods =
            item.as_object().unwrap().keys().filter(|key| ["get", "post", "put", "patch", "delete"].contains(&key.as_str()));
        methods.map(move |method| format!("{} {path}", method.to_uppercase())).collect::<Vec<_>>()
    });
    operations.collect()
}
