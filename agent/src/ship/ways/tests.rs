//! Each rule alone, then every order of events.

use super::*;

const NOW: Duration = Duration::from_secs(1_000);

fn ways(transport: Transport) -> Ways {
    Ways::new(transport, Timing::default(), 1)
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn http3_comes_first_and_http1_takes_over_at_once() {
    let mut ways = ways(Transport::Auto);
    assert_eq!((ways.way(), ways.probe_at()), (Way::Http3, None));
    assert_eq!(ways.on_failure(NOW, Way::Http3), Verdict::Turn);
    assert_eq!(ways.way(), Way::Http1);
    ways.on_success(NOW, Way::Http1);
    assert_eq!(
        (ways.way(), ways.probe_at()),
        (Way::Http1, Some(NOW + seconds(15)))
    );
}

#[test]
fn probes_go_on_until_one_gets_through() {
    let mut ways = ways(Transport::Auto);
    ways.on_failure(NOW, Way::Http3);
    let mut now = ways.probe_at().unwrap();
    for _ in 0..100 {
        ways.on_probe_begun();
        assert_eq!(ways.probe_at(), None, "one at a time");
        // A probe may take some seconds to fail.
        now += seconds(3);
        ways.on_probe(now, false);
        let wait = ways.probe_at().unwrap() - now;
        assert!(wait >= seconds(24) && wait <= seconds(30), "{wait:?}");
        assert_eq!(ways.way(), Way::Http1);
        now += wait;
    }
    ways.on_probe_begun();
    ways.on_probe(now, true);
    assert_eq!((ways.way(), ways.probe_at()), (Way::Http3, None));
}

#[test]
fn when_both_fail_they_take_turns_with_waits() {
    let mut ways = ways(Transport::Auto);
    let mut tried = Vec::new();
    for _ in 0..6 {
        let way = ways.way();
        tried.push((way, ways.on_failure(NOW, way)));
    }
    let (h3, h1) = (Way::Http3, Way::Http1);
    let expected = [h3, h1, h3, h1, h3, h1].map(|way| (way, Verdict::BackOff));
    assert_eq!(tried[0], (h3, Verdict::Turn));
    assert_eq!(tried[1..], expected[1..]);
    ways.on_failure(NOW, h3);
    ways.on_success(NOW, h1);
    assert_eq!((ways.way(), ways.probe_at()), (h1, Some(NOW + seconds(15))));
}

#[test]
fn where_http1_stops_working_http3_is_tried_at_once() {
    let mut ways = ways(Transport::Auto);
    ways.on_failure(NOW, Way::Http3);
    ways.on_success(NOW, Way::Http1);
    assert_eq!(ways.on_failure(NOW, Way::Http1), Verdict::Turn);
    assert_eq!(ways.way(), Way::Http3);
    assert_eq!(ways.on_failure(NOW, Way::Http3), Verdict::BackOff);
}

#[derive(Clone, Copy, Debug)]
enum Event {
    Answer,
    NoAnswer,
    ProbeWorks,
    ProbeFails,
    /// A request on the way that is not in use any more comes back.
    LateAnswer,
    LateNoAnswer,
}

const EVENTS: [Event; 6] = [
    Event::Answer,
    Event::NoAnswer,
    Event::ProbeWorks,
    Event::ProbeFails,
    Event::LateAnswer,
    Event::LateNoAnswer,
];

/// Applies an event and says how many turns in a row there were without a wait.
fn apply(ways: &mut Ways, now: Duration, event: Event, turns: u32) -> u32 {
    let way = ways.way();
    let is_due = ways.probe_at().is_some_and(|at| at <= now);
    match event {
        Event::Answer => ways.on_success(now, way),
        Event::LateAnswer => ways.on_success(now, way.other()),
        Event::NoAnswer | Event::LateNoAnswer => {
            let late = matches!(event, Event::LateNoAnswer);
            let failed = if late { way.other() } else { way };
            return match ways.on_failure(now, failed) {
                Verdict::Turn if late => turns,
                Verdict::Turn => turns + 1,
                Verdict::BackOff => 0,
            };
        }
        Event::ProbeWorks | Event::ProbeFails if is_due => {
            ways.on_probe_begun();
            let works = matches!(event, Event::ProbeWorks);
            ways.on_probe(now, works);
            assert!(!works || ways.way() == Way::Http3);
        }
        Event::ProbeWorks | Event::ProbeFails => return turns,
    }
    0
}

fn check(ways: &Ways, transport: Transport, now: Duration, turns: u32, events: &[Event]) {
    match transport {
        Transport::Auto => {
            assert!(turns <= 2, "turns without end: {events:?}");
            let is_leaving = matches!(ways.state, State::Http1 { .. });
            let bound = now + seconds(30);
            let is_probed = ways.probe_at().is_some_and(|at| at <= bound);
            assert_eq!(is_leaving, is_probed, "{events:?}: {ways:?}");
        }
        Transport::Http3 | Transport::Http1 => {
            let only = if transport == Transport::Http3 {
                Way::Http3
            } else {
                Way::Http1
            };
            assert_eq!((ways.way(), ways.probe_at(), turns), (only, None, 0));
        }
    }
}

#[test]
fn no_order_of_events_ends_in_a_loop_or_without_a_way_back() {
    const LENGTH: u32 = 6;
    for transport in [Transport::Auto, Transport::Http3, Transport::Http1] {
        for number in 0..EVENTS.len().pow(LENGTH) {
            let digits = (0..LENGTH).map(|place| number / EVENTS.len().pow(place) % EVENTS.len());
            let events: Vec<Event> = digits.map(|digit| EVENTS[digit]).collect();
            let mut ways = ways(transport);
            let (mut now, mut turns) = (NOW, 0);
            for event in &events {
                now += seconds(10);
                turns = apply(&mut ways, now, *event, turns);
                check(&ways, transport, now, turns, &events);
            }
        }
    }
}
