//! How fast batches are written and read on one core, and how many bytes a pod takes on the wire.
//! `cargo run --release -p protocol --example speed`
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement for people"
)]

#[path = "../tests/sample/mod.rs"]
mod sample;

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use protocol::{Limits, decode, encode_rows};
use sample::Node;

const NODES: u64 = 64;
const TIME: Duration = Duration::from_secs(2);

fn main() {
    for pods in [10, 110, 250] {
        measure(pods);
    }
}

fn measure(pods: usize) {
    let nodes: Vec<Node> = (0..NODES).map(|seed| Node::new(seed, pods)).collect();
    let frames: Vec<Vec<u8>> = nodes
        .iter()
        .map(|node| encode_rows(&node.header, &node.rows))
        .collect();
    let pod_rows = NODES as usize * pods;
    let bytes: usize = frames.iter().map(Vec::len).sum();
    let rows: usize = nodes.iter().map(|node| node.rows.len()).sum();
    let encode = per_row(pod_rows, || {
        for node in &nodes {
            black_box(encode_rows(&node.header, &node.rows));
        }
    });
    let limits = Limits::default();
    let decode = per_row(pod_rows, || {
        for frame in &frames {
            black_box(decode(frame, &limits).unwrap());
        }
    });
    println!(
        "{pods} pods: encode {encode:.0} ns, decode {decode:.0} ns and {:.1} bytes a pod-row, {:.1} bytes a row",
        bytes as f64 / pod_rows as f64,
        bytes as f64 / rows as f64,
    );
}

/// Nanoseconds on the CPU, over so many passes that its ticks don't matter.
fn per_row(pod_rows: usize, mut pass: impl FnMut()) -> f64 {
    let (begin, before, mut passes) = (Instant::now(), cpu_ns(), 0);
    while begin.elapsed() < TIME {
        pass();
        passes += 1;
    }
    (cpu_ns() - before) as f64 / (passes * pod_rows) as f64
}

/// Time for which this thread has been on a CPU.
fn cpu_ns() -> u64 {
    let schedstat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    schedstat.split(' ').next().unwrap().parse().unwrap()
}
