//! What a restored database must not bring back: what opened doors and was ended since, and what was sent since.
//!
//! The database that is replaced still knows. It is asked before its rows go, in tables of the connection's own.

use tenantry_domain::Timestamp;

use crate::timestamp::DbTime;

use super::file::Opened;

/// Rows that open a door until they are ended, and the column that says since when they are.
const DOORS: [(&str, &str); 4] = [
    ("tenant_sessions", "revoked_at"),
    ("operator_sessions", "revoked_at"),
    ("api_keys", "revoked_at"),
    ("otp_challenges", "consumed_at"),
];

/// Those of them that a restore ends anyway, unless it is told to keep them.
const SIGNED_IN: [(&str, &str); 3] =
    [("tenant_sessions", "revoked_at"), ("operator_sessions", "revoked_at"), ("otp_challenges", "consumed_at")];

/// Notes what has ended and what was sent, while the rows are still there.
pub(super) async fn note(opened: &mut Opened) -> sqlx::Result<()> {
    for (table, ended) in DOORS {
        let note = format!(
            "CREATE TEMP TABLE ended_{table} AS SELECT id, {ended} AS ended_at FROM main.{table}
            WHERE {ended} IS NOT NULL AND id IN (SELECT id FROM backup.{table} WHERE {ended} IS NULL)"
        );
        opened.run(note, []).await?;
    }
    let sent = "CREATE TEMP TABLE settled AS SELECT id, settled_at, outcome, payload FROM main.outbox
        WHERE settled_at IS NOT NULL AND id IN (SELECT id FROM backup.outbox WHERE settled_at IS NULL)";
    opened.run(sent, []).await.map(|_| ())
}

/// Ends again what was noted; without `keep_sessions` everything that somebody is signed in by, and the mails of open sign-ins too.
pub(super) async fn settle(opened: &mut Opened, keep_sessions: bool, now: Timestamp) -> sqlx::Result<Settled> {
    let now = DbTime::from(now).text();
    for (table, ended) in DOORS {
        let end = format!(
            "UPDATE main.{table} AS door SET {ended} = noted.ended_at FROM temp.ended_{table} AS noted WHERE noted.id = door.id"
        );
        opened.run(end, []).await?;
    }
    let sent = "UPDATE main.outbox AS message SET settled_at = noted.settled_at, outcome = noted.outcome, payload = noted.payload
        FROM temp.settled AS noted WHERE noted.id = message.id";
    let messages_sent = opened.run(sent, []).await?;
    let mut settled = Settled { sessions_ended: 0, messages_sent };
    if !keep_sessions {
        for (table, ended) in SIGNED_IN {
            let end = format!("UPDATE main.{table} SET {ended} = $1 WHERE {ended} IS NULL");
            let ended = opened.run(end, [now.as_str().into()]).await?;
            if table != "otp_challenges" {
                settled.sessions_ended += ended;
            }
        }
        // What such a mail carries opens nothing any more.
        let drop = "UPDATE main.outbox SET settled_at = $1, outcome = 'dropped', payload = NULL
            WHERE settled_at IS NULL AND webhook_id IS NULL AND not_after IS NOT NULL";
        opened.run(drop, [now.as_str().into()]).await?;
    }
    // A link that was used is gone from the database that is replaced, and may be in the backup.
    opened.run("DELETE FROM main.bootstrap_links", []).await?;
    Ok(settled)
}

/// What was ended.
pub(super) struct Settled {
    pub(super) sessions_ended: u64,
    pub(super) messages_sent: u64,
}
