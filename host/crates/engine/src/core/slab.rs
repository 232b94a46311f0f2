//! A table with stable, never confused ids: a removed entry's id finds nothing, even when its place is taken again.

use std::fmt;
use std::marker::PhantomData;

/// An id of a [`Slab`]'s entry.
pub(crate) struct Id<T> {
    index: u32,
    generation: u32,
    of: PhantomData<fn() -> T>,
}

impl<T> Clone for Id<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Id<T> {}

impl<T> PartialEq for Id<T> {
    fn eq(&self, other: &Self) -> bool {
        (self.index, self.generation) == (other.index, other.generation)
    }
}

impl<T> Eq for Id<T> {}

impl<T> fmt::Debug for Id<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.index, self.generation)
    }
}

/// The table. Places are used again in the order last freed, first taken, so the same calls give the same ids.
pub(crate) struct Slab<T> {
    entries: Vec<(u32, Option<T>)>,
    free: Vec<u32>,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self { entries: Vec::new(), free: Vec::new() }
    }
}

impl<T: fmt::Debug> fmt::Debug for Slab<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let live = self.entries.iter().enumerate().filter_map(|(index, (_, entry))| entry.as_ref().map(|entry| (index, entry)));
        f.debug_map().entries(live).finish()
    }
}

impl<T> Slab<T> {
    /// Adds an entry.
    pub(crate) fn insert(&mut self, entry: T) -> Id<T> {
        if let Some(index) = self.free.pop()
            && let Some((generation, place)) = self.entries.get_mut(index as usize)
        {
            *place = Some(entry);
            return Id { index, generation: *generation, of: PhantomData };
        }
        let index = u32::try_from(self.entries.len()).unwrap_or(u32::MAX);
        self.entries.push((0, Some(entry)));
        Id { index, generation: 0, of: PhantomData }
    }

    /// Looks an entry up.
    pub(crate) fn get(&self, id: Id<T>) -> Option<&T> {
        let (generation, entry) = self.entries.get(id.index as usize)?;
        if *generation == id.generation { entry.as_ref() } else { None }
    }

    /// Looks an entry up to change it.
    pub(crate) fn get_mut(&mut self, id: Id<T>) -> Option<&mut T> {
        let (generation, entry) = self.entries.get_mut(id.index as usize)?;
        if *generation == id.generation { entry.as_mut() } else { None }
    }

    /// Takes an entry out.
    pub(crate) fn remove(&mut self, id: Id<T>) -> Option<T> {
        let (generation, entry) = self.entries.get_mut(id.index as usize)?;
        if *generation != id.generation {
            return None;
        }
        let taken = entry.take()?;
        *generation = generation.wrapping_add(1);
        self.free.push(id.index);
        Some(taken)
    }

    /// All entries, by their place.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Id<T>, &T)> {
        (0..).zip(&self.entries).filter_map(|(index, (generation, entry))| {
            Some((Id { index, generation: *generation, of: PhantomData }, entry.as_ref()?))
        })
    }

    /// How many entries there are.
    pub(crate) fn len(&self) -> usize {
        self.entries.len() - self.free.len()
    }
}

#[cfg(test)]
mod tests {
    use super::Slab;

    #[test]
    fn a_removed_entry_is_not_confused_with_its_successor() {
        let mut slab = Slab::default();
        let first = slab.insert("a");
        assert_eq!(slab.remove(first), Some("a"));
        let second = slab.insert("b");
        assert_eq!((slab.get(first), slab.get(second), slab.len()), (None, Some(&"b"), 1));
        assert_eq!(slab.remove(first), None);
    }
}
