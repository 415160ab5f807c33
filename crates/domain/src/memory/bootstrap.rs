use super::{
    store::{MemoryTransaction, Mode, View},
    tables::{Tables, demand},
};
use crate::{
    BootstrapLink, BootstrapPurpose, StoreError, Timestamp, TokenDigest,
    ports::{BootstrapReads, BootstrapWrites},
};

impl Tables {
    fn open_bootstrap_link(&self, digests: &[TokenDigest], now: Timestamp) -> Option<&BootstrapLink> {
        let link = digests.iter().find_map(|digest| self.bootstrap_links.get(digest.as_bytes()))?;
        let wanted = match link.purpose {
            BootstrapPurpose::FirstOperator => self.operators.rows().next().is_none(),
            BootstrapPurpose::Recovery => true,
        };
        Some(link).filter(|link| wanted && now < link.expires_at)
    }
}

impl<M: Mode> BootstrapReads for View<M> {
    async fn open_bootstrap_link(
        &mut self,
        digests: &[TokenDigest],
        now: Timestamp,
    ) -> Result<Option<BootstrapLink>, StoreError> {
        Ok(self.tables().open_bootstrap_link(digests, now).cloned())
    }
}

impl BootstrapWrites for MemoryTransaction {
    async fn insert_bootstrap_link(&mut self, link: &BootstrapLink) -> Result<(), StoreError> {
        let links = &mut self.tables_mut().bootstrap_links;
        let digest = *link.token_digest.as_bytes();
        demand(!links.contains(&digest), "a link with this digest exists")?;
        links.put(digest, link.clone());
        Ok(())
    }

    async fn consume_bootstrap_link(
        &mut self,
        digests: &[TokenDigest],
        now: Timestamp,
    ) -> Result<Option<BootstrapLink>, StoreError> {
        let link = self.open_bootstrap_link(digests, now).await?;
        if let Some(link) = &link {
            self.tables_mut().bootstrap_links.delete_if(link.token_digest.as_bytes(), |_| true);
        }
        Ok(link)
    }

    async fn delete_expired_bootstrap_links(&mut self, now: Timestamp) -> Result<u64, StoreError> {
        let links = &mut self.tables_mut().bootstrap_links;
        let before = links.rows().count();
        links.delete_all(|link| link.expires_at <= now);
        Ok(u64::try_from(before - links.rows().count()).unwrap_or(u64::MAX))
    }
}
