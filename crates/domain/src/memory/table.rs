//! One table: a sorted map that is cheap to clone, and copied when a clone of it is written to.

use std::{
    collections::BTreeMap,
    ops::Bound::{Excluded, Unbounded},
    sync::Arc,
};

use crate::{Id, Page, PageRequest};

/// Rows by their key. Clones share the map until one of them is written to, and share the rows even then.
pub struct Table<K, V>(Arc<BTreeMap<K, Arc<V>>>);

impl<K, V> Clone for Table<K, V> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K, V> Default for Table<K, V> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<K: Ord + Clone, V: Clone> Table<K, V> {
    /// The row with this key.
    pub fn get(&self, key: &K) -> Option<&V> {
        self.0.get(key).map(Arc::as_ref)
    }

    /// Whether there is a row with this key.
    pub fn contains(&self, key: &K) -> bool {
        self.0.contains_key(key)
    }

    /// All rows, in the order of their keys.
    pub fn rows(&self) -> impl DoubleEndedIterator<Item = &V> {
        self.0.values().map(Arc::as_ref)
    }

    /// All rows with their keys, in the order of these.
    pub fn entries(&self) -> impl Iterator<Item = (&K, &V)> {
        self.0.iter().map(|(key, row)| (key, row.as_ref()))
    }

    /// Writes a row, in place of one with the same key.
    pub fn put(&mut self, key: K, row: V) {
        Arc::make_mut(&mut self.0).insert(key, Arc::new(row));
    }

    /// The conditional write: changes the row with this key if `condition` holds for it, and answers it as it is then.
    pub fn change_if(&mut self, key: &K, condition: impl FnOnce(&V) -> bool, change: impl FnOnce(&mut V)) -> Option<&V> {
        if !self.get(key).is_some_and(condition) {
            return None;
        }
        let row = Arc::make_mut(Arc::make_mut(&mut self.0).get_mut(key)?);
        change(row);
        Some(row)
    }

    /// Changes every row that `condition` holds for, and says how many.
    pub fn change_all(&mut self, condition: impl Fn(&V) -> bool, mut change: impl FnMut(&mut V)) -> u64 {
        if !self.rows().any(&condition) {
            return 0;
        }
        let mut changed = 0;
        for row in Arc::make_mut(&mut self.0).values_mut().filter(|row| condition(row)) {
            change(Arc::make_mut(row));
            changed += 1;
        }
        changed
    }

    /// Deletes the row with this key, if `condition` holds for it.
    pub fn delete_if(&mut self, key: &K, condition: impl FnOnce(&V) -> bool) -> bool {
        self.get(key).is_some_and(condition) && Arc::make_mut(&mut self.0).remove(key).is_some()
    }

    /// Deletes every row that `condition` holds for.
    pub fn delete_all(&mut self, condition: impl Fn(&V) -> bool) {
        if self.rows().any(&condition) {
            Arc::make_mut(&mut self.0).retain(|_, row| !condition(row));
        }
    }

    /// Deletes every row whose key `condition` holds for.
    pub fn delete_keys(&mut self, condition: impl Fn(&K) -> bool) {
        if self.0.keys().any(&condition) {
            Arc::make_mut(&mut self.0).retain(|key, _| !condition(key));
        }
    }
}

impl<K, V: Clone> Table<Id<K>, V> {
    /// A page of the rows that `keep` holds for, newest first: identifiers sort by the time of their making.
    pub fn page(&self, request: PageRequest<K>, keep: impl Fn(&V) -> bool) -> Page<V> {
        let end = request.after.map_or(Unbounded, Excluded);
        self.page_of(self.0.range((Unbounded, end)).rev(), request, keep)
    }

    /// The same, oldest first.
    pub fn page_oldest_first(&self, request: PageRequest<K>, keep: impl Fn(&V) -> bool) -> Page<V> {
        let start = request.after.map_or(Unbounded, Excluded);
        self.page_of(self.0.range((start, Unbounded)), request, keep)
    }

    fn page_of<'a>(
        &self,
        rows: impl Iterator<Item = (&'a Id<K>, &'a Arc<V>)>,
        request: PageRequest<K>,
        keep: impl Fn(&V) -> bool,
    ) -> Page<V>
    where
        K: 'a,
        V: 'a,
    {
        let rows = rows.map(|(_, row)| row.as_ref()).filter(|row| keep(row));
        let surplus = usize::from(request.limit.get()) + 1;
        let page = Page::from_surplus(rows.take(surplus).cloned().collect(), request.limit);
        let count = || self.rows().filter(|row| keep(row)).fold(0, |count, _| count + 1);
        Page { total: request.count.then(count), ..page }
    }
}
