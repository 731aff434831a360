//! Stands in for the aggregator's service until that is there.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use aggregator::{
    held::{Held, Sender},
    intake::{Bounds, Intake, Offered},
    lake::{Lake, LakeError, settings::Settings},
};
use bytes::Bytes;
use object_store::{ObjectStore, path::Path};
use protocol::{Ack, Batch, Body, Counts, Epoch, Limits, Refusal, RefusalKind, Table};

use super::world::lock;

pub struct Service {
    lake: Lake,
    intake: Mutex<Intake>,
    instance: Epoch,
    settings: Settings,
}

fn refusal(kind: RefusalKind, reason: String) -> Refusal {
    Refusal {
        kind,
        reason,
        epoch: None,
        seq: None,
        index: None,
    }
}

impl Service {
    pub async fn start(
        store: Arc<dyn ObjectStore>,
        prefix: Path,
        settings: Settings,
    ) -> Result<Self, LakeError> {
        let lake = Lake::open(store, prefix, settings.clone()).await?;
        let mut intake = Intake::new(Bounds::default());
        intake.raise(&lake.ledger());
        Ok(Self {
            lake,
            intake: Mutex::new(intake),
            instance: settings.random.id(),
            settings,
        })
    }

    fn held(&self, frame: &Bytes) -> Result<Held, Refusal> {
        let Batch { header, body } = protocol::decode(frame, &Limits::default())
            .map_err(|error| refusal(RefusalKind::BadBatch, error.to_string()))?;
        let mut rows = Counts::default();
        let mut gap = None;
        match body {
            Body::Whole(tables) => {
                for data in tables {
                    rows[data.table] = data.rows as u64;
                }
            }
            Body::Gap(told) => {
                gap = Some(told);
                rows[Table::Reconcile] = 1;
            }
        }
        let now = (self.settings.clock)();
        let age = now.unix_us - header.window_end.unix_us;
        if gap.is_none() && (age > 8 * 86_400_000_000 || age < -86_400_000_000) {
            return Err(Refusal {
                epoch: Some(header.epoch),
                seq: Some(header.seq),
                ..refusal(RefusalKind::BadTime, "window".into())
            });
        }
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
            frame: frame.clone(),
        })
    }

    pub async fn take(&self, node: Option<&str>, body: Bytes) -> Result<Ack, Refusal> {
        let message = protocol::decode_message(body, &Limits::default())
            .map_err(|error| refusal(RefusalKind::Malformed, error.to_string()))?;
        if node.is_some_and(|node| node != message.node) {
            return Err(refusal(RefusalKind::Forbidden, "another node".into()));
        }
        let mut epochs = message.asks.clone();
        let mut expect = None;
        for frame in &message.batches {
            let held = self.held(frame)?;
            if !epochs.contains(&held.sender.epoch) {
                epochs.push(held.sender.epoch);
            }
            let mut offered = lock(&self.intake).offer(held.clone());
            if offered == Offered::Ahead {
                let ledger = self
                    .lake
                    .reload_ledger()
                    .await
                    .map_err(|error| refusal(RefusalKind::Busy, error.to_string()))?;
                let mut intake = lock(&self.intake);
                intake.raise(&ledger);
                offered = intake.offer(held.clone());
            }
            match offered {
                Offered::Taken | Offered::Known => {}
                Offered::Full => return Err(refusal(RefusalKind::Busy, "full".into())),
                Offered::Ahead => {
                    let intake = lock(&self.intake);
                    if !intake.knows(&held.sender) {
                        return Err(refusal(RefusalKind::UnknownEpoch, "unknown epoch".into()));
                    }
                    let received = intake.answer(&held.sender.node, held.sender.epoch).received;
                    expect = Some((held.sender.epoch, received + 1));
                    break;
                }
            }
        }
        let intake = lock(&self.intake);
        let answers = epochs
            .iter()
            .map(|epoch| {
                let mut answer = intake.answer(&message.node, *epoch);
                answer.expect = expect
                    .filter(|(of, _)| of == epoch)
                    .map(|(_, expect)| expect);
                answer
            })
            .collect();
        Ok(Ack {
            instance: self.instance,
            table_id: self.lake.table_id().to_owned(),
            answers,
        })
    }

    pub async fn run(&self) -> String {
        loop {
            tokio::time::sleep(self.settings.random.jitter(Duration::from_secs(10))).await;
            let sealed = lock(&self.intake).seal();
            if sealed.batches.is_empty() {
                continue;
            }
            match self.lake.commit(&sealed).await {
                Ok(ledger) => lock(&self.intake).raise(&ledger),
                Err(error) => {
                    if !error.may_pass() {
                        return error.to_string();
                    }
                }
            }
        }
    }
}
