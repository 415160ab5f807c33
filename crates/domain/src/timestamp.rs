//! One form of time: UTC, whole microseconds.

use std::{fmt, ops, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use time::{Duration, Month, OffsetDateTime, UtcOffset, format_description::well_known::Rfc3339};

use crate::InvalidValue;

/// A moment in UTC, truncated to microseconds (PostgreSQL's resolution), so that what was written is what is read.
///
/// Between the years 1970 and 9999, which every store can hold and RFC 3339 can show. Arithmetic stays inside these bounds.
///
/// # Example
///
/// ```
/// use tenantry_domain::Timestamp;
///
/// let noon: Timestamp = "2026-03-15T13:00:00+01:00".parse()?;
/// assert_eq!(noon.to_string(), "2026-03-15T12:00:00Z");
/// assert_eq!((noon + time::Duration::DAY).day().to_string(), "2026-03-16");
/// assert_eq!(noon.month().end().to_string(), "2026-04-01T00:00:00Z");
/// # Ok::<_, tenantry_domain::InvalidValue>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(OffsetDateTime);

impl Timestamp {
    /// 1970-01-01T00:00:00Z.
    pub const MIN: Self = Self(OffsetDateTime::UNIX_EPOCH);
    /// The last whole second of the year 9999.
    pub const MAX: Self = Self(time::macros::datetime!(9999-12-31 23:59:59 UTC));

    /// Truncates `moment` to microseconds and moves it to UTC; outside the bounds it becomes the nearer bound.
    #[must_use]
    pub fn new(moment: OffsetDateTime) -> Self {
        // `None` where UTC is in a year that a date can't be in: the offset takes the last hours of 9999 there.
        let Some(utc) = moment.checked_to_offset(UtcOffset::UTC) else {
            return if moment.year() > 0 { Self::MAX } else { Self::MIN };
        };
        let whole = utc.replace_microsecond(utc.microsecond()).unwrap_or(utc);
        Self(whole).clamp(Self::MIN, Self::MAX)
    }

    /// Microseconds since 1970; `None` outside the bounds.
    #[must_use]
    pub fn from_unix_micros(micros: i64) -> Option<Self> {
        let moment = OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1000).ok()?;
        (Self::MIN.0..=Self::MAX.0).contains(&moment).then_some(Self(moment))
    }

    /// Microseconds since 1970.
    #[must_use]
    pub fn unix_micros(self) -> i64 {
        i64::try_from(self.0.unix_timestamp_nanos() / 1000).unwrap_or(i64::MAX)
    }

    /// Milliseconds since 1970.
    #[must_use]
    pub fn unix_millis(self) -> u64 {
        u64::try_from(self.0.unix_timestamp_nanos() / 1_000_000).unwrap_or(0)
    }

    /// Whole seconds since 1970: the moment, or the last whole second before it.
    #[must_use]
    pub fn unix_seconds(self) -> u64 {
        u64::try_from(self.0.unix_timestamp()).unwrap_or(0)
    }

    /// The last whole second that isn't later.
    #[must_use]
    pub fn whole_second(self) -> Self {
        Self(self.0.replace_microsecond(0).unwrap_or(self.0))
    }

    /// The moment as the `time` crate has it.
    #[must_use]
    pub const fn as_offset_date_time(self) -> OffsetDateTime {
        self.0
    }

    /// This moment, or the one after `earlier` where it isn't later: what keeps a row's `updated_at` moving on while clocks stand or
    /// disagree.
    #[must_use]
    pub fn after(self, earlier: Self) -> Self {
        self.max(earlier + Duration::MICROSECOND)
    }

    /// The calendar day (UTC) that this moment is in.
    #[must_use]
    pub fn day(self) -> CalendarDay {
        CalendarDay(self.unix_micros() / CalendarDay::MICROS)
    }

    /// The calendar month (UTC) that this moment is in.
    #[must_use]
    pub fn month(self) -> CalendarMonth {
        CalendarMonth { year: self.0.year(), month: u8::from(self.0.month()) }
    }
}

