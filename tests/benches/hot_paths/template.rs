//! What an operation runs, learned from the wire: the server's own statements, and for each of their values where it comes from.
//!
//! So that the limit runs what the server runs, nobody writes it down twice. A value is the item's own (its tenant, its code's digest), new
//! with each item (the identifier of a row that is written), a moment that lies so far from now, or always the same.

use sqlx::types::Uuid;

use tenantry_tests::Traffic;

use crate::{
    fill::is_row,
    value::{Value, hex, quoted},
};

/// A value of an item, and how SQL on the limit's side says it: see `fill.rs` for the functions, and `pgbench.rs` for the variables.
#[derive(Clone, Debug)]
pub struct Own {
    pub value: Value,
    pub sql: String,
}

/// One request as it was on the wire.
pub struct Probe {
    pub traffic: Traffic,
    /// The item's values, in the same order for each item of an operation.
    pub own: Vec<Own>,
    /// When it was sent, in microseconds since 1970.
    pub sent: i64,
}

/// What an operation runs.
#[derive(Clone, Debug)]
pub struct Template {
    pub statements: Vec<Statement>,
    /// The rows that each answers or writes.
    pub rows: Vec<u64>,
    pub round_trips: usize,
    pub commits: usize,
    own: Vec<String>,
}

/// A statement, and where its values come from.
#[derive(Clone, Debug)]
pub struct Statement {
    pub sql: String,
    pub roles: Vec<Role>,
}

/// Where a value comes from.
#[derive(Clone, Debug)]
pub enum Role {
    /// It is always the same.
    Same(Value),
    /// It is the item's, by its place.
    Own(usize),
    /// An identifier that is new with each item, by its number in it.
    NewId(usize),
    /// 32 bytes that are new with each item.
    NewBytes,
    /// 32 bytes that the items of a tenant have in common.
    TenantBytes,
    /// So many seconds from now.
    Moment(i64),
    /// Text with identifiers in it.
    Text(Vec<Piece>),
}

/// A part of a text.
#[derive(Clone, Debug)]
pub enum Piece {
    Plain(String),
    /// An identifier, in 32 hexadecimal digits.
    Id(Role),
}

impl Template {
    /// Learns from several requests, of which the shortest count: the first few also prepare statements.
    pub fn learn(probes: &[Probe]) -> Self {
        let base = probes.iter().rev().min_by_key(|probe| (probe.traffic.statements.len(), probe.traffic.round_trips));
        let base = base.expect("there are probes");
        let same: Vec<_> = probes.iter().filter(|probe| probe.traffic.statements == base.traffic.statements).collect();
        assert!(same.len() > 1, "no two requests ran the same statements: {:#?}", base.traffic.statements);
        let mut learned = Learner { base, new_ids: Vec::new() };
        let statements = base.traffic.statements.iter().zip(&base.traffic.values).enumerate().map(|(place, (sql, values))| {
            let roles = values.iter().enumerate().map(|(number, value)| {
                let is_same = same.iter().all(|probe| probe.traffic.values[place][number] == *value);
                learned.role(&Value::of(value), sql, is_same)
            });
            Statement { sql: sql.clone(), roles: roles.collect() }
        });
        Self {
            statements: statements.collect(),
            rows: base.traffic.rows.clone(),
            round_trips: base.traffic.round_trips,
            commits: commits(&base.traffic.statements),
            own: base.own.iter().map(|own| own.sql.clone()).collect(),
        }
    }

    /// The statements as pgbench runs them, and psql: with SQL in the place of values.
    pub fn with_sql(&self) -> Vec<String> {
        let statement = |statement: &Statement| {
            let mut sql = String::new();
            let mut rest = statement.sql.as_str();
            while let Some((before, after)) = rest.split_once('$') {
                let digits = after.len() - after.trim_start_matches(|c: char| c.is_ascii_digit()).len();
                let role = after[..digits].parse::<usize>().ok().and_then(|number| statement.roles.get(number.checked_sub(1)?));
                sql += before;
                match role {
                    Some(role) => sql += &self.role_sql(role),
                    None => sql = sql + "$" + &after[..digits],
                }
                rest = &after[digits..];
            }
            sql + rest
        };
        self.statements.iter().map(statement).collect()
    }

