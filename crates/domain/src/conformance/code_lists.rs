//! Lists of codes: what a filter asks for and nothing else, page by page, whichever way a store looks for it.

use time::Duration;

use super::world::{World, all_pages, later, noon};
use crate::{Code, CodeHint, CodeId, CodeOrder, CodeStatus, Label, PageLimit, PageRequest, TenantId, ports::*};

/// When the lists are read.
const READ_AT: i64 = 60;

impl<S: Store> World<S> {
    /// Codes of every status, with an end and without, in an issue of their own.
    async fn codes_of_every_status(&self, tenant: TenantId, label: Option<&str>) -> Vec<Code> {
        let mut codes = Vec::new();
        for ttl in [None, Some(Duration::seconds(READ_AT)), Some(Duration::seconds(READ_AT) + Duration::MICROSECOND)] {
            let label = label.map(|label| Label::parse(label).unwrap());
            let issued = self.codes(tenant, CodeOrder { count: 6, label, ttl, max_uses: 2 }, noon()).await;
            for (case, code) in issued.iter().enumerate() {
                let (uses, revoked) = (case % 3, case >= 3);
                for _ in 0..uses {
                    assert!(self.write(async |tx| tx.consume_code(tenant, code.id, None, later(1)).await).await);
                }
                if revoked {
                    assert!(self.write(async |tx| tx.revoke_code(tenant, code.id, later(2)).await).await);
                }
                codes.push(self.stored_code(tenant, code.id).await);
            }
        }
        codes
    }

    /// Holds the lists of a filter against those of all codes that have what it asks for, and their count too.
    async fn lists(&self, of: Option<TenantId>, filter: &CodeFilter, codes: &[Code]) {
        let now = later(READ_AT);
        let wanted = |code: &&Code| {
            of.is_none_or(|tenant| code.tenant_id == tenant)
                && filter.status.is_none_or(|status| code.status(now) == status)
                && (filter.label.is_none() || filter.label == code.label)
                && filter.batch.is_none_or(|batch| code.batch_id == batch)
                && filter.hint.as_ref().is_none_or(|hint| code.hint == hint.as_str())
        };
        let mut expected: Vec<CodeId> = codes.iter().filter(wanted).map(|code| code.id).collect();
        expected.sort_unstable_by(|a, b| b.cmp(a));
        for limit in [2, 5, PageLimit::MAX] {
            let anyones = async |page| self.read().codes_of_anyone_page(of, filter, now, page).await;
            let listed = all_pages(limit, |code: &Code| code.id, anyones).await;
            assert!(listed.iter().all(|code| codes.contains(code)), "a code is listed as it is");
            let listed: Vec<_> = listed.into_iter().map(|code| code.id).collect();
            assert_eq!(listed, expected, "pages of {limit} of {filter:?} of {of:?}");
            let page = PageRequest { limit: PageLimit::new(limit).unwrap(), after: expected.first().copied(), count: true };
            let total = self.read().codes_of_anyone_page(of, filter, now, page).await.unwrap().total;
            assert_eq!(total, Some(expected.len() as u64), "the count of {filter:?} of {of:?}");
            if let Some(tenant) = of {
                let own = async |page| self.read().codes_page(tenant, filter, now, page).await;
                let listed = all_pages(limit, |code: &Code| code.id, own).await;
                assert_eq!(listed.iter().map(|code| code.id).collect::<Vec<_>>(), expected, "the tenant's own list");
            }
        }
    }
}

/// A list has the codes that have all that its filter asks for, newest first, for one tenant and for all, and counts them where asked.
pub async fn a_list_of_codes_has_what_its_filter_asks_for<S: Store>(store: S) {
    let world = World::new(store);
    let (tenant, other) = (world.tenant().await, world.tenant().await);
    let mut codes = Vec::new();
    for (owner, label) in [(tenant, Some("Spring")), (tenant, None), (other, Some("Spring")), (other, Some("Größe „XL“"))] {
        codes.extend(world.codes_of_every_status(owner, label).await);
    }
    let labels = [None, Some("Spring"), Some("Größe „XL“"), Some("spring")];
    let statuses = [None].into_iter().chain(CodeStatus::ALL.map(Some));
    for status in statuses {
        for label in labels {
            let filter = CodeFilter { status, label: label.map(|label| Label::parse(label).unwrap()), ..CodeFilter::default() };
            for of in [None, Some(tenant), Some(other)] {
                world.lists(of, &filter, &codes).await;
            }
        }
        for code in [&codes[0], &codes[codes.len() - 1]] {
            let batch = CodeFilter { status, batch: Some(code.batch_id), ..CodeFilter::default() };
            let hint = CodeHint::parse(&code.hint.to_lowercase()).unwrap();
            let hint = CodeFilter { status, hint: Some(hint), label: code.label.clone(), ..CodeFilter::default() };
            for of in [None, Some(tenant), Some(other)] {
                world.lists(of, &batch, &codes).await;
                world.lists(of, &hint, &codes).await;
            }
        }
    }
    let nobodys = CodeFilter { batch: Some(world.id(noon())), ..CodeFilter::default() };
    world.lists(None, &nobodys, &codes).await;
}

/// An operator reads a code whoever owns it.
pub async fn a_code_of_anyone_is_read_by_its_id<S: Store>(store: S) {
    let world = World::new(store);
    let tenant = world.tenant().await;
    let code = world.code(tenant, 1).await;
    assert_eq!(world.read().code_of_anyone(code.id).await.unwrap(), Some(world.stored_code(tenant, code.id).await));
    assert_eq!(world.read().code_of_anyone(world.id(noon())).await.unwrap(), None);
}
