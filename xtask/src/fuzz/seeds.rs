//! What each target begins with: the recorded answers, and the forms that a text can have.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::paths;

const POD_PATHS: &[&str] = &[
    "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod22c90f3f_8233_4cf3_bbe0_4a885e58f3d9.slice/cri-containerd-4d373b6421ad1a4a51bac2e664777d1b86c448105fa8ac8fb38bfed81878c549.scope",
    "/kubepods.slice/kubepods-podef86080e_248e_4ee9_97a9_bf56ec9d6d8e.slice/crio-4d373b6421ad1a4a51bac2e664777d1b86c448105fa8ac8fb38bfed81878c549.scope/container",
    "/kubepods/besteffort/pod71d8f657-9a5f-42d4-8cc4-e78ba8cc942a/88c039386d8c451c621804dd04e5a3a39fe269347850ff02b37e41bbef93bb7d",
    "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod3b6f592f3e4ffc4b400a5d43d66cecf1.slice",
    "/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod71d8f657_9a5f_42d4_8cc4_e78ba8cc942a.slice/docker-88c039386d8c451c621804dd04e5a3a39fe269347850ff02b37e41bbef93bb7d.scope",
    "/docker/88c039386d8c451c621804dd04e5a3a39fe269347850ff02b37e41bbef93bb7d/kubelet/kubepods/pod71d8f657-9a5f-42d4-8cc4-e78ba8cc942a",
    "/system.slice/kubepods-burstable-pod22c90f3f_8233_4cf3_bbe0_4a885e58f3d9.slice:cri-containerd:4d373b6421ad1a4a51bac2e664777d1b86c448105fa8ac8fb38bfed81878c549",
];
const ENDPOINTS: &[&str] = &[
    "https://127.0.0.1:10250/stats/summary",
    "http://169.254.169.254",
    "https://[fd00:ec2::254]:443/latest?a=b#c",
    "http://user:password@aggregator:8080/metrics",
];
const PUSHES: &[&str] = &[
    r#"{"timestamp":"2024-01-01T00:00:00Z","node_name":"worker-node-1","hostname":"worker-node-1","ec2_instance_id":"i-1234567890abcdef0","pods":[{"pod_id":"pod-uid-123","namespace":"default","name":"my-app","cpu_usage_cores":0.5,"memory_usage_bytes":1073741824,"net_tx_bytes":1024,"net_rx_bytes":2048,"pod_start_time":"2024-01-01T00:00:00Z"}]}"#,
    r#"{"timestamp":"2024-01-01T00:00:00.123456+02:00","node_name":"n","hostname":null,"pods":[],"more":[{"a":[1e9,null,true]}]}"#,
    r#"{"timestamp":"now","node_name":7,"pods":[{"pod_id":"","namespace":"a b","net_tx_bytes":-1.0,"cpu_usage_cores":1e300}]}"#,
];
const MASKED: &[&str] = &[
    "GET /stats/summary HTTP/1.1\r\nAuthorization: Bearer eyJhbGciOiJSUzI1NiJ9.eyJhIjoxfQ.c2ln\r\n\r\n",
    "{\"token\": \"AQAEAGEg5sNSPBfAxVhuBtqdIlWqW7hSHPm1\", \"password\":\"a\"}",
    "X-aws-ec2-metadata-token: AQAEAGEg5sNSPBfAxVhuBtqdIlWqW7hSHPm1==",
];
const QUANTITIES: &[&str] = &[
    "0",
    "1",
    "100m",
    "1.5",
    "64Mi",
    "24Gi",
    "1e3",
    "1E6",
    "12e-3",
    "128974848",
    "500u",
    "7n",
    "-1",
    "+2Ki",
    "9223372036854775807",
    "1Ei",
    ".5",
];
const IMDS_ANSWERS: &[&str] = &[
    "i-1234567890abcdef0",
    "m5.large",
    "eu-central-1a",
    "euc1-az2",
    "eu-central-1",
    "on-demand",
    "spot",
    "<?xml version=\"1.0\"?>\n<html><title>404 - Not Found</title></html>",
];
const CONFIGURATIONS: &[&str] = &[
    "interval: 10s\nkubelet:\n  endpoint: https://127.0.0.1:10250/stats/summary\n",
    "node_name: \"node-1\"\nimds: {enabled: false, force_v1: true}\nlabels: [a, 'b', \"c\"]\n",
    "a: &a [1, 2]\nb: *a\nc: |\n  text\n",
];

