//! One rule at a time.

use std::time::Duration;

use protocol::{Refusal, RefusalKind};

use super::{
    super::{Action, Delivery, Effect, Pace, Trouble},
    queue::{Fake, ack, epoch, seconds, sent, seqs},
};

const NOW: Duration = Duration::from_secs(1_000);

fn delivery() -> Delivery {
    Delivery::new(Pace::default(), 1)
}

fn next(delivery: &mut Delivery, now: Duration, queue: &Fake) -> Action {
    delivery.next(now, queue).unwrap()
}

/// What is sent next, answered by `answers` of instance 1; effects are applied.
fn exchange(
    delivery: &mut Delivery,
    queue: &mut Fake,
    answers: &[(u8, u64, u64)],
) -> Vec<(u8, u64)> {
    let outgoing = sent(next(delivery, NOW, queue));
    let effects = delivery.on_answer(NOW, &ack(1, answers), queue).unwrap();
    queue.apply(&effects);
    let seqs = seqs(&outgoing);
    seqs.iter().map(|(epoch, seq)| (epoch.0[0], *seq)).collect()
}

fn refusal(kind: RefusalKind) -> Refusal {
    Refusal {
        kind,
        reason: "because".into(),
        epoch: None,
        seq: None,
        index: None,
    }
}

fn wait(delivery: &mut Delivery, now: Duration, queue: &Fake) -> Duration {
    match next(delivery, now, queue) {
        Action::WaitUntil(until) => until - now,
        other => panic!("no wait, but {other:?}"),
    }
}

#[test]
fn an_older_epoch_is_received_as_a_whole_before_the_next_one_begins() {
    let mut queue = Fake::of(&[(7, 3, 5), (2, 1, 2)]);
    let mut delivery = delivery();
    let first = exchange(&mut delivery, &mut queue, &[(7, 4, 2), (2, 0, 0)]);
    assert_eq!(first, [(7, 3), (7, 4), (7, 5)]);
    assert_eq!(
        exchange(&mut delivery, &mut queue, &[(7, 5, 2)]),
        [(7, 5)],
        "received 4: 5 follows"
    );
    assert_eq!(
        exchange(&mut delivery, &mut queue, &[(2, 2, 0), (7, 5, 4)]),
        [(2, 1), (2, 2)]
    );
    assert_eq!(
        queue.waiting[0].first, 5,
        "the older one was asked for meanwhile"
    );
    assert!(!delivery.has_unreceived(&queue.waiting));
}

#[test]
fn only_one_message_is_on_its_way() {
    let queue = Fake::of(&[(1, 1, 1)]);
    let mut delivery = delivery();
    sent(next(&mut delivery, NOW, &queue));
    assert_eq!(next(&mut delivery, NOW, &queue), Action::Idle);
    assert_eq!(next(&mut delivery, NOW * 2, &queue), Action::Idle);
}

#[test]
fn an_hour_of_backlog_goes_in_a_few_messages_and_none_is_too_large() {
    let mut queue = Fake::of(&[(1, 1, 1_000)]);
    queue.frame_bytes = 8_000;
    let mut delivery = delivery();
    let mut received = 0;
    let mut messages = 0;
    while received < 1_000 {
        let outgoing = sent(next(&mut delivery, NOW, &queue));
        assert!(outgoing.bytes() <= 1 << 20 && outgoing.batches.len() <= 256);
        received = outgoing.batches.last().unwrap().seq;
        let answer = ack(1, &[(1, received, 0)]);
        delivery.on_answer(NOW, &answer, &mut queue).unwrap();
        messages += 1;
    }
    assert!(messages <= 10, "{messages}");
    queue = Fake::of(&[(1, 1, 1)]);
    queue.frame_bytes = 5 << 20;
    let outgoing = sent(next(&mut self::delivery(), NOW, &queue));
    assert_eq!(outgoing.batches.len(), 1, "a large one goes alone");
}

