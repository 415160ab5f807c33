//! How much the tests of races, kills and outages do.

use std::env;

/// `short`, as in CI, or `long` where `TENANTRY_LONG_TESTS=1` asks for it.
pub fn effort<T>(short: T, long: T) -> T {
    if env::var("TENANTRY_LONG_TESTS").is_ok_and(|value| value == "1") { long } else { short }
}