/// Writes a target's first inputs into its corpus.
pub(super) fn write(target: &str, corpus: &Path) -> Result<()> {
    fs::create_dir_all(corpus).with_context(|| format!("making {}", corpus.display()))?;
    for (number, seed) in of(target)?.into_iter().enumerate() {
        let path = corpus.join(format!("seed-{number}"));
        fs::write(&path, seed).with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(())
}

fn of(target: &str) -> Result<Vec<Vec<u8>>> {
    match target {
        "kubelet_summary" => summaries(),
        "pod_facts" => pods(),
        "node_facts" => Ok(vec![recorded("api/node-1.json")?]),
        "pod_path" => Ok(texts(POD_PATHS)),
        "http_endpoint" => Ok(texts(ENDPOINTS)),
        "mask" => Ok(texts(MASKED)),
        "quantity" => Ok(texts(QUANTITIES)),
        "push_body" => Ok(texts(PUSHES)),
        "imds_field" => Ok(texts(IMDS_ANSWERS)),
        "config" => Ok(texts(CONFIGURATIONS)),
        "ring_records" => Ok(records()),
        "decode_batch" => golden(&["batch.pb", "gap.pb"]),
        "decode_message" => golden(&["request.pb"]),
        "decode_ack" => golden(&["ack.pb"]),
        // It finds its own way.
        _ => Ok(Vec::new()),
    }
}

fn texts(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

/// Each kind of record once: a head of 32-bit words, and the text behind it.
fn records() -> Vec<Vec<u8>> {
    let record = |words: &[u32], text: &str| {
        let head = words.iter().flat_map(|word| word.to_ne_bytes());
        head.chain(text.bytes()).collect()
    };
    let path = POD_PATHS[0];
    let path_bytes = u32::try_from(path.len()).unwrap_or(0);
    let step = |kind| record(&[kind, path_bytes, 42, 0, 9, 0, 3, 0], path);
    let kill = |kind| {
        let head = [kind, 7, 7, 8, 8, 9, 1, 0, 2, 0, 42, 0, 43, 0, 100, 0_u32];
        record(&head, "memory-hog\0\0\0\0\0\0")
    };
    (1..=3).map(step).chain((1..=2).map(kill)).collect()
}

fn recorded(name: &str) -> Result<Vec<u8>> {
    let path = paths::root()?.join("e2e/data").join(name);
    fs::read(&path).with_context(|| format!("reading {}", path.display()))
}

/// What the wire's tests have.
fn golden(names: &[&str]) -> Result<Vec<Vec<u8>>> {
    let folder = paths::root()?.join("protocol/tests/data");
    let read = |name: &&str| {
        let path = folder.join(name);
        fs::read(&path).with_context(|| format!("reading {}", path.display()))
    };
    names.iter().map(read).collect()
}

fn tree(name: &str) -> Result<Value> {
    serde_json::from_slice(&recorded(name)?).with_context(|| format!("{name} is not JSON"))
}

/// Whole ones, and small ones of one pod each, which are tried many times as often.
fn summaries() -> Result<Vec<Vec<u8>>> {
    let mut seeds = Vec::new();
    for name in [
        "stats-summary",
        "stats-summary-cpumem",
        "summary-with-static-pod",
    ] {
        let name = format!("kubelet/{name}.json");
        seeds.push(recorded(&name)?);
        let summary = tree(&name)?;
        for pod in summary["pods"].as_array().into_iter().flatten() {
            let node = json!({ "nodeName": "node-1", "cpu": summary["node"]["cpu"] });
            seeds.push(
                json!({ "node": node, "pods": [pod] })
                    .to_string()
                    .into_bytes(),
            );
        }
    }
    Ok(seeds)
}

fn pods() -> Result<Vec<Vec<u8>>> {
    let list = tree("api/pods-node1.json")?;
    let items = list["items"].as_array().into_iter().flatten();
    let mut seeds: Vec<Vec<u8>> = items.map(|item| item.to_string().into_bytes()).collect();
    seeds.push(recorded("api/static-pod-api.json")?);
    Ok(seeds)
}
