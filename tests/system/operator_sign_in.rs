//! Operators' sign-in under the attacks that tenants' is under, and at each other's door.

use serde_json::json;
use tenantry_tests::{Door, World, database, on_both_databases};

use crate::attacks::{self, PATIENCE, challenge, otp};

on_both_databases! {
    /// Attack 3.
    async fn parallel_guesses_of_an_operators_password_get_five_tries(world: World) {
        attacks::parallel_guesses(world, Door::Operator).await;
    }

    /// Attacks 4 and 28.
    async fn an_operators_budget_outlives_every_new_code_and_locks_nobody_out(world: World) {
        attacks::spent_budgets(world, Door::Operator).await;
    }

    /// Attack 5.
    async fn parallel_requests_of_an_operators_account_send_three_mails(world: World) {
        attacks::parallel_requests(world, Door::Operator).await;
    }

    /// Attack 9.
    async fn parallel_right_answers_make_an_operator_one_session(world: World) {
        attacks::parallel_right_answers(world, Door::Operator).await;
    }

    /// Attack 10.
    async fn a_known_and_an_unknown_address_look_alike(world: World) {
        let server = world.server().await;
        let (api, admin) = (server.api(), world.admin(&server));
        attacks::account(&world, &admin, Door::Operator, "known").await;
        let gone = attacks::account(&world, &admin, Door::Operator, "gone").await;
        admin.delete(&format!("/api/admin/operators/{}", gone.made["id"].as_str().unwrap())).await.expect(204);
        let names = ["known@portal.example", "unknown@portal.example", &gone.name];
        attacks::names_look_alike(&api, Door::Operator, &names).await;
    }

    /// Attack 10, in the database.
    async fn a_known_and_an_unknown_address_leave_the_same_rows(world: World) {
        let server = world.server().await;
        attacks::account(&world, &world.admin(&server), Door::Operator, "known").await;
        let names = ["known@portal.example", "unknown@portal.example", "Known@Portal.example"];
        attacks::names_leave_the_same_rows(&world, &server.api(), Door::Operator, &names).await;
    }

    /// Attack 6: in whatever case an address is written, it is one account with one bucket, and mail goes where the operator said. What folds
    /// to the same letters, as the sign of the Kelvin does, is the same account too, and gets nobody's mail elsewhere.
    async fn another_spelling_of_an_address_is_the_same_account_and_its_mail_goes_nowhere_else(world: World) {
        let server = world.server().await;
        let (api, admin) = (server.api(), world.admin(&server));
        admin.create_operator("Mark@portal.example", "viewer").await;
        for address in ["mark@portal.example", " MARK@Portal.Example ", "mar\u{212A}@portal.example"] {
            challenge(&api, Door::Operator, address).await;
        }
        api.ask_at(Door::Operator, "Mark@portal.example").await.expect_problem(429, "rate_limited");
        let mails = world.mail().wait_for("Mark@portal.example", 3, PATIENCE).await;
        assert!(mails.iter().all(|mail| mail.recipients == ["Mark@portal.example"]), "{mails:?}");
        assert_eq!(world.mail().all().len(), 3);
        let taken = json!({ "name": "Another", "email": "mARK@portal.example", "role": "owner" });
        admin.post("/api/admin/operators", &taken).await.expect_problem(409, "conflict");
        for address in ["", "mark", "mark@portal.example, eve@evil.example", "mark@portal.example\r\nBcc: eve@evil.example"] {
            api.ask_at(Door::Operator, address).await.expect_problem(422, "validation_failed");
        }
    }

    /// Attack 8: an operator's password opens no other operator's challenge, and none of a tenant's; and the other way round.
    async fn a_password_opens_nothing_at_the_other_door(world: World) {
        let server = world.server().await;
        let (api, admin) = (server.api(), world.admin(&server));
        let tenant = attacks::account(&world, &admin, Door::Tenant, "acme").await;
        let ada = attacks::account(&world, &admin, Door::Operator, "ada").await;
        let eve = attacks::account(&world, &admin, Door::Operator, "eve").await;
        let tenants = challenge(&api, Door::Tenant, &tenant.name).await;
        let tenants_otp = otp(world.mail(), &tenant.email, 1).await;
        let adas = challenge(&api, Door::Operator, &ada.name).await;
        let adas_otp = otp(world.mail(), &ada.email, 1).await;
        let eves = challenge(&api, Door::Operator, &eve.name).await;
        let eves_otp = otp(world.mail(), &eve.email, 1).await;

        // The right password of a challenge, at the wrong door: not even a try is taken.
        api.answer_at(Door::Operator, &tenants, &tenants_otp).await.expect_problem(401, "invalid_otp");
        api.answer_at(Door::Tenant, &adas, &adas_otp).await.expect_problem(401, "invalid_otp");
        assert!(world.rows("SELECT id FROM otp_challenges WHERE attempts > 0").await.is_empty());
        if adas_otp != eves_otp {
            api.answer_at(Door::Operator, &adas, &eves_otp).await.expect_problem(401, "invalid_otp");
        }
        if adas_otp != tenants_otp {
            api.answer_at(Door::Operator, &adas, &tenants_otp).await.expect_problem(401, "invalid_otp");
        }
        let session = api.answer_at(Door::Operator, &adas, &adas_otp).await.expect(200);
        assert_eq!(session.body["operator"]["id"], ada.made["id"]);
        api.answer_at(Door::Operator, &eves, &eves_otp).await.expect(200);
        api.answer_at(Door::Tenant, &tenants, &tenants_otp).await.expect(200);

        // What comes in at one door is nobody at the other.
        let operator = api.with_bearer(&session.text_at("/session_token"));
        operator.get("/api/tenant/auth/session").await.expect_problem(401, "unauthenticated");
        operator.get("/api/admin/auth/session").await.expect(200);
    }

    /// Attack 8 against who can write to the database: a challenge that is given to an operator, or to another purpose, is worth nothing.
    async fn a_challenge_that_becomes_an_operators_is_worth_nothing(world: World) {
        let server = world.server().await;
        let (api, admin) = (server.api(), world.admin(&server));
        let tenant = attacks::account(&world, &admin, Door::Tenant, "acme").await;
        let ada = attacks::account(&world, &admin, Door::Operator, "ada").await;
        let owner = admin.create_operator("owner@portal.example", "owner").await;
        let owners = world.uuid_literal(owner["id"].as_str().unwrap());
        let mut given = Vec::new();
        for (door, account) in [(Door::Tenant, &tenant), (Door::Operator, &ada)] {
            let challenge = challenge(&api, door, &account.name).await;
            let right = otp(world.mail(), &account.email, 1).await;
            given.push((world.uuid_literal(&challenge), challenge, right));
        }
        for (id, challenge, right) in given {
            let give = format!("UPDATE otp_challenges SET tenant_id = NULL, operator_id = {owners}, purpose = 'operator_sign_in' WHERE id = {id}");
            assert_eq!(database::execute(world.database_url(), &give).await.unwrap(), 1);
            api.answer_at(Door::Operator, &challenge, &right).await.expect_problem(401, "invalid_otp");
        }
        assert!(world.rows("SELECT id FROM operator_sessions").await.is_empty());
    }
}

