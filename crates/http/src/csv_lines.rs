//! Bodies in CSV, read a line at a time while they arrive: a file of any length costs the memory of a line.
//!
//! A line of the file is a row of the table. RFC 4180 lets a quoted cell hold a line break, but nothing that is read here has one: such a
//! cell is one that isn't closed, and is refused by the number of its line.

use std::{
    future::{Ready, ready},
    time::Duration,
};

use actix_web::{FromRequest, HttpMessage as _, HttpRequest, dev::Payload, web::BytesMut};
use futures_util::StreamExt as _;
use tenantry_domain::InvalidValue;
use tokio::time::timeout;

use crate::{errors::ErrorCode, problem::Problem};

/// The most bytes that a body has.
const LIMIT: usize = 64 * 1024 * 1024;

/// The most bytes that a line has.
const LONGEST: usize = 4 * 1024;

/// How long the next piece of a body may take to arrive.
const PATIENCE: Duration = Duration::from_secs(10);

/// A body that hasn't been read.
pub(crate) struct CsvBody {
    payload: Payload,
    is_csv: bool,
    declared: Option<usize>,
}

impl FromRequest for CsvBody {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let is_csv = request.content_type().eq_ignore_ascii_case("text/csv");
        let declared = request.headers().get("content-length").and_then(|length| length.to_str().ok()?.parse().ok());
        ready(Ok(Self { payload: payload.take(), is_csv, declared }))
    }
}

impl CsvBody {
    /// The body's lines, if it is CSV by its own word and not too large by it.
    pub fn lines(self) -> Result<Lines, Problem> {
        if !self.is_csv {
            return Err(Problem::new(ErrorCode::UnsupportedMediaType, "send CSV, with `Content-Type: text/csv`"));
        }
        if self.declared.is_some_and(|length| length > LIMIT) {
            return Err(too_large());
        }
        Ok(Lines { payload: self.payload, received: 0, ended: false, waiting: BytesMut::new(), looked: 0, number: 0 })
    }
}

/// A line that isn't blank.
pub(crate) struct Line {
    /// Its number; the first is 1.
    pub number: u32,
    /// Its bytes, without its end; none if it is too long.
    pub bytes: BytesMut,
    /// What it holds, or why it can't be read.
    pub cells: Result<Vec<String>, InvalidValue>,
}

/// The lines of a body.
pub(crate) struct Lines {
    payload: Payload,
    received: usize,
    ended: bool,
    waiting: BytesMut,
    /// Up to where `waiting` has no line break.
    looked: usize,
    number: u32,
}

impl Lines {
    /// The next line that isn't blank; `None` at the end.
    pub async fn next(&mut self) -> Result<Option<Line>, Problem> {
        while let Some(line) = self.next_bytes().await? {
            self.number = self.number.saturating_add(1);
            let cells = match &line {
                Err(too_long) => Err(too_long.clone()),
                Ok(line) if line.trim_ascii().is_empty() => continue,
                Ok(line) => match std::str::from_utf8(line) {
                    // What spreadsheets begin a file with, to say that it is UTF-8.
                    Ok(text) => cells(text.strip_prefix('\u{feff}').filter(|_| self.number == 1).unwrap_or(text)),
                    Err(_) => Err(InvalidValue::new("not_utf8", "must be text in UTF-8")),
                },
            };
            return Ok(Some(Line { number: self.number, bytes: line.unwrap_or_default(), cells }));
        }
        Ok(None)
    }

    /// The next line's bytes, without its end; `Err` for one that is too long.
    async fn next_bytes(&mut self) -> Result<Option<Result<BytesMut, InvalidValue>>, Problem> {
        let mut too_long = false;
        loop {
            let fresh = self.waiting.get(self.looked..).unwrap_or_default();
            let end = fresh.iter().position(|&byte| byte == b'\n').map(|place| self.looked + place);
            if end.is_none() && !self.ended {
                self.looked = self.waiting.len();
                if self.looked > LONGEST {
                    // The rest of it is passed over, not kept.
                    too_long = true;
                    self.waiting.clear();
                    self.looked = 0;
                }
                self.receive().await?;
                continue;
            }
            let mut line = self.waiting.split_to(end.map_or(self.waiting.len(), |end| end + 1));
            self.looked = 0;
            if line.is_empty() && !too_long {
                return Ok(None);
            }
            while line.last().is_some_and(|byte| matches!(byte, b'\n' | b'\r')) {
                line.truncate(line.len() - 1);
            }
            let refusal = || InvalidValue::new("too_long", format!("a line has at most {LONGEST} bytes"));
            return Ok(Some(if too_long || line.len() > LONGEST { Err(refusal()) } else { Ok(line) }));
        }
    }

