//! What is kept of an answer, so that it can be given again.

use actix_web::{
    HttpResponse,
    body::to_bytes,
    http::{
        StatusCode,
        header::{HeaderName, HeaderValue},
    },
    web::Bytes,
};
use serde::{Deserialize, Serialize};

use crate::{endpoints::Answer, errors::ErrorCode, problem::Problem};

/// What is kept: a line of JSON, and the answer's body as it was.
pub(crate) struct Kept {
    head: Head,
    body: Bytes,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Head {
    /// An answer.
    Answer { status: u16, headers: Vec<(String, String)> },
    /// There was an answer that can't be given again; this is what to tell instead.
    Begun { told: String },
}

impl Kept {
    /// An answer, whole.
    pub async fn answer(response: HttpResponse) -> Result<Self, Problem> {
        let text = |(name, value): (&HeaderName, &HeaderValue)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()));
        let headers = response.headers().iter().filter_map(text).collect();
        let head = Head::Answer { status: response.status().as_u16(), headers };
        let body = to_bytes(response.into_body()).await.map_err(|_| Problem::internal())?;
        Ok(Self { head, body })
    }

    /// That there was an answer, and what to tell whoever asks for it again.
    pub fn begun(told: String) -> Self {
        Self { head: Head::Begun { told }, body: Bytes::new() }
    }

    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec(&self.head).unwrap_or_default();
        bytes.push(b'\n');
        bytes.extend_from_slice(&self.body);
        bytes
    }

    /// The reverse of [`to_bytes`](Self::to_bytes).
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let end = bytes.iter().position(|&byte| byte == b'\n')?;
        let (head, body) = bytes.split_at_checked(end)?;
        Some(Self { head: serde_json::from_slice(head).ok()?, body: Bytes::copy_from_slice(body.get(1..)?) })
    }

    /// The answer, for the first time.
    pub fn give(self) -> Answer {
        match self.head {
            Head::Answer { status, headers } => {
                let mut response = HttpResponse::build(StatusCode::from_u16(status).unwrap_or(StatusCode::OK));
                for header in headers {
                    response.insert_header(header);
                }
                Ok(response.body(self.body))
            }
            Head::Begun { told } => Err(Problem::new(ErrorCode::Conflict, told)),
        }
    }

    /// The answer, again.
    pub fn give_again(self) -> Answer {
        let mut response = self.give()?;
        response.headers_mut().insert(HeaderName::from_static("idempotency-replayed"), HeaderValue::from_static("true"));
        Ok(response)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[actix_web::test]
    async fn an_answer_comes_back_as_it_was() {
        let body = "line\n{\"a\":1}\n\u{0}";
        let response =
            HttpResponse::Created().insert_header(("location", "/api/admin/plans/1")).content_type("text/x").body(body);
        let kept = Kept::from_bytes(&Kept::answer(response).await.unwrap().to_bytes()).unwrap();
        let response = kept.give_again().unwrap();
        assert_eq!(response.status(), StatusCode::CREATED);
        for (name, value) in [("location", "/api/admin/plans/1"), ("content-type", "text/x"), ("idempotency-replayed", "true")] {
            assert_eq!(response.headers().get(name).unwrap(), value);
        }
        assert_eq!(to_bytes(response.into_body()).await.unwrap(), body);
    }

    #[test]
    fn what_was_begun_is_told() {
        let kept = Kept::from_bytes(&Kept::begun("see bat_1".to_owned()).to_bytes()).unwrap();
        let problem = kept.give_again().unwrap_err();
        assert_eq!((problem.code, problem.detail.as_ref()), (ErrorCode::Conflict, "see bat_1"));
    }

    proptest! {
        #[test]
        fn no_bytes_panic_the_reader(bytes in any::<Vec<u8>>()) {
            let _ = Kept::from_bytes(&bytes);
        }
    }
}
