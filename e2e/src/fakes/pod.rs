//! One pod of a scene: what the kubelet tells of it and what the API server tells of it.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::{recorded, times};

/// Which recorded pod a new one is a copy of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Template {
    /// Burstable, owned by a `ReplicaSet`, containers `httpd` and `side`, with an init container.
    Web,
    /// Limits equal requests, one container `c` that is throttled all the time.
    Guaranteed,
    /// No requests, no owner, one container `p1`.
    BestEffort,
    /// In the node's network: the kubelet gives it the node's counters.
    HostNetwork,
    /// From a file on the node, in the node's network: the kubelet knows it by its config's hash.
    Static,
}

/// By how much counters grow in a second, beside CPU time, which grows as `usageNanoCores` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Growth {
    /// `rxBytes`
    pub rx_bytes: u64,
    /// `txBytes`
    pub tx_bytes: u64,
    /// `pageFaults`
    pub page_faults: u64,
    /// Each `psi` `total`, in microseconds, where it began to grow.
    pub pressure_us: u64,
}

impl Default for Growth {
    fn default() -> Self {
        Self {
            rx_bytes: 1000,
            tx_bytes: 500,
            page_faults: 10,
            pressure_us: 100,
        }
    }
}

/// One pod. The trees are as recorded and free to be changed.
#[derive(Clone, Debug)]
pub struct Pod {
    /// What cgroup and kubelet know it by.
    pub uid: String,
    /// Its entry in the summary; none for a pod that the kubelet leaves out, as between restarts.
    pub stats: Option<Value>,
    /// The API server's object; none for a pod that it does not know.
    pub object: Option<Value>,
    /// How its counters grow.
    pub growth: Growth,
}

impl Pod {
    /// A copy under another name, which has run for as long as the recorded one had; it joins a scene by
    /// [`super::Scene::add`], which moves its times to the scene's.
    pub fn like(template: Template, namespace: &str, name: &str) -> Result<Self> {
        Self::original(template)?.renamed(namespace, name)
    }

    /// The recorded one, its times those of the first summary.
    pub(super) fn original(template: Template) -> Result<Self> {
        let name = match template {
            Template::Web => "web-768c4ccb68-mk5g4",
            Template::Guaranteed => "guaranteed",
            Template::BestEffort => "p1",
            Template::HostNetwork => "hostnet",
            Template::Static => {
                let pod = Self::recorded(recorded::static_pod()?)?;
                return pod.moved(recorded::STATIC_SUMMARY_AT);
            }
        };
        let pods = recorded::pods()?.into_iter().map(Self::recorded);
        let mut named = pods.filter(|pod| pod.as_ref().is_ok_and(|pod| pod.name() == name));
        named.next().context("no such pod was recorded")?
    }

    pub(super) fn recorded(recorded: recorded::Recorded) -> Result<Self> {
        let stats_uid = recorded.stats.as_ref().map(|stats| &stats["podRef"]["uid"]);
        let object_uid = recorded
            .object
            .as_ref()
            .map(|object| &object["metadata"]["uid"]);
        let uid = stats_uid.or(object_uid).and_then(Value::as_str);
        Ok(Self {
            uid: uid.context("a recorded pod has no uid")?.to_owned(),
            stats: recorded.stats,
            object: recorded.object,
            growth: Growth::default(),
        })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.text("name")
    }

    /// Its namespace.
    pub fn namespace(&self) -> &str {
        self.text("namespace")
    }

    fn text(&self, key: &str) -> &str {
        let object = self.object.as_ref().map(|object| &object["metadata"][key]);
        let stats = self.stats.as_ref().map(|stats| &stats["podRef"][key]);
        object.or(stats).and_then(Value::as_str).unwrap_or_default()
    }

    /// The node that the API server has it on.
    pub fn node(&self) -> Option<&str> {
        self.object.as_ref().and_then(node_of)
    }

    /// The uid in the API server's object: another than the kubelet's for a static pod.
    pub fn object_uid(&self) -> Option<&str> {
        self.object.as_ref()?["metadata"]["uid"].as_str()
    }

    /// The runtime's id of a container, as in the name of its cgroup: 64 digits.
    pub fn container_id(&self, container: &str) -> Option<&str> {
        let statuses = self.object.as_ref()?["status"]["containerStatuses"].as_array()?;
        let status = statuses.iter().find(|status| status["name"] == container)?;
        status["containerID"]
            .as_str()?
            .strip_prefix("containerd://")
    }

    /// On another node, or on none yet.
    pub fn on_node(mut self, node: Option<&str>) -> Self {
        if let Some(spec) = self
            .object
            .as_mut()
            .and_then(|object| object["spec"].as_object_mut())
        {
            match node {
                Some(node) => drop(spec.insert("nodeName".to_owned(), node.into())),
                None => drop(spec.shift_remove("nodeName")),
            }
        }
        self
    }

    /// With a label.
    pub fn with_label(mut self, key: &str, value: &str) -> Self {
        if let Some(object) = &mut self.object {
            object["metadata"]["labels"][key] = value.into();
        }
        self
    }

