//! crates/auth
