//! The figures of sign-in, activations, returns and certificates.

use tenantry_auth::{AuthPolicy, PolicyError};
use tenantry_domain::Rate;
use time::Duration;

use super::{error::ConfigError, key::Key, values::Values};

/// Puts the given figures in the place of the defaults, and checks them all.
pub fn read(values: &Values) -> Result<AuthPolicy, ConfigError> {
    let mut policy = AuthPolicy::default();
    seconds(values, Key::OTP_TTL_SECONDS, &mut policy.otp_ttl)?;
    whole(values, Key::OTP_ATTEMPTS, &mut policy.otp_budget.attempts)?;
    whole(values, Key::OTP_ACCOUNT_FAILURES, &mut policy.otp_budget.failures)?;
    seconds(values, Key::OTP_ACCOUNT_FAILURES_WINDOW_SECONDS, &mut policy.otp_budget.window)?;
    let Rate { burst, interval } = &mut policy.otp_per_account;
    whole(values, Key::OTP_REQUESTS_PER_ACCOUNT_BURST, burst)?;
    seconds(values, Key::OTP_REQUESTS_PER_ACCOUNT_INTERVAL_SECONDS, interval)?;
    let Rate { burst, interval } = &mut policy.otp_per_address;
    whole(values, Key::OTP_REQUESTS_PER_ADDRESS_BURST, burst)?;
    seconds(values, Key::OTP_REQUESTS_PER_ADDRESS_INTERVAL_SECONDS, interval)?;
    let Rate { burst, interval } = &mut policy.otp_global;
    whole(values, Key::OTP_REQUESTS_GLOBAL_BURST, burst)?;
    if let Some(milliseconds) = values.number::<u32>(Key::OTP_REQUESTS_GLOBAL_INTERVAL_MILLISECONDS, 0..=u32::MAX)? {
        *interval = Duration::milliseconds(milliseconds.into());
    }
    seconds(values, Key::SESSION_IDLE_SECONDS, &mut policy.session_idle)?;
    seconds(values, Key::SESSION_ABSOLUTE_SECONDS, &mut policy.session_absolute)?;
    seconds(values, Key::ACTIVATION_RETURN_GRACE_SECONDS, &mut policy.return_grace)?;
    let Rate { burst, interval } = &mut policy.guesses_per_tenant;
    whole(values, Key::ACTIVATION_UNKNOWN_CODES_BURST, burst)?;
    seconds(values, Key::ACTIVATION_UNKNOWN_CODES_INTERVAL_SECONDS, interval)?;
    seconds(values, Key::BOOTSTRAP_LINK_TTL_SECONDS, &mut policy.bootstrap_link_ttl)?;
    seconds(values, Key::CERTIFICATE_TTL_SECONDS, &mut policy.certificate_ttl)?;
    policy.check().map_err(|error| out_of_bounds(&policy, &error))?;
    Ok(policy)
}

fn whole(values: &Values, key: Key, figure: &mut u32) -> Result<(), ConfigError> {
    if let Some(number) = values.number(key, 0..=u32::MAX)? {
        *figure = number;
    }
    Ok(())
}

fn seconds(values: &Values, key: Key, figure: &mut Duration) -> Result<(), ConfigError> {
    if let Some(number) = values.number::<u32>(key, 0..=u32::MAX)? {
        *figure = Duration::seconds(number.into());
    }
    Ok(())
}

