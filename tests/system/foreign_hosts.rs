//! Attack 20: what a client says of the host that it asks changes no mail and no link.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

use serde_json::json;
use tenantry_tests::{Mail, Server, World, on_both_databases, otp_in};

const EVIL: &str = "evil.example";

/// Sends a request with a foreign host in every place where one can stand, and gives the answer as it came.
fn send_from_afar(server: &Server, absolute: bool, path: &str, headers: &str, body: &str) -> String {
    let target = if absolute { format!("http://{EVIL}{path}") } else { path.to_owned() };
    let method = if body.is_empty() { "GET" } else { "POST" };
    let request = format!(
        "{method} {target} HTTP/1.1\r\nHost: {EVIL}\r\nX-Forwarded-Host: {EVIL}\r\nX-Forwarded-Server: {EVIL}\r\nX-Forwarded-Proto: gopher\r\n\
        X-Forwarded-Prefix: /{EVIL}\r\nForwarded: for=192.0.2.1;host={EVIL};proto=gopher\r\nX-Original-URL: http://{EVIL}/\r\n\
        X-Rewrite-URL: http://{EVIL}/\r\nX-Host: {EVIL}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
        Connection: close\r\n{headers}\r\n{body}",
        body.len()
    );
    let mut socket = TcpStream::connect(server.url().trim_start_matches("http://")).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    socket.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).unwrap();
    let answer = String::from_utf8_lossy(&answer).into_owned();
    assert!(!answer.contains(EVIL), "{answer}");
    answer
}

/// What a mail says, but for its code and its moment.
fn said(mail: &Mail) -> (String, String, Vec<String>) {
    let code = otp_in(&mail.text).unwrap();
    let lines = mail.text.replace(code, "CODE");
    let lines = lines.lines().filter(|line| !line.starts_with("It is valid")).map(str::to_owned).collect();
    (mail.to.clone(), mail.subject.replace(code, "CODE"), lines)
}

async fn nothing_is_believed(world: &World, servers: &[Server], portal: &str) {
    let acme = world.tenant(&servers[0], "acme").await;
    let body = json!({ "tenant_slug": "acme" }).to_string();
    let mut mails = world.mail().wait_for(&acme.email, 1, Duration::from_secs(30)).await;
    for (count, absolute) in [(2, false), (3, true)] {
        let server = &servers[count % servers.len()];
        let answer = send_from_afar(server, absolute, "/api/tenant/auth/otp/generate", "", &body);
        assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
        mails = world.mail().wait_for(&acme.email, count, Duration::from_secs(30)).await;
    }
    for mail in &mails {
        assert!(!mail.raw.contains(EVIL), "{}", mail.raw);
        assert!(mail.text.contains(portal), "{}", mail.text);
        assert_eq!(said(mail), said(&mails[0]));
    }
    // What answers link to.
    let bearer = format!("Authorization: Bearer {}\r\n", acme.api.bearer().unwrap());
    for absolute in [false, true] {
        let made = send_from_afar(
            &servers[0],
            absolute,
            "/api/tenant/projects",
            &bearer,
            &json!({ "client_name": "Client" }).to_string(),
        );
        assert!(made.starts_with("HTTP/1.1 201") && made.contains("location: /api/tenant/projects/prj_"), "{made}");
        let moved = send_from_afar(&servers[0], absolute, "/docs", "", "");
        assert!(moved.contains("location: /docs/\r\n"), "{moved}");
        for path in ["/nowhere", "/openapi.json", "/health/ready", "/bootstrap/tnb_x"] {
            send_from_afar(&servers[0], absolute, path, "", "");
        }
    }
}

on_both_databases! {
    async fn a_foreign_host_changes_no_mail_and_no_link(world: World) {
        let servers = world.servers_with(|builder| builder.env("TENANTRY__HTTP__PUBLIC_URL", "https://portal.example/tenantry/")).await;
        nothing_is_believed(&world, &servers, "https://portal.example/tenantry").await;
    }

    /// In development, where no address need be configured, mails name the address that the server listens at.
    async fn nor_where_no_address_is_configured(world: World) {
        let server = world.server().await;
        let portal = server.url().to_owned();
        nothing_is_believed(&world, &[server], &portal).await;
    }
}
