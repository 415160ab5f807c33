//! The consoles' cookies, and what other sites may have a browser send: attacks 14, 16 and 17.

use reqwest::{Method, RequestBuilder, Response, header::HeaderMap};
use tenantry_tests::{Server, World, on_both_databases, otp_in};

/// A program that sends what a browser would, and follows nothing.
struct Client {
    http: reqwest::Client,
    base: String,
}

impl Client {
    fn new(server: &Server) -> Self {
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().expect("a client");
        Self { http, base: server.url().to_owned() }
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.base)).header("accept", "text/html")
    }

    async fn get(&self, path: &str, cookie: &str) -> Response {
        self.request(Method::GET, path).header("cookie", cookie).send().await.expect("an answer")
    }

    /// Sends a form as a page of the server's own would.
    async fn form(&self, path: &str, cookie: &str, form: &[(&str, &str)]) -> Response {
        self.form_from(path, cookie, form, &[("sec-fetch-site", "same-origin")]).await
    }

    async fn form_from(&self, path: &str, cookie: &str, form: &[(&str, &str)], from: &[(&str, &str)]) -> Response {
        let mut request = self.request(Method::POST, path).header("cookie", cookie).form(form);
        for (name, value) in from {
            request = request.header(*name, *value);
        }
        request.send().await.expect("an answer")
    }

    /// Signs a tenant in, with a cookie that somebody planted before, and gives the line that sets the new one.
    async fn sign_in(&self, world: &World, slug: &str, email: &str, planted: &str) -> String {
        let before = world.mail().received(email).len();
        let asked = self.form("/tenant/sign-in", planted, &[("tenant_slug", slug)]).await;
        assert_eq!(
            (asked.status(), asked.headers().get("set-cookie")),
            (reqwest::StatusCode::OK, None),
            "no cookie before a sign-in"
        );
        let page = asked.text().await.expect("a page");
        let challenge =
            page.split("name=\"challenge_id\" value=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a challenge");
        let mails = world.mail().wait_for(email, before + 1, std::time::Duration::from_secs(30)).await;
        let code = otp_in(&mails[before].text).expect("a code");
        let entered = self.form("/tenant/sign-in/code", planted, &[("challenge_id", challenge), ("otp_code", code)]).await;
        assert_eq!((entered.status().as_u16(), header(entered.headers(), "location")), (303, "/tenant"));
        header(entered.headers(), "set-cookie").to_owned()
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    let mut lines = headers.get_all(name).iter();
    let line = lines.next().unwrap_or_else(|| panic!("no {name} in {headers:?}"));
    assert!(lines.next().is_none(), "{name} stands twice in {headers:?}");
    line.to_str().expect("text")
}

/// `name=value` of a line that sets a cookie.
fn pair(line: &str) -> &str {
    line.split(';').next().expect("a cookie")
}

