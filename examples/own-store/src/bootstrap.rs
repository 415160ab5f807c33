use tenantry_domain::{
    BootstrapLink, BootstrapPurpose, StoreError, Timestamp, TokenDigest,
    ports::{BootstrapReads, BootstrapWrites},
};

use crate::{
    error::demand,
    rows::Rows,
    store::{Mode, RedbTransaction, View},
    tables::{BOOTSTRAP_LINKS, OPERATORS},
};

impl Rows {
    fn open_bootstrap_link(&self, digests: &[TokenDigest], now: Timestamp) -> Result<Option<BootstrapLink>, StoreError> {
        let found = self.find(BOOTSTRAP_LINKS, |link| digests.contains(&link.token_digest))?;
        let Some(link) = found.filter(|link| now < link.expires_at) else { return Ok(None) };
        let wanted = match link.purpose {
            BootstrapPurpose::FirstOperator => !self.any(OPERATORS, |_| true)?,
            BootstrapPurpose::Recovery => true,
        };
        Ok(Some(link).filter(|_| wanted))
    }
}

impl<M: Mode> BootstrapReads for View<M> {
    async fn open_bootstrap_link(
        &mut self,
        digests: &[TokenDigest],
        now: Timestamp,
    ) -> Result<Option<BootstrapLink>, StoreError> {
        self.rows()?.open_bootstrap_link(digests, now)
    }
}

impl BootstrapWrites for RedbTransaction {
    async fn insert_bootstrap_link(&mut self, link: &BootstrapLink) -> Result<(), StoreError> {
        let rows = self.rows_mut();
        let digest = *link.token_digest.as_bytes();
        demand(!rows.has(BOOTSTRAP_LINKS, &digest)?, "a link with this digest exists")?;
        rows.put(BOOTSTRAP_LINKS, &digest, link)
    }

    async fn consume_bootstrap_link(
        &mut self,
        digests: &[TokenDigest],
        now: Timestamp,
    ) -> Result<Option<BootstrapLink>, StoreError> {
        let link = self.open_bootstrap_link(digests, now).await?;
        if let Some(link) = &link {
            self.rows_mut().delete(BOOTSTRAP_LINKS, link.token_digest.as_bytes());
        }
        Ok(link)
    }

    async fn delete_expired_bootstrap_links(&mut self, now: Timestamp) -> Result<u64, StoreError> {
        self.rows_mut().delete_all(BOOTSTRAP_LINKS, |link| link.expires_at <= now)
    }
}
