//! How objects come into the store and leave it, and what they take of others with them.

use protocol::pod::{Controller, workload};

use super::{Claim, MadeBy, Node, Owned, Owner, Pod, Store, Volume};
use crate::{
    enrich::{Kind, read},
    lake::rows::{ListId, TextId},
};

impl Store {
    /// A pod is there, or is another than before, or this was its last state.
    pub fn put_pod(&mut self, told: &read::Pod<'_>, is_gone: bool) {
        if self.pods.len() >= self.bounds.most_pods && self.pods.find(&told.uid).is_none() {
            self.left_out.pods += 1;
            return;
        }
        let pod = self.pod(told);
        // The other one goes after this one came: what both have is kept.
        let config_hash = pod.config_hash;
        let (number, before) = self.pods.put(&told.uid, pod);
        if let Some(before) = before {
            self.drop_pod(number, before);
        }
        if let Some(hash) = config_hash {
            let of_hash = self.static_pods.entry(hash).or_insert(number);
            // Made anew it has the same configuration, and the old one may be told last.
            if !is_gone {
                *of_hash = number;
            }
        }
    }

    fn pod(&mut self, told: &read::Pod<'_>) -> Pod {
        let controller = told.controller.as_ref();
        let workload = workload(controller, told.template_hash.as_deref(), &told.name);
        let claims = told.claims.iter();
        let claims = claims.map(|name| self.claims.refer(&format!("{}/{name}", told.namespace)));
        let amounts = [told.demand.requests, told.demand.limits];
        let amounts = amounts.map(|amount| [amount.cpu_millicores, amount.memory_bytes]);
        let [[a, b], [c, d]] = amounts;
        Pod {
            name: (&*told.name).into(),
            claims: claims.collect(),
            namespace: self.text(&told.namespace),
            owner: self.owner_of_pod(controller, workload, &told.name),
            made_by: controller.and_then(|controller| self.made_by(controller)),
            qos: told.qos.as_deref().map(|qos| self.text(qos)),
            labels: self.bounded_list(&told.labels),
            annotations: self.bounded_list(&told.annotations),
            node: told.node.as_deref().map(|node| self.nodes.refer(node)),
            config_hash: told.config_hash.as_deref().map(|hash| self.text(hash)),
            claim_names: self.list(&told.claims),
            host_network: told.demand.host_network,
            amounts: [a, b, c, d].map(|amount| amount.unwrap_or(-1)),
        }
    }

    /// What the pod itself says of its owner, which is the last word unless more is known of who made it.
    fn owner_of_pod(
        &mut self,
        controller: Option<&Controller>,
        (kind, name): (&str, &str),
        pod_name: &str,
    ) -> Owner {
        let owner = controller.map(|controller| match kind {
            "StaticPod" => format!("{}/{}", controller.kind, controller.name),
            _ => format!("{kind}/{name}"),
        });
        Owner {
            owner: owner.map(|owner| self.text(&owner)),
            kind: self.text(kind),
            name: (name != pod_name).then(|| self.text(name)),
        }
    }

    fn made_by(&mut self, controller: &Controller) -> Option<MadeBy> {
        let uid = controller.uid.as_deref()?;
        match &*controller.kind {
            "ReplicaSet" => Some(MadeBy::ReplicaSet(self.replica_sets.refer(uid))),
            "Job" => Some(MadeBy::Job(self.jobs.refer(uid))),
            _ => None,
        }
    }

    /// A node.
    pub fn put_node(&mut self, told: &read::Node<'_>) {
        let mut text = |text: &Option<String>| text.as_deref().map(|text| self.text(text));
        let node = Node {
            zone: text(&told.zone),
            region: text(&told.region),
            instance_type: text(&told.instance_type),
            instance_id: text(&told.instance_id),
        };
        if let Some(before) = self.nodes.put(&told.name, node).1 {
            self.drop_node(&before);
        }
    }

    /// A claim.
    pub fn put_claim(&mut self, told: &read::Claim<'_>) {
        let volume = told.volume.as_deref();
        let claim = Claim {
            bytes: told.bytes,
            volume: volume.map(|volume| self.volumes.refer(volume)),
        };
        if let Some(before) = self.claims.put(&told.key, claim).1 {
            self.drop_claim(&before);
        }
    }

