use tenantry_domain::{
    AdoptedKind, AdoptedRow, Code, StoreError,
    ports::{AdoptionReads, AdoptionWrites},
};
use uuid::Uuid;

use crate::{
    error::demand,
    store::{Mode, RedbTransaction, View},
    tables::{ADOPTED, CODES, CODES_BY_DIGEST},
};

impl<M: Mode> AdoptionReads for View<M> {
    async fn adopted_rows(&mut self, source: &str, kind: AdoptedKind) -> Result<Vec<(String, Uuid)>, StoreError> {
        let its = self.rows()?.list(ADOPTED, |row| row.source == source && row.kind == kind)?;
        Ok(its.into_iter().map(|row| (row.old_key, row.id)).collect())
    }
}

impl AdoptionWrites for RedbTransaction {
    async fn insert_adopted_rows(&mut self, adopted: &[AdoptedRow]) -> Result<(), StoreError> {
        let rows = self.rows_mut();
        for row in adopted {
            let key = format!("{}\0{}\0{}", row.source, row.kind.as_str(), row.old_key);
            demand(!rows.has(ADOPTED, &key)?, "the row was taken over before")?;
            rows.put(ADOPTED, &key, row)?;
        }
        Ok(())
    }

    async fn insert_adopted_codes(&mut self, codes: &[Code]) -> Result<(), StoreError> {
        let rows = self.rows_mut();
        for code in codes {
            rows.demand_tenant(code.tenant_id)?;
            let digest = *code.digest.as_bytes();
            demand(!rows.has(CODES_BY_DIGEST, &digest)?, "a code with this digest exists")?;
            rows.put(CODES_BY_DIGEST, &digest, &code.id)?;
            rows.put(CODES, &code.id, code)?;
        }
        Ok(())
    }
}
