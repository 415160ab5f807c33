//! The rows as a reader or a transaction sees them.

use std::{
    collections::BTreeMap,
    ops::Bound::{Excluded, Unbounded},
    sync::Arc,
};

use redb::{ReadTransaction, TableDefinition, WriteTransaction};
use serde::{Serialize, de::DeserializeOwned};
use tenantry_domain::{Id, Page, PageRequest, StoreError, TenantId, TokenDigest};

use crate::{
    error::{corrupt, demand, failed},
    tables::{Key, TENANTS, Table},
};

/// A snapshot of the file, and what was written since, which nobody else sees. A clone is a second view that goes on by itself.
#[derive(Clone)]
pub struct Rows {
    snapshot: Arc<ReadTransaction>,
    /// By table and key; `None` where a row was deleted.
    written: Arc<BTreeMap<Place, Option<Vec<u8>>>>,
}

/// A table's name, and a key in it.
type Place = (&'static str, Vec<u8>);

/// Rows by their keys.
type Raw = BTreeMap<Vec<u8>, Vec<u8>>;

/// How a table is named to redb.
pub const fn definition(name: &'static str) -> TableDefinition<'static, &'static [u8], &'static [u8]> {
    TableDefinition::new(name)
}

fn read<V: DeserializeOwned>(what: &'static str, bytes: &[u8]) -> Result<V, StoreError> {
    serde_json::from_slice(bytes).map_err(|error| corrupt(what, error))
}

impl Rows {
    /// The rows of a snapshot, with nothing written to them.
    pub fn new(snapshot: ReadTransaction) -> Self {
        Self { snapshot: Arc::new(snapshot), written: Arc::default() }
    }

    /// The row with this key.
    pub fn get<K: Key, V: DeserializeOwned>(&self, table: Table<K, V>, key: &K) -> Result<Option<V>, StoreError> {
        let place = (table.name, key.bytes());
        if let Some(written) = self.written.get(&place) {
            return written.as_ref().map(|bytes| read(table.name, bytes)).transpose();
        }
        let stored = self.snapshot.open_table(definition(table.name)).map_err(failed)?;
        let bytes = stored.get(place.1.as_slice()).map_err(failed)?;
        bytes.map(|bytes| read(table.name, bytes.value())).transpose()
    }

    /// Whether there is a row with this key.
    pub fn has<K: Key, V: DeserializeOwned>(&self, table: Table<K, V>, key: &K) -> Result<bool, StoreError> {
        Ok(self.get(table, key)?.is_some())
    }

    /// The row that one of these digests leads to.
    pub fn by_digests<'a, I, V: DeserializeOwned>(
        &self,
        index: Table<[u8; 32], Id<I>>,
        table: Table<Id<I>, V>,
        digests: impl IntoIterator<Item = &'a [u8; 32]>,
    ) -> Result<Option<V>, StoreError>
    where
        Id<I>: DeserializeOwned,
    {
        for digest in digests {
            if let Some(id) = self.get(index, digest)? {
                return self.get(table, &id);
            }
        }
        Ok(None)
    }

    fn raw<K, V>(&self, table: Table<K, V>) -> Result<Raw, StoreError> {
        let stored = self.snapshot.open_table(definition(table.name)).map_err(failed)?;
        let mut raw = Raw::new();
        for entry in stored.range::<&[u8]>(..).map_err(failed)? {
            let (key, row) = entry.map_err(failed)?;
            raw.insert(key.value().to_vec(), row.value().to_vec());
        }
        let from = (table.name, Vec::new());
        for ((_, key), row) in self.written.range(from..).take_while(|((name, _), _)| *name == table.name) {
            match row {
                Some(row) => raw.insert(key.clone(), row.clone()),
                None => raw.remove(key),
            };
        }
        Ok(raw)
    }

    /// All rows with their keys' bytes, in the order of these.
    pub fn entries<K, V: DeserializeOwned>(&self, table: Table<K, V>) -> Result<Vec<(Vec<u8>, V)>, StoreError> {
        self.raw(table)?.into_iter().map(|(key, row)| Ok((key, read(table.name, &row)?))).collect()
    }

    /// The rows that `keep` holds for, in the order of their keys.
    pub fn list<K, V: DeserializeOwned>(&self, table: Table<K, V>, keep: impl Fn(&V) -> bool) -> Result<Vec<V>, StoreError> {
        Ok(self.entries(table)?.into_iter().map(|(_, row)| row).filter(keep).collect())
    }

    /// The first row that `keep` holds for.
    pub fn find<K, V: DeserializeOwned>(&self, table: Table<K, V>, keep: impl Fn(&V) -> bool) -> Result<Option<V>, StoreError> {
        Ok(self.list(table, keep)?.into_iter().next())
    }

    /// Whether `keep` holds for any row.
    pub fn any<K, V: DeserializeOwned>(&self, table: Table<K, V>, keep: impl Fn(&V) -> bool) -> Result<bool, StoreError> {
        Ok(self.find(table, keep)?.is_some())
    }

    /// How many rows `keep` holds for.
    pub fn count<K, V: DeserializeOwned>(&self, table: Table<K, V>, keep: impl Fn(&V) -> bool) -> Result<u64, StoreError> {
        Ok(self.list(table, keep)?.len() as u64)
    }

    /// A page of the rows that `keep` holds for, newest first: identifiers sort by the time of their making.
    pub fn page<I, V: DeserializeOwned>(
        &self,
        table: Table<Id<I>, V>,
        request: PageRequest<I>,
        keep: impl Fn(&V) -> bool,
    ) -> Result<Page<V>, StoreError> {
        let raw = self.raw(table)?;
        let behind = raw.range::<Vec<u8>, _>((Unbounded, request.after.map_or(Unbounded, |id| Excluded(id.bytes()))));
        page_of(table, behind.rev(), &raw, request, keep)
    }

    /// The same, oldest first.
    pub fn page_oldest_first<I, V: DeserializeOwned>(
        &self,
        table: Table<Id<I>, V>,
        request: PageRequest<I>,
        keep: impl Fn(&V) -> bool,
    ) -> Result<Page<V>, StoreError> {
        let raw = self.raw(table)?;
        let behind = raw.range::<Vec<u8>, _>((request.after.map_or(Unbounded, |id| Excluded(id.bytes())), Unbounded));
        page_of(table, behind, &raw, request, keep)
    }
}

fn page_of<'a, I, V: DeserializeOwned>(
    table: Table<Id<I>, V>,
    behind: impl Iterator<Item = (&'a Vec<u8>, &'a Vec<u8>)>,
    all: &Raw,
    request: PageRequest<I>,
    keep: impl Fn(&V) -> bool,
) -> Result<Page<V>, StoreError> {
    let kept = |row: &Vec<u8>| read::<V>(table.name, row).map(|row| Some(row).filter(&keep)).transpose();
    let surplus = usize::from(request.limit.get()) + 1;
    let items = behind.filter_map(|(_, row)| kept(row)).take(surplus).collect::<Result<_, _>>()?;
    let page = Page::from_surplus(items, request.limit);
    let count = || all.values().filter_map(kept).try_fold(0, |count, row| row.map(|_| count + 1));
    Ok(Page { total: request.count.then(count).transpose()?, ..page })
}

