//! The harness of Tenantry's system tests: real servers over real HTTP, on a real PostgreSQL and on SQLite, with mail that a real
//! SMTP server took.
//!
//! A test is written once and runs on both databases:
//!
//! ```no_run
//! use serde_json::json;
//!
//! tenantry_tests::on_both_databases! {
//!     async fn a_code_activates_a_project(world: World) {
//!         let server = world.server().await;
//!         let acme = world.tenant(&server, "acme").await;
//!         let project = acme.api.create_project("Client").await;
//!         let id = project["id"].as_str().unwrap();
//!         let active = acme.api.activate(id, &json!({ "code": acme.codes[0] })).await.expect(200);
//!         assert_eq!(active.body["project_status"], "active");
//!     }
//! }
//! ```
//!
//! Everything that a test starts ends with it, and what the tests share ends with their process, even when that is killed: see
//! [`Server`], [`MailServer`] and [`PostgresCluster`]. `scripts/test` installs what is needed; without it a missing program is named.

/// The Rust of the README compiles.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
mod readme {}

mod api;
pub mod binaries;
mod browser;
mod clocked;
pub mod database;
mod effort;
mod embedded_service;
mod leaks;
mod mail_server;
mod operators;
mod people;
mod postgres;
mod process;
pub mod python;
mod receiver;
mod server;
pub mod shipping_tools;
mod stalling_line;
mod wire;
mod world;

pub use api::{Api, Reply, otp_in};
pub use browser::{Browser, Reader};
pub use clocked::Clocked;
pub use effort::effort;
pub use embedded_service::EmbeddedService;
pub use mail_server::{Mail, MailServer, Tls};
pub use operators::{Door, SignedInOperator, bootstrap_path_in};
pub use postgres::{DatabaseUrl, PostgresCluster};
pub use process::Signal;
pub use receiver::{Received, Receiver, verified};
pub use server::{Finished, MAIL_FROM, Server, ServerBuilder, api_key};
pub use stalling_line::{StallingLine, Withheld};
pub use wire::{Bound, Cut, Traffic, Wire};
pub use world::{DatabaseKind, SignedIn, World};

/// Makes each test two: `sqlite::<name>` and `postgres::<name>`. Once a module, as it declares those two.
#[macro_export]
macro_rules! on_both_databases {
    ($( $(#[$attribute:meta])* async fn $name:ident($world:ident: World) $body:block )+) => {
        $( $(#[$attribute])* async fn $name($world: $crate::World) $body )+

        mod sqlite {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    super::$name($crate::World::sqlite().await).await;
                }
            )+
        }

        mod postgres {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    super::$name($crate::World::postgres().await).await;
                }
            )+
        }
    };
}
