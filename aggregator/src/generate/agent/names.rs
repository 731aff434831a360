//! Names as the API server and controllers make them.

use rand::{Rng as _, rngs::StdRng};

const NAMESPACES: [&str; 12] = [
    "checkout",
    "payments",
    "search",
    "catalog",
    "identity",
    "shipping",
    "analytics",
    "default",
    "monitoring",
    "kube-system",
    "ingress",
    "batch",
];
const SERVICES: [&str; 10] = [
    "api",
    "worker",
    "frontend",
    "cache",
    "scheduler",
    "gateway",
    "importer",
    "mailer",
    "indexer",
    "proxy",
];
/// What controllers make names of: no vowels, and no digits that look like some.
const LETTERS: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";

/// Who a pod is.
pub(super) struct Names {
    pub namespace: &'static str,
    pub owner: String,
    pub workload_kind: &'static str,
    pub workload: String,
    pub pod: String,
}

/// Of a pod, most often one of a deployment of its own.
pub(super) fn draw(rng: &mut StdRng) -> Names {
    let namespace = NAMESPACES[rng.random_range(0..NAMESPACES.len())];
    let service = SERVICES[rng.random_range(0..SERVICES.len())];
    let workload = format!("{namespace}-{service}");
    let (workload_kind, owner, pod) = match rng.random_range(0..25) {
        0 | 1 => {
            let pod = format!("{workload}-{}", suffix(rng));
            ("DaemonSet", format!("DaemonSet/{workload}"), pod)
        }
        2 => {
            let pod = format!("{workload}-{}", rng.random_range(0..3));
            ("StatefulSet", format!("StatefulSet/{workload}"), pod)
        }
        _ => {
            let replica_set = format!("{workload}-{}", template_hash(rng));
            let pod = format!("{replica_set}-{}", suffix(rng));
            ("Deployment", format!("ReplicaSet/{replica_set}"), pod)
        }
    };
    Names {
        namespace,
        owner,
        workload_kind,
        workload,
        pod,
    }
}

pub(in crate::generate) fn suffix(rng: &mut StdRng) -> String {
    let letter = |_| char::from(LETTERS[rng.random_range(0..LETTERS.len())]);
    (0..5).map(letter).collect()
}

/// A hash of 32 bits in decimal, each digit as one of ten of the letters.
pub(in crate::generate) fn template_hash(rng: &mut StdRng) -> String {
    let letter = |digit: u8| char::from(LETTERS[usize::from(digit) % LETTERS.len()]);
    rng.random::<u32>()
        .to_string()
        .bytes()
        .map(letter)
        .collect()
}

/// A random UUID, version 4.
pub(in crate::generate) fn uid(rng: &mut StdRng) -> String {
    let bits = rng.random::<u128>();
    let part = |shift: u32, digits: u32| bits >> shift & ((1 << (4 * digits)) - 1);
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        part(96, 8),
        part(80, 4),
        part(64, 3),
        0x8000 | part(48, 4) & 0x3fff,
        part(0, 12)
    )
}
