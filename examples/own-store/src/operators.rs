use tenantry_domain::{
    Email, Operator, OperatorId, OperatorName, OtpAccount, Page, PageRequest, Role, StoreError, Timestamp,
    ports::{OperatorReads, OperatorWrites},
};

use crate::{
    rows::Rows,
    store::{Mode, RedbTransaction, View},
    tables::{CHALLENGES, OPERATOR_SESSIONS, OPERATOR_SESSIONS_BY_DIGEST, OPERATORS},
};

impl Rows {
    /// Whether there is an owner beside this operator.
    fn has_owner_beside(&self, id: OperatorId) -> Result<bool, StoreError> {
        self.any(OPERATORS, |other| other.id != id && other.role == Role::Owner)
    }
}

impl<M: Mode> OperatorReads for View<M> {
    async fn operator(&mut self, id: OperatorId) -> Result<Option<Operator>, StoreError> {
        self.rows()?.get(OPERATORS, &id)
    }

    async fn operator_by_email(&mut self, email: &Email) -> Result<Option<Operator>, StoreError> {
        let wanted = email.folded();
        self.rows()?.find(OPERATORS, |operator| operator.email.folded() == wanted)
    }

    async fn operators_page(&mut self, page: PageRequest<Operator>) -> Result<Page<Operator>, StoreError> {
        self.rows()?.page(OPERATORS, page, |_| true)
    }

    async fn has_operators(&mut self) -> Result<bool, StoreError> {
        self.rows()?.any(OPERATORS, |_| true)
    }
}

impl OperatorWrites for RedbTransaction {
    // Transactions take turns, so whoever has one holds and locks everything.
    async fn lock_operators(&mut self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn lock_operator(&mut self, id: OperatorId) -> Result<Option<Operator>, StoreError> {
        self.operator(id).await
    }

    async fn insert_operator(&mut self, operator: &Operator) -> Result<bool, StoreError> {
        let rows = self.rows_mut();
        let wanted = operator.email.folded();
        let free = !rows.any(OPERATORS, |other| other.email.folded() == wanted)?;
        if free {
            rows.put(OPERATORS, &operator.id, operator)?;
        }
        Ok(free)
    }

    async fn change_operator(
        &mut self,
        id: OperatorId,
        name: &OperatorName,
        role: Role,
        now: Timestamp,
    ) -> Result<Option<Operator>, StoreError> {
        let beside = self.rows()?.has_owner_beside(id)?;
        let leaves_an_owner = |row: &Operator| row.role != Role::Owner || role == Role::Owner || beside;
        let changed = self.rows_mut().change_if(OPERATORS, &id, leaves_an_owner, |row| {
            row.name = name.clone();
            row.role = role;
            row.updated_at = now;
        })?;
        Ok(changed)
    }

    async fn delete_operator(&mut self, id: OperatorId) -> Result<bool, StoreError> {
        let beside = self.rows()?.has_owner_beside(id)?;
        let rows = self.rows_mut();
        if rows.delete_if(OPERATORS, &id, |row| row.role != Role::Owner || beside)?.is_none() {
            return Ok(false);
        }
        for session in rows.list(OPERATOR_SESSIONS, |session| session.operator_id == id)? {
            rows.delete(OPERATOR_SESSIONS, &session.id);
            rows.delete(OPERATOR_SESSIONS_BY_DIGEST, session.token_digest.as_bytes());
        }
        rows.delete_all(CHALLENGES, |challenge| challenge.account == Some(OtpAccount::Operator(id)))?;
        Ok(true)
    }
}