impl Rows {
    fn write(&mut self, table: &'static str, key: Vec<u8>, row: Option<Vec<u8>>) {
        Arc::make_mut(&mut self.written).insert((table, key), row);
    }

    /// Writes a row, in place of one with the same key.
    pub fn put<K: Key, V: Serialize>(&mut self, table: Table<K, V>, key: &K, row: &V) -> Result<(), StoreError> {
        self.put_raw(table, key.bytes(), row)
    }

    fn put_raw<K, V: Serialize>(&mut self, table: Table<K, V>, key: Vec<u8>, row: &V) -> Result<(), StoreError> {
        let row = serde_json::to_vec(row).map_err(|error| corrupt(table.name, error))?;
        self.write(table.name, key, Some(row));
        Ok(())
    }

    /// Lets another digest lead to a row, where there is another.
    pub fn rekey<I>(
        &mut self,
        index: Table<[u8; 32], Id<I>>,
        digests: Option<[TokenDigest; 2]>,
        id: &Id<I>,
    ) -> Result<(), StoreError>
    where
        Id<I>: Serialize,
    {
        let Some([former, digest]) = digests else { return Ok(()) };
        self.delete(index, former.as_bytes());
        self.put(index, digest.as_bytes(), id)
    }

    /// Deletes the row with this key.
    pub fn delete<K: Key, V>(&mut self, table: Table<K, V>, key: &K) {
        self.write(table.name, key.bytes(), None);
    }

