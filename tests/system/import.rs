//! Codes that were issued elsewhere: taken in whole, or not at all and with every reason.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use reqwest::Method;
use serde_json::{Value, json};
use tenantry_domain::{PlainCode, SystemEntropy};
use tenantry_tests::{Api, Reply, Server, on_both_databases};

/// The texts of codes that no server knows.
fn texts(count: usize) -> Vec<String> {
    (0..count).map(|_| PlainCode::generate(&SystemEntropy).reveal().to_string()).collect()
}

fn path(tenant: &Value, query: &str) -> String {
    format!("/api/admin/tenants/{}/codes/import{query}", tenant["id"].as_str().unwrap())
}

async fn import(admin: &Api, tenant: &Value, query: &str, file: impl Into<String>) -> Reply {
    let request = admin.request(Method::POST, &path(tenant, query)).header("content-type", "text/csv; charset=utf-8");
    admin.send(request.body(file.into())).await
}

async fn tenant(admin: &Api, slug: &str) -> Value {
    let plan = admin.create_plan(&format!("Plan of {slug}"), 10).await;
    admin.create_tenant(slug, plan["id"].as_str().unwrap(), "it@acme.example").await.0
}

async fn codes_of(admin: &Api, tenant: &Value) -> usize {
    let path = format!("/api/admin/codes?tenant={}&count=true&limit=1", tenant["id"].as_str().unwrap());
    usize::try_from(admin.get(&path).await.expect(200).body["total"].as_u64().unwrap()).unwrap()
}

