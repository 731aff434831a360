//! Whatever numbers and texts rows hold, the same come back.

#![expect(clippy::unwrap_used, reason = "helpers of tests are tests")]
#![expect(
    clippy::print_stdout,
    reason = "a batch that fails is told by its number"
)]

mod any;
mod same;

use protocol::{Body, Epoch, Header, Limits, decode, encode_rows};

const BATCHES: u64 = 200;
/// What is written out is not what is asked here.
const LIMITS: fn() -> Limits = || Limits {
    written_bytes: usize::MAX,
    ..Limits::default()
};

fn header() -> Header {
    Header {
        cluster: "c".to_owned(),
        node: "n".to_owned(),
        boot_id: String::new(),
        epoch: Epoch([1; 16]),
        seq: 2,
        previous: None,
        window_start: any::END.plus_us(-30_000_000),
        window_end: any::END,
    }
}

fn assert_comes_back(seed: u64, pods: usize) {
    let rows = any::rows(seed, pods);
    let batch = decode(&encode_rows(&header(), &rows), &LIMITS());
    let batch = batch.unwrap_or_else(|invalid| panic!("batch {seed} of {pods} pods: {invalid}"));
    let Body::Whole(tables) = batch.body else {
        panic!("no rows");
    };
    same::assert_same(&tables, &rows);
}

#[test]
fn any_rows_come_back_as_they_were() {
    for seed in 0..BATCHES {
        let pods = [0, 1, 2, 3, 5, 9, 12, 40][seed as usize % 8];
        println!("batch {seed} of {pods} pods");
        assert_comes_back(seed, pods);
    }
}

#[test]
fn many_rows_come_back_as_they_were() {
    assert_comes_back(1, 700);
}
