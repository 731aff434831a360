//! The fields of a pod that are read, by the API's names. Everything else is passed over, and a field
//! that is not what it must be costs only itself.

use protocol::pod::{Field, List, Owner, Spec, Text};
use serde::Deserialize;

#[derive(Deserialize)]
pub(super) struct Pod<'a> {
    #[serde(borrow)]
    pub metadata: Metadata<'a>,
    #[serde(borrow, default)]
    pub spec: Field<Spec<'a>>,
    #[serde(borrow, default)]
    pub status: Field<Status<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Metadata<'a> {
    #[serde(borrow, default)]
    pub uid: Field<Text<'a>>,
    #[serde(borrow, default)]
    pub namespace: Field<Text<'a>>,
    #[serde(borrow, default)]
    pub name: Field<Text<'a>>,
    #[serde(borrow, default)]
    pub labels: Field<Labels<'a>>,
    #[serde(borrow, default)]
    pub annotations: Field<Annotations<'a>>,
    #[serde(borrow, default)]
    pub owner_references: List<Owner<'a>>,
}

#[derive(Default, Deserialize)]
pub(super) struct Labels<'a> {
    #[serde(borrow, default, rename = "pod-template-hash")]
    pub pod_template_hash: Field<Text<'a>>,
}

#[derive(Default, Deserialize)]
pub(super) struct Annotations<'a> {
    #[serde(borrow, default, rename = "kubernetes.io/config.hash")]
    pub config_hash: Field<Text<'a>>,
    #[serde(borrow, default, rename = "kubernetes.io/config.mirror")]
    pub config_mirror: Field<Text<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Status<'a> {
    #[serde(borrow, default)]
    pub phase: Field<Text<'a>>,
    #[serde(borrow, default)]
    pub qos_class: Field<Text<'a>>,
    #[serde(borrow, default)]
    pub start_time: Field<Text<'a>>,
    #[serde(borrow, default)]
    pub container_statuses: List<ContainerStatus<'a>>,
    #[serde(borrow, default)]
    pub init_container_statuses: List<ContainerStatus<'a>>,
    #[serde(borrow, default)]
    pub ephemeral_container_statuses: List<ContainerStatus<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ContainerStatus<'a> {
    #[serde(borrow, default)]
    pub name: Field<Text<'a>>,
    #[serde(borrow, default, rename = "containerID")]
    pub container_id: Field<Text<'a>>,
    #[serde(default)]
    pub restart_count: Field<u32>,
    #[serde(borrow, default)]
    pub last_state: Field<State<'a>>,
}

#[derive(Deserialize)]
pub(super) struct State<'a> {
    #[serde(borrow, default)]
    pub terminated: Field<Terminated<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Terminated<'a> {
    #[serde(borrow, default)]
    pub reason: Field<Text<'a>>,
    #[serde(default)]
    pub exit_code: Field<i64>,
    #[serde(borrow, default)]
    pub finished_at: Field<Text<'a>>,
}
