use super::{
    store::{MemoryTransaction, Mode, View},
    tables::Tables,
};
use crate::{
    Email, Operator, OperatorId, OperatorName, OtpAccount, Page, PageRequest, Role, StoreError, Timestamp,
    ports::{OperatorReads, OperatorWrites},
};

impl Tables {
    /// Whether there is an owner beside this operator.
    fn has_owner_beside(&self, id: OperatorId) -> bool {
        self.operators.rows().any(|other| other.id != id && other.role == Role::Owner)
    }
}

impl<M: Mode> OperatorReads for View<M> {
    async fn operator(&mut self, id: OperatorId) -> Result<Option<Operator>, StoreError> {
        Ok(self.tables().operators.get(&id).cloned())
    }

    async fn operator_by_email(&mut self, email: &Email) -> Result<Option<Operator>, StoreError> {
        let wanted = email.folded();
        Ok(self.tables().operators.rows().find(|operator| operator.email.folded() == wanted).cloned())
    }

    async fn operators_page(&mut self, page: PageRequest<Operator>) -> Result<Page<Operator>, StoreError> {
        Ok(self.tables().operators.page(page, |_| true))
    }

    async fn has_operators(&mut self) -> Result<bool, StoreError> {
        Ok(self.tables().operators.rows().next().is_some())
    }
}

impl OperatorWrites for MemoryTransaction {
    // Transactions take turns, so whoever has one holds and locks everything.
    async fn lock_operators(&mut self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn lock_operator(&mut self, id: OperatorId) -> Result<Option<Operator>, StoreError> {
        self.operator(id).await
    }

    async fn insert_operator(&mut self, operator: &Operator) -> Result<bool, StoreError> {
        let operators = &mut self.tables_mut().operators;
        let wanted = operator.email.folded();
        let free = operators.rows().all(|other| other.email.folded() != wanted);
        if free {
            operators.put(operator.id, operator.clone());
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
        let beside = self.tables().has_owner_beside(id);
        let leaves_an_owner = |row: &Operator| row.role != Role::Owner || role == Role::Owner || beside;
        let changed = self.tables_mut().operators.change_if(&id, leaves_an_owner, |row| {
            row.name = name.clone();
            row.role = role;
            row.updated_at = now;
        });
        Ok(changed.cloned())
    }

    async fn delete_operator(&mut self, id: OperatorId) -> Result<bool, StoreError> {
        let beside = self.tables().has_owner_beside(id);
        let tables = self.tables_mut();
        if !tables.operators.delete_if(&id, |row| row.role != Role::Owner || beside) {
            return Ok(false);
        }
        let Tables { operator_sessions: sessions, .. } = tables.clone();
        tables
            .operator_sessions_by_digest
            .delete_all(|id_of| sessions.get(id_of).is_none_or(|session| session.operator_id == id));
        tables.operator_sessions.delete_all(|session| session.operator_id == id);
        tables.challenges.delete_all(|challenge| challenge.account == Some(OtpAccount::Operator(id)));
        Ok(true)
    }
}