/// Finds the setting that is out of bounds: the first one that makes the same complaint when it alone isn't the default.
fn out_of_bounds(policy: &AuthPolicy, error: &PolicyError) -> ConfigError {
    type Change = fn(&mut AuthPolicy, &AuthPolicy);
    let settings: [(Key, Change); 17] = [
        (Key::OTP_TTL_SECONDS, |to, from| to.otp_ttl = from.otp_ttl),
        (Key::OTP_ATTEMPTS, |to, from| to.otp_budget.attempts = from.otp_budget.attempts),
        (Key::OTP_ACCOUNT_FAILURES, |to, from| to.otp_budget.failures = from.otp_budget.failures),
        (Key::OTP_ACCOUNT_FAILURES_WINDOW_SECONDS, |to, from| to.otp_budget.window = from.otp_budget.window),
        (Key::OTP_REQUESTS_PER_ACCOUNT_BURST, |to, from| to.otp_per_account.burst = from.otp_per_account.burst),
        (Key::OTP_REQUESTS_PER_ACCOUNT_INTERVAL_SECONDS, |to, from| to.otp_per_account.interval = from.otp_per_account.interval),
        (Key::OTP_REQUESTS_PER_ADDRESS_BURST, |to, from| to.otp_per_address.burst = from.otp_per_address.burst),
        (Key::OTP_REQUESTS_PER_ADDRESS_INTERVAL_SECONDS, |to, from| to.otp_per_address.interval = from.otp_per_address.interval),
        (Key::OTP_REQUESTS_GLOBAL_BURST, |to, from| to.otp_global.burst = from.otp_global.burst),
        (Key::OTP_REQUESTS_GLOBAL_INTERVAL_MILLISECONDS, |to, from| to.otp_global.interval = from.otp_global.interval),
        (Key::SESSION_IDLE_SECONDS, |to, from| to.session_idle = from.session_idle),
        (Key::SESSION_ABSOLUTE_SECONDS, |to, from| to.session_absolute = from.session_absolute),
        (Key::ACTIVATION_RETURN_GRACE_SECONDS, |to, from| to.return_grace = from.return_grace),
        (Key::ACTIVATION_UNKNOWN_CODES_BURST, |to, from| to.guesses_per_tenant.burst = from.guesses_per_tenant.burst),
        (Key::ACTIVATION_UNKNOWN_CODES_INTERVAL_SECONDS, |to, from| {
            to.guesses_per_tenant.interval = from.guesses_per_tenant.interval;
        }),
        (Key::BOOTSTRAP_LINK_TTL_SECONDS, |to, from| to.bootstrap_link_ttl = from.bootstrap_link_ttl),
        (Key::CERTIFICATE_TTL_SECONDS, |to, from| to.certificate_ttl = from.certificate_ttl),
    ];
    let complains = |change: &Change| {
        let mut changed = AuthPolicy::default();
        change(&mut changed, policy);
        changed.check().is_err_and(|other| other == *error)
    };
    // The two limits of a session can also be at odds with each other, each being fine by itself.
    let key = settings.iter().find(|(_, change)| complains(change)).map_or(Key::SESSION_ABSOLUTE_SECONDS, |(key, _)| *key);
    ConfigError::OutOfBounds { key, detail: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::super::tests::config;
    use super::*;

    #[test]
    fn figures_are_taken_and_the_rest_stays() {
        let never = config(&[("TENANTRY__ACTIVATION__RETURN_GRACE_SECONDS", "0")]).unwrap().policy;
        assert_eq!(never.return_grace, Duration::ZERO);
        let config =
            config(&[("TENANTRY__OTP__TTL_SECONDS", "300"), ("TENANTRY__OTP__REQUESTS_GLOBAL_INTERVAL_MILLISECONDS", "250")]);
        let policy = config.unwrap().policy;
        assert_eq!(policy.otp_ttl, Duration::minutes(5));
        assert_eq!(policy.otp_global.interval, Duration::milliseconds(250));
        assert_eq!(policy.session_idle, AuthPolicy::default().session_idle);
    }

    #[test]
    fn a_figure_outside_its_bounds_stops_the_start_and_is_named() {
        for (name, value) in [
            ("TENANTRY__OTP__TTL_SECONDS", "601"),
            ("TENANTRY__OTP__ATTEMPTS", "6"),
            ("TENANTRY__OTP__ACCOUNT_FAILURES", "0"),
            ("TENANTRY__OTP__ACCOUNT_FAILURES_WINDOW_SECONDS", "3600"),
            ("TENANTRY__OTP__REQUESTS_PER_ACCOUNT_BURST", "0"),
            ("TENANTRY__OTP__REQUESTS_PER_ACCOUNT_INTERVAL_SECONDS", "0"),
            ("TENANTRY__OTP__REQUESTS_PER_ADDRESS_BURST", "0"),
            ("TENANTRY__OTP__REQUESTS_PER_ADDRESS_INTERVAL_SECONDS", "86401"),
            ("TENANTRY__OTP__REQUESTS_GLOBAL_BURST", "0"),
            ("TENANTRY__OTP__REQUESTS_GLOBAL_INTERVAL_MILLISECONDS", "0"),
            ("TENANTRY__SESSION__IDLE_SECONDS", "119"),
            ("TENANTRY__SESSION__ABSOLUTE_SECONDS", "60"),
            ("TENANTRY__ACTIVATION__RETURN_GRACE_SECONDS", "31536001"),
            ("TENANTRY__ACTIVATION__UNKNOWN_CODES_BURST", "0"),
            ("TENANTRY__ACTIVATION__UNKNOWN_CODES_INTERVAL_SECONDS", "86401"),
            ("TENANTRY__BOOTSTRAP__LINK_TTL_SECONDS", "59"),
            ("TENANTRY__CERTIFICATE__TTL_SECONDS", "299"),
            ("TENANTRY__CERTIFICATE__TTL_SECONDS", "2592001"),
        ] {
            let error = config(&[(name, value)]).unwrap_err().to_string();
            assert!(error.contains(name) && error.contains("must be"), "{name}: {error}");
        }
    }
}
