//! Timestamps as the databases keep them.

use chrono::{DateTime, FixedOffset, NaiveDate, NaiveTime, SecondsFormat, Utc};
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ValueRef};
use sea_orm::{
    ColIdx, QueryResult, TryGetError, TryGetable, Value,
    sea_query::{ArrayType, ColumnType, Nullable, ValueType, ValueTypeErr},
};
use sqlx::{Decode, Row as _, Sqlite, ValueRef as _};
use tenantry_domain::Timestamp;

/// A moment as `timestamptz` on PostgreSQL and, on SQLite, as text such as `2026-03-01T12:00:00.250+00:00`.
///
/// The text has no, three or six decimals, and still sorts by time: `+` comes before `.` and before every digit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DbTime(DateTime<Utc>);

impl TryGetable for DbTime {
    /// The driver of SQLite tries one pattern of text after another, which was a quarter of the time of a page. What it writes itself is read
    /// here, and only what others have written goes that way.
    fn try_get_by<I: ColIdx>(row: &QueryResult, index: I) -> Result<Self, TryGetError> {
        let text = row.try_as_sqlite_row().and_then(|row| row.try_get_raw(index.as_sqlx_sqlite_index()).ok());
        let text = text.filter(|text| !text.is_null()).and_then(|text| <&str as Decode<'_, Sqlite>>::decode(text).ok());
        match text.and_then(written_by_the_driver) {
            Some(moment) => Ok(Self(moment)),
            None => DateTime::try_get_by(row, index).map(Self),
        }
    }
}

impl FromSql for DbTime {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let text = value.as_str()?;
        written_by_the_driver(text).or_else(|| written_by_others(text)).map(Self).ok_or(FromSqlError::InvalidType)
    }
}

/// A moment in the other forms that the driver of SQLite reads, which is in UTC where it says nothing else.
fn written_by_others(text: &str) -> Option<DateTime<Utc>> {
    let (day, time) = text.split_at_checked(10)?;
    let day = NaiveDate::parse_from_str(day, "%F").ok()?;
    let time = time.strip_prefix(['T', ' '])?;
    let (time, zone) = time.split_at(time.find(['Z', '+', '-']).unwrap_or(time.len()));
    let time = ["%T%.f", "%R"].iter().find_map(|form| NaiveTime::parse_from_str(time.trim_ascii_end(), form).ok())?;
    let ahead = match zone {
        "" | "Z" => FixedOffset::east_opt(0)?,
        zone => zone.parse().ok()?,
    };
    Some(day.and_time(time).and_local_timezone(ahead).single()?.to_utc())
}

/// `2026-03-01T12:00:00+00:00`, with a blank in place of the `T` or with decimals, as SQLite's driver writes moments; `None` for all else.
fn written_by_the_driver(text: &str) -> Option<DateTime<Utc>> {
    let (moment, decimals) = text.strip_suffix("+00:00")?.trim_end_matches(' ').split_at_checked(19)?;
    let number = |from: usize, to: usize| {
        let digits = moment.get(from..to).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
        digits?.parse::<u32>().ok()
    };
    let marks = || moment.bytes().skip(4).step_by(3);
    if !marks().eq(*b"--T::") && !marks().eq(*b"-- ::") {
        return None;
    }
    let micros = match decimals.strip_prefix('.') {
        None if decimals.is_empty() => 0,
        Some(digits) if digits.len() <= 6 && !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            let digit = |place| digits.as_bytes().get(place).map_or(0, |byte| u32::from(byte - b'0'));
            (0..6).fold(0, |micros, place| micros * 10 + digit(place))
        }
        _ => return None,
    };
    let day = NaiveDate::from_ymd_opt(number(0, 4)?.cast_signed(), number(5, 7)?, number(8, 10)?)?;
    Some(day.and_hms_micro_opt(number(11, 13)?, number(14, 16)?, number(17, 19)?, micros)?.and_utc())
}

impl From<DbTime> for Value {
    fn from(DbTime(moment): DbTime) -> Self {
        moment.into()
    }
}

impl ValueType for DbTime {
    fn try_from(value: Value) -> Result<Self, ValueTypeErr> {
        <DateTime<Utc> as ValueType>::try_from(value).map(Self)
    }

    fn type_name() -> String {
        DateTime::<Utc>::type_name()
    }

    fn array_type() -> ArrayType {
        DateTime::<Utc>::array_type()
    }

    fn column_type() -> ColumnType {
        DateTime::<Utc>::column_type()
    }
}

impl Nullable for DbTime {
    fn null() -> Value {
        DateTime::<Utc>::null()
    }
}

impl DbTime {
    /// The moment as PostgreSQL's driver takes it.
    pub(crate) const fn utc(self) -> DateTime<Utc> {
        self.0
    }

    /// The moment as the driver of SQLite writes it.
    pub(crate) fn text(self) -> String {
        self.0.to_rfc3339_opts(SecondsFormat::AutoSi, false)
    }
}

impl From<DateTime<Utc>> for DbTime {
    fn from(moment: DateTime<Utc>) -> Self {
        Self(moment)
    }
}

