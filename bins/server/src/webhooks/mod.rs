//! Webhooks: the messages to them, and how they are called.

mod addresses;
mod backoff;
mod call;
mod running;
#[cfg(test)]
mod tests;
mod worker;

pub use self::{
    addresses::SystemResolver,
    call::{CallRules, Caller, CallerError},
    running::RunningNotifier,
    worker::Notifier,
};
