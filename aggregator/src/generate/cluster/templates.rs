//! What the pods of a workload are made after: labels and annotations, and how often they change.

use rand::Rng as _;

use super::{
    plan::{DAY_US, Plan},
    workload::{Kind, Template, Workload},
};
use crate::generate::agent::names;

impl Plan<'_> {
    /// Of which the first is old, and each further one a rollout: so many on each day.
    pub(super) fn templates(&mut self, workload: &mut Workload, rollouts: i64) {
        let start_us = self.shape.start.unix_us;
        let days = (self.shape.length_us + DAY_US - 1) / DAY_US;
        let mut times: Vec<i64> = (0..rollouts * days)
            .map(|number| start_us + number % days * DAY_US + self.rng.random_range(0..DAY_US))
            .collect();
        times.push(i64::MIN);
        times.sort_unstable();
        for (number, from_us) in times.into_iter().enumerate() {
            let hash = names::template_hash(&mut self.rng);
            let template = Template {
                from_us,
                labels: labels(workload, &hash, number),
                annotations: self.annotations(workload),
                hash,
            };
            workload.templates.push(template);
        }
    }

    fn annotations(&mut self, workload: &Workload) -> Vec<String> {
        let checksum = self.rng.random::<u128>();
        let mut annotations = vec![
            format!(
                "checksum/config={checksum:032x}{:032x}",
                checksum.rotate_left(41)
            ),
            format!("kubectl.kubernetes.io/default-container={}", workload.name),
        ];
        if workload.work.is_probed {
            annotations.push("prometheus.io/port=8080".to_owned());
            annotations.push("prometheus.io/scrape=true".to_owned());
        }
        annotations
    }
}

/// As Helm charts and controllers write them, by name.
fn labels(workload: &Workload, hash: &str, number: usize) -> Vec<String> {
    let Workload {
        namespace, name, ..
    } = workload;
    let team = namespace
        .split_once("-staging")
        .map_or(namespace.as_str(), |(team, _)| team);
    let environment = if namespace.contains('-') {
        "staging"
    } else {
        "production"
    };
    let own = match workload.kind {
        Kind::Deployment => format!("pod-template-hash={hash}"),
        Kind::CronJob => format!("batch.kubernetes.io/cronjob={name}"),
        _ => format!("controller-revision-hash={name}-{hash}"),
    };
    let mut labels = vec![
        format!("app.kubernetes.io/instance={namespace}"),
        "app.kubernetes.io/managed-by=Helm".to_owned(),
        format!("app.kubernetes.io/name={name}"),
        format!("app.kubernetes.io/version=1.{}.{number}", name.len()),
        format!("environment={environment}"),
        own,
        format!("team={team}"),
    ];
    labels.sort_unstable();
    labels
}
