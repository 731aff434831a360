//! Whose turn it is to take care, of several aggregators. A hint only: two who do it at once waste their
//! work, nothing else.

use std::time::Duration;

use bytes::Bytes;
use object_store::path::Path;
use protocol::Epoch;
use serde::{Deserialize, Serialize};

use super::Care;
use crate::lake::{LakeError, store::Store};

/// Who asks at the same time has asked within this time.
const MOMENT: Duration = Duration::from_millis(500);

/// What is written down.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Note {
    holder: String,
    until_ms: i64,
}

/// See the module.
pub struct Turn {
    path: Path,
    own: String,
}

impl Turn {
    /// For the tables below this prefix.
    pub fn new(prefix: &Path, own: Epoch) -> Self {
        Self {
            path: prefix.clone().join("_podledger").join("care"),
            own: own.to_string(),
        }
    }

    async fn read(&self, store: &Store) -> Result<Option<Note>, LakeError> {
        let note = store.get(&self.path).await?;
        // What can't be read holds nothing.
        Ok(note.and_then(|note| serde_json::from_slice(&note).ok()))
    }
}

impl Care {
    /// Whether it is ours for so long from now on.
    pub async fn is_our_turn(&self, turn: &Turn, span: Duration) -> Result<bool, LakeError> {
        let now_ms = self.now().unix_us / 1_000;
        let span_ms = i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
        let is_anothers = |note: &Note| {
            // A clock that was ahead may not hold it for ever.
            let is_valid =
                now_ms < note.until_ms && note.until_ms <= now_ms.saturating_add(span_ms * 2);
            note.holder != turn.own && is_valid
        };
        let known = turn.read(&self.store).await?;
        if known.as_ref().is_some_and(is_anothers) {
            return Ok(false);
        }
        let note = Note {
            holder: turn.own.clone(),
            until_ms: now_ms.saturating_add(span_ms),
        };
        let is_held = known.is_some_and(|known| known.holder == turn.own);
        let bytes = serde_json::to_vec(&note).unwrap_or_default();
        self.store.put(&turn.path, &Bytes::from(bytes)).await?;
        if is_held {
            return Ok(true);
        }
        tokio::time::sleep(MOMENT).await;
        Ok(turn
            .read(&self.store)
            .await?
            .is_some_and(|note| note.holder == turn.own))
    }

    /// Lets another one have it at once.
    pub async fn give_up(&self, turn: &Turn) {
        if let Ok(Some(note)) = turn.read(&self.store).await
            && note.holder == turn.own
        {
            // It ends by itself otherwise.
            drop(self.store.delete(vec![turn.path.clone()]).await);
        }
    }
}
