//! Search by `LIKE` in a column of normalised text.

use sea_orm::sea_query::LikeExpr;

/// Finds texts that contain `needle`, folded to lower case; `%` and `_` stand for themselves. `None` where nothing can contain
/// it: stored text has no NUL, and PostgreSQL refuses to be asked for one.
pub(crate) fn containing(needle: &str) -> Option<LikeExpr> {
    if needle.contains('\0') {
        return None;
    }
    let mut pattern = String::with_capacity(needle.len() + 2);
    pattern.push('%');
    for c in needle.to_lowercase().chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('%');
    Some(LikeExpr::new(pattern).escape('\\'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_needle_stands_for_itself_in_lower_case() {
        let pattern = format!("{:?}", containing("50%_Ä\\").unwrap());
        assert!(pattern.contains(r#""%50\\%\\_ä\\\\%""#), "{pattern}");
        assert!(containing("\0").is_none());
    }
}
