//! What a pod as a whole asks for and may use, from what its containers do. The rules are the scheduler's.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    field::{Field, List, Text},
    quantity::{Unit, read_quantity},
};

/// CPU and memory; none where nothing is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    /// CPU.
    pub cpu_millicores: Option<i64>,
    /// Memory.
    pub memory_bytes: Option<i64>,
}

impl Amount {
    fn combine(self, other: Self, how: fn(Option<i64>, Option<i64>) -> Option<i64>) -> Self {
        Self {
            cpu_millicores: how(self.cpu_millicores, other.cpu_millicores),
            memory_bytes: how(self.memory_bytes, other.memory_bytes),
        }
    }
}

/// What of `spec` is read.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Spec<'a> {
    #[serde(default)]
    host_network: Field<bool>,
    #[serde(borrow, default)]
    containers: List<Container<'a>>,
    #[serde(borrow, default)]
    init_containers: List<Container<'a>>,
    #[serde(borrow, default)]
    resources: Field<Resources<'a>>,
    #[serde(borrow, default)]
    overhead: Field<Amounts<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Container<'a> {
    #[serde(borrow, default)]
    restart_policy: Field<Text<'a>>,
    #[serde(borrow, default)]
    resources: Field<Resources<'a>>,
}

#[derive(Default, Deserialize)]
struct Resources<'a> {
    #[serde(borrow, default)]
    requests: Field<Amounts<'a>>,
    #[serde(borrow, default)]
    limits: Field<Amounts<'a>>,
}

/// Quantities as they stand in the text: a string, or a bare number.
#[derive(Default, Deserialize)]
struct Amounts<'a> {
    #[serde(borrow, default)]
    cpu: Option<&'a RawValue>,
    #[serde(borrow, default)]
    memory: Option<&'a RawValue>,
}

/// What a spec says of the pod as a whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Demand {
    /// It has the node's network namespace.
    pub host_network: bool,
    /// What the scheduler sets aside for the pod.
    pub requests: Amount,
    /// None where any container may use more.
    pub limits: Amount,
}

impl Spec<'_> {
    /// Adds it up; counts the fields that were not what they must be.
    pub fn demand(self, oddities: &mut u64) -> Demand {
        let host_network = self.host_network.take(oddities).unwrap_or(false);
        let containers = needs_of(self.containers.elements(oddities), oddities);
        let init_containers = needs_of(self.init_containers.elements(oddities), oddities);
        let (own_requests, own_limits) = read_resources(self.resources, oddities);
        let overhead = read_amounts(self.overhead, oddities);

        // A container that requests nothing takes nothing; one without a limit takes all it gets.
        let requests = effective(&containers, &init_containers, |need| need.requests, sum);
        let limits = effective(
            &containers,
            &init_containers,
            |need| need.limits,
            sum_of_all,
        );
        let requests = own_requests.combine(requests, Option::or);
        let limits = own_limits.combine(limits, Option::or);
        Demand {
            host_network,
            requests: requests.combine(overhead, sum),
            limits: limits.combine(overhead, add_to),
        }
    }
}

struct Need {
    requests: Amount,
    limits: Amount,
    is_sidecar: bool,
}

fn needs_of(containers: Vec<Container<'_>>, oddities: &mut u64) -> Vec<Need> {
    let need = |container: Container<'_>| {
        let policy = container.restart_policy.text(oddities);
        let (requests, limits) = read_resources(container.resources, oddities);
        Need {
            requests,
            limits,
            is_sidecar: policy.as_deref() == Some("Always"),
        }
    };
    containers.into_iter().map(need).collect()
}

type Combine = fn(Option<i64>, Option<i64>) -> Option<i64>;

/// What runs together for good, or the largest step of the start. An init container runs beside the sidecars
/// that come before it; the usual containers beside all of them.
fn effective(
    containers: &[Need],
    init_containers: &[Need],
    of: fn(&Need) -> Amount,
    add: Combine,
) -> Amount {
    let together = |amounts: &mut dyn Iterator<Item = Amount>| {
        amounts.reduce(|left, right| left.combine(right, add))
    };
    let usual = containers.iter();
    let sidecars = init_containers.iter().filter(|need| need.is_sidecar);
    let mut whole = together(&mut usual.chain(sidecars).map(of)).unwrap_or_default();
    let largest = largest_of(add);
    for (index, init) in init_containers.iter().enumerate() {
        let before = init_containers.iter().take(index);
        let before = before.filter(|need| need.is_sidecar);
        let step = before.chain(std::iter::once(init)).map(of);
        if let Some(step) = together(&mut { step }) {
            whole = whole.combine(step, largest);
        }
    }
    whole
}

fn largest_of(add: Combine) -> Combine {
    // Where one unknown makes a sum unknown, it does so with the largest too.
    if add(Some(0), None).is_none() {
        |left, right| Some(left?.max(right?))
    } else {
        Option::max
    }
}

/// What is not told counts nothing.
fn sum(left: Option<i64>, right: Option<i64>) -> Option<i64> {
    match (left, right) {
        (Some(left), Some(right)) => left.checked_add(right),
        (left, right) => left.or(right),
    }
}

