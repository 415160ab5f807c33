//! A session with the first page of its tenant's projects: what a tenant's first page is made of, in one round trip. On PostgreSQL those
//! that are asked for at the same time share it.

use std::{cmp::Reverse, sync::LazyLock};

use sea_orm::{DbErr, FromQueryResult, IdenStatic as _, QueryResult, Value, sea_query::ArrayType};
use tenantry_domain::{Page, PageLimit, PageRequest, Project, Session, StoreError, Tenant, TokenDigest};
use uuid::Uuid;

use crate::{
    Handle,
    connection::{Ask, Connection, Pool, Pooled},
    entities::projects::{self, ProjectRow},
    handle::places,
    row::{Corruption, InOrder, Row},
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

/// The columns of the session's row and of the projects' rows: each kind has nulls where the other has values. The session's come first.
struct Lists {
    session: String,
    no_session: String,
    project: String,
    no_project: String,
}

static LISTS: LazyLock<Lists> = LazyLock::new(|| {
    let project = projects::READ.map(|column| column.as_str().to_owned());
    let alias = |(place, column)| format!("{column} AS s{place}");
    Lists {
        session: SESSION_AND_TENANT.into_iter().enumerate().map(alias).collect::<Vec<_>>().join(", "),
        no_session: SESSION_AND_TENANT.map(|_| "NULL").join(", "),
        no_project: project.each_ref().map(|_| "NULL").join(", "),
        project: project.join(", "),
    }
});

/// [`SESSION_AND_TENANT`], and one project more than a page has, as rows of one answer. The projects' tenant is looked up once more, in
/// place of a join: that is what leads to the index in the list's order.
fn one(digests: &[TokenDigest], page: PageRequest<Project>) -> (String, Vec<Value>) {
    let Lists { session, no_session, project, no_project } = &*LISTS;
    let mut values: Vec<Value> = digests.iter().map(|digest| digest.as_bytes().to_vec().into()).collect();
    let places = places(values.len());
    let after = page.after.map_or_else(String::new, |after| {
        values.push(after.uuid().into());
        format!("AND id < ${}", values.len())
    });
    let query = format!(
        "SELECT 0, {session}, {no_project} {FROM_SESSIONS} ({places}) UNION ALL SELECT 0, {no_session}, projects.* FROM (
            SELECT {project} FROM llm_project_config
            WHERE tenant_id = (SELECT tenant_id FROM tenant_sessions WHERE token_digest IN ({places}) LIMIT 1) {after}
            ORDER BY llm_project_config.id DESC LIMIT {}
        ) AS projects",
        page.limit.get() + 1
    );
    (query, values)
}

/// The same for several sessions, whose place in the list of questions each row has in front.
fn several(questions: &[Question], limit: PageLimit) -> (String, [Value; 2]) {
    let Lists { session, no_session, project, no_project } = &*LISTS;
    let asked =
        || (0_i32..).zip(questions).flat_map(|(place, question)| question.digests.iter().map(move |digest| (place, digest)));
    let digests = asked().map(|(_, digest)| digest.as_bytes().to_vec().into()).collect();
    let askers = asked().map(|(place, _)| place.into()).collect();
    let query = format!(
        "WITH asked AS (SELECT * FROM unnest($1, $2) AS asked (digest, place)), found AS MATERIALIZED (
            SELECT asked.place, {session} FROM asked
            JOIN tenant_sessions s ON s.token_digest = asked.digest JOIN tenants t ON t.id = s.tenant_id
        )
        SELECT found.*, {no_project} FROM found UNION ALL SELECT found.place, {no_session}, projects.* FROM found CROSS JOIN LATERAL (
            SELECT {project} FROM llm_project_config WHERE tenant_id = found.s1 ORDER BY llm_project_config.id DESC LIMIT {}
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
        let mut columns = InOrder::of(row);
        let place = usize::try_from(columns.next::<i32>()?).unwrap_or(usize::MAX);
        let project: Option<Uuid> = row.try_get_by_index(1 + SESSION_AND_TENANT.len())?;
        let of = match project {
            None => Ok(SessionAndTenant::in_order(&mut columns)?),
            Some(_) => {
                columns.skip(SESSION_AND_TENANT.len());
                Err(ProjectRow::in_order(&mut columns)?)
            }
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
        let parts = self.list::<Part>(self.sql(&query, values)).await?;
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
        let mut reader = Handle::new(Pooled { pool: self.pool.clone(), session_pages: None });
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
