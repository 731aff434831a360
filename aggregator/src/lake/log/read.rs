//! Reading a log, as a whole or from where it was read before.

use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::{Log, Snapshot, action::Add, checkpoint, listing::Listing, name};
use crate::lake::LakeError;

/// Entries that are read at once.
const AT_ONCE: usize = 16;

/// How often a log is read that is cleaned while it is read.
const TRIES: usize = 5;

pub(super) const HINT: &str = "_last_checkpoint";

impl Log {
    /// The newest state, if there is a table. Reads only what is new since `known`.
    pub async fn read(&self, known: Option<&Snapshot>) -> Result<Option<Snapshot>, LakeError> {
        if let Some(known) = known
            && let Some(snapshot) = self.go_on(known).await?
        {
            return Ok(Some(snapshot));
        }
        for turn in 0..TRIES {
            // The hint may be wrong: it is put apart from what it hints at.
            let hint = if turn % 2 == 0 {
                self.hint().await?
            } else {
                None
            };
            match self.load(hint).await? {
                Found::State(snapshot) => return Ok(Some(*snapshot)),
                Found::Nothing => return Ok(None),
                Found::Cleaned => {}
            }
        }
        Err(self.bad(
            "its folder",
            "entries are missing; restore them from a backup",
        ))
    }

    /// The files whose rows came with each of these versions.
    pub async fn adds(&self, first: u64, last: u64) -> Result<Adds, LakeError> {
        let mut found = Adds::default();
        if first > last {
            return Ok(found);
        }
        let listing = Listing::of(&self.store.list(&self.folder, None).await?);
        let gap = (first..=last)
            .rev()
            .find(|version| !listing.entries.contains(version));
        found.cleaned = gap;
        let start = gap.map_or(first, |gap| gap.saturating_add(1));
        let read = |version| async move {
            let path = self.folder.clone().join(name::entry(version));
            Ok::<_, LakeError>((version, self.store.get(&path).await?))
        };
        let mut entries = stream::iter(start..=last).map(read).buffered(AT_ONCE);
        while let Some((version, entry)) = entries.try_next().await? {
            let Some(entry) = entry else {
                // Cleaned away after the listing, and those before it as well.
                found = Adds {
                    cleaned: Some(version),
                    entries: Vec::new(),
                };
                continue;
            };
            let lines = super::action::lines(&entry);
            let lines = lines.map_err(|error| self.bad(&name::entry(version), error))?;
            let adds = lines.into_iter().filter_map(|line| line.add);
            let adds = adds.filter(|add| add.data_change).collect();
            found.entries.push((version, adds));
        }
        Ok(found)
    }

    /// The version that the hint at the last checkpoint names. Told from a fresh read, each time.
    pub async fn last_checkpoint(&self) -> Result<Option<u64>, LakeError> {
        #[derive(serde::Deserialize)]
        struct Hint {
            version: u64,
        }
        let Some(hint) = self.store.get(&self.folder.clone().join(HINT)).await? else {
            return Ok(None);
        };
        let hint: Hint = serde_json::from_slice(&hint).map_err(|error| self.bad(HINT, error))?;
        Ok(Some(hint.version))
    }

    /// The same for those to whom it is no more than a hint: one that is damaged hints at nothing.
    pub async fn hint(&self) -> Result<Option<u64>, LakeError> {
        match self.last_checkpoint().await {
            Err(LakeError::BadLog { .. }) => Ok(None),
            told => told,
        }
    }

    /// From a known state on; nothing if that state may have been cleaned away meanwhile: a checkpoint
    /// beyond the next version says that the next version may be one that was put after cleaning.
    async fn go_on(&self, known: &Snapshot) -> Result<Option<Snapshot>, LakeError> {
        let last = name::entry(known.version);
        let listing = Listing::of(&self.store.list(&self.folder, Some(&last)).await?);
        let next = known.version.saturating_add(1);
        let is_far = listing.checkpoints.keys().any(|version| *version > next);
        let Some(versions) = listing.after(known.version).filter(|_| !is_far) else {
            return Ok(None);
        };
        let mut snapshot = known.clone();
        let is_whole = self.apply(&mut snapshot, versions).await?;
        Ok(is_whole.then_some(snapshot))
    }

    async fn load(&self, hint: Option<u64>) -> Result<Found, LakeError> {
        // Names of that version and of later ones come after its digits.
        let after = hint.map(|version| format!("{version:020}"));
        let objects = self.store.list(&self.folder, after.as_deref()).await?;
        let listing = Listing::of(&objects);
        let mut snapshot = Snapshot::empty(self.detail);
        let mut first = 0;
        if let Some((&version, &parts)) = listing.checkpoints.last_key_value() {
            if !self.read_checkpoint(&mut snapshot, version, parts).await? {
                return Ok(Found::Cleaned);
            }
            snapshot.version = version;
            first = version.saturating_add(1);
        } else if listing.is_empty && hint.is_none() {
            return Ok(Found::Nothing);
        }
        let Some(versions) = listing.from(first) else {
            return Ok(Found::Cleaned);
        };
        if !self.apply(&mut snapshot, versions).await? || snapshot.metadata.id.is_empty() {
            return Ok(Found::Cleaned);
        }
        Ok(Found::State(Box::new(snapshot)))
    }

    async fn read_checkpoint(
        &self,
        snapshot: &mut Snapshot,
        version: u64,
        parts: u64,
    ) -> Result<bool, LakeError> {
        for part in 1..=parts {
            let name = checkpoint::name(version, part, parts);
            let path = self.folder.clone().join(name.as_str());
            let Some(bytes) = self.store.get(&path).await? else {
                return Ok(false);
            };
            checkpoint::read(snapshot, bytes).map_err(|error| self.bad(&name, error))?;
        }
        Ok(true)
    }

    /// Applies entries in order; false if one of them has gone.
    async fn apply(&self, snapshot: &mut Snapshot, versions: Vec<u64>) -> Result<bool, LakeError> {
        let read = |version| async move {
            let path = self.folder.clone().join(name::entry(version));
            Ok::<_, LakeError>((version, self.store.get(&path).await?))
        };
        let mut entries = stream::iter(versions).map(read).buffered(AT_ONCE);
        while let Some((version, entry)) = entries.try_next().await? {
            let Some(entry) = entry else {
                return Ok(false);
            };
            let bad = |problem: String| self.bad(&name::entry(version), problem);
            let lines = super::action::lines(&entry).map_err(|error| bad(error.to_string()))?;
            for line in lines {
                snapshot
                    .apply(line)
                    .map_err(|error| bad(error.to_owned()))?;
            }
            snapshot.version = version;
        }
        Ok(true)
    }
}

/// See [`Log::adds`].
#[derive(Debug, Default)]
pub struct Adds {
    /// The last version of which nothing is known any more: it and all before were cleaned away.
    pub cleaned: Option<u64>,
    /// The others, in order.
    pub entries: Vec<(u64, Vec<Add>)>,
}

enum Found {
    State(Box<Snapshot>),
    Nothing,
    Cleaned,
}
