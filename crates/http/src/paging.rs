//! Lists over HTTP: `?limit=` and `?cursor=`, answered as `{items, next_cursor}`.

use serde::{Deserialize, Serialize};
use tenantry_domain::{Id, InvalidValue, Page, PageLimit, PageRequest, id::Kind};

use crate::problem::{Fields, Problem};

/// The page that a query asks for. The cursor is the last item's id, which clients take as it comes.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PageQuery {
    pub limit: Option<u16>,
    pub cursor: Option<String>,
}

#[derive(Debug, Serialize)]
pub(crate) struct List<T> {
    items: Vec<T>,
    next_cursor: Option<String>,
}

/// The page request that a limit and a cursor make.
pub(crate) fn page_request<K: Kind>(limit: Option<u16>, cursor: Option<&str>) -> Result<PageRequest<K>, Problem> {
    let mut fields = Fields::default();
    let limit = fields.take("?limit", limit.map_or(Ok(PageLimit::default()), PageLimit::new));
    let foreign = |_| InvalidValue::new("invalid_cursor", "take the cursor as `next_cursor` gave it");
    let after = fields.take_optional("?cursor", cursor.map(|cursor| cursor.parse::<Id<K>>().map_err(foreign)));
    match (limit, after) {
        (Some(limit), Some(after)) => Ok(PageRequest { limit, after }),
        _ => Err(fields.into_problem()),
    }
}

impl<T> List<T> {
    /// The answer that a page makes.
    pub fn new<I, K: Kind>(page: Page<I>, id: impl Fn(&I) -> Id<K>, show: impl FnMut(I) -> T) -> Self {
        let last = page.items.last().map(|item| id(item).to_string());
        Self { next_cursor: last.filter(|_| page.has_more), items: page.items.into_iter().map(show).collect() }
    }
}