    /// A volume.
    pub fn put_volume(&mut self, told: &read::Volume<'_>) {
        let aws_id = told.aws_id.as_deref().map(|id| self.text(id));
        if let Some(before) = self.volumes.put(&told.name, Volume { aws_id }).1 {
            self.drop_text(before.aws_id);
        }
    }

    /// A `ReplicaSet`, or a Job.
    pub fn put_owned(&mut self, kind: Kind, told: &read::Owned<'_>) {
        let owned = self.owned(told);
        let shelf = match kind {
            Kind::ReplicaSets => &mut self.replica_sets,
            _ => &mut self.jobs,
        };
        if let Some(before) = shelf.put(&told.uid, owned).1 {
            self.drop_owned(&before);
        }
    }

    fn owned(&mut self, told: &read::Owned<'_>) -> Owned {
        let by = told.controller.as_ref();
        let by = by.map(|Controller { kind, name, .. }| Owner {
            owner: Some(self.text(&format!("{kind}/{name}"))),
            kind: self.text(kind),
            name: Some(self.text(name)),
        });
        Owned { by }
    }

    /// What a pod had is needed once less.
    pub(super) fn drop_pod(&mut self, number: u32, pod: Pod) {
        // The same configuration may be another pod's by now.
        if let Some(hash) = pod.config_hash
            && self.static_pods.get(&hash) == Some(&number)
        {
            self.static_pods.remove(&hash);
        }
        for text in [Some(pod.namespace), pod.qos, pod.config_hash] {
            self.drop_text(text);
        }
        self.drop_owner(pod.owner);
        match pod.made_by {
            Some(MadeBy::ReplicaSet(number)) => self.replica_sets.release(number),
            Some(MadeBy::Job(number)) => self.jobs.release(number),
            None => {}
        }
        for list in [pod.labels, pod.annotations, Some(pod.claim_names)] {
            self.drop_list(list);
        }
        if let Some(node) = pod.node {
            self.nodes.release(node);
        }
        for claim in pod.claims {
            self.claims.release(claim);
        }
    }

    pub(super) fn drop_node(&mut self, node: &Node) {
        for text in [node.zone, node.region, node.instance_type, node.instance_id] {
            self.drop_text(text);
        }
    }

    pub(super) fn drop_claim(&mut self, claim: &Claim) {
        if let Some(volume) = claim.volume {
            self.volumes.release(volume);
        }
    }

    pub(super) fn drop_owned(&mut self, owned: &Owned) {
        if let Some(by) = owned.by {
            self.drop_owner(by);
        }
    }

    fn drop_owner(&mut self, owner: Owner) {
        for text in [owner.owner, Some(owner.kind), owner.name] {
            self.drop_text(text);
        }
    }

    pub(super) fn drop_text(&mut self, text: Option<TextId>) {
        if let Some(text) = text.and_then(|text| self.texts.release(text.0)) {
            self.text_bytes -= text.len();
        }
    }

    fn drop_list(&mut self, list: Option<ListId>) {
        if let Some(texts) = list.and_then(|list| self.lists.release(list.0)) {
            for text in texts {
                self.drop_text(Some(text));
            }
        }
    }

    fn text(&mut self, text: &str) -> TextId {
        let (number, is_new) = self.texts.take(text);
        if is_new {
            self.text_bytes += text.len();
        }
        TextId(number)
    }

    fn list(&mut self, texts: &[String]) -> ListId {
        let texts: Vec<TextId> = texts.iter().map(|text| self.text(text)).collect();
        let (list, is_new) = self.lists.take(&texts);
        if !is_new {
            // The list that was there has them already.
            for text in texts {
                self.drop_text(Some(text));
            }
        }
        ListId(list)
    }

    fn bounded_list(&mut self, texts: &[String]) -> Option<ListId> {
        if self.text_bytes > self.bounds.most_text_bytes {
            self.left_out.lists += 1;
            return None;
        }
        Some(self.list(texts))
    }
}
