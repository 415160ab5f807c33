use std::future::Future;

use super::StoreError;
use crate::{ChallengeId, OtpAccount, OtpBudget, OtpChallenge, OtpPurpose, Timestamp};

/// Reads of one-time passwords.
pub trait OtpReads {
    /// How many tries of an account's six-digit passwords have failed since `since`, inclusive, counted by when their challenge was made.
    /// A try counts from its claim on; the last one of a consumed challenge was right, and doesn't. Those before it stay counted.
    fn otp_failures(&mut self, account: OtpAccount, since: Timestamp) -> impl Future<Output = Result<u32, StoreError>> + Send;
}

/// Writes of one-time passwords.
pub trait OtpWrites {
    /// Stores a new challenge.
    fn insert_challenge(&mut self, challenge: &OtpChallenge) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Claims one try of a challenge, and answers it as it is then. To be committed before the password is compared, so that no race
    /// and no crash gives a guess for free.
    ///
    /// `None`, and nothing is claimed, when there is no such challenge for this purpose, when at `now` it is expired or consumed, when it
    /// had `budget.attempts` tries, or when it is of six digits and its account has `budget.failures` [failures](OtpReads::otp_failures)
    /// within `budget.window`. These bounds hold under any number of racing calls, over all challenges of an account.
    fn claim_otp_attempt(
        &mut self,
        id: ChallengeId,
        purpose: OtpPurpose,
        budget: OtpBudget,
        now: Timestamp,
    ) -> impl Future<Output = Result<Option<OtpChallenge>, StoreError>> + Send;

    /// Ends an account's challenges that at `now` are neither consumed nor expired, and says how many: none of them can be claimed or
    /// consumed any more. Their failures stay counted.
    fn end_challenges(&mut self, account: OtpAccount, now: Timestamp) -> impl Future<Output = Result<u64, StoreError>> + Send;

    /// Consumes a challenge that is neither consumed nor expired at `now`; `false` when another transaction was first.
    fn consume_challenge(&mut self, id: ChallengeId, now: Timestamp) -> impl Future<Output = Result<bool, StoreError>> + Send;
}
