//! A session with the first page of its tenant's projects: what a tenant's first page is made of, in one round trip. On PostgreSQL those
//! that are asked for at the same time share it.

use std::{cmp::Reverse, sync::LazyLock};

use sea_orm::{DbErr, FromQueryResult, IdenStatic as _, QueryResult, Value, sea_query::ArrayType};
use tenantry_domain::{Page, PageLimit, PageRequest, Project, Session, StoreError, Tenant, TokenDigest};

use crate::{
    Handle,
    connection::{Ask, Connection, Pool, Pooled},
    entities::projects::{self, ProjectRow},
    handle::places,
    row::{Columns, Corruption, HotRow, InOrder, Row},
    sessions::{FROM_SESSIONS, SESSION_AND_TENANT, SessionAndTenant},
};

/// A session, its tenant, and a page of the tenant's projects.
pub type SessionPage = (Session, Tenant, Page<Project>);

/// Whose session, and how many projects.
pub struct Question {
    pub(crate) digests: Vec<TokenDigest>,
    pub(crate) limit: PageLimit,
}

/// Asks for several at once, on a pool's connections.
pub struct SessionPages {
    pub(crate) pool: Pool,
}

/// Where the columns of [`projects::READ`] are in a row: each in the place of one of [`SESSION_AND_TENANT`] of its type, so that a project's row is no
/// wider than a session's. What a row has more than it needs is nulls, which cost both sides nearly what values do.
const PROJECT: [usize; 14] = [0, 5, 1, 10, 6, 11, 12, 13, 14, 3, 4, 15, 7, 8];

/// Where a session has its digest, and a project a null.
const DIGEST: usize = 2;

/// The columns of the session's row and of the projects' rows.
struct Lists {
    session: String,
    /// In [`PROJECT`]'s places.
    project: String,
    /// All that is needed for that.
    read: String,
}

static LISTS: LazyLock<Lists> = LazyLock::new(|| {
    let alias = |(place, column)| format!("{column} AS s{place}");
    let in_place = |place| projects::READ.iter().zip(PROJECT).find_map(|(column, of)| (of == place).then_some(column.as_str()));
    Lists {
        session: SESSION_AND_TENANT.into_iter().enumerate().map(alias).collect::<Vec<_>>().join(", "),
        project: (0..SESSION_AND_TENANT.len()).map(|place| in_place(place).unwrap_or("NULL")).collect::<Vec<_>>().join(", "),
        read: projects::READ.map(|column| column.as_str().to_owned()).join(", "),
    }
});

/// [`SESSION_AND_TENANT`], and one project more than a page has, as rows of one answer. The projects' tenant is looked up once more, in
/// place of a join: that is what leads to the index in the list's order.
fn one(digests: &[TokenDigest], page: PageRequest<Project>) -> (String, Vec<Value>) {
    let Lists { session, project, read } = &*LISTS;
    let mut values: Vec<Value> = digests.iter().map(|digest| digest.as_bytes().to_vec().into()).collect();
    let places = places(values.len());
    let after = page.after.map_or_else(String::new, |after| {
        values.push(after.uuid().into());
        format!("AND id < ${}", values.len())
    });
    let query = format!(
        "SELECT 0, {session} {FROM_SESSIONS} ({places}) UNION ALL SELECT 0, {project} FROM (
            SELECT {read} FROM llm_project_config
            WHERE tenant_id = (SELECT tenant_id FROM tenant_sessions WHERE token_digest IN ({places}) LIMIT 1) {after}
            ORDER BY llm_project_config.id DESC LIMIT {}
        ) AS projects",
        page.limit.get() + 1
    );
    (query, values)
}

/// The same for several sessions, whose place in the list of questions each row has in front.
fn several(questions: &[Question], limit: PageLimit) -> (String, [Value; 2]) {
    let Lists { session, project, read } = &*LISTS;
    let asked =
        || (0_i32..).zip(questions).flat_map(|(place, question)| question.digests.iter().map(move |digest| (place, digest)));
    let digests = asked().map(|(_, digest)| digest.as_bytes().to_vec().into()).collect();
    let askers = asked().map(|(place, _)| place.into()).collect();
    // In a SELECT of their own the lists are of unknown length to who plans. A plan for a short list looks cheaper than one for any, and so
    // PostgreSQL would make one for each list, which takes longer than to read what is asked for.
    let query = format!(
        "WITH asked AS (SELECT * FROM unnest((SELECT $1::bytea[]), (SELECT $2::int[])) AS asked (digest, place)), found AS MATERIALIZED (
            SELECT asked.place, {session} FROM asked
            JOIN tenant_sessions s ON s.token_digest = asked.digest JOIN tenants t ON t.id = s.tenant_id
        )
        SELECT * FROM found UNION ALL SELECT found.place, {project} FROM found CROSS JOIN LATERAL (
            SELECT {read} FROM llm_project_config WHERE tenant_id = found.s1 ORDER BY llm_project_config.id DESC LIMIT {}
        ) AS projects",
        limit.get() + 1
    );
    (query, [Value::Array(ArrayType::Bytes, Some(Box::new(digests))), Value::Array(ArrayType::Int, Some(Box::new(askers)))])
}

