//! Who a request comes from, found out before anything is done for it.

mod bearer;
mod operator;
mod stranger;
mod tenant;

pub(crate) use {
    operator::Operator,
    stranger::Stranger,
    tenant::{TenantDoor, TenantSession},
};