/// What is not told has no bound, and so the sum has none.
fn sum_of_all(left: Option<i64>, right: Option<i64>) -> Option<i64> {
    left?.checked_add(right?)
}

/// Only to what is there.
fn add_to(left: Option<i64>, right: Option<i64>) -> Option<i64> {
    left?.checked_add(right.unwrap_or(0))
}

fn read_resources(field: Field<Resources<'_>>, oddities: &mut u64) -> (Amount, Amount) {
    let resources = field.take(oddities).unwrap_or_default();
    let mut limits = read_amounts(resources.limits, oddities);
    let mut requests = read_amounts(resources.requests, oddities);
    // The API server fills it in too; a mirror of a static pod may come without.
    requests = requests.combine(limits, Option::or);
    limits = limits.combine(Amount::default(), zero_is_none);
    (requests, limits)
}

/// A limit of zero is no limit.
fn zero_is_none(limit: Option<i64>, _: Option<i64>) -> Option<i64> {
    limit.filter(|limit| *limit > 0)
}

fn read_amounts(field: Field<Amounts<'_>>, oddities: &mut u64) -> Amount {
    let amounts = field.take(oddities).unwrap_or_default();
    Amount {
        cpu_millicores: read_quantity(amounts.cpu, Unit::Millicores, oddities),
        memory_bytes: read_quantity(amounts.memory, Unit::Bytes, oddities),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(spec: &Value) -> (Demand, u64) {
        let text = spec.to_string();
        let mut oddities = 0;
        let spec: Spec<'_> = serde_json::from_str(&text).unwrap();
        (spec.demand(&mut oddities), oddities)
    }

    /// CPU and memory requests, CPU and memory limits.
    fn of(spec: &Value) -> [Option<i64>; 4] {
        let Demand {
            requests, limits, ..
        } = read(spec).0;
        [
            requests.cpu_millicores,
            requests.memory_bytes,
            limits.cpu_millicores,
            limits.memory_bytes,
        ]
    }

    fn container(cpu: &str, limit: Option<&str>) -> Value {
        match limit {
            Some(limit) => {
                json!({"resources": {"requests": {"cpu": cpu}, "limits": {"cpu": limit}}})
            }
            None => json!({"resources": {"requests": {"cpu": cpu}}}),
        }
    }

    fn sidecar(cpu: &str) -> Value {
        let mut sidecar = container(cpu, Some(cpu));
        sidecar["restartPolicy"] = json!("Always");
        sidecar
    }

    #[test]
    fn containers_are_added_up_and_a_limit_needs_all_of_them() {
        let both =
            json!({"containers": [container("100m", Some("1")), container("50m", Some("2"))]});
        assert_eq!(of(&both), [Some(150), None, Some(3_000), None]);
        let one = json!({"containers": [container("100m", Some("1")), container("50m", None)]});
        assert_eq!(of(&one), [Some(150), None, None, None]);
        let none = json!({"containers": [{"resources": {}}, {}]});
        assert_eq!(of(&none), [None; 4]);
    }

    #[test]
    fn the_largest_step_of_the_start_counts() {
        let spec = json!({
            "containers": [container("100m", Some("100m"))],
            "initContainers": [container("500m", Some("500m")), sidecar("50m"), container("300m", Some("600m"))],
        });
        // 500 alone; then 50 + 300, limits 50 + 600; then 100 + 50 for good.
        assert_eq!(of(&spec), [Some(500), None, Some(650), None]);
        let small = json!({
            "containers": [container("1", Some("1"))],
            "initContainers": [sidecar("200m"), container("300m", Some("300m"))],
        });
        assert_eq!(of(&small), [Some(1_200), None, Some(1_200), None]);
        let unbounded_start = json!({
            "containers": [container("1", Some("1"))],
            "initContainers": [container("300m", None)],
        });
        assert_eq!(of(&unbounded_start), [Some(1_000), None, None, None]);
    }

    #[test]
    fn the_pods_own_resources_and_its_overhead_count() {
        let spec = json!({
            "containers": [container("100m", None)],
            "resources": {"requests": {"cpu": "700m"}, "limits": {"memory": "1Gi"}},
            "overhead": {"cpu": "20m", "memory": "8Mi"},
        });
        let memory = Some((1 << 30) + (8 << 20));
        assert_eq!(of(&spec), [Some(720), memory, None, memory]);
    }

    #[test]
    fn odd_amounts_cost_only_themselves() {
        let (demand, oddities) = read(&json!({
            "hostNetwork": "yes",
            "containers": [
                {"resources": {"requests": {"cpu": "-1", "memory": 1024}, "limits": 7}},
                "nonsense",
                {"resources": {"requests": {"cpu": 2, "memory": "9999Ei"}, "limits": {"cpu": "0"}}},
            ],
        }));
        assert!(!demand.host_network);
        assert_eq!(demand.requests.cpu_millicores, Some(2_000));
        assert_eq!(demand.requests.memory_bytes, Some(1_024));
        assert_eq!(demand.limits.cpu_millicores, None, "zero is no limit");
        assert_eq!(oddities, 5);
    }
}
