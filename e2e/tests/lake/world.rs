//! Tables that the aggregator's lake writes, of agents that are not there.

use std::sync::Arc;
use std::time::Duration;

use aggregator::generate::FakeAgent;
use aggregator::held::{Held, Sender};
use aggregator::intake::Sealed;
use aggregator::lake::Lake;
use aggregator::lake::rows::WriteSettings;
use aggregator::lake::settings::Settings;
use aggregator::lake::store::{Rates, Retry};
use aggregator::verify::{Reading, Report, Rules, Tables};
use anyhow::{Result, ensure};
use bytes::Bytes;
use object_store::path::Path;
use protocol::{Body, Counts, Gap, GapReason, Header, Limits, Previous, Table, Timestamp};

use crate::place::{PREFIX, Place};

/// Midnight between two days, in the middle of the windows.
const NEW_YEAR: Timestamp = Timestamp {
    unix_us: 1_767_225_600_000_000,
};
/// Length of a window.
pub(crate) const WINDOW_US: i64 = 30_000_000;
/// Pods of each node.
const PODS: usize = 7;

/// Patience that suits a test.
pub(crate) fn settings() -> Settings {
    let mut settings = Settings::new(Arc::new(WriteSettings::default()));
    // Windows are of about now: older ones would never be taken in.
    settings.clock = Arc::new(|| NEW_YEAR.plus_us(3_600_000_000));
    settings.retry = Retry {
        answer: Duration::from_secs(5),
        operation: Duration::from_secs(30),
        first_pause: Duration::from_millis(1),
        longest_pause: Duration::from_millis(20),
        rates: Rates {
            lowest: 200.0,
            highest: 2_000.0,
        },
    };
    settings
}

/// A lake on the place's tables.
pub(crate) async fn lake(place: &Place, settings: Settings) -> Result<Lake> {
    Ok(Lake::open(place.store(), Path::from(PREFIX), settings).await?)
}

/// What `verify` says of them when everything in them is old, or was written just now.
pub(crate) async fn verify(place: &Place, is_old: bool) -> Result<Report> {
    let tables = Tables::new(place.store(), Path::from(PREFIX));
    let reading = Reading {
        store: tables.store(),
        snapshots: &tables,
        rules: Rules {
            now: Timestamp {
                unix_us: if is_old { i64::MAX } else { 0 },
            },
            settle: Duration::from_secs(900),
        },
        memory: 64 << 20,
        progress: &|_| {},
    };
    Ok(reading.judge().await?)
}

pub(crate) async fn assert_proved(place: &Place) -> Result<Report> {
    let report = verify(place, true).await?;
    ensure!(report.is_proved(), "{report}");
    Ok(report)
}

/// One start of the agent of a node.
pub(crate) struct Agent {
    fake: FakeAgent,
    cluster: &'static str,
    seq: u64,
    end: Timestamp,
    previous: Option<Previous>,
}

impl Agent {
    /// The first start on node `number`.
    pub(crate) fn new(number: u64) -> Self {
        Self {
            fake: FakeAgent::new(number, PODS, WINDOW_US),
            cluster: "production",
            seq: 0,
            // Just before midnight, so that the windows are of two days.
            end: NEW_YEAR.plus_us(-3 * WINDOW_US),
            previous: None,
        }
    }

    /// In another cluster.
    pub(crate) fn of(mut self, cluster: &'static str) -> Self {
        self.cluster = cluster;
        self
    }

    /// The next start on the same node, with the same spool.
    pub(crate) fn restart(&mut self) {
        self.previous = Some(Previous {
            epoch: self.fake.epoch,
            last: self.seq,
        });
        self.fake.epoch.0[0] ^= 0xff;
        self.seq = 0;
    }

    /// The next batch.
    pub(crate) fn batch(&mut self) -> Result<Held> {
        let header = self.next();
        let rows = self.fake.rows(self.end);
        held(protocol::encode_rows(&header, &rows).into())
    }

    /// So many of them.
    pub(crate) fn batches(&mut self, count: usize) -> Result<Vec<Held>> {
        (0..count).map(|_| self.batch()).collect()
    }

    /// The next batch was given up.
    pub(crate) fn gap(&mut self, reason: GapReason) -> Result<Held> {
        let mut rows_lost = Counts::default();
        rows_lost[Table::PodUsage] = 7;
        let gap = Gap {
            reason,
            message: "on purpose".to_owned(),
            rows_lost,
        };
        let header = self.next();
        held(protocol::encode_gap(&header, &gap).into())
    }

    fn next(&mut self) -> Header {
        self.seq += 1;
        self.end = self.end.plus_us(WINDOW_US);
        let previous = self.previous.filter(|_| self.seq == 1);
        let header = self.fake.header(self.seq, self.end, previous);
        Header {
            cluster: self.cluster.to_owned(),
            ..header
        }
    }
}

/// As the aggregator takes it in.
fn held(frame: Bytes) -> Result<Held> {
    let batch = protocol::decode(&frame, &Limits::default())?;
    let mut rows = Counts::default();
    let gap = match batch.body {
        Body::Whole(tables) => {
            for data in tables {
                rows[data.table] = data.rows as u64;
            }
            None
        }
        Body::Gap(gap) => {
            rows[Table::Reconcile] = 1;
            Some(gap)
        }
    };
    let header = batch.header;
    Ok(Held {
        sender: Sender {
            node: header.node.into(),
            epoch: header.epoch,
        },
        cluster: header.cluster.into(),
        seq: header.seq,
        previous: header.previous,
        window_end: header.window_end,
        rows,
        gap,
        frame,
    })
}

/// One commit of these.
pub(crate) fn sealed(batches: impl IntoIterator<Item = Held>) -> Sealed {
    Sealed {
        batches: batches.into_iter().collect(),
    }
}

/// Two nodes, one of them started again, one gap: four commits of the ledger's table.
pub(crate) async fn fill(place: &Place) -> Result<()> {
    let lake = lake(place, settings()).await?;
    let (mut one, mut other) = (Agent::new(1), Agent::new(2));
    let both = one.batches(3)?.into_iter().chain(other.batches(2)?);
    lake.commit(&sealed(both)).await?;
    lake.commit(&sealed([other.gap(GapReason::SpoolFull)?]))
        .await?;
    lake.commit(&sealed(other.batches(2)?)).await?;
    one.restart();
    lake.commit(&sealed(one.batches(2)?)).await?;
    Ok(())
}
