//! Batches of nodes that are not there: rows like those that an agent tells of a busy cluster, the same
//! for the same numbers. Where real ones follow from each other these do, and where they don't these
//! are drawn on their own: whoever packs them must find no order that isn't there in earnest.

pub(super) mod names;
pub(super) mod node;
pub(super) mod pod;
mod traffic;

use protocol::{Epoch, Header, Previous, Row, Timestamp};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};

use pod::FakePod;

/// A node of the cluster.
#[derive(Debug)]
pub struct FakeAgent {
    /// Its name.
    pub name: String,
    /// Of this start.
    pub epoch: Epoch,
    interval_us: i64,
    rng: StdRng,
    pods: Vec<FakePod>,
}

impl FakeAgent {
    /// Node `number` with `pods` pods, its windows `interval_us` long.
    pub fn new(number: u64, pods: usize, interval_us: i64) -> Self {
        let mut rng = StdRng::seed_from_u64(number);
        let [third, fourth] = [number / 250 % 250, number % 250];
        let name = format!(
            "ip-10-{}-{third}-{fourth}.eu-central-1.compute.internal",
            number / 62_500
        );
        let epoch = Epoch(rng.random());
        let pods = (0..pods).map(|_| FakePod::new(&mut rng, &name, number));
        let mut pods: Vec<FakePod> = pods.collect();
        // As an agent does before it encodes them.
        pods.sort_by(|left, right| left.place().cmp(&right.place()));
        Self {
            name,
            epoch,
            interval_us,
            rng,
            pods,
        }
    }

    /// The header of batch `seq`, whose window ends at `end`.
    pub fn header(&self, seq: u64, end: Timestamp, previous: Option<Previous>) -> Header {
        Header {
            cluster: "production".to_owned(),
            node: self.name.clone(),
            boot_id: "5a2ab2a1-9d4a-4f0e-8f3c-3f1f5ab1c0de".to_owned(),
            epoch: self.epoch,
            seq,
            previous,
            window_start: end.plus_us(-self.interval_us),
            window_end: end,
        }
    }

    /// The rows of a window.
    pub fn rows(&mut self, end: Timestamp) -> Vec<Row> {
        let window = (end.plus_us(-self.interval_us), end);
        let (mut rows, mut networks) = (Vec::new(), Vec::new());
        for pod in &mut self.pods {
            let traffic = pod.live(&mut self.rng, window);
            rows.push(Row::PodUsage(pod.usage.clone()));
            networks.extend(traffic.into_iter().map(Row::PodNetwork));
        }
        rows.extend(networks);
        let usage = node::usage(&mut self.rng, window, self.pods.len());
        rows.push(Row::NodeUsage(usage));
        let reconcile = node::reconcile(&mut self.rng, &rows, window);
        rows.push(Row::Reconcile(reconcile));
        rows
    }
}

#[cfg(test)]
mod tests {
    use protocol::encode_rows;

    use super::*;

    const BATCHES: usize = 20;

    fn bytes_of_a_pod(pods: usize) -> f64 {
        let end = Timestamp {
            unix_us: 1_760_000_030_000_412,
        };
        let batch = |number| {
            let mut agent = FakeAgent::new(number, pods, 30_000_412);
            let rows = agent.rows(end);
            encode_rows(&agent.header(4711, end, None), &rows).len()
        };
        let bytes: usize = (0..BATCHES as u64).map(batch).sum();
        bytes as f64 / (BATCHES * pods) as f64
    }

    /// What one pod's row and its share of all others takes. Less is better; more is a loss that nobody wanted.
    #[test]
    fn batches_stay_as_small_as_they_are() {
        for (pods, most) in [(110, 79.0), (250, 71.0)] {
            let bytes = bytes_of_a_pod(pods);
            assert!(
                bytes < most,
                "{bytes:.1} bytes a pod-row of {pods}, at most {most}"
            );
        }
    }
}
