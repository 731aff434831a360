//! Which pod and container a cgroup belongs to, as its path tells. The kubelet names the cgroups of pods
//! and the runtime those of containers, each in one way for the systemd and one for the cgroupfs driver.

use std::borrow::Cow;

use agent_common::lifecycle::PATH_BYTES;

/// The kubelet's own level, below which all pods lie; a custom root comes before it.
const KUBEPODS: &str = "kubepods";
/// Of every runtime.
const CONTAINER_ID_BYTES: usize = 64;

/// How the kubelet ranks a pod when memory runs short.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Qos {
    /// Limits equal requests, everywhere.
    Guaranteed,
    /// Some requests.
    Burstable,
    /// No requests.
    BestEffort,
}

impl Qos {
    /// As it stands in rows.
    pub fn name(self) -> &'static str {
        match self {
            Self::Guaranteed => "guaranteed",
            Self::Burstable => "burstable",
            Self::BestEffort => "besteffort",
        }
    }
}

/// Who made a container's cgroup.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Runtime {
    /// containerd.
    Containerd,
    /// CRI-O.
    CriO,
    /// docker, by way of cri-dockerd.
    Docker,
    /// The path does not tell: with the cgroupfs driver some runtimes use the bare id.
    Unknown,
}

impl Runtime {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Containerd => "containerd",
            Self::CriO => "cri-o",
            Self::Docker => "docker",
            Self::Unknown => "unknown",
        }
    }
}

/// What a path tells of the pod that a cgroup belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodPath<'a> {
    /// Uid with dashes. Of a static pod it is the hash of its configuration, which the API has as the
    /// annotation `kubernetes.io/config.hash`.
    pub uid: Cow<'a, str>,
    /// From the path.
    pub qos: Qos,
    /// The container; none for what is the pod's but in no container. What lies below a container's
    /// cgroup belongs to it.
    pub container: Option<&'a str>,
    /// Who made the container.
    pub runtime: Runtime,
    /// Length of the part of the path that is the pod's own cgroup. Where kubelet and runtime were given
    /// different drivers a container lies outside of its pod, and this is the container's cgroup.
    pub pod_end: usize,
}

/// The outermost pod in a path: on a node of a plain cluster, the only one.
pub fn pod_path(path: &str) -> Option<PodPath<'_>> {
    pod_paths(path).next()
}

/// All pods in a path, outermost first: a cluster can run in the pods of another. The caller takes the
/// first that its API knows; what lies inside was named by a workload, which may use any name. A path
/// that the kernel may have cut names none.
pub fn pod_paths(path: &str) -> impl Iterator<Item = PodPath<'_>> {
    let is_whole = path.len() < PATH_BYTES - 1;
    let path = if is_whole { path } else { "" };
    let mut above = [""; 2];
    let mut end = 0;
    path.split_inclusive('/').filter_map(move |part| {
        let name = part.strip_suffix('/').unwrap_or(part);
        let pod_end = end + name.len();
        end += part.len();
        let pod = pod_of(above, name, path, pod_end);
        above = [above[1], name];
        pod
    })
}

/// The pod whose cgroup is called `name`, below the two of `above`.
fn pod_of<'a>(
    above: [&str; 2],
    name: &'a str,
    path: &'a str,
    pod_end: usize,
) -> Option<PodPath<'a>> {
    // The runtime took slice, prefix and id, which were meant for systemd, as the name of a cgroup.
    let (pod, named_child) = match name.split_once(".slice:") {
        Some((slice, child)) => (systemd_pod(slice)?, Some(child)),
        None => match name.strip_suffix(".slice") {
            Some(slice) => (systemd_pod(slice)?, None),
            None => (cgroupfs_pod(above, name)?, None),
        },
    };
    let child = named_child.or_else(|| path[pod_end..].split('/').nth(1));
    let (container, runtime) = match child.and_then(container) {
        Some((id, runtime)) => (Some(id), runtime),
        None => (None, Runtime::Unknown),
    };
    let (uid, qos) = pod;
    Some(PodPath {
        uid,
        qos,
        container,
        runtime,
        pod_end,
    })
}

/// `kubepods-burstable-pod<uid>`, after the names of all parents: a slice is named by its whole path, in
/// which dashes part the levels, so that uids have underscores.
fn systemd_pod(slice: &str) -> Option<(Cow<'_, str>, Qos)> {
    let (parents, pod) = slice.rsplit_once('-')?;
    let uid = uid(pod.strip_prefix("pod")?, b'_')?;
    let mut parents = parents.rsplit('-');
    let parent = parents.next()?;
    let qos = qos(parents.next().unwrap_or_default(), parent)?;
    let uid = if uid.contains('_') {
        Cow::Owned(uid.replace('_', "-"))
    } else {
        Cow::Borrowed(uid)
    };
    Some((uid, qos))
}

/// `kubepods/burstable/pod<uid>`.
fn cgroupfs_pod<'a>(above: [&str; 2], name: &'a str) -> Option<(Cow<'a, str>, Qos)> {
    let uid = uid(name.strip_prefix("pod")?, b'-')?;
    Some((Cow::Borrowed(uid), qos(above[0], above[1])?))
}

/// By the two levels above a pod.
fn qos(grandparent: &str, parent: &str) -> Option<Qos> {
    match (grandparent, parent) {
        (_, KUBEPODS) => Some(Qos::Guaranteed),
        (KUBEPODS, "burstable") => Some(Qos::Burstable),
        (KUBEPODS, "besteffort") => Some(Qos::BestEffort),
        _ => None,
    }
}

/// A uid, or a static pod's hash. A pod may have been given any uid by hand, but another shape is more
/// likely no pod.
fn uid(text: &str, separator: u8) -> Option<&str> {
    let is_uid = text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == separator,
            _ => is_hex(byte),
        });
    let is_hash = text.len() == 32 && text.bytes().all(is_hex);
    (is_uid || is_hash).then_some(text)
}

/// Id and runtime of a container by the name of its cgroup: `cri-containerd-<id>.scope`, `crio-<id>`
/// or the bare id. CRI-O's monitor lies in the pod and is no container.
fn container(name: &str) -> Option<(&str, Runtime)> {
    let name = name.strip_suffix(".scope").unwrap_or(name);
    let (prefix, id) = name.rsplit_once(['-', ':', '_']).unwrap_or(("", name));
    if id.len() != CONTAINER_ID_BYTES || !id.bytes().all(is_hex) {
        return None;
    }
    match prefix {
        "cri-containerd" => Some((id, Runtime::Containerd)),
        "crio" => Some((id, Runtime::CriO)),
        "docker" => Some((id, Runtime::Docker)),
        _ if prefix.ends_with("conmon") => None,
        _ => Some((id, Runtime::Unknown)),
    }
}

fn is_hex(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

#[cfg(test)]
mod tests;
