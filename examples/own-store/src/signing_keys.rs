use tenantry_domain::{
    SigningKey, StoreError,
    ports::{SigningKeyReads, SigningKeyWrites},
};

use crate::{
    error::demand,
    store::{Mode, RedbTransaction, View},
    tables::SIGNING_KEYS,
};

impl<M: Mode> SigningKeyReads for View<M> {
    async fn signing_keys(&mut self) -> Result<Vec<SigningKey>, StoreError> {
        self.rows()?.list(SIGNING_KEYS, |_| true)
    }
}

impl SigningKeyWrites for RedbTransaction {
    async fn lock_signing_keys(&mut self) -> Result<Vec<SigningKey>, StoreError> {
        self.signing_keys().await
    }

    async fn insert_signing_keys(&mut self, keys: &[SigningKey]) -> Result<(), StoreError> {
        let rows = self.rows_mut();
        for key in keys {
            let name = key.id.to_string();
            demand(!rows.has(SIGNING_KEYS, &name)?, "a key of this name is known")?;
            rows.put(SIGNING_KEYS, &name, key)?;
        }
        Ok(())
    }
}
