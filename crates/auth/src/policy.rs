//! The figures of sign-in, activations, returns and certificates, and the bounds within which an operator may move them.

use tenantry_domain::{OtpBudget, Rate, Timestamp};
use time::Duration;

/// How long, how often and how many: the figures of sign-in, activations, returns and certificates.
///
/// The defaults are safe. Within [bounds](Self::check) you may move them.
///
/// # Example
///
/// ```
/// use tenantry_auth::AuthPolicy;
/// use time::Duration;
///
/// let policy = AuthPolicy { session_idle: Duration::minutes(15), ..AuthPolicy::default() };
/// policy.check()?;
///
/// let lax = AuthPolicy { otp_ttl: Duration::DAY, ..AuthPolicy::default() };
/// assert_eq!(lax.check().unwrap_err().to_string(), "the one-time password's life must be 1 to 10 minutes");
/// # Ok::<_, tenantry_auth::PolicyError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthPolicy {
    /// How long a one-time password is valid: 1 to 10 minutes; 10 by default.
    pub otp_ttl: Duration,
    /// Tries of one password, 1 to 5, and failures of an account, 1 to 10 within a day or more; 5, and 10 within a day, by
    /// default.
    pub otp_budget: OtpBudget,
    /// Requests for passwords, by account; 3 at once and then one each 10 minutes by default.
    pub otp_per_account: Rate,
    /// Requests for passwords, by address (of IPv6, by network of 64 bits); 5 at once and then one a minute by default.
    pub otp_per_address: Rate,
    /// Requests for passwords, all together: what the operator's mail service bears; 1,000 at once and then ten a second by
    /// default.
    pub otp_global: Rate,
    /// How long a session lives unused: 2 minutes to 24 hours; 30 minutes by default.
    pub session_idle: Duration,
    /// How long a session lives at the most: from the idle limit to 30 days; a day by default.
    pub session_absolute: Duration,
    /// How long the one-time link that makes an owner is open: 1 minute to 24 hours; an hour by default.
    pub bootstrap_link_ttl: Duration,
    /// How long after an activation its tenant may return it: up to a year, zero for never; a day by default.
    pub return_grace: Duration,
    /// Returns, by tenant; 3 at once and then one an hour by default.
    pub returns_per_tenant: Rate,
    /// Texts presented for activation that are none of the tenant's codes, by tenant; 20 at once and then one a minute by
    /// default.
    pub guesses_per_tenant: Rate,
    /// How long a certificate of activation may be relied on: 5 minutes to 30 days; a day by default.
    pub certificate_ttl: Duration,
}

/// A figure of an [`AuthPolicy`] that is outside its bounds.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{figure} must be {bounds}")]
pub struct PolicyError {
    /// Which figure.
    pub figure: &'static str,
    /// What it may be.
    pub bounds: &'static str,
}

impl AuthPolicy {
    /// How often a session's activity, and an API key's use, is written at the most.
    pub const TOUCH_INTERVAL: Duration = Duration::minutes(1);

