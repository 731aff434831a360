//! What is pushed: taken as a batch that can be decoded, or refused with a reason for every field.
#![no_main]

use aggregator::push::{Next, Place, frame, parse};
use libfuzzer_sys::fuzz_target;
use protocol::{Epoch, Limits, Timestamp, decode};

/// The service refuses other times before it makes a batch.
const TIME: Timestamp = Timestamp {
    unix_us: 1_700_000_000_000_000,
};
const MOST_PROBLEMS: usize = 20;

fuzz_target!(|body: &[u8]| {
    match parse(body) {
        Ok(mut payload) => {
            payload.timestamp.0 = TIME;
            let next = Next {
                epoch: Epoch([1; 16]),
                seq: 1,
                window_start: TIME,
            };
            let place = Place {
                cluster: "cluster",
                next: &next,
            };
            let batch = decode(&frame(&payload, &place), &Limits::default());
            assert_eq!(batch.map(|batch| batch.header.node), Ok(payload.node_name.0));
        }
        Err(problems) => {
            assert!((1..=MOST_PROBLEMS).contains(&problems.len()), "{problems:?}");
            for problem in problems {
                let is_short = problem.field.len() + problem.reason.len() < 300;
                assert!(is_short && !problem.field.is_empty(), "{problem:?}");
            }
        }
    }
});
