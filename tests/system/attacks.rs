//! The attacks on a sign-in, which are the same at both doors: `sign_in` runs them on tenants, `operator_sign_in` on operators.

use std::time::Duration;

use serde_json::{Value, json};
use tenantry_tests::{Api, Door, MailServer, Reply, Server, World, effort, otp_in};
use tokio::task::JoinSet;

pub const PATIENCE: Duration = Duration::from_secs(30);

/// Somebody who can sign in and hasn't, so that all budgets are whole.
pub struct Account {
    /// As the server answered it.
    pub made: Value,
    /// What it signs in with.
    pub name: String,
    /// Where its passwords go.
    pub email: String,
}

/// Makes an account of the kind that comes in at this door.
pub async fn account(world: &World, admin: &Api, door: Door, name: &str) -> Account {
    let (made, name, email) = match door {
        Door::Tenant => {
            let plan = admin.create_plan(&format!("Plan of {name}"), 10).await;
            let email = format!("{name}@tenant.example");
            let (tenant, _) = admin.create_tenant(name, plan["id"].as_str().unwrap(), &email).await;
            (tenant, name.to_owned(), email)
        }
        Door::Operator => {
            let email = format!("{name}@portal.example");
            (admin.create_operator(&email, "manager").await, email.clone(), email)
        }
    };
    assert!(world.mail().received(&email).is_empty());
    Account { made, name, email }
}

/// The password of the `number`-th mail to an address, counted from 1.
pub async fn otp(mail: &MailServer, email: &str, number: usize) -> String {
    let mails = mail.wait_for(email, number, PATIENCE).await;
    otp_in(&mails[number - 1].text).unwrap_or_else(|| panic!("no password in {:?}", mails[number - 1])).to_owned()
}

/// A password that the right one is not.
pub fn other_than(otp: &str) -> String {
    format!("{:06}", (otp.parse::<u32>().unwrap() + 1) % 1_000_000)
}

/// Asks for a password; gives the challenge's id.
pub async fn challenge(api: &Api, door: Door, name: &str) -> String {
    api.ask_at(door, name).await.expect(202).text_at("/challenge_id")
}

fn clients(servers: &[Server]) -> Vec<Api> {
    servers.iter().map(Server::api).collect()
}

async fn answer_at_once(clients: &[Api], door: Door, challenge: &str, guesses: Vec<String>) -> Vec<Reply> {
    let mut racers = JoinSet::new();
    for (number, guess) in guesses.into_iter().enumerate() {
        let (client, challenge) = (clients[number % clients.len()].clone(), challenge.to_owned());
        racers.spawn(async move { client.answer_at(door, &challenge, &guess).await });
    }
    racers.join_all().await
}

/// Attack 3: of 200 parallel guesses five are compared, and then the right password comes too late.
pub async fn parallel_guesses(world: World, door: Door) {
    let servers = world.servers().await;
    let victim = account(&world, &world.admin(&servers[0]), door, "acme").await;
    let clients = clients(&servers);
    let challenge = challenge(&clients[0], door, &victim.name).await;
    let right = otp(world.mail(), &victim.email, 1).await;
    let wrong = other_than(&right);
    let replies = answer_at_once(&clients, door, &challenge, vec![wrong; effort(200, 4000)]).await;
    assert!(replies.iter().all(|reply| reply.status == 401 && reply.body["code"] == "invalid_otp"), "{replies:?}");
    assert_eq!(world.attempts_of_the_only_challenge().await, 5, "tries that were compared");
    clients[0].answer_at(door, &challenge, &right).await.expect_problem(401, "invalid_otp");
}

/// Attacks 4 and 28: the account's budget of ten failures is never reset by a new code; when it is spent the mail carries a wide code, so the
/// account still signs in.
pub async fn spent_budgets(world: World, door: Door) {
    let server = world.builder().env("TENANTRY__OTP__REQUESTS_PER_ACCOUNT_BURST", 10).start().await;
    let api = server.api();
    let Account { name, email, .. } = account(&world, &world.admin(&server), door, "acme").await;
    for (number, wrong_tries) in [(1, 4), (2, 4)] {
        let challenge = challenge(&api, door, &name).await;
        let right = otp(world.mail(), &email, number).await;
        for _ in 0..wrong_tries {
            api.answer_at(door, &challenge, &other_than(&right)).await.expect_problem(401, "invalid_otp");
        }
    }
    // Eight failures stand. A success resets nothing.
    let third = challenge(&api, door, &name).await;
    let right = otp(world.mail(), &email, 3).await;
    api.answer_at(door, &third, &right).await.expect(200);
    let fourth = challenge(&api, door, &name).await;
    let right = otp(world.mail(), &email, 4).await;
    for _ in 0..2 {
        api.answer_at(door, &fourth, &other_than(&right)).await.expect_problem(401, "invalid_otp");
    }
    // Ten: six digits are worth nothing any more, not even the right ones, though this challenge had two tries only.
    api.answer_at(door, &fourth, &right).await.expect_problem(401, "invalid_otp");
    let fifth = challenge(&api, door, &name).await;
    let mails = world.mail().wait_for(&email, 5, PATIENCE).await;
    assert_eq!(otp_in(&mails[4].text), None, "no six digits any more: {}", mails[4].text);
    let wide =
        mails[4].text.split_whitespace().find(|word| word.len() == 15 && word.matches('-').count() == 2).expect("a wide code");
    api.answer_at(door, &fifth, "00000-0000-0000").await.expect_problem(401, "invalid_otp");
    api.answer_at(door, &fifth, &wide.to_lowercase()).await.expect(200);
    assert_eq!(world.rows("SELECT id FROM audit_events WHERE action = 'sign_in.budget_spent'").await.len(), 1);
}