    /// In another phase: `Succeeded` or `Failed` for one that has ended.
    pub fn in_phase(mut self, phase: &str) -> Self {
        if let Some(object) = &mut self.object {
            object["status"]["phase"] = phase.into();
        }
        self
    }

    /// With a uid of the caller's choice, for the kubelet and the API server alike.
    pub fn with_uid(mut self, uid: &str) -> Self {
        if let Some(stats) = &mut self.stats {
            stats["podRef"]["uid"] = uid.into();
        }
        if let Some(object) = &mut self.object {
            object["metadata"]["uid"] = uid.into();
        }
        uid.clone_into(&mut self.uid);
        self
    }

    /// Times become those of a pod that was recorded together with the first summary.
    fn moved(mut self, recorded_at: &str) -> Result<Self> {
        let at = |text| times::parse(text).context("a recorded time is none");
        let by = at(recorded::SUMMARY_AT)? - at(recorded_at)?;
        self.move_times(&|time| time + by);
        Ok(self)
    }

    pub(super) fn move_times(&mut self, new: &impl Fn(i64) -> i64) {
        let trees = [self.stats.as_mut(), self.object.as_mut()];
        trees
            .into_iter()
            .flatten()
            .for_each(|tree| times::map(tree, new));
    }

    /// The kubelet samples each cgroup when it likes: copies must not all have one moment.
    pub(super) fn spread_samples(&mut self) {
        let shift = i64::from(digest(&self.uid, "sample")[0] % 10);
        if let Some(stats) = &mut self.stats {
            shift_samples(stats, shift);
        }
    }

    /// A new name, and all that is unique made anew from it.
    pub(super) fn renamed(self, namespace: &str, name: &str) -> Result<Self> {
        let (old_namespace, old_name) = (self.namespace().to_owned(), self.name().to_owned());
        let static_uid = self
            .object_uid()
            .filter(|uid| *uid != self.uid)
            .map(str::to_owned);
        let uid = if static_uid.is_some() {
            hex(namespace, name)[..32].to_owned()
        } else {
            uuid(namespace, name)
        };
        let mut changes = vec![
            (format!("\"{old_name}\""), format!("\"{name}\"")),
            (
                format!("\"namespace\":\"{old_namespace}\""),
                format!("\"namespace\":\"{namespace}\""),
            ),
            (self.uid.clone(), uid.clone()),
        ];
        if let Some(old) = static_uid {
            changes.push((old, uuid(namespace, &format!("{name} mirror"))));
        }
        for (number, old) in self.runtime_ids().into_iter().enumerate() {
            changes.push((old, hex(&uid, &number.to_string())));
        }
        let change = |tree: Value| -> Result<Value> {
            let mut text = tree.to_string();
            for (old, new) in &changes {
                text = text.replace(old, new);
            }
            recorded::tree(&text)
        };
        let mut object = self.object.map(change).transpose()?;
        if let Some(object) = &mut object {
            // The containers of a best-effort pod may bear its name.
            object["metadata"]["name"] = name.into();
        }
        Ok(Self {
            uid,
            stats: self.stats.map(change).transpose()?,
            object,
            growth: self.growth,
        })
    }

    fn runtime_ids(&self) -> Vec<String> {
        let status = self.object.as_ref().map(|object| &object["status"]);
        let lists = ["initContainerStatuses", "containerStatuses"];
        let lists = lists.iter().filter_map(|key| status?[key].as_array());
        let ids = lists
            .flatten()
            .filter_map(|status| status["containerID"].as_str());
        let ids = ids.filter_map(|id| id.strip_prefix("containerd://"));
        ids.map(str::to_owned).collect()
    }
}

/// The node that an object is on.
pub(super) fn node_of(object: &Value) -> Option<&str> {
    object["spec"]["nodeName"].as_str()
}

/// The phase of an object's life.
pub(super) fn phase_of(object: &Value) -> Option<&str> {
    object["status"]["phase"].as_str()
}

fn shift_samples(value: &mut Value, by: i64) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                match (key.as_str(), &mut *value) {
                    ("time", Value::String(text)) => {
                        if let Some(time) = times::parse(text) {
                            *text = times::format(time - by);
                        }
                    }
                    // Taken when they are asked for.
                    ("logs" | "ephemeral-storage", _) => {}
                    _ => shift_samples(value, by),
                }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| shift_samples(value, by)),
        _ => {}
    }
}

fn digest(first: &str, second: &str) -> [u8; 32] {
    let mut bytes = [0; 32];
    for (round, chunk) in bytes.chunks_exact_mut(8).enumerate() {
        let mut hasher = DefaultHasher::new();
        (first, second, round).hash(&mut hasher);
        chunk.copy_from_slice(&hasher.finish().to_be_bytes());
    }
    bytes
}

fn hex(first: &str, second: &str) -> String {
    let digits = digest(first, second);
    digits.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The form of a random one.
fn uuid(first: &str, second: &str) -> String {
    let digits = hex(first, second);
    let part = |from: usize, to: usize| digits.get(from..to).unwrap_or_default();
    let (a, b, c, d, e) = (
        part(0, 8),
        part(8, 12),
        part(13, 16),
        part(17, 20),
        part(20, 32),
    );
    format!("{a}-{b}-4{c}-8{d}-{e}")
}