/// A sign-in that is under way when its operator is removed makes no session that outlives it. On SQLite writers take turns anyway.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_removal_ends_a_sign_in_that_is_under_way() {
    let world = World::postgres().await;
    let server = world.server().await;
    let (api, admin) = (server.api(), world.admin(&server));
    let ada = attacks::account(&world, &admin, Door::Operator, "ada").await;
    let challenge = challenge(&api, Door::Operator, &ada.name).await;
    let right = otp(world.mail(), &ada.email, 1).await;
    // Between a session's insertion and its commit lie two seconds.
    let slow = "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(2); RETURN NEW; END';
        CREATE TRIGGER slow BEFORE INSERT ON audit_events FOR EACH ROW WHEN (NEW.action = 'sign_in.succeeded') EXECUTE FUNCTION slow()";
    database::execute(world.database_url(), slow).await.unwrap();
    let signing_in = tokio::spawn(async move { api.answer_at(Door::Operator, &challenge, &right).await });
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    admin.delete(&format!("/api/admin/operators/{}", ada.made["id"].as_str().unwrap())).await.expect(204);
    let session = server.api().with_bearer(&signing_in.await.unwrap().expect(200).text_at("/session_token"));
    session.get("/api/admin/auth/session").await.expect_problem(401, "unauthenticated");
    assert!(world.rows("SELECT id FROM operator_sessions").await.is_empty());
}
