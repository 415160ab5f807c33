use super::{
    store::{MemoryTransaction, Mode, View},
    tables::Tables,
};
use crate::{
    ChallengeId, OtpAccount, OtpBudget, OtpChallenge, OtpPurpose, OtpStrength, StoreError, Timestamp,
    ports::{OtpReads, OtpWrites},
};

impl Tables {
    fn otp_failures(&self, account: OtpAccount, since: Timestamp) -> u32 {
        let counts = |row: &&OtpChallenge| {
            row.account == Some(account) && row.strength == OtpStrength::SixDigits && row.created_at >= since
        };
        // The last try of a consumed challenge was the right one.
        let failed = |row: &OtpChallenge| row.attempts.saturating_sub(u32::from(row.consumed_at.is_some()));
        self.challenges.rows().filter(counts).map(failed).sum()
    }
}

fn is_live(challenge: &OtpChallenge, now: Timestamp) -> bool {
    challenge.consumed_at.is_none() && now < challenge.expires_at
}

impl<M: Mode> OtpReads for View<M> {
    async fn otp_failures(&mut self, account: OtpAccount, since: Timestamp) -> Result<u32, StoreError> {
        Ok(self.tables().otp_failures(account, since))
    }
}

impl OtpWrites for MemoryTransaction {
    async fn insert_challenge(&mut self, challenge: &OtpChallenge) -> Result<(), StoreError> {
        let tables = self.tables_mut();
        match challenge.account {
            Some(OtpAccount::Tenant(tenant)) => tables.demand_tenant(tenant)?,
            Some(OtpAccount::Operator(operator)) => tables.demand_operator(operator)?,
            None => {}
        }
        tables.challenges.put(challenge.id, challenge.clone());
        Ok(())
    }

    async fn claim_otp_attempt(
        &mut self,
        id: ChallengeId,
        purpose: OtpPurpose,
        budget: OtpBudget,
        now: Timestamp,
    ) -> Result<Option<OtpChallenge>, StoreError> {
        let tables = self.tables();
        let account_has_tries = |challenge: &OtpChallenge| match (challenge.account, challenge.strength) {
            (Some(account), OtpStrength::SixDigits) => tables.otp_failures(account, now - budget.window) < budget.failures,
            (None, _) | (_, OtpStrength::Wide) => true,
        };
        let claimable = |challenge: &OtpChallenge| {
            challenge.purpose == purpose
                && is_live(challenge, now)
                && challenge.attempts < budget.attempts
                && account_has_tries(challenge)
        };
        let claimed = self.tables_mut().challenges.change_if(&id, claimable, |challenge| challenge.attempts += 1);
        Ok(claimed.cloned())
    }

    async fn end_challenges(&mut self, account: OtpAccount, now: Timestamp) -> Result<u64, StoreError> {
        let open = |row: &OtpChallenge| row.account == Some(account) && is_live(row, now);
        // Its own first moment, not `now`: whoever began before looks with an earlier clock.
        Ok(self.tables_mut().challenges.change_all(open, |row| row.expires_at = row.created_at))
    }

    async fn consume_challenge(&mut self, id: ChallengeId, now: Timestamp) -> Result<bool, StoreError> {
        let live = |challenge: &OtpChallenge| is_live(challenge, now);
        let consumed = self.tables_mut().challenges.change_if(&id, live, |challenge| challenge.consumed_at = Some(now));
        Ok(consumed.is_some())
    }
}
