//! Mail over TLS: nothing is handed to a mail server that isn't the one it says it is, nor to one that offers no TLS where that is required.

use std::time::{Duration, Instant};

use tenantry_tests::{MailServer, Server, ServerBuilder, Tls, World};

const EMAIL: &str = "acme@tenant.example";

/// A server, which has been asked for a password.
async fn asked(world: &World, mail: ServerBuilder) -> Server {
    let server = mail.start().await;
    let admin = world.admin(&server);
    if admin.get("/api/admin/tenants").await.expect(200).body["items"].as_array().unwrap().is_empty() {
        let plan = admin.create_plan("Starter", 10).await["id"].as_str().unwrap().to_owned();
        admin.create_tenant("acme", &plan, EMAIL).await;
    }
    server.api().ask_for_otp("acme").await;
    server
}

/// Waits until a mail wasn't handed over, and gives the reason that operators see.
async fn reason(world: &World, server: &Server) -> String {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let messages = world.admin(server).get("/api/admin/messages?state=waiting").await.expect(200).body;
        if let Some(reason) = messages["items"].as_array().unwrap().iter().find_map(|message| message["last_error"].as_str()) {
            return reason.to_owned();
        }
        assert!(Instant::now() < deadline, "no reason in {messages}\n{}", server.logs());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mail_goes_to_a_server_whose_certificate_is_known_and_to_no_other() {
    for tls in [Tls::Required, Tls::Implicit] {
        let mail = MailServer::start_with(tls).await;
        let url = match tls {
            Tls::Required => format!("smtp://localhost:{}?tls=required", mail.port()),
            Tls::Implicit => format!("smtps://localhost:{}", mail.port()),
        };
        let world = World::sqlite().await;
        let mut unknown = asked(&world, world.builder().mail_url(&url)).await;
        let why = reason(&world, &unknown).await;
        assert!(why.contains("certificate"), "{tls:?}: {why}");
        unknown.terminate().await;
        assert_eq!(mail.all(), []);

        // What waited goes out as well, once the authority is known.
        let known = world.builder().mail_url(&url).env("TENANTRY__MAIL__CA_FILE", mail.certificate().display());
        let server = asked(&world, known).await;
        mail.wait_for(EMAIL, 1, Duration::from_secs(30)).await;
        drop(server);

        // The same certificate under another name is somebody else's.
        let other = World::sqlite().await;
        let builder = other.builder().mail_url(&url.replace("localhost", "127.0.0.1"));
        let server = asked(&other, builder.env("TENANTRY__MAIL__CA_FILE", mail.certificate().display())).await;
        assert!(reason(&other, &server).await.contains("certificate"), "{tls:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_tls_is_required_a_server_that_offers_none_gets_nothing() {
    let world = World::sqlite().await;
    let url = format!("{}?tls=required", world.mail().url());
    let server = asked(&world, world.builder().mail_url(&url)).await;
    let why = reason(&world, &server).await;
    assert!(why.to_lowercase().contains("tls"), "{why}");
    assert_eq!(world.mail().all(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_authority_that_is_no_certificate_is_refused_at_the_start() {
    let world = World::sqlite().await;
    let refused = world.builder().env("TENANTRY__MAIL__CA", "trust me").try_start().await.err().expect("a refusal");
    assert!(refused.logs.contains("mail.ca") || refused.logs.contains("TENANTRY__MAIL__CA"), "{}", refused.logs);
    assert!(refused.logs.contains("certificates in PEM"), "{}", refused.logs);
}
