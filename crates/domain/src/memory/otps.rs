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
        self.challenges.rows().filter(counts).map(OtpChallenge::failed_tries).sum()
    }
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
                && challenge.is_live(now)
                && challenge.attempts < budget.attempts
                && account_has_tries(challenge)
        };
        let claimed = self.tables_mut().challenges.change_if(&id, claimable, |challenge| challenge.attempts += 1);
        Ok(claimed.cloned())
    }

    async fn end_challenges(&mut self, account: OtpAccount, now: Timestamp) -> Result<u64, StoreError> {
        let open = |row: &OtpChallenge| row.account == Some(account) && row.is_live(now);
        // Its own first moment, not `now`: whoever began before looks with an earlier clock.
        Ok(self.tables_mut().challenges.change_all(open, |row| row.expires_at = row.created_at))
    }

    async fn consume_challenge(&mut self, id: ChallengeId, now: Timestamp) -> Result<bool, StoreError> {
        let live = |challenge: &OtpChallenge| challenge.is_live(now);
        let consumed = self.tables_mut().challenges.change_if(&id, live, |challenge| challenge.consumed_at = Some(now));
        Ok(consumed.is_some())
    }
}
