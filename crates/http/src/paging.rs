//! Lists over HTTP: `?limit=` and `?cursor=`, answered as `{items, next_cursor}`, with `total` where `?count=true` asks for it.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use tenantry_domain::{Id, InvalidValue, Page, PageLimit, PageRequest, SearchText, id::Kind};

use utoipa::{
    IntoParams, PartialSchema, ToSchema,
    openapi::{
        ArrayBuilder, ObjectBuilder, Ref, RefOr,
        schema::{Schema, SchemaType, Type},
    },
};

use crate::problem::{Fields, Problem};

/// The page that a query asks for. The cursor is the last item's id, which clients take as it comes.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct PageQuery {
    /// How many items at the most; 20 unless told otherwise.
    #[param(minimum = 1, maximum = 200)]
    pub limit: Option<u16>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
    /// Whether to answer `total`, which takes longer the longer the list is.
    pub count: Option<bool>,
}

/// A page of a list.
#[derive(Debug, Serialize)]
pub(crate) struct List<T> {
    items: Vec<T>,
    next_cursor: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<u64>,
}

impl<T: ToSchema> PartialSchema for List<T> {
    fn schema() -> RefOr<Schema> {
        let item = Ref::from_schema_name(T::name());
        let cursor = ObjectBuilder::new()
            .schema_type(SchemaType::from_iter([Type::String, Type::Null]))
            .description(Some("The next page's `cursor`; null on the last page."));
        let total = ObjectBuilder::new()
            .schema_type(SchemaType::new(Type::Integer))
            .minimum(Some(0))
            .description(Some("How many items all pages have together; there where `count` asked for it."));
        ObjectBuilder::new()
            .schema_type(SchemaType::new(Type::Object))
            .property("items", ArrayBuilder::new().items(item))
            .required("items")
            .property("next_cursor", cursor)
            .required("next_cursor")
            .property("total", total)
            .into()
    }
}

impl<T: ToSchema> ToSchema for List<T> {
    fn name() -> Cow<'static, str> {
        format!("{}List", T::name()).into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((T::name().into_owned(), T::schema()));
        T::schemas(schemas);
    }
}

/// The page request that a query's `limit`, `cursor` and `count` make.
pub(crate) fn page_request<K: Kind>(
    limit: Option<u16>,
    cursor: Option<&str>,
    count: Option<bool>,
) -> Result<PageRequest<K>, Problem> {
    let mut fields = Fields::default();
    let limit = fields.take("?limit", limit.map_or(Ok(PageLimit::default()), PageLimit::new));
    let foreign = |_| InvalidValue::new("invalid_cursor", "take the cursor as `next_cursor` gave it");
    let after = fields.take_optional("?cursor", cursor.map(|cursor| cursor.parse::<Id<K>>().map_err(foreign)));
    match (limit, after) {
        (Some(limit), Some(after)) => Ok(PageRequest { limit, after, count: count.unwrap_or(false) }),
        _ => Err(fields.into_problem()),
    }
}

/// The text that a query's `search` asks for; blanks ask for nothing.
pub(crate) fn search_text(search: Option<&str>) -> Result<Option<String>, Problem> {
    let search = search.map(str::trim).filter(|search| !search.is_empty());
    let search = search.map(SearchText::parse).transpose().map_err(|invalid| Problem::field("?search", invalid))?;
    Ok(search.map(|search| search.to_string()))
}

impl<T> List<T> {
    /// The answer that a page makes.
    pub fn new<I, K: Kind>(page: Page<I>, id: impl Fn(&I) -> Id<K>, show: impl FnMut(I) -> T) -> Self {
        let last = page.items.last().map(|item| id(item).to_string());
        let next_cursor = last.filter(|_| page.has_more);
        Self { next_cursor, total: page.total, items: page.items.into_iter().map(show).collect() }
    }
}