#[test]
fn a_new_instance_and_an_expectation_rewind() {
    let mut queue = Fake::of(&[(1, 3, 9)]);
    let mut delivery = delivery();
    exchange(&mut delivery, &mut queue, &[(1, 9, 2)]);
    queue.waiting[0].last = 10;
    let outgoing = sent(next(&mut delivery, NOW, &queue));
    assert_eq!(seqs(&outgoing), [(epoch(1), 10)]);
    let mut answer = ack(2, &[(1, 4, 2)]);
    answer.answers[0].expect = Some(5);
    delivery.on_answer(NOW, &answer, &mut queue).unwrap();
    let outgoing = sent(next(&mut delivery, NOW, &queue));
    assert_eq!(
        seqs(&outgoing)[0],
        (epoch(1), 5),
        "at once, with all that follow"
    );
    assert_eq!(seqs(&outgoing).len(), 6);
}

#[test]
fn another_instance_forgets_what_was_received_of_all_epochs() {
    let mut queue = Fake::of(&[(1, 1, 2), (2, 1, 2)]);
    let mut delivery = delivery();
    exchange(&mut delivery, &mut queue, &[(1, 2, 0)]);
    exchange(&mut delivery, &mut queue, &[(2, 2, 0), (1, 2, 0)]);
    sent(next(&mut delivery, NOW + seconds(60.0), &queue));
    let answer = ack(2, &[(2, 2, 0)]);
    delivery.on_answer(NOW, &answer, &mut queue).unwrap();
    let outgoing = sent(next(&mut delivery, NOW, &queue));
    assert_eq!(
        seqs(&outgoing)[0],
        (epoch(1), 1),
        "nothing is known of it now"
    );
}

#[test]
fn after_a_disconnect_a_small_message_finds_out_what_is_received() {
    let mut queue = Fake::of(&[(1, 1, 200)]);
    queue.frame_bytes = 8 << 10;
    let mut delivery = delivery();
    let first = exchange(&mut delivery, &mut queue, &[(1, 8, 0)]);
    assert_eq!(first.len(), 8);
    assert_eq!(
        exchange(&mut delivery, &mut queue, &[(1, 136, 0)]).len(),
        128
    );
    sent(next(&mut delivery, NOW, &queue));
    delivery.on_disconnect();
    let again = exchange(&mut delivery, &mut queue, &[(1, 200, 0)]);
    assert_eq!((again[0], again.len()), ((1, 1), 8));
    assert!(!delivery.has_unreceived(&queue.waiting));
}

#[test]
fn only_what_is_committed_of_the_very_epoch_is_deleted() {
    let mut queue = Fake::of(&[(1, 3, 5)]);
    let mut delivery = delivery();
    sent(next(&mut delivery, NOW, &queue));
    let answer = ack(1, &[(9, 5, 5), (1, 5, 2)]);
    assert_eq!(delivery.on_answer(NOW, &answer, &mut queue).unwrap(), []);
    sent(next(&mut delivery, NOW * 2, &queue));
    let answer = ack(1, &[(1, 5, 4)]);
    let effects = delivery.on_answer(NOW, &answer, &mut queue).unwrap();
    let expected = Effect::Delete {
        epoch: epoch(1),
        up_to: 4,
    };
    assert_eq!(effects, [expected]);
}

#[test]
fn another_table_deletes_nothing_and_is_told() {
    let mut queue = Fake::of(&[(1, 1, 5)]);
    queue.table = None;
    let mut delivery = delivery();
    sent(next(&mut delivery, NOW, &queue));
    let mut answer = ack(1, &[(1, 5, 1)]);
    answer.table_id.clear();
    let effects = delivery.on_answer(NOW, &answer, &mut queue).unwrap();
    assert_eq!(effects, [Effect::Tell(Trouble::NoTable)]);
    assert_eq!(queue.table, None, "no name is not kept as one");
    answer.table_id = "table-1".into();
    delivery.on_answer(NOW, &answer, &mut queue).unwrap();
    answer.table_id = "table-2".into();
    let effects = delivery.on_answer(NOW, &answer, &mut queue).unwrap();
    let [Effect::Tell(trouble @ Trouble::OtherTable { .. })] = &effects[..] else {
        panic!("{effects:?}");
    };
    let text = trouble.to_string();
    assert!(
        text.contains("table-2") && text.contains("table-1"),
        "{text}"
    );
}

