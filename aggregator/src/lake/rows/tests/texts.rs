//! Which texts of a file get one number.

use protocol::Epoch;

use super::super::texts::Pool;

const SENDER: Epoch = Epoch([1; 16]);

/// Numbers of a sender's batch that names these pods.
fn batch(pool: &mut Pool, sender: Epoch, pods: &[&str]) -> Vec<u32> {
    pool.batch_of(sender);
    let numbers: Vec<u32> = pods.iter().map(|pod| pool.own(pod)).collect();
    for (pod, number) in pods.iter().zip(&numbers) {
        assert_eq!(pool.get(*number), *pod);
    }
    numbers
}

#[test]
fn pods_keep_their_numbers_from_window_to_window() {
    let mut pool = Pool::default();
    let first = batch(&mut pool, SENDER, &["a", "b", "d", "e"]);
    assert_eq!(batch(&mut pool, SENDER, &["a", "b", "d", "e"]), first);
    // One comes, then one goes: the others are found all the same.
    let more = batch(&mut pool, SENDER, &["a", "b", "c", "d", "e"]);
    assert_eq!([&more[..2], &more[3..]].concat(), first);
    assert_eq!(batch(&mut pool, SENDER, &["b", "c", "d", "e"]), more[1..]);
    assert_eq!(pool.len(), 5);
}

#[test]
fn another_sender_has_pods_of_its_own() {
    let mut pool = Pool::default();
    let first = batch(&mut pool, SENDER, &["a", "b"]);
    let other = batch(&mut pool, Epoch([2; 16]), &["a", "b"]);
    assert!(other.iter().all(|number| !first.contains(number)));
}

#[test]
fn a_shared_text_has_one_number() {
    let mut pool = Pool::default();
    let first = pool.shared("kube-system");
    pool.batch_of(SENDER);
    let own = pool.own("kube-system");
    assert_eq!(pool.shared("kube-system"), first);
    assert_ne!(own, first);
    assert_eq!(pool.get(own), pool.get(first));
}