/// Attack 5: of 100 parallel requests for one account, over all servers, three send a mail.
pub async fn parallel_requests(world: World, door: Door) {
    let servers = world.servers().await;
    let victim = account(&world, &world.admin(&servers[0]), door, "acme").await;
    let mut racers = JoinSet::new();
    for number in 0..effort(100, 2000) {
        let (client, name) = (servers[number % servers.len()].api(), victim.name.clone());
        racers.spawn(async move { client.ask_at(door, &name).await });
    }
    let replies = racers.join_all().await;
    assert_eq!(replies.iter().filter(|reply| reply.status == 202).count(), 3);
    for reply in replies.into_iter().filter(|reply| reply.status != 202) {
        let reply = reply.expect_problem(429, "rate_limited");
        let wait: u64 = reply.header("retry-after").unwrap().parse().unwrap();
        // The moment that a request is told from may be a second behind that of another, which was first.
        assert!((1..=602).contains(&wait), "one each ten minutes: {wait}");
    }
    world.mail().wait_for(&victim.email, 3, PATIENCE).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(world.mail().received(&victim.email).len(), 3);
}

/// Attack 9: 32 parallel right answers make one session.
pub async fn parallel_right_answers(world: World, door: Door) {
    let servers = world.servers().await;
    let account = account(&world, &world.admin(&servers[0]), door, "acme").await;
    let clients = clients(&servers);
    let challenge = challenge(&clients[0], door, &account.name).await;
    let right = otp(world.mail(), &account.email, 1).await;
    let racers = effort(32, 1000);
    let replies = answer_at_once(&clients, door, &challenge, vec![right; racers]).await;
    let (won, lost): (Vec<_>, Vec<_>) = replies.into_iter().partition(|reply| reply.status == 200);
    assert_eq!((won.len(), lost.len()), (1, racers - 1));
    assert!(lost.iter().all(|reply| reply.body["code"] == "invalid_otp"));
    let api = clients[0].with_bearer(&won[0].text_at("/session_token"));
    let sessions = api.get(&format!("{}/sessions", door.path())).await.expect(200).body;
    assert_eq!(sessions["items"].as_array().unwrap().len(), 1);
}

/// Attack 10: all of these names get the same answers, to the byte.
pub async fn names_look_alike(api: &Api, door: Door, names: &[&str]) {
    let mut shapes = Vec::new();
    for name in names {
        let mut answers = Vec::new();
        for _ in 0..4 {
            let reply = api.ask_at(door, name).await;
            let challenge = reply.body["challenge_id"].as_str().unwrap_or("none").to_owned();
            answers.push(without_random(&reply));
            answers.push(without_random(&api.answer_at(door, &challenge, "271828").await));
        }
        shapes.push(answers);
    }
    for shape in &shapes {
        assert_eq!(*shape, shapes[0]);
    }
}

/// Attack 10, in the database: all of these names leave as many rows.
pub async fn names_leave_the_same_rows(world: &World, api: &Api, door: Door, names: &[&str]) {
    let count = async || {
        let mut counts = Vec::new();
        for table in ["otp_challenges", "outbox", "audit_events"] {
            counts.push(world.rows(&format!("SELECT created_at FROM {table}")).await.len());
        }
        counts
    };
    let mut grown = Vec::new();
    for name in names {
        let before = count().await;
        challenge(api, door, name).await;
        grown.push(count().await.iter().zip(before).map(|(after, before)| after - before).collect::<Vec<_>>());
    }
    assert!(grown.iter().all(|rows| *rows == grown[0] && rows[0] == 1), "{grown:?}");
}

/// All that a stranger sees of an answer, but for what is random by design.
fn without_random(reply: &Reply) -> String {
    let mut headers: Vec<String> = reply
        .headers
        .iter()
        .filter(|(name, _)| !matches!(name.as_str(), "x-request-id" | "date"))
        .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
        .collect();
    headers.sort();
    let mut body = reply.body.clone();
    for random in ["challenge_id", "instance"] {
        if let Some(value) = body.get_mut(random) {
            *value = json!(value.as_str().unwrap().len());
        }
    }
    // The seconds to wait run down between the calls.
    headers.retain(|header| !header.starts_with("retry-after"));
    format!("{} {headers:?} {body}", reply.status)
}
