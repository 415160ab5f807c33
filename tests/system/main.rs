//! The whole system: real server processes over real HTTP, on SQLite and on PostgreSQL, with mail by real SMTP.
//!
//! The attacks that the tests name by number are those of the security design; `docs/security.md` lists them.

mod activation;
mod api_keys;
mod attacks;
mod audit;
mod audit_plans;
mod audit_walk;
mod bootstrap;
mod bulk_issue;
mod clocked;
mod code_check;
mod codes;
mod conformance;
mod crash;
mod doctor;
mod document_fuzz;
mod editing;
mod export;
mod generated_client;
mod http_contract;
mod idempotency;
mod import;
mod legacy;
mod limits;
mod main_path;
mod migrations;
mod openapi;
mod operator_path;
mod operator_sessions;
mod operator_sign_in;
mod operators;
mod outage;
mod plans;
mod profile;
mod readme;
mod returns;
mod roles;
mod secrets;
mod sessions;
mod sign_in;
mod stats;
mod subscriptions;
mod tenancy;
mod tenants;
mod timing;
