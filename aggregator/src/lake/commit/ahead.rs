//! Files of tables whose turn comes later in the cycle, made when the first of them were: each batch is
//! read once for all tables. Which batches a table lacks is only expected until its turn comes; if it is
//! others then, these files are let go unseen.

use protocol::Table;

use super::super::{
    Lake, LakeError,
    encode::{EncodeError, Made, NewFile, Wanted},
    settings::Offload,
};
use crate::{
    held::{Held, Sender},
    intake::Sealed,
};

/// See the module. Of one cycle: what is sealed stays the same.
pub(super) struct Ahead<'a> {
    sealed: &'a Sealed,
    tables: [Option<Expected>; Table::ALL.len()],
}

/// What a table lacks.
pub(super) struct Lacking {
    pub table: Table,
    /// In the order in which they are sealed, each with rows for it.
    pub batches: Vec<Held>,
}

/// Files of what a table is expected to lack.
struct Expected {
    batches: Batches,
    files: Vec<NewFile>,
}

/// Names batches.
#[derive(PartialEq, Eq)]
pub(super) struct Batches(Vec<(Sender, u64)>);

impl Batches {
    /// Of these.
    pub fn of(batches: &[Held]) -> Self {
        let names = batches.iter();
        Self(
            names
                .map(|batch| (batch.sender.clone(), batch.seq))
                .collect(),
        )
    }

    /// Whether it is exactly these.
    pub fn are(&self, batches: &[Held]) -> bool {
        let names = batches.iter().map(|batch| (&batch.sender, batch.seq));
        let own = self.0.iter().map(|(sender, seq)| (sender, *seq));
        own.eq(names)
    }
}

impl<'a> Ahead<'a> {
    /// Nothing was made yet.
    pub fn new(sealed: &'a Sealed) -> Self {
        Self {
            sealed,
            tables: Default::default(),
        }
    }
}

impl Lake {
    /// The files of exactly these batches.
    pub(super) async fn make(
        &self,
        lacking: &Lacking,
        ahead: &mut Ahead<'_>,
    ) -> Result<Vec<NewFile>, LakeError> {
        let table = lacking.table;
        let expected = ahead.tables[table as usize].take();
        let fits = |expected: &Expected| expected.batches.are(&lacking.batches);
        if let Some(expected) = expected.filter(fits) {
            return Ok(expected.files);
        }
        let mut others = Vec::new();
        for later in Table::ALL {
            if later > table
                && ahead.tables[later as usize].is_none()
                && let Some(base) = self.state(later).known()
            {
                others.push(self.above(later, ahead.sealed, &base));
            }
        }
        let wanted = wanted(ahead.sealed, others.iter().chain([lacking]));
        let mut made = self.encode(table, wanted).await?;
        for Lacking { table, batches } in others {
            ahead.tables[table as usize] = Some(Expected {
                batches: Batches::of(&batches),
                files: std::mem::take(&mut made[table as usize]),
            });
        }
        Ok(std::mem::take(&mut made[table as usize]))
    }

    async fn encode(&self, table: Table, wanted: Vec<Wanted>) -> Result<Made, LakeError> {
        let encode = self.settings.encode.clone();
        let made = match self.settings.offload {
            Offload::Inline => encode.files(&wanted),
            Offload::Blocking => {
                let work = tokio::task::spawn_blocking(move || encode.files(&wanted));
                work.await
                    .unwrap_or_else(|error| Err(EncodeError::from(error)))
            }
        };
        made.map_err(|source| LakeError::Encode {
            table: table.name(),
            source,
        })
    }
}

/// Each sealed batch that some table lacks. Those of each table are in the order of all.
fn wanted<'a>(sealed: &Sealed, lacking: impl Iterator<Item = &'a Lacking>) -> Vec<Wanted> {
    let mut rest: Vec<_> = lacking
        .map(|lacking| (lacking.table, lacking.batches.iter().peekable()))
        .collect();
    let wanted = sealed.batches.iter().map(|batch| {
        let mut tables = [false; Table::ALL.len()];
        for (table, batches) in &mut rest {
            let is_it = |next: &&Held| next.seq == batch.seq && next.sender == batch.sender;
            tables[*table as usize] = batches.next_if(is_it).is_some();
        }
        Wanted {
            batch: batch.clone(),
            tables,
        }
    });
    wanted
        .filter(|wanted| wanted.tables.contains(&true))
        .collect()
}