impl ops::Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self::new(self.0.saturating_add(duration))
    }
}

impl ops::Sub<Duration> for Timestamp {
    type Output = Self;

    fn sub(self, duration: Duration) -> Self {
        Self::new(self.0.saturating_sub(duration))
    }
}

impl ops::Sub for Timestamp {
    type Output = Duration;

    fn sub(self, earlier: Self) -> Duration {
        self.0 - earlier.0
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.format(&Rfc3339).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Timestamp {
    type Err = InvalidValue;

    /// Reads RFC 3339, in whatever offset.
    ///
    /// # Errors
    /// `invalid_time` for another text, `out_of_range` for a moment before 1970 or after 9999 in UTC.
    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let invalid = |_| InvalidValue::new("invalid_time", "must be a moment by RFC 3339, such as `2026-11-25T09:30:00Z`");
        let moment = OffsetDateTime::parse(text, &Rfc3339).map_err(invalid)?;
        let utc = moment.checked_to_offset(UtcOffset::UTC).filter(|utc| (1970..=9999).contains(&utc.year()));
        utc.map(Self::new).ok_or_else(|| InvalidValue::new("out_of_range", "must be in the years 1970 to 9999"))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

/// A month of the calendar in UTC, which quotas are counted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CalendarMonth {
    /// The year, 1970 to 9999.
    pub year: i32,
    /// The month, 1 to 12.
    pub month: u8,
}

impl CalendarMonth {
    /// The month's first moment, inclusive.
    #[must_use]
    pub fn start(self) -> Timestamp {
        let month = Month::try_from(self.month).unwrap_or(Month::January);
        time::Date::from_calendar_date(self.year, month, 1)
            .map_or(Timestamp::MIN, |date| Timestamp::new(date.midnight().assume_utc()))
    }

    /// The month's end, exclusive: the start of the next.
    #[must_use]
    pub fn end(self) -> Timestamp {
        let (year, month) = if self.month >= 12 { (self.year + 1, 1) } else { (self.year, self.month + 1) };
        if year > 9999 { Timestamp::MAX } else { Self { year, month }.start() }
    }
}

impl fmt::Display for CalendarMonth {
    /// As `2026-03`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.month)
    }
}

/// A day of the calendar in UTC, from 1970-01-01 on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CalendarDay(i64);

impl CalendarDay {
    const MICROS: i64 = 86_400_000_000;

    /// The day that so many days after 1970-01-01 is; the nearer bound outside of the years that a [`Timestamp`] can be in.
    #[must_use]
    pub fn from_days_since_1970(days: i64) -> Self {
        Self(days.clamp(0, Timestamp::MAX.day().0))
    }

    /// Days since 1970-01-01.
    #[must_use]
    pub const fn days_since_1970(self) -> i64 {
        self.0
    }

    /// The day's first moment, inclusive.
    #[must_use]
    pub fn start(self) -> Timestamp {
        Timestamp::from_unix_micros(self.0 * Self::MICROS).unwrap_or(Timestamp::MAX)
    }

    /// The day so many days before.
    #[must_use]
    pub fn days_before(self, days: u16) -> Self {
        Self::from_days_since_1970(self.0 - i64::from(days))
    }

    /// The day after.
    #[must_use]
    pub fn next(self) -> Self {
        Self::from_days_since_1970(self.0 + 1)
    }
}

impl fmt::Display for CalendarDay {
    /// As RFC 3339 writes it: `2026-03-01`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let date = self.start().as_offset_date_time().date();
        write!(f, "{:04}-{:02}-{:02}", date.year(), u8::from(date.month()), date.day())
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn nanoseconds_are_cut_and_offsets_become_utc() {
        let moment = Timestamp::new(datetime!(2026-03-01 01:00:00.123_456_789 +02:00));
        assert_eq!(moment.to_string(), "2026-02-28T23:00:00.123456Z");
        assert_eq!(Timestamp::from_unix_micros(moment.unix_micros()), Some(moment));
    }

