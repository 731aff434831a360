//! What lies in a log's folder.

use std::collections::{BTreeMap, BTreeSet};

use object_store::ObjectMeta;

use super::name::Name;

/// See the module.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Listing {
    /// Versions whose entries are there.
    pub entries: BTreeSet<u64>,
    /// Number of parts by version of those checkpoints of which all parts are there.
    pub checkpoints: BTreeMap<u64, u64>,
    /// Nothing of a log is there, not even a part of a checkpoint.
    pub is_empty: bool,
}

impl Listing {
    pub fn of(objects: &[ObjectMeta]) -> Self {
        let mut listing = Self::default();
        let mut found: BTreeMap<(u64, u64), u64> = BTreeMap::new();
        for object in objects {
            match object.location.filename().and_then(Name::parse) {
                Some(Name::Entry(version)) => {
                    listing.entries.insert(version);
                }
                Some(Name::Checkpoint { version, parts, .. }) => {
                    *found.entry((version, parts)).or_default() += 1;
                }
                None => {}
            }
        }
        listing.is_empty = listing.entries.is_empty() && found.is_empty();
        let whole = found
            .into_iter()
            .filter(|((_, parts), found)| parts == found);
        listing.checkpoints = whole.map(|(key, _)| key).collect();
        listing
    }

    /// The entries that follow a version without a hole; none if there is a hole.
    pub fn after(&self, version: u64) -> Option<Vec<u64>> {
        self.from(version.checked_add(1)?)
    }

    /// The entries from a version on; none if there is a hole.
    pub fn from(&self, first: u64) -> Option<Vec<u64>> {
        let entries: Vec<u64> = self.entries.range(first..).copied().collect();
        let is_whole = entries.iter().copied().eq((first..).take(entries.len()));
        is_whole.then_some(entries)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing(names: &[&str]) -> Listing {
        let object = |name: &&str| ObjectMeta {
            location: format!("t/_delta_log/{name}").into(),
            last_modified: Default::default(),
            size: 1,
            e_tag: None,
            version: None,
        };
        Listing::of(&names.iter().map(object).collect::<Vec<_>>())
    }

    #[test]
    fn a_checkpoint_counts_when_all_its_parts_are_there() {
        let found = listing(&[
            "00000000000000000003.checkpoint.parquet",
            "00000000000000000004.checkpoint.0000000001.0000000002.parquet",
            "00000000000000000005.checkpoint.0000000001.0000000002.parquet",
            "00000000000000000005.checkpoint.0000000002.0000000002.parquet",
            "_last_checkpoint",
        ]);
        assert_eq!(found.checkpoints, BTreeMap::from([(3, 1), (5, 2)]));
    }

    #[test]
    fn a_hole_is_seen() {
        let found = listing(&[
            "00000000000000000007.json",
            "00000000000000000008.json",
            "00000000000000000010.json",
        ]);
        assert_eq!(found.after(9), Some(vec![10]));
        assert_eq!(found.after(10), Some(vec![]));
        assert_eq!(found.after(6), None);
        assert_eq!(found.after(5), None);
    }
}