#[test]
fn a_late_answer_deletes_but_tells_nothing_of_what_is_received() {
    let mut queue = Fake::of(&[(1, 1, 5)]);
    let mut delivery = delivery();
    sent(next(&mut delivery, NOW, &queue));
    delivery.on_failure(NOW, None);
    let effects = delivery.on_answer(NOW, &ack(1, &[(1, 5, 1)]), &mut queue);
    assert_eq!(effects.unwrap().len(), 1);
    assert!(delivery.has_unreceived(&queue.waiting));
}

#[test]
fn a_batch_that_nobody_takes_is_given_up_by_name_or_by_its_place() {
    let mut queue = Fake::of(&[(1, 4, 9)]);
    let mut delivery = delivery();
    let mut by_name = refusal(RefusalKind::BadBatch);
    (by_name.epoch, by_name.seq) = (Some(epoch(1)), Some(5));
    let mut by_index = refusal(RefusalKind::BadTime);
    by_index.index = Some(2);
    for (refusal, seq) in [(by_name, 5), (by_index, 6)] {
        sent(next(&mut delivery, NOW, &queue));
        let effects = delivery.on_refusal(NOW, &refusal, None);
        let expected = Effect::GiveUp {
            epoch: epoch(1),
            seq,
            message: "because".into(),
        };
        assert_eq!(effects, [expected], "and the rest goes on at once");
        queue.apply(&effects);
    }
    let mut strange = refusal(RefusalKind::BadBatch);
    (strange.epoch, strange.seq) = (Some(epoch(1)), Some(3));
    for strange in [strange, refusal(RefusalKind::BadBatch)] {
        delivery.hurry();
        sent(next(&mut delivery, NOW, &queue));
        let effects = delivery.on_refusal(NOW, &strange, None);
        assert!(
            matches!(effects[..], [Effect::Tell(Trouble::NotNamed { .. })]),
            "{effects:?}"
        );
        wait(&mut delivery, NOW, &queue);
    }
}

#[test]
fn a_gap_that_is_refused_like_its_batch_is_no_loop_at_full_speed() {
    let queue = Fake::of(&[(1, 4, 9)]);
    let mut delivery = delivery();
    let mut by_index = refusal(RefusalKind::BadTime);
    by_index.index = Some(0);
    sent(next(&mut delivery, NOW, &queue));
    assert_eq!(delivery.on_refusal(NOW, &by_index, None).len(), 1);
    sent(next(&mut delivery, NOW, &queue));
    let effects = delivery.on_refusal(NOW, &by_index, None);
    assert!(
        matches!(
            effects[..],
            [
                Effect::GiveUp { .. },
                Effect::Tell(Trouble::GapRefused { .. })
            ]
        ),
        "{effects:?}"
    );
    assert!(wait(&mut delivery, NOW, &queue) > Duration::ZERO);
}

#[test]
fn waits_double_with_jitter_up_to_a_minute_and_a_success_resets_them() {
    let mut queue = Fake::of(&[(1, 1, 1)]);
    let mut longest = [Duration::ZERO; 12];
    for seed in 0..200 {
        let mut delivery = Delivery::new(Pace::default(), seed);
        let mut bound = seconds(0.5);
        for longest in &mut longest {
            sent(next(&mut delivery, NOW, &queue));
            delivery.on_failure(NOW, None);
            let wait = wait(&mut delivery, NOW, &queue);
            assert!(wait <= bound, "{wait:?} of {bound:?}");
            *longest = wait.max(*longest);
            bound = (bound * 2).min(seconds(60.0));
            delivery.hurry();
        }
        exchange(&mut delivery, &mut queue, &[(1, 0, 0)]);
        sent(next(&mut delivery, NOW, &queue));
        delivery.on_failure(NOW, None);
        assert!(wait(&mut delivery, NOW, &queue) <= seconds(0.5));
    }
    assert!(longest[11] > seconds(55.0), "{longest:?}");
    assert!(
        longest[0] > seconds(0.45) && longest[3] > seconds(3.6),
        "{longest:?}"
    );
}