    #[test]
    fn a_moment_is_read_in_whatever_offset_and_shown_in_utc() {
        let read = |text: &str| text.parse::<Timestamp>().map(|moment| moment.to_string()).ok();
        assert_eq!(read("2026-11-25T09:30:00.5+01:00").as_deref(), Some("2026-11-25T08:30:00.5Z"));
        assert!(["", "2026-11-25", "2026-11-25T09:30:00", "2026-13-25T09:30:00Z", "now"].iter().all(|text| read(text).is_none()));
    }

    #[test]
    fn a_moment_outside_the_bounds_is_refused_when_read_and_moved_when_given() {
        let code = |text: &str| text.parse::<Timestamp>().map_or_else(|invalid| invalid.code, |_| "read");
        assert_eq!(code("1970-01-01T00:00:00Z"), "read");
        assert_eq!(code("9999-12-31T23:59:59.9Z"), "read");
        for text in
            ["1900-01-01T00:00:00Z", "1970-01-01T00:59:59+01:00", "9999-12-31T23:59:59-00:01", "0000-01-01T00:00:00+00:01"]
        {
            assert_eq!(code(text), "out_of_range", "{text}");
        }
        assert_eq!(Timestamp::new(datetime!(9999-12-31 23:59:59 -1)), Timestamp::MAX);
        assert_eq!(Timestamp::new(datetime!(-9999-01-01 0:00 +1)), Timestamp::MIN);
    }

    #[test]
    fn arithmetic_stays_in_bounds() {
        assert_eq!(Timestamp::MAX + Duration::MAX, Timestamp::MAX);
        assert_eq!(Timestamp::MIN - Duration::MAX, Timestamp::MIN);
        assert_eq!(Timestamp::from_unix_micros(-1), None);
        assert_eq!(Timestamp::from_unix_micros(i64::MAX), None);
    }

    #[test]
    fn what_comes_after_is_later_whatever_the_clock_says() {
        let noon = Timestamp::new(datetime!(2026-03-15 12:00 UTC));
        assert_eq!(noon.after(noon - Duration::SECOND), noon);
        assert_eq!(noon.after(noon), noon + Duration::MICROSECOND);
        assert_eq!(noon.after(noon + Duration::HOUR), noon + Duration::HOUR + Duration::MICROSECOND);
    }

    #[test]
    fn a_month_ends_where_the_next_starts() {
        let december = Timestamp::new(datetime!(2026-12-31 23:59:59.999_999 UTC)).month();
        assert_eq!(december.start().to_string(), "2026-12-01T00:00:00Z");
        assert_eq!(december.end().to_string(), "2027-01-01T00:00:00Z");
        assert_eq!(december.end().month().month, 1);
        assert_eq!(december.to_string(), "2026-12");
        assert_eq!(Timestamp::MAX.month().end(), Timestamp::MAX);
    }

    #[test]
    fn a_day_is_the_calendars_in_utc() {
        let last = Timestamp::new(datetime!(2028-02-29 23:59:59.999_999 UTC));
        assert_eq!(
            (last.day().to_string(), last.day().start().to_string()),
            ("2028-02-29".into(), "2028-02-29T00:00:00Z".into())
        );
        assert_eq!(last.day().next().to_string(), "2028-03-01");
        assert_eq!(last.day().next().start(), last + Duration::MICROSECOND);
        assert_eq!(last.day().next().days_before(60).to_string(), "2028-01-01");
        assert_eq!(Timestamp::MIN.day().days_before(1), Timestamp::MIN.day());
        assert_eq!(Timestamp::MAX.day().next(), Timestamp::MAX.day());
        assert_eq!(Timestamp::MAX.day().to_string(), "9999-12-31");
    }
}
