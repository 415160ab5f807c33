use std::future::Future;

use super::StoreError;
use crate::{Email, Operator, OperatorId, OperatorName, Page, PageRequest, Role, Timestamp};

/// Reads of operators.
pub trait OperatorReads {
    /// An operator.
    fn operator(&mut self, id: OperatorId) -> impl Future<Output = Result<Option<Operator>, StoreError>> + Send;

    /// The operator whose address this is, compared as [`Email::folded`].
    fn operator_by_email(&mut self, email: &Email) -> impl Future<Output = Result<Option<Operator>, StoreError>> + Send;

    /// Operators, newest first.
    fn operators_page(&mut self, page: PageRequest<Operator>) -> impl Future<Output = Result<Page<Operator>, StoreError>> + Send;

    /// Whether there is any operator.
    fn has_operators(&mut self) -> impl Future<Output = Result<bool, StoreError>> + Send;
}

/// Writes of operators.
pub trait OperatorWrites {
    /// Keeps every other transaction that does the same, and every write of an operator, waiting until this one ends. For the rules over
    /// all operators: the first is made once, and the last owner stays. Called before any other write of the transaction.
    fn lock_operators(&mut self) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// [`operator`](OperatorReads::operator), and keeps every other transaction that would lock, change or delete it waiting until this one
    /// ends.
    fn lock_operator(&mut self, id: OperatorId) -> impl Future<Output = Result<Option<Operator>, StoreError>> + Send;

    /// Stores a new operator; `false` when another has its address, compared as [`Email::folded`].
    fn insert_operator(&mut self, operator: &Operator) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Replaces an operator's name and role. `None` when there is none, or when no owner would be left. In transactions that
    /// [lock the operators](Self::lock_operators) this holds under any number of racing calls.
    fn change_operator(
        &mut self,
        id: OperatorId,
        name: &OperatorName,
        role: Role,
        now: Timestamp,
    ) -> impl Future<Output = Result<Option<Operator>, StoreError>> + Send;

    /// Deletes an operator, its sessions and its challenges; the API keys that it made stay, and so does the audit trail. `false` when
    /// there is none, or when it is the last owner. In transactions that [lock the operators](Self::lock_operators) this holds under any
    /// number of racing calls.
    fn delete_operator(&mut self, id: OperatorId) -> impl Future<Output = Result<bool, StoreError>> + Send;
}
