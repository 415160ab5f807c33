//! How many requests are worked on at once.

use std::{cell::RefCell, rc::Rc, sync::Arc};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{errors::ErrorCode, observer::Failure, problem::Problem};

/// A request's place among those that are worked on. It is given up while the request's body is waited for: a client that is slow, or means
/// to be, holds a socket and nothing that others need.
#[derive(Clone)]
pub(crate) struct Place {
    places: Arc<Semaphore>,
    taken: Rc<RefCell<Option<OwnedSemaphorePermit>>>,
}

impl Place {
    /// Takes a place, unless all are taken.
    pub fn take(places: &Arc<Semaphore>) -> Result<Self, Problem> {
        let place = Self { places: Arc::clone(places), taken: Rc::default() };
        place.resume()?;
        Ok(place)
    }

    /// Gives the place up for now.
    pub fn pause(&self) {
        self.taken.borrow_mut().take();
    }

    /// Takes a place again.
    pub fn resume(&self) -> Result<(), Problem> {
        let full = |_| {
            let problem = Problem::new(ErrorCode::Unavailable, "the server has as many requests at hand as it can take");
            problem.retry_after(time::Duration::SECOND).because(Failure::Full)
        };
        let permit = Arc::clone(&self.places).try_acquire_owned().map_err(full)?;
        self.taken.borrow_mut().replace(permit);
        Ok(())
    }
}
