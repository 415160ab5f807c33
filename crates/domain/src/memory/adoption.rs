use uuid::Uuid;

use super::{
    store::{MemoryTransaction, Mode, View},
    tables::demand,
};
use crate::{
    AdoptedKind, AdoptedRow, Code, StoreError,
    ports::{AdoptionReads, AdoptionWrites},
};

impl<M: Mode> AdoptionReads for View<M> {
    async fn adopted_rows(&mut self, source: &str, kind: AdoptedKind) -> Result<Vec<(String, Uuid)>, StoreError> {
        let tables = self.tables();
        let its = tables.adopted.rows().filter(|row| row.source == source && row.kind == kind);
        Ok(its.map(|row| (row.old_key.clone(), row.id)).collect())
    }
}

impl AdoptionWrites for MemoryTransaction {
    async fn insert_adopted_rows(&mut self, rows: &[AdoptedRow]) -> Result<(), StoreError> {
        let tables = self.tables_mut();
        for row in rows {
            let key = (row.source.clone(), row.kind, row.old_key.clone());
            demand(!tables.adopted.contains(&key), "the row was taken over before")?;
            tables.adopted.put(key, row.clone());
        }
        Ok(())
    }

    async fn insert_adopted_codes(&mut self, codes: &[Code]) -> Result<(), StoreError> {
        let tables = self.tables_mut();
        for code in codes {
            tables.demand_tenant(code.tenant_id)?;
            let digest = *code.digest.as_bytes();
            demand(!tables.codes_by_digest.contains(&digest), "a code with this digest exists")?;
            tables.codes_by_digest.put(digest, code.id);
            tables.codes.put(code.id, code.clone());
        }
        Ok(())
    }
}
