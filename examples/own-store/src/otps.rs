use tenantry_domain::{
    ChallengeId, OtpAccount, OtpBudget, OtpChallenge, OtpPurpose, OtpStrength, StoreError, Timestamp,
    ports::{OtpReads, OtpWrites},
};

use crate::{
    error::demand,
    rows::Rows,
    store::{Mode, RedbTransaction, View},
    tables::{CHALLENGES, OPERATORS},
};

impl Rows {
    fn otp_failures(&self, account: OtpAccount, since: Timestamp) -> Result<u32, StoreError> {
        let counts = |row: &OtpChallenge| {
            row.account == Some(account) && row.strength == OtpStrength::SixDigits && row.created_at >= since
        };
        Ok(self.list(CHALLENGES, counts)?.iter().map(OtpChallenge::failed_tries).sum())
    }
}

impl<M: Mode> OtpReads for View<M> {
    async fn otp_failures(&mut self, account: OtpAccount, since: Timestamp) -> Result<u32, StoreError> {
        self.rows()?.otp_failures(account, since)
    }
}

impl OtpWrites for RedbTransaction {
    async fn insert_challenge(&mut self, challenge: &OtpChallenge) -> Result<(), StoreError> {
        let rows = self.rows_mut();
        match challenge.account {
            Some(OtpAccount::Tenant(tenant)) => rows.demand_tenant(tenant)?,
            Some(OtpAccount::Operator(operator)) => demand(rows.has(OPERATORS, &operator)?, "there is no such operator")?,
            None => {}
        }
        rows.put(CHALLENGES, &challenge.id, challenge)
    }

    async fn claim_otp_attempt(
        &mut self,
        id: ChallengeId,
        purpose: OtpPurpose,
        budget: OtpBudget,
        now: Timestamp,
    ) -> Result<Option<OtpChallenge>, StoreError> {
        let rows = self.rows_mut();
        let Some(challenge) = rows.get(CHALLENGES, &id)? else { return Ok(None) };
        let account_has_tries = match (challenge.account, challenge.strength) {
            (Some(account), OtpStrength::SixDigits) => rows.otp_failures(account, now - budget.window)? < budget.failures,
            (None, _) | (_, OtpStrength::Wide) => true,
        };
        let claimable = |challenge: &OtpChallenge| {
            challenge.purpose == purpose && challenge.is_live(now) && challenge.attempts < budget.attempts && account_has_tries
        };
        rows.change_if(CHALLENGES, &id, claimable, |challenge| challenge.attempts += 1)
    }

    async fn end_challenges(&mut self, account: OtpAccount, now: Timestamp) -> Result<u64, StoreError> {
        let open = |row: &OtpChallenge| row.account == Some(account) && row.is_live(now);
        // Its own first moment, not `now`: whoever began before looks with an earlier clock.
        self.rows_mut().change_all(CHALLENGES, open, |row| row.expires_at = row.created_at)
    }

    async fn consume_challenge(&mut self, id: ChallengeId, now: Timestamp) -> Result<bool, StoreError> {
        let live = |challenge: &OtpChallenge| challenge.is_live(now);
        let consumed = self.rows_mut().change_if(CHALLENGES, &id, live, |challenge| challenge.consumed_at = Some(now))?;
        Ok(consumed.is_some())
    }
}