/// A row of either query.
struct Part {
    /// Of the question that it answers.
    place: usize,
    of: Result<SessionAndTenant, ProjectRow>,
}

/// [`Part`], read.
enum Found {
    Session(Box<(Session, Tenant)>),
    Project(Box<Project>),
}

impl FromQueryResult for Part {
    fn from_query_result(row: &QueryResult, _: &str) -> Result<Self, DbErr> {
        Self::read(row)
    }
}

impl HotRow for Part {
    fn read(row: &impl Columns) -> Result<Self, DbErr> {
        let place = usize::try_from(row.get::<i32>(0)?).unwrap_or(usize::MAX);
        let digest: Option<Vec<u8>> = row.get(1 + DIGEST)?;
        let of = match digest {
            Some(_) => Ok(SessionAndTenant::in_order(&mut InOrder::at(row, 1..))?),
            None => Err(ProjectRow::in_order(&mut InOrder::at(row, PROJECT.into_iter().map(|place| 1 + place)))?),
        };
        Ok(Self { place, of })
    }
}

impl Row for Part {
    type Value = (usize, Found);
    const WHAT: &'static str = SessionAndTenant::WHAT;

    fn into_value(self) -> Result<Self::Value, Corruption> {
        let found = match self.of {
            Ok(session) => Found::Session(Box::new(session.into_value()?)),
            Err(project) => Found::Project(Box::new(project.into_value()?)),
        };
        Ok((self.place, found))
    }
}

/// What was found for a question as yet.
type Answer = (Option<(Session, Tenant)>, Vec<Project>);

/// The answers to so many questions.
fn answers(parts: Vec<(usize, Found)>, questions: usize, limit: PageLimit) -> Vec<Option<SessionPage>> {
    let mut answers: Vec<Answer> = (0..questions).map(|_| (None, Vec::new())).collect();
    for (place, found) in parts {
        let Some((session, projects)) = answers.get_mut(place) else { continue };
        match found {
            Found::Session(found) => *session = Some(*found),
            Found::Project(project) => projects.push(*project),
        }
    }
    let page = |(session, mut projects): Answer| {
        let (session, tenant) = session?;
        // In the database's order; a union need not keep it.
        projects.sort_unstable_by_key(|project| Reverse(project.id));
        Some((session, tenant, Page::from_surplus(projects, limit)))
    };
    answers.into_iter().map(page).collect()
}

impl<C: Connection> Handle<C> {
    /// The session that has one of these digests, and a page.
    pub(crate) async fn session_page(
        &mut self,
        digests: &[TokenDigest],
        page: PageRequest<Project>,
    ) -> Result<Option<SessionPage>, StoreError> {
        let (query, values) = one(digests, page);
        let parts = self.list_hot::<Part>(self.sql(&query, values)).await?;
        Ok(answers(parts, 1, page.limit).pop().flatten())
    }
}

impl Ask for SessionPages {
    type Question = Question;
    type Answer = Option<SessionPage>;

    fn alike(first: &Question, other: &Question) -> bool {
        first.limit == other.limit
    }

    async fn ask_together(&self, questions: &[Question]) -> Option<Vec<Option<SessionPage>>> {
        let limit = questions.first()?.limit;
        let mut reader = Handle::new(Pooled { pool: self.pool.clone(), session_pages: None, direct: None });
        if let [only] = questions {
            let page = PageRequest { after: None, limit, count: false };
            return reader.session_page(&only.digests, page).await.ok().map(|page| vec![page]);
        }
        let (query, values) = several(questions, limit);
        // Whom a failure is about, each of them finds out alone.
        let parts = reader.list::<Part>(reader.sql(&query, values)).await.ok()?;
        let answers = answers(parts, questions.len(), limit);
        // Nobody is let in by another's token, whatever the database may say.
        let its_own = |(question, answer): (&Question, &Option<SessionPage>)| {
            answer.as_ref().is_none_or(|(session, ..)| question.digests.contains(&session.token_digest))
        };
        questions.iter().zip(&answers).all(its_own).then_some(answers)
    }
}