    fn role_sql(&self, role: &Role) -> String {
        match role {
            Role::Same(value) => value.sql(),
            Role::Own(place) => self.own[*place].clone(),
            Role::NewId(number) => format!("bench_new_uuid(:item, {number})"),
            // No row has the digest of a number below zero.
            Role::NewBytes => "bench_digest(-1 - :item)".to_owned(),
            Role::TenantBytes => "bench_digest(:t)".to_owned(),
            Role::Moment(0) => "now()".to_owned(),
            Role::Moment(seconds) => format!("(now() + '{seconds} s'::interval)"),
            Role::Text(pieces) => {
                let pieces = pieces.iter().map(|piece| match piece {
                    Piece::Plain(text) => quoted(text),
                    Piece::Id(role) => format!("replace({}::text, '-', '')", self.role_sql(role)),
                });
                format!("({})", pieces.collect::<Vec<_>>().join(" || "))
            }
        }
    }
}

/// How often something is committed, be it by itself or by a statement that stands alone and writes.
fn commits(statements: &[String]) -> usize {
    let mut is_open = false;
    let commits = statements.iter().filter(|sql| match sql.as_str() {
        "BEGIN" => {
            is_open = true;
            false
        }
        "COMMIT" => {
            is_open = false;
            true
        }
        sql => !is_open && writes(sql),
    });
    commits.count()
}

/// Whether a statement writes, by itself or in one of its parts.
fn writes(sql: &str) -> bool {
    let verbs = ["INSERT INTO ", "UPDATE ", "DELETE FROM "];
    verbs.iter().any(|verb| sql.starts_with(verb) || sql.contains(&format!("({verb}")) || sql.contains(&format!("( {verb}")))
}

struct Learner<'a> {
    base: &'a Probe,
    new_ids: Vec<Uuid>,
}

impl Learner<'_> {
    fn role(&mut self, value: &Value, sql: &str, is_same: bool) -> Role {
        if let Some(place) = self.base.own.iter().position(|own| own.value == *value) {
            return Role::Own(place);
        }
        match value {
            Value::Time(micros) => Role::Moment((micros - self.base.sent + 500_000).div_euclid(1_000_000)),
            _ if is_same => Role::Same(value.clone()),
            // Whatever the order that they come in.
            Value::Uuid(id) if is_row(*id) => Role::Same(value.clone()),
            Value::Uuid(id) => Role::NewId(self.new_id(*id)),
            // Buckets are a tenant's, and digests a row's.
            Value::Bytes(bytes) if bytes.len() == 32 && sql.contains("bucket") => Role::TenantBytes,
            Value::Bytes(bytes) if bytes.len() == 32 => Role::NewBytes,
            Value::Text(text) => Role::Text(self.pieces(text)),
            _ => Role::Same(value.clone()),
        }
    }

    fn new_id(&mut self, id: Uuid) -> usize {
        self.new_ids.iter().position(|known| *known == id).unwrap_or_else(|| {
            self.new_ids.push(id);
            self.new_ids.len() - 1
        })
    }

    /// Takes a text apart where it has identifiers.
    fn pieces(&mut self, text: &str) -> Vec<Piece> {
        const DIGITS: usize = 32;
        let mut pieces = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let run = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_hexdigit()).len();
            // An identifier of zeros stands for one that only the database knows.
            if run == DIGITS && rest[..run].bytes().any(|digit| digit != b'0') {
                if !plain.is_empty() {
                    pieces.push(Piece::Plain(std::mem::take(&mut plain)));
                }
                pieces.push(Piece::Id(self.id_in_text(&rest[..run])));
            } else {
                plain += &rest[..run.max(first.len_utf8())];
            }
            rest = &rest[run.max(first.len_utf8())..];
        }
        pieces.extend((!plain.is_empty()).then_some(Piece::Plain(plain)));
        pieces
    }

    fn id_in_text(&mut self, digits: &str) -> Role {
        let is_it = |own: &Own| matches!(&own.value, Value::Uuid(id) if hex(id.as_bytes()) == digits);
        match self.base.own.iter().position(is_it) {
            Some(place) => Role::Own(place),
            None => Role::NewId(self.new_id(Uuid::parse_str(digits).expect("32 hexadecimal digits"))),
        }
    }
}
