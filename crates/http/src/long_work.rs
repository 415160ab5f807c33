//! Work that takes longer than a request may: a million codes to be issued, a file to be taken in. Few at once, each within bounds of its own.

use std::{
    cell::Cell,
    future::{Future, Ready, ready},
    pin::pin,
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use actix_web::{FromRequest, HttpMessage as _, HttpRequest, dev::Payload, web::Data};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{error::Elapsed, timeout},
};

use crate::{errors::ErrorCode, in_flight::Place, observer::Failure, problem::Problem};

/// How much long work there is at once, over all workers. Each may hold a few megabytes.
const MOST: usize = 8;

/// How long a request may take whose work is long, from its head to its answer. An answer that is streamed may then take as long as its
/// reader does.
const LONGEST: Duration = Duration::from_secs(600);

/// The places for long work; one for all workers.
pub(crate) struct LongPlaces(Arc<Semaphore>);

impl Default for LongPlaces {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MOST)))
    }
}

/// A request whose work is long, or may be: [`begin`](Self::begin) says which.
pub(crate) struct LongWork {
    places: Arc<Semaphore>,
    in_flight: Option<Place>,
    patience: Option<Patience>,
}

/// A place for long work, held until the work has ended.
pub(crate) struct LongPlace {
    _permit: OwnedSemaphorePermit,
}

impl FromRequest for LongWork {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let places = request.app_data::<Data<LongPlaces>>().map(|places| Arc::clone(&places.0));
        let extensions = request.extensions();
        let (in_flight, patience) = (extensions.get().cloned(), extensions.get().cloned());
        ready(places.map(|places| Self { places, in_flight, patience }).ok_or_else(Problem::internal))
    }
}

impl LongWork {
    /// From here on the request counts as long: it has a place among those instead of one among the requests in flight, and ten minutes.
    pub fn begin(self) -> Result<LongPlace, Problem> {
        let full = |_| {
            let detail = format!("{MOST} requests of this kind are at work, which is as many as the server takes");
            Problem::new(ErrorCode::Unavailable, detail).retry_after(time::Duration::seconds(5)).because(Failure::Full)
        };
        let permit = self.places.try_acquire_owned().map_err(full)?;
        if let Some(place) = self.in_flight {
            place.pause();
        }
        if let Some(patience) = self.patience {
            patience.0.set(LONGEST.max(patience.limit()));
        }
        Ok(LongPlace { _permit: permit })
    }
}

/// How long a request may take, from its head to its answer. Long work asks for more while it runs.
#[derive(Clone)]
pub(crate) struct Patience(Rc<Cell<Duration>>);

impl Patience {
    pub fn new(limit: Duration) -> Self {
        Self(Rc::new(Cell::new(limit)))
    }

    /// The limit as it is now.
    pub fn limit(&self) -> Duration {
        self.0.get()
    }

    /// Runs `work` within the limit, which it may move.
    pub async fn bound<F: Future>(&self, work: F) -> Result<F::Output, Elapsed> {
        let mut work = pin!(work);
        let first = self.limit();
        let done = timeout(first, work.as_mut()).await;
        match self.limit().saturating_sub(first) {
            more if done.is_err() && !more.is_zero() => timeout(more, work).await,
            _ => done,
        }
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[actix_web::test]
    async fn long_work_is_bounded_gives_its_place_up_and_gets_more_time() {
        let in_flight = Arc::new(Semaphore::new(1));
        let request = TestRequest::default().app_data(Data::new(LongPlaces::default())).to_http_request();
        let patience = Patience::new(Duration::from_millis(20));
        request.extensions_mut().insert(Place::take(&in_flight).unwrap());
        request.extensions_mut().insert(patience.clone());
        let work = || LongWork::extract(&request).into_inner().unwrap();

        assert!(patience.bound(std::future::pending::<()>()).await.is_err());
        let late = async {
            let _work = work().begin().unwrap();
            tokio::time::sleep(Duration::from_millis(60)).await;
        };
        assert!(patience.bound(late).await.is_ok());
        assert_eq!(in_flight.available_permits(), 1);

        let places: Vec<_> = (0..MOST).map(|_| work().begin().unwrap()).collect();
        assert_eq!(work().begin().err().unwrap().code, ErrorCode::Unavailable);
        drop(places);
        assert!(work().begin().is_ok());
    }
}
