//! A pod of the API server, whose labels and annotations anybody may write.
#![no_main]

use agent::pods::{PodStore, facts_from_json};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some(facts) = facts_from_json(bytes) else {
        return;
    };
    let amounts = [
        facts.requests_cpu_millicores,
        facts.requests_memory_bytes,
        facts.limits_cpu_millicores,
        facts.limits_memory_bytes,
    ];
    assert!(amounts.into_iter().flatten().all(|amount| amount >= 0));
    let uid = facts.uid.clone();
    let mut store = PodStore::default();
    store.apply(facts.clone());
    store.apply(facts);
    store.remove(&uid);
    for _ in 0..4 {
        store.end_window();
    }
    // It is kept for two windows and no longer.
    assert!(store.find(&uid).is_none() && store.is_empty());
});
