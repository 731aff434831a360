//! What somebody else knows of the pods that rows are of: the other side of [`super::complete`].

use std::fmt;

/// A text by number: the same number is the same text as long as [`Known::read`] lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TextId(pub u32);

/// A list of texts by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ListId(pub u32);

/// A pod by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PodId(pub u32);

/// Knows pods.
pub trait Known: Send + Sync {
    /// Lets somebody look things up; nothing changes meanwhile.
    fn read(&self, ask: &mut dyn FnMut(&dyn Facts));
}

/// What is known at one moment.
pub trait Facts {
    /// The pod of this id, as rows carry it. Apart from [`Self::pod`] so that the processor can wait for several at once.
    fn find(&self, pod_id: &str) -> Option<PodId>;
    /// What is known of it.
    fn pod(&self, id: PodId) -> Option<PodFacts<'_>>;
    /// What is known of a pod's claims; ids of the volumes behind them go into the list.
    fn storage(&self, pod: &PodFacts<'_>, volumes: &mut Vec<TextId>) -> Storage;
    /// A text.
    fn text(&self, id: TextId) -> &str;
    /// The texts of a list.
    fn list(&self, id: ListId) -> &[TextId];
    /// Numbers of texts are below the first, numbers of lists below the second.
    fn ends(&self) -> (usize, usize);
}

/// A pod.
#[derive(Clone, Copy, Debug)]
pub struct PodFacts<'a> {
    /// Name.
    pub name: &'a str,
    /// Namespace.
    pub namespace: TextId,
    /// As `Kind/name`; a pod that nobody made has none.
    pub owner: Option<TextId>,
    /// Kind of what a person deployed.
    pub workload_kind: TextId,
    /// Its name, if that is not the pod's.
    pub workload: Option<TextId>,
    /// Quality-of-service class.
    pub qos: Option<TextId>,
    /// It has the node's network namespace.
    pub host_network: bool,
    /// What it asks for: CPU in thousandths, memory in bytes.
    pub requests: [Option<i64>; 2],
    /// What it may use.
    pub limits: [Option<i64>; 2],
    /// As key=value.
    pub labels: Option<ListId>,
    /// As key=value.
    pub annotations: Option<ListId>,
    /// Names of its claims.
    pub claim_names: ListId,
    /// Its claims, for [`Facts::storage`].
    pub claims: &'a [u32],
    /// Where it runs.
    pub place: Place,
}

/// Where a pod runs.
#[derive(Clone, Copy, Debug, Default)]
pub struct Place {
    /// EC2 instance.
    pub instance_id: Option<TextId>,
    /// EC2 instance type.
    pub instance_type: Option<TextId>,
    /// Availability zone.
    pub zone: Option<TextId>,
    /// Region.
    pub region: Option<TextId>,
}

/// What a pod's claims come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Storage {
    /// What they ask for together, if all are known.
    pub bytes: Option<i64>,
    /// Every volume that is behind them is known.
    pub has_all_volumes: bool,
}

/// Knows nothing: rows stay as they came.
#[derive(Clone, Copy, Debug, Default)]
pub struct Nothing;

impl Known for Nothing {
    fn read(&self, _: &mut dyn FnMut(&dyn Facts)) {}
}

impl fmt::Debug for dyn Known {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Known")
    }
}
