//! A statement's value: read from PostgreSQL's wire, written as SQL for pgbench, and bound by the bare driver.

use sqlx::types::{Uuid, chrono::DateTime};
use tenantry_tests::Bound;

/// Microseconds from 1970, where Unix counts from, to 2000, where PostgreSQL does.
const POSTGRES_EPOCH: i64 = 946_684_800_000_000;

/// A value with its type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Nothing, of PostgreSQL's type of this name.
    Null(&'static str),
    Flag(bool),
    Number(i64),
    Text(String),
    Bytes(Vec<u8>),
    Uuid(Uuid),
    /// In microseconds since 1970.
    Time(i64),
    /// A list, by the type of its items.
    Many(&'static str, Vec<Value>),
    /// A type, by its number, that no hot path has had so far.
    Unknown(u32),
}

impl Value {
    /// Reads what was bound.
    pub fn of(Bound { kind, bytes }: &Bound) -> Self {
        Self::read(*kind, bytes.as_deref())
    }

    fn read(kind: u32, bytes: Option<&[u8]>) -> Self {
        let Some(bytes) = bytes else { return Self::Null(type_name(kind).unwrap_or("text")) };
        let whole = || Uuid::from_slice(bytes).map_or(Self::Unknown(kind), Self::Uuid);
        match kind {
            16 => Self::Flag(bytes != [0]),
            17 => Self::Bytes(bytes.to_vec()),
            20 | 21 | 23 => Self::Number(number(bytes)),
            25 | 1043 => Self::Text(String::from_utf8_lossy(bytes).into_owned()),
            1184 => Self::Time(number(bytes) + POSTGRES_EPOCH),
            2950 => whole(),
            1001 | 1009 | 1016 | 2951 => many(bytes),
            _ => Self::Unknown(kind),
        }
    }

    /// As SQL of PostgreSQL.
    pub fn sql(&self) -> String {
        match self {
            Self::Null(kind) => format!("NULL::{kind}"),
            Self::Flag(flag) => flag.to_string(),
            Self::Number(number) => format!("{number}::bigint"),
            Self::Text(text) => format!("{}::text", quoted(text)),
            Self::Bytes(bytes) => format!("'\\x{}'::bytea", hex(bytes)),
            Self::Uuid(uuid) => format!("'{uuid}'::uuid"),
            Self::Time(micros) => format!("{}::timestamptz", quoted(&moment(*micros))),
            Self::Many(kind, values) => {
                let values: Vec<_> = values.iter().map(Self::sql).collect();
                format!("ARRAY[{}]::{kind}[]", values.join(", "))
            }
            Self::Unknown(kind) => panic!("a hot path has a value of PostgreSQL's type {kind}: tell value.rs how to read it"),
        }
    }
}

fn type_name(kind: u32) -> Option<&'static str> {
    Some(match kind {
        16 => "boolean",
        17 => "bytea",
        20 | 21 | 23 => "bigint",
        25 | 1043 => "text",
        1184 => "timestamptz",
        2950 => "uuid",
        _ => return None,
    })
}

fn number(bytes: &[u8]) -> i64 {
    let negative = bytes.first().is_some_and(|byte| byte & 0x80 != 0);
    bytes.iter().fold(if negative { -1 } else { 0 }, |number, &byte| number << 8 | i64::from(byte))
}

/// An array of one dimension: its dimensions, flags and type, the count and the first index, then each item behind its length.
fn many(bytes: &[u8]) -> Value {
    let word = |place: usize| bytes.get(place..place + 4).map_or(0, number);
    let kind = u32::try_from(word(8)).unwrap_or_default();
    let mut values = Vec::new();
    let mut place = 20;
    while place < bytes.len() {
        let length = usize::try_from(word(place)).ok();
        let item = length.and_then(|length| bytes.get(place + 4..place + 4 + length));
        values.push(Value::read(kind, item));
        place += 4 + length.unwrap_or_default();
    }
    Value::Many(type_name(kind).unwrap_or("text"), values)
}

/// Text as SQL. pgbench takes a colon before a letter or a number for a variable, quoted or not: there the text is put together.
pub fn quoted(text: &str) -> String {
    let quoted = format!("'{}'", text.replace('\'', "''"));
    if text.contains(':') { format!("({})", quoted.replace(':', ":' || '")) } else { quoted }
}

/// A moment as SQLite keeps it, which PostgreSQL reads, too.
pub fn moment(micros: i64) -> String {
    let moment = DateTime::from_timestamp_micros(micros).expect("a moment that chrono knows");
    moment.format("%Y-%m-%dT%H:%M:%S%.6f+00:00").to_string()
}

/// Bytes in hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
