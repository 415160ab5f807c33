//! The one-time link that makes the first operator, and the one for one more owner (attack 23).

use serde_json::json;
use tenantry_auth::BootstrapToken;
use tenantry_domain::SystemEntropy;
use tenantry_tests::{Finished, World, bootstrap_path_in, on_both_databases};
use tokio::task::JoinSet;

async fn bootstrap_link(world: &World, arguments: &[&str]) -> Finished {
    world.builder().args(["bootstrap-link"]).args(arguments.iter().copied()).run().await
}

on_both_databases! {
    /// Attack 23: however many use however many links at once, on however many servers, one operator is made.
    async fn parallel_uses_of_links_make_one_operator(world: World) {
        let servers = world.servers().await;
        let mut links = Vec::new();
        for server in &servers {
            links.push(server.bootstrap_path().await);
        }
        links.push(bootstrap_path_in(&bootstrap_link(&world, &[]).await.stdout).unwrap());
        for link in &links {
            servers[0].api().get(link).await.expect(200);
        }
        let mut racers = JoinSet::new();
        for number in 0..32 {
            let (api, link) = (servers[number % servers.len()].api(), links[number % links.len()].clone());
            let owner = json!({ "name": "Ada", "email": format!("ada-{number}@portal.example") });
            racers.spawn(async move { api.post(&link, &owner).await });
        }
        let (won, lost): (Vec<_>, Vec<_>) = racers.join_all().await.into_iter().partition(|reply| reply.status == 201);
        assert_eq!((won.len(), lost.len()), (1, 31), "{won:?}");
        for reply in lost {
            reply.expect_problem(404, "not_found");
        }
        assert_eq!(world.rows("SELECT id FROM operators").await.len(), 1);
        assert_eq!(world.rows("SELECT id FROM operator_sessions").await.len(), 1);
        servers[0].api().with_bearer(&won[0].text_at("/session_token")).get("/api/admin/operators").await.expect(200);
        // Every link is dead now, used or not, and no start prints another.
        for link in &links {
            servers[0].api().get(link).await.expect_problem(404, "not_found");
        }
        let mut first = servers.into_iter().next().unwrap();
        first.restart().await;
        assert_eq!(bootstrap_path_in(&first.stdout()), None, "{}", first.stdout());
    }

    /// What a link's state tells nobody: unknown, malformed, used and dead are one and the same.
    async fn a_link_that_is_not_open_is_not_found(world: World) {
        let server = world.server().await;
        let api = server.api();
        let link = server.bootstrap_path().await;
        let owner = json!({ "name": "Ada", "email": "ada@portal.example" });
        let mut dead = vec![
            "/bootstrap/x".to_owned(), "/bootstrap/tnb_".to_owned(), link.to_uppercase().replace("/BOOTSTRAP/", "/bootstrap/"), format!("{link}x"),
            format!("/bootstrap/{}", BootstrapToken::generate(&SystemEntropy).reveal()), "/bootstrap/%00%ff".to_owned(), link.replace("tnb_", "tnk_"),
        ];
        // What can't be an owner is refused before the link is used, and leaves it open.
        for (field, value) in [("name", "A\r\nB"), ("email", "ada"), ("role", "owner")] {
            let mut bad = owner.clone();
            bad[field] = json!(value);
            let problem = api.post(&link, &bad).await.expect_problem(422, "validation_failed");
            assert_eq!(problem.body["errors"][0]["pointer"], format!("/{field}"));
        }
        for _ in 0..3 {
            assert_eq!(api.get(&link).await.expect(200).header("cache-control"), Some("no-store"));
        }
        api.post(&link, &owner).await.expect(201);
        dead.push(link);
        let shapes: std::collections::BTreeSet<_> = {
            let mut shapes = std::collections::BTreeSet::new();
            for link in &dead {
                let read = api.get(link).await.expect_problem(404, "not_found");
                let used = api.post(link, &owner).await.expect_problem(404, "not_found");
                shapes.extend([read.text_at("/detail"), used.text_at("/detail")]);
            }
            shapes
        };
        assert_eq!(shapes.len(), 1, "{shapes:?}");
        assert_eq!(world.rows("SELECT id FROM operators").await.len(), 1);
    }

    /// Whoever sits at the server makes links: for the first operator, or, told so, for one more owner.
    async fn the_command_makes_a_link_and_refuses_one_that_is_of_no_use(world: World) {
        let server = world.builder().env("TENANTRY__HTTP__PUBLIC_URL", "https://portal.example/tenantry/").start().await;
        let made = world.builder().env("TENANTRY__HTTP__PUBLIC_URL", "https://portal.example/tenantry/").args(["bootstrap-link"]).run().await;
        assert_eq!((made.exit_code, made.stdout.lines().count()), (0, 1), "{made:?}");
        assert!(made.stdout.starts_with("https://portal.example/tenantry/bootstrap/tnb_"), "{made:?}");
        let link = bootstrap_path_in(&made.stdout).unwrap();
        let first = server.api().post(&link, &json!({ "name": "Ada", "email": "ada@portal.example" })).await.expect(201);

        let refused = bootstrap_link(&world, &[]).await;
        assert_eq!((refused.exit_code, refused.stdout.as_str()), (1, ""), "{refused:?}");
        assert!(refused.logs.contains("there is an operator already") && refused.logs.contains("--recover"), "{refused:?}");

        let recovery = bootstrap_link(&world, &["--recover"]).await;
        let link = bootstrap_path_in(&recovery.stdout).unwrap();
        assert_eq!(server.api().get(&link).await.expect(200).body["purpose"], "recovery");
        let taken = json!({ "name": "Another", "email": "ADA@portal.example" });
        server.api().post(&link, &taken).await.expect_problem(409, "conflict");
        let second = server.api().post(&link, &json!({ "name": "Grace", "email": "grace@portal.example" })).await.expect(201);
        assert_eq!(second.body["operator"]["role"], "owner");
        assert_ne!(second.body["operator"]["id"], first.body["operator"]["id"]);
        server.api().post(&link, &json!({ "name": "Eve", "email": "eve@evil.example" })).await.expect_problem(404, "not_found");
        assert_eq!(world.rows("SELECT id FROM operators").await.len(), 2);
        assert!(world.rows("SELECT purpose FROM bootstrap_links WHERE purpose = 'recovery'").await.is_empty());
    }
}