    /// Waits for the next piece of the body.
    async fn receive(&mut self) -> Result<(), Problem> {
        let arrived = timeout(PATIENCE, self.payload.next()).await.map_err(|_| {
            let detail = format!("no more of the body arrived within {} s", PATIENCE.as_secs());
            Problem::new(ErrorCode::RequestTimeout, detail)
        })?;
        let Some(piece) = arrived else {
            self.ended = true;
            return Ok(());
        };
        let piece = piece.map_err(|_| Problem::new(ErrorCode::BadRequest, "the body ended before its time"))?;
        self.waiting.extend_from_slice(&piece);
        self.received += piece.len();
        if self.received > LIMIT { Err(too_large()) } else { Ok(()) }
    }
}

fn too_large() -> Problem {
    Problem::new(ErrorCode::PayloadTooLarge, format!("a body in CSV has at most {LIMIT} bytes"))
}

/// The cells of a line.
fn cells(line: &str) -> Result<Vec<String>, InvalidValue> {
    let (mut cells, mut cell, mut quoted) = (Vec::new(), String::new(), false);
    let mut fresh = true;
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if fresh => quoted = true,
            '"' if quoted && chars.next_if_eq(&'"').is_some() => cell.push('"'),
            '"' if quoted => quoted = false,
            ',' if !quoted => cells.push(std::mem::take(&mut cell)),
            c => cell.push(c),
        }
        fresh = c == ',' && !quoted;
    }
    if quoted {
        return Err(InvalidValue::new("unclosed_quote", "has a quoted cell that isn't closed on the same line"));
    }
    cells.push(cell);
    Ok(cells)
}

#[cfg(test)]
mod tests {
    use actix_web::{error::PayloadError, web::Bytes};
    use futures_util::{StreamExt as _, stream};
    use proptest::prelude::*;

    use super::*;

    /// What the lines of a body are, or the codes of what is wrong with them, when it arrives in pieces of so many bytes.
    fn read(body: &[u8], piece: usize) -> Vec<(u32, Result<Vec<String>, &'static str>)> {
        let pieces: Vec<_> = body.chunks(piece).map(|piece| Ok::<_, PayloadError>(Bytes::copy_from_slice(piece))).collect();
        let payload = Payload::Stream { payload: stream::iter(pieces).boxed_local() };
        let mut lines = CsvBody { payload, is_csv: true, declared: None }.lines().unwrap();
        let mut read = Vec::new();
        actix_web::rt::Runtime::new().unwrap().block_on(async {
            while let Some(line) = lines.next().await.unwrap() {
                read.push((line.number, line.cells.map_err(|invalid| invalid.code)));
            }
        });
        read
    }

    fn cells_of(cells: &[&str]) -> Result<Vec<String>, &'static str> {
        Ok(cells.iter().map(|&cell| cell.to_owned()).collect())
    }

    #[test]
    fn lines_keep_their_numbers_however_they_arrive() {
        let long = format!("{},x\n", "y".repeat(LONGEST));
        let body = ["\u{feff}a,b\r\n\n \n\"1,\"\"2\"\"\",\n", &long, "3\"4\" ,\"5\"x\n\"6\nlast"].concat();
        let mut body = body.into_bytes();
        body.splice(body.len() - 4.., *b"\xff\nlast");
        for piece in [1, 7, 4096, 100_000] {
            let expected = [
                (1, cells_of(&["a", "b"])),
                (4, cells_of(&["1,\"2\"", ""])),
                (5, Err("too_long")),
                (6, cells_of(&["3\"4\" ", "5x"])),
                (7, Err("unclosed_quote")),
                (8, Err("not_utf8")),
                (9, cells_of(&["last"])),
            ];
            assert_eq!(read(&body, piece), expected, "{piece}");
        }
        assert_eq!(read(b"", 1), []);
    }

    #[test]
    fn what_a_body_says_of_itself_is_looked_at_first() {
        let body = |is_csv, declared| CsvBody { payload: Payload::None, is_csv, declared: Some(declared) };
        assert_eq!(body(false, 1).lines().err().unwrap().code, ErrorCode::UnsupportedMediaType);
        assert_eq!(body(true, LIMIT + 1).lines().err().unwrap().code, ErrorCode::PayloadTooLarge);
        assert!(body(true, LIMIT).lines().is_ok());
    }

    proptest! {
        #[test]
        fn what_others_write_is_read(cells in prop::collection::vec("[^\\r\\n]{0,9}", 1..5)) {
            let mut writer = csv::Writer::from_writer(Vec::new());
            writer.write_record(&cells).unwrap();
            let line = String::from_utf8(writer.into_inner().unwrap()).unwrap();
            prop_assert_eq!(super::cells(line.trim_end_matches('\n')).unwrap(), cells);
        }

        #[test]
        fn no_bytes_panic_the_reader(body in any::<Vec<u8>>(), piece in 1_usize..9) {
            let lines = read(&body, piece);
            prop_assert!(lines.is_sorted_by_key(|(number, _)| *number));
        }
    }
}