#[test]
fn retry_after_is_a_floor_with_a_bound() {
    let queue = Fake::of(&[(1, 1, 1)]);
    let mut delivery = delivery();
    for (asked, floor) in [(7.0, 7.0), (100_000.0, 300.0)] {
        sent(next(&mut delivery, NOW, &queue));
        let refusal = refusal(RefusalKind::Busy);
        assert_eq!(delivery.on_refusal(NOW, &refusal, Some(seconds(asked))), []);
        let wait = wait(&mut delivery, NOW, &queue);
        assert!(
            wait >= seconds(floor) && wait < seconds(floor + 1.0),
            "{wait:?}"
        );
        delivery.hurry();
    }
}

#[test]
fn what_is_received_but_not_committed_is_asked_for_ever_more_rarely() {
    let mut queue = Fake::of(&[(1, 1, 1)]);
    let mut delivery = delivery();
    exchange(&mut delivery, &mut queue, &[(1, 1, 0)]);
    let mut now = NOW;
    let mut waits = Vec::new();
    for _ in 0..4 {
        let wait = wait(&mut delivery, now, &queue);
        waits.push(wait.as_secs_f64().round());
        now += wait;
        let outgoing = sent(next(&mut delivery, now, &queue));
        assert_eq!((outgoing.batches, outgoing.asks), (vec![], vec![epoch(1)]));
        let answer = ack(1, &[(1, 1, 0)]);
        delivery.on_answer(now, &answer, &mut queue).unwrap();
    }
    for (wait, expected) in waits.iter().zip([10.0, 20.0, 30.0, 30.0]) {
        assert!((wait - expected).abs() <= expected * 0.11, "{waits:?}");
    }
    queue.waiting[0].last = 2;
    let outgoing = sent(next(&mut delivery, now, &queue));
    assert_eq!(
        seqs(&outgoing),
        [(epoch(1), 2)],
        "a new batch does not wait"
    );
    let answer = ack(1, &[(1, 2, 2)]);
    queue.apply(
        &delivery
            .on_answer(now, &answer, &mut queue.clone())
            .unwrap(),
    );
    assert_eq!(next(&mut delivery, now, &queue), Action::Idle);
}

#[test]
fn too_large_a_message_is_halved() {
    let mut queue = Fake::of(&[(1, 1, 9)]);
    let mut delivery = delivery();
    let mut sizes = Vec::new();
    for _ in 0..5 {
        delivery.hurry();
        sizes.push(sent(next(&mut delivery, NOW, &queue)).batches.len());
        delivery.on_refusal(NOW, &refusal(RefusalKind::TooLarge), None);
    }
    assert_eq!(sizes, [9, 4, 2, 1, 1]);
    delivery.hurry();
    exchange(&mut delivery, &mut queue, &[(1, 1, 0)]);
    assert_eq!(sent(next(&mut delivery, NOW, &queue)).batches.len(), 1);
}

#[test]
fn answers_without_progress_slow_it_down_and_a_hole_is_told() {
    let mut queue = Fake::of(&[(1, 5, 9)]);
    let mut delivery = delivery();
    for turn in 0..2 {
        assert_eq!(seqs(&sent(next(&mut delivery, NOW, &queue))).len(), 5);
        let mut answer = ack(1, &[(1, 2, 2)]);
        answer.answers[0].expect = Some(3);
        let effects = delivery.on_answer(NOW, &answer, &mut queue).unwrap();
        assert!(
            matches!(
                effects[..],
                [Effect::Tell(Trouble::NeedsDeleted {
                    expect: 3,
                    first: 5,
                    ..
                })]
            ),
            "{turn}: {effects:?}"
        );
    }
    assert!(wait(&mut delivery, NOW, &queue) > Duration::ZERO);
}

#[test]
fn an_unknown_epoch_begins_from_what_is_there() {
    let mut queue = Fake::of(&[(1, 1, 6)]);
    let mut delivery = delivery();
    exchange(&mut delivery, &mut queue, &[(1, 6, 0)]);
    queue.waiting[0].last = 7;
    assert_eq!(
        seqs(&sent(next(&mut delivery, NOW, &queue))),
        [(epoch(1), 7)]
    );
    delivery.on_refusal(NOW, &refusal(RefusalKind::UnknownEpoch), None);
    delivery.hurry();
    assert_eq!(
        seqs(&sent(next(&mut delivery, NOW, &queue)))[0],
        (epoch(1), 1)
    );
}
