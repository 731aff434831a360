//! What the store knows of a pod, for its rows.

use super::{MadeBy, Node, Owned, Pod, Store, key::Asked};
use crate::lake::rows::{Facts, ListId, Place, PodFacts, PodId, Storage, TextId};

impl Store {
    fn facts<'a>(&'a self, pod: &'a Pod) -> PodFacts<'a> {
        let amount = |at: usize| pod.amounts.get(at).copied().filter(|amount| *amount >= 0);
        let made_by = match pod.made_by {
            Some(MadeBy::ReplicaSet(number)) => self.replica_sets.get(number),
            Some(MadeBy::Job(number)) => self.jobs.get(number),
            None => None,
        };
        let owner = made_by.and_then(|Owned { by }| *by).unwrap_or(pod.owner);
        let node = pod.node.and_then(|node| self.nodes.get(node));
        PodFacts {
            name: &pod.name,
            namespace: pod.namespace,
            owner: owner.owner,
            workload_kind: owner.kind,
            workload: owner.name,
            qos: pod.qos,
            host_network: pod.host_network,
            requests: [amount(0), amount(1)],
            limits: [amount(2), amount(3)],
            labels: pod.labels,
            annotations: pod.annotations,
            claim_names: pod.claim_names,
            claims: &pod.claims,
            place: node.map(place).unwrap_or_default(),
        }
    }
}

fn place(node: &Node) -> Place {
    Place {
        instance_id: node.instance_id,
        instance_type: node.instance_type,
        zone: node.zone,
        region: node.region,
    }
}

impl Facts for Store {
    fn find(&self, pod_id: &str) -> Option<PodId> {
        let asked = Asked::of(pod_id);
        let number = match asked {
            Asked::Uuid(_) => self.pods.find_asked(asked),
            // Rows of static pods may carry the hash of their configuration.
            Asked::Text(hash) => {
                let hash = self.texts.find(hash).map(TextId);
                let pod = hash.and_then(|hash| self.static_pods.get(&hash));
                pod.copied().or_else(|| self.pods.find_asked(asked))
            }
        };
        number.map(PodId)
    }

    fn pod(&self, id: PodId) -> Option<PodFacts<'_>> {
        Some(self.facts(self.pods.get(id.0)?))
    }

    fn storage(&self, pod: &PodFacts<'_>, volumes: &mut Vec<TextId>) -> Storage {
        let mut storage = Storage {
            bytes: Some(0),
            has_all_volumes: true,
        };
        for claim in pod.claims {
            let claim = self.claims.get(*claim);
            let bytes = claim.and_then(|claim| claim.bytes);
            let sum = storage.bytes.zip(bytes);
            storage.bytes = sum.and_then(|(sum, bytes)| sum.checked_add(bytes));
            // A claim that waits for its volume has none.
            let volume = claim.and_then(|claim| claim.volume);
            let known = volume.and_then(|volume| self.volumes.get(volume));
            storage.has_all_volumes &= claim.is_some() && volume.is_some() == known.is_some();
            volumes.extend(known.and_then(|volume| volume.aws_id));
        }
        storage
    }

    fn text(&self, id: TextId) -> &str {
        self.texts.get(id.0).unwrap_or_default()
    }

    fn list(&self, id: ListId) -> &[TextId] {
        self.lists.get(id.0).unwrap_or_default()
    }

    fn ends(&self) -> (usize, usize) {
        (self.texts.end(), self.lists.end())
    }
}