/// The status line of the answer to a request of which only the head is sent.
fn answer_to_head(server: &Server, head: &str) -> String {
    let mut socket = TcpStream::connect(server.url().trim_start_matches("http://")).unwrap();
    socket.write_all(head.as_bytes()).unwrap();
    let mut answer = [0; 12];
    socket.read_exact(&mut answer).unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

on_both_databases! {
    async fn a_dry_run_reports_every_fault_and_a_refused_import_says_the_same(world: World) {
        let server = world.server().await;
        let admin = world.admin(&server);
        let acme = world.tenant(&server, "acme").await;
        let beta = tenant(&admin, "beta").await;
        let texts = texts(6);
        let malformed = texts[0].replacen(texts[0].chars().next().unwrap(), "U", 1);
        let file = [
            "\u{feff}code,label,max_uses,expires_at".to_owned(),
            format!("{},\"Spring, \"\"27\"\"\",3,2099-01-31T12:00:00+01:00", texts[0]),
            format!("{malformed},,,"),
            String::new(),
            format!("{},{},0,tomorrow", texts[1], "x".repeat(101)),
            format!("{},,,2020-01-01T00:00:00Z", texts[2]),
            format!("{},,1000001,", texts[3]),
            format!("{},,,", acme.codes[0]),
            format!("{},,,", texts[0].to_lowercase().replace('-', "")),
            format!("{},,,,surplus", texts[4]),
            format!("{},\"open,,", texts[4]),
            ",,,".to_owned(),
            format!("{},{}", texts[4], "y".repeat(5000)),
            format!("{},a\tb", texts[5]),
        ]
        .join("\r\n");
        let fault = |line: u32, column: Option<&str>, code: &str| json!([line, column, code]);
        let expected = [
            fault(3, Some("code"), "code_malformed"),
            fault(5, Some("label"), "too_long"),
            fault(5, Some("max_uses"), "out_of_range"),
            fault(5, Some("expires_at"), "invalid_time"),
            fault(6, Some("expires_at"), "out_of_range"),
            fault(7, Some("max_uses"), "out_of_range"),
            fault(8, Some("code"), "code_known"),
            fault(9, Some("code"), "duplicate"),
            fault(10, None, "too_many_cells"),
            fault(11, None, "unclosed_quote"),
            fault(12, Some("code"), "code_malformed"),
            fault(13, None, "too_long"),
            fault(14, Some("label"), "control_character"),
        ];
        // Another tenant's code is as known as one's own.
        let dry = import(&admin, &beta, "?dry_run=true", file.clone()).await.expect(200);
        assert_eq!((&dry.body["lines"], &dry.body["good"], &dry.body["bad"]), (&json!(12), &json!(1), &json!(11)));
        let faults: Vec<_> = dry.body["faults"].as_array().unwrap().iter()
            .map(|fault| json!([fault["line"], fault["column"], fault["code"]]))
            .collect();
        assert_eq!(faults, expected);
        assert_eq!(dry.body["faults"][7]["detail"], "line 2 has the same code");
        let refused = import(&admin, &beta, "", file).await.expect_problem(422, "import_refused");
        assert_eq!(refused.body["report"], dry.body);
        for text in texts.iter().chain(&acme.codes) {
            for (place, said) in [("report", &dry.text), ("problem", &refused.text), ("log", &server.logs())] {
                assert!(text.split('-').all(|group| !said.contains(group)), "a code in the {place}: {said}");
            }
        }
        assert_eq!(codes_of(&admin, &beta).await, 1, "nothing but the tenant's first code");
        assert_eq!(world.rows("SELECT action FROM audit_events WHERE action = 'codes.imported'").await, [Value::Null; 0]);
    }

    async fn a_refusal_lists_a_thousand_faults_and_a_dry_run_all(world: World) {
        let server = world.server().await;
        let admin = world.admin(&server);
        let acme = tenant(&admin, "acme").await;
        let file = format!("code\n{}", "no-code\n".repeat(2_345));
        let dry = import(&admin, &acme, "?dry_run=true", file.clone()).await.expect(200);
        assert_eq!((&dry.body["bad"], dry.body["faults"].as_array().unwrap().len()), (&json!(2_345), 2_345));
        let refused = import(&admin, &acme, "", file).await.expect_problem(422, "import_refused");
        assert_eq!((&refused.body["report"]["bad"], refused.body["report"]["faults"].as_array().unwrap().len()), (&json!(2_345), 1_000));
    }

    async fn imported_codes_activate_as_their_lines_say(world: World) {
        let server = world.server().await;
        let admin = world.admin(&server);
        let acme = world.tenant(&server, "acme").await;
        let texts = texts(2_500);
        let mut file = "id,code,label,expires_at,max_uses\r\n".to_owned();
        for (number, text) in texts.iter().enumerate() {
            let rest = if number == 0 { ",'=2+2,2099-01-31T12:00:00Z,2" } else { "" };
            file.push_str(&format!("code_018bcfe568007000800000000000000a,{}{rest}\r\n", text.to_lowercase()));
        }
        assert_eq!(import(&admin, &acme.tenant, "?dry_run=true", file.clone()).await.expect(200).body["good"], 2_500);
        let done = import(&admin, &acme.tenant, "?label=Old%20system", file.clone()).await.expect(201);
        let batch = done.text_at("/id");
        assert_eq!((done.header("x-batch-id"), done.header("location")), (Some(batch.as_str()), Some(format!("/api/admin/batches/{batch}").as_str())));
        let read = admin.get(&format!("/api/admin/batches/{batch}")).await.expect(200).body;
        assert_eq!((&read["state"], &read["source"], &read["issued"], &read["label"], &read["max_uses"]),
            (&json!("complete"), &json!("imported"), &json!(2_500), &json!("Old system"), &Value::Null));
        assert_eq!(read["codes"]["active"], 2_500);

        for (text, label, max_uses) in [(&texts[0], "=2+2", 2), (&texts[1], "Old system", 1)] {
            let project = acme.api.create_project("Client").await;
            let active = acme.api.activate(project["id"].as_str().unwrap(), &json!({ "code": text })).await.expect(200);
            let code = admin.get(&format!("/api/admin/codes/{}", active.text_at("/activation_code_id"))).await.expect(200).body;
            assert_eq!((&code["label"], &code["max_uses"], &code["batch_id"]), (&json!(label), &json!(max_uses), &json!(batch)));
        }
        let event = &world.rows(&format!("SELECT action, details FROM audit_events WHERE target = '{batch}'")).await[..];
        assert_eq!((event.len(), &event[0]["action"], &event[0]["details"]), (1, &json!("codes.imported"), &json!(r#"{"count":"2500"}"#)));
        assert!(texts.iter().take(9).all(|text| !world.stolen_database().contains(text.as_str())));

        let again = import(&admin, &acme.tenant, "", file).await.expect_problem(422, "import_refused");
        assert_eq!(again.body["report"]["bad"], 2_500, "all are known now");
    }

    async fn racing_imports_of_one_file_take_each_code_once(world: World) {
        let servers = world.servers().await;
        let admin = world.admin(&servers[0]);
        let tenants = [tenant(&admin, "acme").await, tenant(&admin, "beta").await];
        let file = format!("code\n{}", texts(1_000).join("\n"));
        let mut racers = tokio::task::JoinSet::new();
        for racer in 0..6 {
            let (admin, tenant, file) = (world.admin(&servers[racer % servers.len()]), tenants[racer % 2].clone(), file.clone());
            racers.spawn(async move { import(&admin, &tenant, "", file).await });
        }
        let mut imported = 0;
        for reply in racers.join_all().await {
            match reply.status {
                201 => imported += 1,
                _ => assert_eq!(reply.expect_problem(422, "import_refused").body["report"]["bad"], 1_000),
            }
        }
        assert_eq!(imported, 1);
        assert_eq!(codes_of(&admin, &tenants[0]).await + codes_of(&admin, &tenants[1]).await, 1_002, "and each tenant's first code");
    }

    async fn a_keyed_import_is_done_once_and_answered_again(world: World) {
        let server = world.server().await;
        let admin = world.admin(&server);
        let acme = tenant(&admin, "acme").await;
        let keyed = async |file: String| {
            let request = admin.request(Method::POST, &path(&acme, "")).header("content-type", "text/csv");
            admin.send(request.header("idempotency-key", "once").body(file)).await
        };
        let texts = texts(20);
        let file = format!("code\n{}", texts.join("\n"));
        let first = keyed(file.clone()).await.expect(201);
        let again = keyed(file.clone()).await.expect(201);
        assert_eq!((&again.text, again.header("idempotency-replayed")), (&first.text, Some("true")));
        keyed(format!("code\n{}", texts[..19].join("\n"))).await.expect_problem(422, "idempotency_mismatch");
        assert_eq!(codes_of(&admin, &acme).await, 21);
    }

    async fn a_file_that_cannot_be_read_is_refused(world: World) {
        let server = world.server().await;
        let admin = world.admin(&server);
        let acme = tenant(&admin, "acme").await;
        let [text] = &texts(1)[..] else { panic!() };
        for (file, code) in [
            (String::new(), "empty"),
            ("code\n\n".to_owned(), "empty"),
            (format!("{text}\n"), "unknown_column"),
            (format!("code;label\n{text};x\n"), "unknown_column"),
            (format!("code,code\n{text},x\n"), "duplicate_column"),
            (format!("label\n{text}\n"), "no_code_column"),
        ] {
            let report = import(&admin, &acme, "?dry_run=true", file.clone()).await.expect(200);
            assert_eq!((&report.body["faults"][0]["code"], &report.body["faults"][0]["line"]), (&json!(code), &json!(1)), "{file}");
            assert!(!report.text.contains(text.as_str()));
            import(&admin, &acme, "", file).await.expect_problem(422, "import_refused");
        }
        import(&admin, &acme, "", format!("code\n{}", "x\n".repeat(100_001))).await.expect_problem(413, "payload_too_large");
        let head = format!("POST {} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-type: text/csv\r\n", path(&acme, ""), world.api_key());
        assert_eq!(answer_to_head(&server, &format!("{head}content-length: 67108865\r\n\r\n")), "HTTP/1.1 413");
        let json = admin.request(Method::POST, &path(&acme, "")).json(&json!({ "code": text }));
        admin.send(json).await.expect_problem(415, "unsupported_media_type");
        import(&admin, &acme, "?label=", "code\n").await.expect_problem(422, "validation_failed");
        import(&admin, &json!({ "id": "ten_018bcfe568007000800000000000000a" }), "", "code\n").await.expect_problem(404, "not_found");
        assert_eq!(codes_of(&admin, &acme).await, 1);
    }
}
