//! Mail: the messages of the outbox, what they say, and how they are sent.

mod backoff;
mod brand;
mod letter;
mod running;
#[cfg(test)]
mod tests;
mod transport;
mod worker;

pub use self::{
    brand::{Brand, Support},
    running::RunningMailer,
    transport::{Transport, TransportError},
    worker::Mailer,
};
