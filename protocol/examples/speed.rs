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
    let encode = best(&nodes, |node| drop(encode_rows(&node.header, &node.rows)));
    let limits = Limits::default();
    let decode = best(&frames, |frame| {
        drop(black_box(decode(frame, &limits).unwrap()));
    });
    println!(
        "{pods} pods: encode {:.0} ns, decode {:.0} ns and {:.1} bytes a pod-row, {:.1} bytes a row",
        encode.as_nanos() as f64 / pod_rows as f64,
        decode.as_nanos() as f64 / pod_rows as f64,
        bytes as f64 / pod_rows as f64,
        bytes as f64 / rows as f64,
    );
}

/// The best time of each, together: the others are what else the machine does.
fn best<T>(all: &[T], mut of: impl FnMut(&T)) -> Duration {
    let mut best = vec![Duration::MAX; all.len()];
    let begin = Instant::now();
    while begin.elapsed() < TIME {
        for (one, best) in all.iter().zip(&mut best) {
            // Once to have it at hand, once to measure.
            of(one);
            let start = Instant::now();
            of(one);
            *best = start.elapsed().min(*best);
        }
    }
    best.iter().sum()
}
