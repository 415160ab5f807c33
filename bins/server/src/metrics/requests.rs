//! Requests, as the API tells of them.

use tenantry_http::{Door, Ended, ErrorCode, Occasion};

use super::{Metrics, RequestLabels};

impl Metrics {
    /// Counts a request that has come.
    pub fn request_began(&self) {
        self.figures.in_flight.inc();
    }

    /// Counts a request that has ended.
    pub fn request_ended(&self, request: &Ended) {
        self.figures.in_flight.dec();
        let labels = RequestLabels { method: request.method, route: request.route, status: status_class(request) };
        self.figures.requests.get_or_create(&labels).observe(request.took.as_secs_f64());
        if let Some(failure) = request.failure {
            self.figures.unserved.get_or_create(&[("reason", failure.as_str())]).inc();
        }
        if let Some(occasion) = request.occasion {
            self.count(occasion, request);
        }
    }

    fn count(&self, occasion: Occasion, request: &Ended) {
        // A form that was carried out is answered by leading to a page.
        let succeeded =
            request.code.is_none() && request.status.is_some_and(|status| status.is_success() || status.is_redirection());
        match occasion {
            Occasion::Activation => {
                let result = match (succeeded, request.code) {
                    (true, _) => Some(if request.again { "replayed" } else { "won" }),
                    (false, code) => code.map(ErrorCode::as_str),
                };
                if let Some(result) = result {
                    self.figures.activations.get_or_create(&[("result", result)]).inc();
                }
            }
            Occasion::OtpRequest(door) => match request.code {
                _ if succeeded => self.otp(door, "requested"),
                Some(ErrorCode::RateLimited) => self.otp(door, "limited"),
                _ => {}
            },
            Occasion::OtpVerification(door) => match request.code {
                _ if succeeded => {
                    self.otp(door, "verified");
                    self.sign_in(door.as_str(), "succeeded");
                }
                Some(ErrorCode::InvalidOtp) => {
                    self.otp(door, "failed");
                    self.sign_in(door.as_str(), "failed");
                }
                _ => {}
            },
            Occasion::Bootstrap if succeeded => self.sign_in("bootstrap", "succeeded"),
            Occasion::Bootstrap => {}
        }
    }

    fn otp(&self, door: Door, result: &'static str) {
        self.figures.otps.get_or_create(&[("door", door.as_str()), ("result", result)]).inc();
    }

    fn sign_in(&self, door: &'static str, result: &'static str) {
        self.figures.sign_ins.get_or_create(&[("door", door), ("result", result)]).inc();
    }
}

/// `2xx` and the like; `none` where the client went away before it was answered.
fn status_class(request: &Ended) -> &'static str {
    match request.status.map(|status| status.as_u16() / 100) {
        Some(1) => "1xx",
        Some(2) => "2xx",
        Some(3) => "3xx",
        Some(4) => "4xx",
        Some(_) => "5xx",
        None => "none",
    }
}
