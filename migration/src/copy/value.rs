//! A value of a row, the same whichever database it is of.

use sqlx::{
    Decode, Row, Sqlite, TypeInfo, ValueRef,
    postgres::PgRow,
    sqlite::SqliteRow,
    types::chrono::{DateTime, Utc},
};

/// What PostgreSQL counts its microseconds from, in microseconds since 1970: the year 2000.
pub(super) const POSTGRES_EPOCH: i64 = 946_684_800_000_000;

/// What a column holds. Steps of the schema write these and no others; one that does is refused until its values are known here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Uuid,
    Bytes,
    Text,
    Integer,
    Moment,
}

impl Kind {
    /// By the type's name, as either database says it.
    pub(super) fn of(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        match name.split('(').next().unwrap_or_default() {
            "uuid" | "uuid_text" => Some(Self::Uuid),
            "bytea" | "blob" => Some(Self::Bytes),
            "text" | "varchar" | "character varying" => Some(Self::Text),
            "bigint" => Some(Self::Integer),
            "timestamp with time zone" | "timestamp_with_timezone_text" => Some(Self::Moment),
            _ => None,
        }
    }
}

/// A value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Null,
    /// An identifier's 16, or any.
    Bytes(Vec<u8>),
    Text(String),
    Integer(i64),
    /// In microseconds since 1970: what PostgreSQL keeps, and all that servers write.
    Moment(i64),
}

/// Why a value can't be read. It never says what the value is.
pub(super) type Unreadable = &'static str;

impl Value {
    /// How much memory it takes, more or less.
    pub(super) fn size(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len() + 32,
            Self::Text(text) => text.len() + 32,
            _ => 32,
        }
    }

    /// Feeds a digest with a form that no other value has, nor a row of others.
    pub(super) fn digest(&self, hasher: &mut blake3::Hasher) {
        let mut long = |tag: u8, bytes: &[u8]| {
            hasher.update(&[tag]).update(&(bytes.len() as u64).to_le_bytes()).update(bytes);
        };
        match self {
            Self::Bytes(bytes) => long(1, bytes),
            Self::Text(text) => long(2, text.as_bytes()),
            Self::Integer(number) => drop(hasher.update(&[3]).update(&number.to_le_bytes())),
            Self::Moment(micros) => drop(hasher.update(&[4]).update(&micros.to_le_bytes())),
            Self::Null => drop(hasher.update(&[0])),
        }
    }

    pub(super) fn of_sqlite(row: &SqliteRow, place: usize, kind: Kind) -> Result<Self, Unreadable> {
        const UNFIT: &str = "isn't of its column's type";

        let raw = row.try_get_raw(place).map_err(|_| "is missing")?;
        if raw.is_null() {
            return Ok(Self::Null);
        }
        // SQLite's columns take any value; this is the value's own type.
        let class = raw.type_info().name().to_owned();
        let read = match (kind, class.as_str()) {
            (Kind::Uuid | Kind::Bytes, "BLOB") => <Vec<u8> as Decode<'_, Sqlite>>::decode(raw).map(Self::Bytes),
            (Kind::Text, "TEXT") => <String as Decode<'_, Sqlite>>::decode(raw).map(Self::Text),
            (Kind::Integer, "INTEGER") => <i64 as Decode<'_, Sqlite>>::decode(raw).map(Self::Integer),
            // As servers read it: also what older systems wrote in other forms.
            (Kind::Moment, "TEXT") => {
                <DateTime<Utc> as Decode<'_, Sqlite>>::decode(raw).map(|moment| Self::Moment(moment.timestamp_micros()))
            }
            _ => return Err(UNFIT),
        };
        read.map_err(|_| UNFIT)?.checked(kind)
    }

    /// Rows of prepared statements are binary.
    pub(super) fn of_postgres(row: &PgRow, place: usize, kind: Kind) -> Result<Self, Unreadable> {
        const UNFIT: &str = "isn't of its column's type";

        let raw = row.try_get_raw(place).map_err(|_| "is missing")?;
        if raw.is_null() {
            return Ok(Self::Null);
        }
        let bytes = raw.as_bytes().map_err(|_| UNFIT)?;
        let number = || bytes.try_into().map(i64::from_be_bytes).map_err(|_| UNFIT);
        match kind {
            Kind::Uuid | Kind::Bytes => Self::Bytes(bytes.to_vec()),
            Kind::Text => Self::Text(String::from_utf8(bytes.to_vec()).map_err(|_| UNFIT)?),
            Kind::Integer => Self::Integer(number()?),
            Kind::Moment => Self::Moment(number()?.checked_add(POSTGRES_EPOCH).ok_or("is no moment, but infinite")?),
        }
        .checked(kind)
    }

    fn checked(self, kind: Kind) -> Result<Self, Unreadable> {
        match (&self, kind) {
            (Self::Bytes(bytes), Kind::Uuid) if bytes.len() != 16 => Err("is no identifier of 16 bytes"),
            // PostgreSQL marks what is infinite by the numbers at either end.
            (Self::Moment(micros), _) if DateTime::from_timestamp_micros(*micros).is_none() => {
                Err("is a moment beyond all years")
            }
            _ => Ok(self),
        }
    }
}

/// A moment as servers write it into SQLite.
pub(super) fn moment_text(micros: i64) -> String {
    let moment = DateTime::from_timestamp_micros(micros).unwrap_or(DateTime::UNIX_EPOCH);
    moment.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, false)
}