impl From<Timestamp> for DbTime {
    fn from(moment: Timestamp) -> Self {
        // A `Timestamp` is within the years that chrono knows.
        Self(DateTime::from_timestamp_micros(moment.unix_micros()).unwrap_or(DateTime::UNIX_EPOCH))
    }
}

impl From<DbTime> for Timestamp {
    /// What an older system wrote outside the bounds becomes the nearer bound.
    fn from(DbTime(moment): DbTime) -> Self {
        let micros = moment.timestamp_micros();
        Self::from_unix_micros(micros).unwrap_or(if micros < 0 { Self::MIN } else { Self::MAX })
    }
}

#[cfg(test)]
mod tests {
    use sea_orm::{DbBackend, Statement};
    use tenantry_domain::ports::Store as _;

    use super::*;
    use crate::{DatabaseStore, Options, connection::Connection as _};

    #[tokio::test]
    async fn timestamps_sort_and_come_back_as_they_were_on_sqlite() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}/times.db", folder.path().display());
        let store = DatabaseStore::connect(&Options::new(url)).await.unwrap();
        let mut db = store.begin().await.unwrap().connection;
        let create = "CREATE TABLE times (place bigint, moment timestamp_with_timezone_text)";
        db.execute(Statement::from_string(DbBackend::Sqlite, create)).await.unwrap();

        let start = 1_772_366_400_000_000;
        let micros = [0, 1, 999_999, start - 1, start, start + 1, start + 10, start + 1_000, start + 500_000, start + 1_000_000];
        let moments: Vec<_> = micros.into_iter().filter_map(Timestamp::from_unix_micros).chain([Timestamp::MAX]).collect();
        for (place, &moment) in (0_i64..).zip(&moments) {
            let values = [place.into(), DbTime::from(moment).into()];
            let insert = Statement::from_sql_and_values(DbBackend::Sqlite, "INSERT INTO times VALUES ($1, $2)", values);
            db.execute(insert).await.unwrap();
        }
        let by_time = "SELECT moment FROM times ORDER BY moment";
        let rows = db.fetch_all(Statement::from_string(DbBackend::Sqlite, by_time)).await.unwrap();
        let read: Vec<Timestamp> = rows.iter().map(|row| row.try_get::<DbTime>("", "moment").unwrap().into()).collect();
        assert_eq!(read, moments);

        // What others wrote is read as well, and what is no moment isn't.
        for (text, micros) in [
            ("2026-03-01 12:00:00.5 +00:00", Some(start + 500_000)),
            ("2026-03-01 13:00:00+01:00", Some(start)),
            ("2026-03-01T12:00:00Z", Some(start)),
            ("2026-03-01 12:00:00", Some(start)),
            ("2026-03-01T12:00:00.123456789+00:00", Some(start + 123_456)),
            ("2026-03-01 12:00", Some(start)),
            ("2026-03-01T12:00Z", Some(start)),
            ("2026-03-01 08:30-03:30", Some(start)),
            ("2026-03-01 12:00:00.5Z", Some(start + 500_000)),
            ("2026-03-01T12:00:00.000001", Some(start + 1)),
            ("2026-03-01", None),
            ("2026-03-01 12", None),
            ("2026-03-01 12:00:00 UTC", None),
            ("2026-02-30T12:00:00+00:00", None),
            ("2026-03-01T25:00:00+00:00", None),
            ("2026-03-01T1\u{e9}:0:00+00:00", None),
            ("soon", None),
        ] {
            db.execute(Statement::from_string(DbBackend::Sqlite, format!("UPDATE times SET moment = '{text}'"))).await.unwrap();
            let row = db.fetch_one(Statement::from_string(DbBackend::Sqlite, by_time)).await.unwrap().unwrap();
            let read = row.try_get::<DbTime>("", "moment").ok().map(|moment| Timestamp::from(moment).unix_micros());
            assert_eq!(read, micros, "{text}");
            let read = DbTime::column_result(ValueRef::Text(text.as_bytes())).ok();
            assert_eq!(read.map(|moment| Timestamp::from(moment).unix_micros()), micros, "{text}, by the direct driver");
        }
        db.execute(Statement::from_string(DbBackend::Sqlite, "UPDATE times SET moment = NULL")).await.unwrap();
        let row = db.fetch_one(Statement::from_string(DbBackend::Sqlite, by_time)).await.unwrap().unwrap();
        assert_eq!(row.try_get::<Option<DbTime>>("", "moment").unwrap(), None);
        assert!(row.try_get::<DbTime>("", "moment").is_err());
    }

    #[test]
    fn what_the_driver_writes_is_read_without_it() {
        for text in ["2026-03-01T12:00:00+00:00", "2026-03-01T12:00:00.250+00:00", "2026-03-01 12:00:00.000001 +00:00"] {
            assert!(written_by_the_driver(text).is_some(), "{text}");
        }
        for text in ["", "+00:00", "2026-03-01T12:00:00.+00:00", "2026-03-01x12:00:00+00:00", "+026-03-01T12:00:00+00:00"] {
            assert_eq!(written_by_the_driver(text), None, "{text}");
        }
    }
}