on_both_databases! {
    /// Attacks 14 and 16: what a cookie is, that a sign-in makes a new one, and that it is worth nothing after the sign-out.
    async fn a_sign_in_sets_one_cookie_that_scripts_and_other_sites_have_not(world: World) {
        let server = world.builder().env("TENANTRY__HTTP__PUBLIC_URL", "https://portal.example").start().await;
        let acme = world.tenant(&server, "acme").await;
        let client = Client::new(&server);
        let planted = "__Host-tenantry_tenant=tns_planted";
        let line = client.sign_in(&world, "acme", &acme.email, planted).await;
        let token = line.strip_prefix("__Host-tenantry_tenant=tns_").expect("the cookie").split(';').next().expect("a value");
        assert_eq!(line, format!("__Host-tenantry_tenant=tns_{token}; HttpOnly; SameSite=Strict; Secure; Path=/"));
        assert_eq!(client.get("/tenant", planted).await.status(), 303, "what was planted is still worth nothing");

        let cookie = pair(&line);
        let page = client.get("/tenant", cookie).await;
        assert_eq!((page.status().as_u16(), header(page.headers(), "cache-control")), (200, "no-store"));
        assert!(!page.text().await.expect("a page").contains(token), "a page never holds the token");
        let again = client.sign_in(&world, "acme", &acme.email, cookie).await;
        assert_ne!(pair(&again), cookie, "each sign-in has a token of its own");
        // Whoever has its own session planted in another's browser doesn't come into that one's account by it.
        let beta = world.tenant(&server, "beta").await;
        let owns = client.sign_in(&world, "beta", &beta.email, pair(&again)).await;
        assert_ne!(pair(&owns), pair(&again));
        for (session, account) in [(pair(&again), "acme"), (pair(&owns), "beta")] {
            let bearer = session.split('=').nth(1).expect("a token");
            let who = server.api().with_bearer(bearer).get("/api/tenant/profile").await.expect(200).body;
            assert_eq!(who["slug"], account);
        }

        let left = client.form("/tenant/sign-out", cookie, &[]).await;
        assert_eq!(left.status(), 303);
        let removal = header(left.headers(), "set-cookie");
        assert!(removal.starts_with("__Host-tenantry_tenant=;") && removal.contains("Max-Age=0"), "{removal}");
        assert_eq!(client.get("/tenant", cookie).await.status(), 303);
        assert_eq!(client.get("/tenant", pair(&again)).await.status(), 200);
        // The operators' door has a cookie of its own.
        let elsewhere = pair(&again).replace("_tenant=", "_admin=");
        assert_eq!(client.get("/admin", &elsewhere).await.status(), 303);
        // An API key is presented on purpose, and is no cookie.
        let key = format!("__Host-tenantry_admin={}", world.api_key());
        assert_eq!(client.get("/admin", &key).await.status(), 303);
    }

    /// Attack 17: forms, texts that are JSON, and foreign origins, each with the cookie that a browser would send along.
    async fn another_sites_page_changes_nothing(world: World) {
        let server = world.server().await;
        let acme = world.tenant(&server, "acme").await;
        let client = Client::new(&server);
        let line = client.sign_in(&world, "acme", &acme.email, "").await;
        assert_eq!(line, format!("{}; HttpOnly; SameSite=Strict; Path=/", pair(&line)), "a developer's machine has no TLS");
        let (cookie, new) = (pair(&line), [("client_name", "Globex")]);
        let host = server.url().trim_start_matches("http://");
        let foreign: [&[(&str, &str)]; 7] = [
            &[("sec-fetch-site", "cross-site")],
            &[("sec-fetch-site", "same-site")],
            &[("sec-fetch-site", "cross-site"), ("origin", server.url())],
            &[("origin", "https://evil.example")],
            &[("origin", "null")],
            &[("origin", "http://127.0.0.1:1")],
            // A page says where it comes from; what says nothing is no page, and has no right to the cookie.
            &[],
        ];
        for from in foreign {
            let answer = client.form_from("/tenant/projects/new", cookie, &new, from).await;
            assert_eq!(answer.status(), 403, "{from:?}");
            let mut json = client.request(Method::POST, "/api/tenant/projects").header("cookie", cookie);
            for (name, value) in from {
                json = json.header(*name, *value);
            }
            let json = json.header("content-type", "text/plain").body(r#"{"client_name":"Globex"}"#).send().await.expect("an answer");
            assert_eq!(json.status(), 403, "{from:?}");
        }
        assert_eq!(acme.api.get("/api/tenant/projects?count=true").await.expect(200).body["total"], 0);
        let text = client.request(Method::POST, "/api/tenant/projects").header("cookie", cookie).header("sec-fetch-site", "same-origin");
        let text = text.header("content-type", "text/plain").body(r#"{"client_name":"Globex"}"#).send().await.expect("an answer");
        assert_eq!(text.status(), 415);
        // The same from pages of the server's own.
        for own in [&[("sec-fetch-site", "same-origin")][..], &[("origin", &format!("http://{host}"))]] {
            assert_eq!(client.form_from("/tenant/projects/new", cookie, &new, own).await.status(), 303, "{own:?}");
        }
        let api = client.request(Method::GET, "/api/tenant/projects?count=true").header("cookie", cookie).send().await.expect("an answer");
        assert_eq!(api.text().await.expect("a list").matches("\"Globex\"").count(), 2, "the API reads by the cookie too");
    }

    /// What a browser loads to show the first page, as it comes over the wire.
    async fn the_first_page_is_small(world: World) {
        let server = world.server().await;
        let client = Client::new(&server);
        let page = client.get("/tenant/sign-in", "").await;
        let page = page.text().await.expect("a page");
        let mut bytes = page.len();
        let parts: Vec<_> = page.split("\"/assets/").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        assert_eq!(parts.len(), 4, "{parts:?}");
        for part in parts {
            let file = client.request(Method::GET, &format!("/assets/{part}")).header("accept-encoding", "br, gzip").send().await.expect("a file");
            assert_eq!((file.status().as_u16(), header(file.headers(), "content-encoding")), (200, "gzip"));
            assert_eq!(header(file.headers(), "cache-control"), "public, max-age=31536000, immutable");
            bytes += file.bytes().await.expect("a file").len();
        }
        assert!(bytes < 60 * 1024, "{bytes} bytes");
        let plain = client.get(&format!("/assets/{}", page.split("\"/assets/").nth(1).and_then(|rest| rest.split('"').next()).unwrap()), "").await;
        assert_eq!(plain.headers().get("content-encoding"), None);
        assert_eq!(client.get("/assets/0000000000000000/console.css", "").await.status(), 404);
    }

    /// A double click, and a page that is loaded again, do once what they do.
    async fn a_form_that_is_sent_twice_is_carried_out_once(world: World) {
        let server = world.server().await;
        let acme = world.tenant(&server, "acme").await;
        let client = Client::new(&server);
        let line = client.sign_in(&world, "acme", &acme.email, "").await;
        let form = [("client_name", "Globex"), ("form_key", "b3b0c4de-0000-4000-8000-000000000001")];
        let mut places = Vec::new();
        for _ in 0..3 {
            let answer = client.form("/tenant/projects/new", pair(&line), &form).await;
            places.push(header(answer.headers(), "location").to_owned());
        }
        assert!(places[0].starts_with("/tenant/projects/prj_") && places.iter().all(|place| *place == places[0]), "{places:?}");
        assert_eq!(acme.api.get("/api/tenant/projects?count=true").await.expect(200).body["total"], 1);
    }
}
