//! Timestamps as the databases keep them.

use chrono::{DateTime, SecondsFormat, Utc};
use sea_orm::DeriveValueType;
use tenantry_domain::Timestamp;

/// A moment as `timestamptz` on PostgreSQL and, on SQLite, as text such as `2026-03-01T12:00:00.250+00:00`.
///
/// The text has no, three or six decimals, and still sorts by time: `+` comes before `.` and before every digit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, DeriveValueType)]
pub(crate) struct DbTime(DateTime<Utc>);

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
    }
}
