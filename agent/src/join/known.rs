//! What others than the kernel know at the end of a window.

use std::collections::HashMap;

use super::pod::Files;
use crate::{
    imds::Instance,
    kubelet::{PodStats, Sample},
    node::NodeReading,
    pods::PodStore,
};

/// All of it; each part may be missing.
#[derive(Debug, Default)]
pub struct Known<'a> {
    /// This node's pods.
    pub pods: Option<&'a PodStore>,
    /// The kubelet's answer, if it gave one within the window.
    pub sample: Option<&'a Sample>,
    /// The files of pods' own cgroups.
    pub files: Files,
    /// The instance, and who told of it.
    pub instance: Option<(&'a Instance, &'static str)>,
    /// The node's own counters.
    pub node: Option<NodeReading>,
}

impl<'a> Known<'a> {
    /// The kubelet's stats by pod uid.
    pub fn stats(&self) -> HashMap<&'a str, &'a PodStats> {
        self.sample
            .map(|sample| &sample.summary.pods)
            .into_iter()
            .flatten()
            .map(|stats| (stats.uid.as_str(), stats))
            .collect()
    }
}
