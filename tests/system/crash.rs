//! What is acknowledged is there, however the server ends.

use std::{collections::BTreeMap, time::Duration};

use serde_json::json;
use tenantry_tests::{Api, DatabaseKind, Server, World, effort, on_both_databases};
use tokio::task::JoinSet;

on_both_databases! {
    async fn an_acknowledged_activation_survives_sigkill(world: World) {
        let mut server = world.server().await;
        let acme = world.tenant(&server, "acme").await;
        for code in &acme.codes[..3] {
            let api = acme.api.at(server.url());
            let project = api.create_project("Client").await;
            let path = format!("/api/tenant/projects/{}", project["id"].as_str().unwrap());
            let active = api.activate(project["id"].as_str().unwrap(), &json!({ "code": code })).await.expect(200).body;
            server.kill9().await;
            server.restart().await;
            assert_eq!(acme.api.at(server.url()).get(&path).await.expect(200).body, active);
        }
    }

    /// Attack 31: racing activations while servers are killed at random, until every code is used up.
    async fn codes_are_used_exactly_once_while_servers_are_killed(world: World) {
        let mut servers = world.servers().await;
        for turn in 0..effort(1, 40) {
            race_while_servers_are_killed(&world, &mut servers, turn).await;
        }
    }

    /// Killed in the moment of its first answer, with others under way.
    async fn a_server_killed_at_its_first_acknowledgement_loses_nothing(world: World) {
        let mut servers = world.servers().await;
        let acme = world.tenant(&servers[0], "acme").await;
        let mut projects = Vec::new();
        for number in 0..10 {
            projects.push(acme.api.create_project(&format!("Client {number}")).await["id"].as_str().unwrap().to_owned());
        }
        for round in 0..2 {
            let victim = round % servers.len();
            let client = acme.api.at(servers[victim].url());
            let (sender, mut acknowledged) = tokio::sync::mpsc::unbounded_channel();
            for (project, code) in projects.iter().zip(&acme.codes).skip(5 * round).take(5) {
                let (client, project, code, sender) = (client.clone(), project.clone(), code.clone(), sender.clone());
                tokio::spawn(async move {
                    let request = client.request(reqwest::Method::POST, &format!("/api/tenant/projects/{project}/activate"));
                    if client.try_send(request.json(&json!({ "code": code }))).await.is_ok_and(|reply| reply.status == 200) {
                        sender.send(project).ok();
                    }
                });
            }
            drop(sender);
            let mut all = vec![acknowledged.recv().await.expect("one is acknowledged")];
            servers[victim].kill9().await;
            while let Some(project) = acknowledged.recv().await { all.push(project); }
            servers[victim].restart().await;
            for project in all {
                let read = acme.api.at(servers[victim].url()).get(&format!("/api/tenant/projects/{project}")).await.expect(200).body;
                assert_eq!(read["project_status"], "active", "an acknowledged activation was lost");
            }
        }
    }

    /// Attack 27, where the database goes with its server: an answer is a session that lasts, or there is none.
    async fn a_server_killed_amid_verifications_leaves_whole_sessions_or_none(world: World) {
        const TENANTS: usize = 6;
        let mut server = world.server().await;
        let mut answered = 0;
        for round in 0..effort(2, 40) {
            let verifications = world.asked_passwords(&server, &format!("tenant-{round}"), TENANTS).await;
            let mut racers = JoinSet::new();
            let (sender, mut first) = tokio::sync::mpsc::unbounded_channel();
            for (challenge, otp) in verifications.clone() {
                let (api, sender) = (server.api(), sender.clone());
                racers.spawn(async move {
                    let request = api.request(reqwest::Method::POST, "/api/tenant/auth/otp/verify");
                    let reply = api.try_send(request.json(&json!({ "challenge_id": challenge, "otp_code": otp }))).await.ok();
                    sender.send(()).ok();
                    (challenge, otp, reply)
                });
            }
            first.recv().await;
            server.kill9().await;
            let replies = racers.join_all().await;
            server.restart().await;
            for (challenge, otp, reply) in replies {
                if let Some(reply) = reply {
                    answered += 1;
                    let token = reply.expect(200).text_at("/session_token");
                    server.api().with_bearer(&token).get("/api/tenant/auth/session").await.expect(200);
                } else {
                    // Its password signs in now, unless the commit was made and its answer lost: then nobody has the token.
                    let again = server.api().verify_otp(&challenge, &otp).await;
                    assert!(matches!(again.status, 200 | 401), "{again:?}");
                }
            }
            let with_one = world.rows("SELECT max(created_at) AS latest FROM tenant_sessions GROUP BY tenant_id").await.len();
            assert_eq!(with_one, (round + 1) * TENANTS, "each password made a session");
            assert_eq!(world.rows("SELECT created_at FROM tenant_sessions").await.len(), with_one, "and one alone");
        }
        assert!(answered > 0);
    }

    async fn a_server_that_is_asked_to_end_says_so_before_it_takes_no_more(world: World) {
        let mut server = world.builder().env("TENANTRY__HTTP__DRAIN_SECONDS", 2).start().await;
        server.signal(tenantry_tests::Signal::Term);
        tokio::time::sleep(Duration::from_millis(300)).await;
        server.api().get("/health/ready").await.expect_problem(503, "unavailable");
        server.api().get("/health/live").await.expect(200);
        assert_eq!(server.wait(Duration::from_secs(20)).await, 0);
    }

    async fn a_server_that_is_asked_to_end_finishes_what_it_has(world: World) {
        let mut server = world.server().await;
        let acme = world.tenant(&server, "acme").await;
        let mut running = JoinSet::new();
        for number in 0..20 {
            let api = acme.api.clone();
            running.spawn(async move { api.post("/api/tenant/projects", &json!({ "client_name": format!("Client {number}") })).await });
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert_eq!(server.terminate().await, 0);
        running.abort_all();
        let mut made = 0;
        while let Some(joined) = running.join_next().await {
            made += usize::from(joined.is_ok_and(|reply| reply.status == 201));
        }
        server.restart().await;
        let listed = acme.api.at(server.url()).get("/api/tenant/projects?limit=200").await.expect(200).body;
        assert!(listed["items"].as_array().unwrap().len() >= made);
        if world.kind() == DatabaseKind::Sqlite {
            assert!(!server.logs().contains("panicked"), "{}", server.logs());
        }
    }
}

async fn race_while_servers_are_killed(world: &World, servers: &mut [Server], turn: usize) {
    const CODES: usize = 10;
    let slug = format!("acme-{turn}");
    let acme = world.tenant(&servers[turn % servers.len()], &slug).await;
    let mut projects = Vec::new();
    for number in 0..2 * CODES {
        let project = acme.api.create_project(&format!("Client {number}")).await;
        projects.push(project["id"].as_str().unwrap().to_owned());
    }
    // Which code each acknowledged activation reported.
    let mut acknowledged: BTreeMap<String, String> = BTreeMap::new();
    for round in 0..6 {
        let mut racers = JoinSet::new();
        for (number, project) in projects.iter().cloned().enumerate() {
            let client = acme.api.at(servers[number % servers.len()].url());
            let code = acme.codes[number % CODES].clone();
            racers.spawn(async move { (project.clone(), activate(&client, &project, &code).await) });
        }
        // Killed at another moment each round: while requests arrive, while they wait, while they commit.
        let victim = round % servers.len();
        tokio::time::sleep(Duration::from_millis(2 + 5 * round as u64 + (turn % 5) as u64)).await;
        servers[victim].kill9().await;
        for (project, answer) in racers.join_all().await {
            if let Some(code) = answer {
                let before = acknowledged.insert(project, code.clone());
                assert!(before.is_none_or(|before| before == code), "an activation changed its code");
            }
        }
        servers[victim].restart().await;
    }
    // Every code is used once, by one project; each acknowledged activation is still there.
    let api = acme.api.at(servers[0].url());
    for (number, project) in projects.iter().enumerate() {
        activate(&api, project, &acme.codes[number % CODES]).await;
    }
    let listed = api.get("/api/tenant/projects?limit=200&status=active").await.expect(200).body;
    let active: BTreeMap<String, String> = listed["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|project| (project["id"].as_str().unwrap().to_owned(), project["activation_code_id"].as_str().unwrap().to_owned()))
        .collect();
    let used: std::collections::BTreeSet<&String> = active.values().collect();
    assert_eq!((active.len(), used.len()), (CODES, CODES), "exactly one project a code");
    for (project, code) in &acknowledged {
        assert_eq!(active.get(project), Some(code), "an acknowledged activation was lost");
    }
    let usage = api.get("/api/tenant/usage").await.expect(200).body;
    assert_eq!((&usage["used_this_month"], &usage["codes"]["exhausted"]), (&json!(CODES), &json!(CODES)));
}

/// The id of the code that a successful activation reports; `None` for a refusal or no answer.
async fn activate(client: &Api, project: &str, code: &str) -> Option<String> {
    let request = client.request(reqwest::Method::POST, &format!("/api/tenant/projects/{project}/activate"));
    let reply = client.try_send(request.json(&json!({ "code": code }))).await.ok()?;
    assert!(matches!(reply.status, 200 | 409 | 503), "{reply:?}");
    (reply.status == 200).then(|| reply.text_at("/activation_code_id"))
}