    /// The conditional write: changes the row with this key if `condition` holds for it, and answers it as it is then.
    pub fn change_if<K: Key, V: Serialize + DeserializeOwned>(
        &mut self,
        table: Table<K, V>,
        key: &K,
        condition: impl FnOnce(&V) -> bool,
        change: impl FnOnce(&mut V),
    ) -> Result<Option<V>, StoreError> {
        let Some(mut row) = self.get(table, key)?.filter(condition) else { return Ok(None) };
        change(&mut row);
        self.put(table, key, &row)?;
        Ok(Some(row))
    }

    /// Changes every row that `condition` holds for, and says how many.
    pub fn change_all<K, V: Serialize + DeserializeOwned>(
        &mut self,
        table: Table<K, V>,
        condition: impl Fn(&V) -> bool,
        change: impl Fn(&mut V),
    ) -> Result<u64, StoreError> {
        let mut changed = 0;
        for (key, mut row) in self.entries(table)?.into_iter().filter(|(_, row)| condition(row)) {
            change(&mut row);
            self.put_raw(table, key, &row)?;
            changed += 1;
        }
        Ok(changed)
    }

    /// Deletes the row whose key has these bytes.
    pub fn delete_raw<K, V>(&mut self, table: Table<K, V>, key: Vec<u8>) {
        self.write(table.name, key, None);
    }

    /// Deletes the row with this key if `condition` holds for it, and answers it.
    pub fn delete_if<K: Key, V: DeserializeOwned>(
        &mut self,
        table: Table<K, V>,
        key: &K,
        condition: impl FnOnce(&V) -> bool,
    ) -> Result<Option<V>, StoreError> {
        let row = self.get(table, key)?.filter(condition);
        if row.is_some() {
            self.delete(table, key);
        }
        Ok(row)
    }

    /// Deletes every row that `condition` holds for, and says how many.
    pub fn delete_all<K, V: DeserializeOwned>(
        &mut self,
        table: Table<K, V>,
        condition: impl Fn(&V) -> bool,
    ) -> Result<u64, StoreError> {
        let ended = self.entries(table)?.into_iter().filter(|(_, row)| condition(row));
        Ok(ended.map(|(key, _)| self.write(table.name, key, None)).count() as u64)
    }

    /// Deletes every row whose key starts so.
    pub fn delete_under<K, V>(&mut self, table: Table<K, V>, start: &[u8]) -> Result<(), StoreError> {
        for key in self.raw(table)?.into_keys().filter(|key| key.starts_with(start)) {
            self.write(table.name, key, None);
        }
        Ok(())
    }

    /// Refuses a row of a tenant that doesn't exist.
    pub fn demand_tenant(&self, tenant: TenantId) -> Result<(), StoreError> {
        demand(self.has(TENANTS, &tenant)?, "there is no such tenant")
    }

    /// Writes into the file what was written here.
    pub fn apply(&self, file: &WriteTransaction) -> Result<(), StoreError> {
        for ((table, key), row) in self.written.iter() {
            let mut table = file.open_table(definition(table)).map_err(failed)?;
            match row {
                Some(row) => table.insert(key.as_slice(), row.as_slice()).map_err(failed)?,
                None => table.remove(key.as_slice()).map_err(failed)?,
            };
        }
        Ok(())
    }
}
