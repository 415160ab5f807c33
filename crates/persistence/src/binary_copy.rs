//! Rows in PostgreSQL's binary COPY format, which it takes fastest.

use std::mem;

use uuid::Uuid;

use crate::timestamp::DbTime;

/// Rows, each of the same number of fields.
pub(crate) struct BinaryRows {
    bytes: Vec<u8>,
    fields: i16,
}

impl BinaryRows {
    /// No rows yet, of so many fields.
    pub(crate) fn of(fields: i16) -> Self {
        // The signature, no flags, no extension.
        Self { bytes: b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0".to_vec(), fields }
    }

    /// Begins a row, whose fields follow.
    pub(crate) fn begin(&mut self) {
        self.bytes.extend(self.fields.to_be_bytes());
    }

    pub(crate) fn uuid(&mut self, value: Uuid) {
        self.field(value.as_bytes());
    }

    pub(crate) fn bytes(&mut self, value: &[u8]) {
        self.field(value);
    }

    pub(crate) fn text(&mut self, value: &str) {
        self.field(value.as_bytes());
    }

    pub(crate) fn bigint(&mut self, value: i64) {
        self.field(&value.to_be_bytes());
    }

    pub(crate) fn moment(&mut self, value: DbTime) {
        // Microseconds since 2000.
        const EPOCH: i64 = 946_684_800_000_000;
        self.field(&(value.utc().timestamp_micros() - EPOCH).to_be_bytes());
    }

    pub(crate) fn null(&mut self) {
        self.bytes.extend((-1_i32).to_be_bytes());
    }

    fn field(&mut self, value: &[u8]) {
        // A field of the callers is a few hundred bytes at the most.
        let length = i32::try_from(value.len()).unwrap_or(i32::MAX);
        self.bytes.extend(length.to_be_bytes());
        self.bytes.extend(value);
    }

    /// What there is and wasn't taken yet.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        let next = Vec::with_capacity(self.bytes.len());
        mem::replace(&mut self.bytes, next)
    }

    /// What ends the rows.
    pub(crate) fn end(&mut self) {
        self.bytes.extend((-1_i16).to_be_bytes());
    }
}
