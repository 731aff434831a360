//! Which pods run on which node.

use std::sync::Arc;

use rand::seq::SliceRandom as _;

use super::{
    Shape,
    machine::Machine,
    node::Node,
    random::stream,
    slot::Slot,
    workload::{Kind, Workload},
};

/// Pods of a full node.
const PODS: usize = 50;

/// How many nodes so many pods take.
pub(super) fn count(pods: usize) -> usize {
    pods.div_ceil(PODS).max(1)
}

/// The nodes with all that runs on them. Busy pods are dealt like cards, so that no node gets more than its
/// CPUs can do; the last node gets what is left.
pub(super) fn nodes(shape: &Shape, workloads: &[Workload]) -> Vec<Node> {
    let mut rng = stream(shape.seed, "deal", 0);
    let nodes = count(shape.pods);
    let mut slots: Vec<Vec<Slot>> = (0..nodes).map(|_| Vec::new()).collect();
    let mut cards: Vec<(Arc<Workload>, usize)> = Vec::new();
    let mut jobs = 0;
    for workload in workloads {
        let workload = Arc::new(workload.clone());
        match workload.kind {
            Kind::DaemonSet | Kind::Service => {
                for slots in &mut slots {
                    slots.push(Slot::new(&workload, 0, shape));
                }
            }
            Kind::CronJob => {
                slots[jobs % nodes].push(Slot::new(&workload, 0, shape));
                jobs += 1;
            }
            Kind::Deployment | Kind::StatefulSet => {
                cards.extend((0..workload.replicas).map(|ordinal| (workload.clone(), ordinal)));
            }
        }
    }
    cards.shuffle(&mut rng);
    cards.sort_by(|left, right| right.0.work.cores.total_cmp(&left.0.work.cores));
    // The last node may have fewer: it is passed over once it has its share.
    let own = workloads
        .iter()
        .filter(|workload| workload.kind == Kind::DaemonSet)
        .count();
    let last = shape.pods.saturating_sub((nodes - 1) * PODS + own);
    let mut room: Vec<usize> = vec![PODS.saturating_sub(own); nodes];
    room[nodes - 1] = last;
    let mut at = 0;
    for (workload, ordinal) in cards {
        while room[at % nodes] == 0 {
            at += 1;
        }
        room[at % nodes] -= 1;
        slots[at % nodes].push(Slot::new(&workload, ordinal, shape));
        at += 1;
    }
    let made = slots.into_iter().enumerate();
    made.map(|(number, slots)| Node::new(shape, Machine::new(number as u64), slots))
        .collect()
}
