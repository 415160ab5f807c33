//! The limit on SQLite: the server's statements by the bare driver, without anything above it. It has a copy of the file to itself.
//!
//! Each caller reads on a connection of its own, and takes turns with the others to write on one that they share; each turn is a transaction.

use std::sync::Arc;

use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, Sqlite, SqliteConnection,
    query::Query,
    sqlite::{SqliteArguments, SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
    types::Uuid,
};
use tenantry_domain::{Clock as _, Entropy as _, SystemClock, SystemEntropy};
use tokio::sync::Mutex;

use crate::{
    fill::new_id,
    load::Caller,
    operation::Operation,
    prepare::Prepared,
    sql::on_sqlite,
    template::{Own, Piece, Role, Template},
    value::{Value, hex, moment},
};

/// What an operation runs, in the server's steps.
pub struct Script {
    operation: Operation,
    rows: Arc<Prepared>,
    steps: Vec<Step>,
}

/// A statement on its own, or several in a transaction.
struct Step {
    statements: Vec<Statement>,
    writes: bool,
}

struct Statement {
    sql: String,
    roles: Vec<Role>,
    /// How many rows it must come to.
    rows: u64,
}

impl Statement {
    /// Whether its rows are an answer, and not what it has written.
    fn answers(&self) -> bool {
        let last = self.sql.rsplit(';').next().unwrap_or_default().trim_start();
        last.starts_with("SELECT") || last.starts_with("WITH") || last.contains(" RETURNING ")
    }
}

impl Script {
    pub fn new(operation: Operation, template: &Template, rows: &Arc<Prepared>) -> Arc<Self> {
        let mut steps = Vec::new();
        let mut together: Option<Vec<Statement>> = None;
        for (statement, &rows) in template.statements.iter().zip(&template.rows) {
            match statement.sql.as_str() {
                "BEGIN" => together = Some(Vec::new()),
                "COMMIT" => steps.extend(together.take().map(|statements| Step { statements, writes: true })),
                sql => {
                    let Some(sql) = on_sqlite(sql) else { continue };
                    let writes = !sql.starts_with("SELECT");
                    let statement = Statement { sql, roles: statement.roles.clone(), rows };
                    match &mut together {
                        Some(statements) => statements.push(statement),
                        None => steps.push(Step { statements: vec![statement], writes }),
                    }
                }
            }
        }
        Arc::new(Self { operation, rows: Arc::clone(rows), steps })
    }
}

/// How the limit's file is opened: as the server opens its own.
pub fn options(url: &str) -> SqliteConnectOptions {
    let options = url.parse::<SqliteConnectOptions>().expect("a URL");
    let durable = options.journal_mode(SqliteJournalMode::Wal).synchronous(SqliteSynchronous::Full);
    durable.foreign_keys(true).disable_statement_logging()
}

/// One of the callers.
pub struct SqliteCaller {
    reader: SqliteConnection,
    writer: Arc<Mutex<SqliteConnection>>,
    script: Arc<Script>,
}

impl SqliteCaller {
    pub async fn several(url: &str, count: usize, script: &Arc<Script>) -> Vec<Self> {
        let options = options(url);
        let connect = || async { SqliteConnection::connect_with(&options).await.expect("the file opens") };
        let writer = Arc::new(Mutex::new(connect().await));
        let mut callers = Vec::new();
        for _ in 0..count {
            callers.push(Self { reader: connect().await, writer: Arc::clone(&writer), script: Arc::clone(script) });
        }
        callers
    }
}

impl Caller for SqliteCaller {
    async fn call(&mut self, item: usize) -> Result<(), String> {
        let script = Arc::clone(&self.script);
        let item = Item { own: script.operation.own(&script.rows, item), number: item, now: SystemClock.now().unix_micros() };
        for step in &script.steps {
            if step.writes {
                let mut writer = self.writer.lock().await;
                let mut transaction = writer.begin_with("BEGIN IMMEDIATE").await.map_err(said)?;
                for statement in &step.statements {
                    run(&mut transaction, statement, &item).await?;
                }
                transaction.commit().await.map_err(said)?;
            } else {
                for statement in &step.statements {
                    run(&mut self.reader, statement, &item).await?;
                }
            }
        }
        Ok(())
    }
}

async fn run(connection: &mut SqliteConnection, statement: &Statement, item: &Item) -> Result<(), String> {
    let mut query = sqlx::query::<Sqlite>(AssertSqlSafe(statement.sql.as_str()));
    for role in &statement.roles {
        query = bind(query, item.value(role));
    }
    let rows = if statement.answers() {
        query.fetch_all(connection).await.map_err(said)?.len() as u64
    } else {
        query.execute(connection).await.map_err(said)?.rows_affected()
    };
    if rows == statement.rows {
        Ok(())
    } else {
        Err(format!("{rows} rows where {} should be: {}", statement.rows, statement.sql))
    }
}

fn bind(query: Query<'_, Sqlite, SqliteArguments>, value: Value) -> Query<'_, Sqlite, SqliteArguments> {
    match value {
        Value::Null(_) => query.bind(None::<String>),
        Value::Flag(flag) => query.bind(flag),
        Value::Number(number) => query.bind(number),
        Value::Text(text) => query.bind(text),
        Value::Bytes(bytes) => query.bind(bytes),
        Value::Uuid(id) => query.bind(id),
        Value::Time(micros) => query.bind(moment(micros)),
        Value::Many(..) | Value::Unknown(_) => panic!("SQLite has no {value:?}: tell sql.rs what the server runs there"),
    }
}

/// An item's values.
struct Item {
    own: Vec<Own>,
    number: usize,
    now: i64,
}

impl Item {
    fn value(&self, role: &Role) -> Value {
        match role {
            Role::Same(value) => value.clone(),
            Role::Own(place) => self.own[*place].value.clone(),
            Role::NewId(number) => Value::Uuid(self.new_id(*number)),
            Role::NewBytes => {
                let mut bytes = vec![0; 32];
                SystemEntropy.fill(&mut bytes);
                Value::Bytes(bytes)
            }
            Role::TenantBytes => self.tenant_bytes(),
            Role::Moment(seconds) => Value::Time(self.now + seconds * 1_000_000),
            Role::Text(pieces) => {
                let piece = |piece: &Piece| match piece {
                    Piece::Plain(text) => text.clone(),
                    Piece::Id(role) => match self.value(role) {
                        Value::Uuid(id) => hex(id.as_bytes()),
                        value => panic!("{value:?} is no identifier"),
                    },
                };
                Value::Text(pieces.iter().map(piece).collect())
            }
        }
    }

    fn new_id(&self, number: usize) -> Uuid {
        new_id(self.number, number)
    }

    /// The tenant's identifier, twice.
    fn tenant_bytes(&self) -> Value {
        let tenant = self.own.iter().find_map(|own| if let Value::Uuid(id) = own.value { Some(id) } else { None });
        Value::Bytes(tenant.expect("the item's first identifier is its tenant's").as_bytes().repeat(2))
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it ends a chain of map_err")]
pub fn said(error: sqlx::Error) -> String {
    error.to_string()
}