    /// Checks that every figure is within its bounds.
    ///
    /// # Errors
    /// The first figure that isn't.
    pub fn check(&self) -> Result<(), PolicyError> {
        let bounded = |holds: bool, figure, bounds| if holds { Ok(()) } else { Err(PolicyError { figure, bounds }) };
        let rate = |rate: &Rate| rate.burst >= 1 && rate.interval > Duration::ZERO && rate.interval <= Duration::DAY;
        let within = |value: Duration, least: Duration, most: Duration| (least..=most).contains(&value);
        bounded(
            within(self.otp_ttl, Duration::minutes(1), Duration::minutes(10)),
            "the one-time password's life",
            "1 to 10 minutes",
        )?;
        bounded((1..=5).contains(&self.otp_budget.attempts), "the tries of a one-time password", "1 to 5")?;
        bounded((1..=10).contains(&self.otp_budget.failures), "the failures of an account", "1 to 10")?;
        bounded(self.otp_budget.window >= Duration::DAY, "the time that a failure counts", "24 hours or more")?;
        bounded(
            rate(&self.otp_per_account),
            "the rate of requests by account",
            "a burst of 1 or more, and an interval of up to a day",
        )?;
        bounded(
            rate(&self.otp_per_address),
            "the rate of requests by address",
            "a burst of 1 or more, and an interval of up to a day",
        )?;
        bounded(rate(&self.otp_global), "the rate of all requests", "a burst of 1 or more, and an interval of up to a day")?;
        bounded(
            within(self.session_idle, Duration::minutes(2), Duration::DAY),
            "the idle limit of sessions",
            "2 minutes to 24 hours",
        )?;
        bounded(
            within(self.session_absolute, self.session_idle, Duration::days(30)),
            "the absolute limit of sessions",
            "the idle limit to 30 days",
        )?;
        bounded(
            within(self.bootstrap_link_ttl, Duration::MINUTE, Duration::DAY),
            "the life of a bootstrap link",
            "1 minute to 24 hours",
        )?;
        bounded(
            within(self.return_grace, Duration::ZERO, Duration::days(365)),
            "the time to return an activation",
            "0, for never, to 365 days",
        )?;
        bounded(
            rate(&self.returns_per_tenant),
            "the rate of returns by tenant",
            "a burst of 1 or more, and an interval of up to a day",
        )?;
        bounded(
            rate(&self.guesses_per_tenant),
            "the rate of unknown codes by tenant",
            "a burst of 1 or more, and an interval of up to a day",
        )?;
        bounded(
            within(self.certificate_ttl, Duration::minutes(5), Duration::days(30)),
            "the life of a certificate",
            "5 minutes to 30 days",
        )
    }

    /// Until when a session is valid that is used now: the idle limit, but never past the absolute one.
    #[must_use]
    pub(crate) fn session_end(&self, signed_in_at: Timestamp, now: Timestamp) -> Timestamp {
        (now + self.session_idle).min(signed_in_at + self.session_absolute)
    }
}

impl Default for AuthPolicy {
    fn default() -> Self {
        Self {
            otp_ttl: Duration::minutes(10),
            otp_budget: OtpBudget { attempts: 5, failures: 10, window: Duration::DAY },
            otp_per_account: Rate { burst: 3, interval: Duration::minutes(10) },
            otp_per_address: Rate { burst: 5, interval: Duration::minutes(1) },
            otp_global: Rate { burst: 1000, interval: Duration::milliseconds(100) },
            session_idle: Duration::minutes(30),
            session_absolute: Duration::DAY,
            bootstrap_link_ttl: Duration::HOUR,
            return_grace: Duration::DAY,
            returns_per_tenant: Rate { burst: 3, interval: Duration::HOUR },
            guesses_per_tenant: Rate { burst: 20, interval: Duration::MINUTE },
            certificate_ttl: Duration::DAY,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_within_their_own_bounds_and_weaker_figures_are_not() {
        assert_eq!(AuthPolicy::default().check(), Ok(()));
        let weaker: [fn(&mut AuthPolicy); 11] = [
            |policy| policy.otp_ttl = Duration::minutes(11),
            |policy| policy.otp_budget.attempts = 6,
            |policy| policy.otp_budget.failures = 11,
            |policy| policy.otp_budget.window = Duration::hours(1),
            |policy| policy.session_idle = Duration::days(2),
            |policy| policy.otp_per_account.interval = Duration::ZERO,
            |policy| policy.bootstrap_link_ttl = Duration::days(2),
            |policy| policy.return_grace = Duration::days(366),
            |policy| policy.returns_per_tenant.burst = 0,
            |policy| policy.guesses_per_tenant.interval = Duration::days(2),
            |policy| policy.certificate_ttl = Duration::days(31),
        ];
        for weaken in weaker {
            let mut policy = AuthPolicy::default();
            weaken(&mut policy);
            assert!(policy.check().is_err(), "{policy:?}");
        }
    }
}
