use super::{
    store::{MemoryTransaction, Mode, View},
    tables::demand,
};
use crate::{
    SigningKey, StoreError,
    ports::{SigningKeyReads, SigningKeyWrites},
};

impl<M: Mode> SigningKeyReads for View<M> {
    async fn signing_keys(&mut self) -> Result<Vec<SigningKey>, StoreError> {
        Ok(self.tables().signing_keys.rows().cloned().collect())
    }
}

impl SigningKeyWrites for MemoryTransaction {
    async fn lock_signing_keys(&mut self) -> Result<Vec<SigningKey>, StoreError> {
        self.signing_keys().await
    }

    async fn insert_signing_keys(&mut self, keys: &[SigningKey]) -> Result<(), StoreError> {
        let known = &mut self.tables_mut().signing_keys;
        for key in keys {
            demand(!known.contains(&key.id), "a key of this name is known")?;
            known.put(key.id.clone(), key.clone());
        }
        Ok(())
    }
}
