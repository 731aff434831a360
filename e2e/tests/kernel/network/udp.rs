//! Datagrams and echoes: what was sent, to the byte.

use agent_common::network::Traffic;
use anyhow::{Result, ensure};
use e2e::{
    harness::{Need, Test},
    net::{
        meter::{Meter, plus, received, same, sent},
        pair::Family,
    },
};

use super::{NEEDS, Scene, Watch, hear, tell};

pub(crate) const TESTS: &[Test] = &[
    test("network_udp_v4", || SMALL.run(Family::V4)),
    test("network_udp_v6", || SMALL.run(Family::V6)),
    test("network_udp_gso_v4", || SEGMENTED.run(Family::V4)),
    test("network_udp_gso_v6", || SEGMENTED.run(Family::V6)),
    test("network_udp_gso_and_gro_v4", || MERGED.run(Family::V4)),
    test("network_udp_gso_and_gro_v6", || MERGED.run(Family::V6)),
    Test {
        name: "network_udp_dropped_in_queue",
        needs: &[Need::Program("ip"), Need::Program("tc")],
        run: dropped_in_queue,
    },
    test("network_icmp_echo_v4", || echo("dgram", Family::V4)),
    test("network_icmp_echo_v6", || echo("dgram", Family::V6)),
    test("network_icmp_echo_raw_v4", || echo("raw", Family::V4)),
    test("network_icmp_echo_raw_v6", || echo("raw", Family::V6)),
];

/// UDP or ICMP echo.
const HEADER: u64 = 8;

const fn test(name: &'static str, run: fn() -> Result<()>) -> Test {
    Test {
        name,
        needs: NEEDS,
        run,
    }
}

struct Datagrams {
    name: &'static str,
    calls: u64,
    bytes: u64,
    /// 0 leaves datagrams whole.
    segment: u64,
    protocol: &'static str,
}

const SMALL: Datagrams = Datagrams {
    name: "UDP",
    calls: 1000,
    bytes: 333,
    segment: 0,
    protocol: "udp",
};
/// 20 datagrams of each call, all but the last of full size.
const SEGMENTED: Datagrams = Datagrams {
    name: "UDP GSO",
    calls: 20,
    bytes: 27_700,
    segment: 1400,
    protocol: "udp",
};
const MERGED: Datagrams = Datagrams {
    name: "UDP GSO and GRO",
    protocol: "udp-gro",
    ..SEGMENTED
};

impl Datagrams {
    fn run(&self, family: Family) -> Result<()> {
        let scene = Scene::new()?;
        scene.pair.left.segment_before_wire()?;
        scene.pair.right.offloads(&["gro", "on"])?;
        let watch = Watch::new(&scene.pair)?;
        let mut meter = Meter::start()?;
        let (_sink, address) = scene.sink(self.protocol, family)?;
        let numbers = [self.calls, self.bytes, self.segment].map(|number| number.to_string());
        let [calls, bytes, segment] = numbers.each_ref().map(String::as_str);
        let mut sender = scene.send("net-udp", &[&address, calls, bytes, segment])?;
        hear(&mut sender, "ready")?;
        sender.tell("go")?;
        hear(&mut sender, "sent")?;
        let truth = self.truth(family);
        meter.expect(|snapshot| {
            let (from, to) = scene.rows(snapshot, Traffic::default())?;
            same("sent", from, truth)?;
            let (out, _) = watch.ways()?;
            same("drops", out.dropped, 0)?;
            out.agrees_with(from, to)
        })?;
        let name = format!("{} {family:?}", self.name);
        let (from, to) = scene.rows(&meter.quiet()?, Traffic::default())?;
        tell(&name, watch.ways()?.0, from, to);
        Ok(())
    }

    fn truth(&self, family: Family) -> Traffic {
        let packets = match self.segment {
            0 => 1,
            segment => self.bytes.div_ceil(segment),
        };
        let headers = packets * (family.header() + HEADER);
        Traffic {
            tx_bytes: self.calls * (self.bytes + headers),
            tx_packets: self.calls * packets,
            ..Traffic::default()
        }
    }
}

/// The hook is before the queue: what the queue drops was sent, and is not received.
fn dropped_in_queue() -> Result<()> {
    const CALLS: u64 = 200;
    const BYTES: u64 = 1000 + 28;
    let scene = Scene::new()?;
    let watch = Watch::new(&scene.pair)?;
    scene.pair.left.narrow("1mbit", 20_000)?;
    let mut meter = Meter::start()?;
    let (_sink, address) = scene.sink("udp", Family::V4)?;
    let mut sender = scene.send("net-udp", &[&address, &CALLS.to_string(), "1000", "0"])?;
    hear(&mut sender, "ready")?;
    sender.tell("go")?;
    hear(&mut sender, "sent")?;
    meter.expect(|snapshot| {
        let (from, to) = scene.rows(snapshot, Traffic::default())?;
        let (out, _) = watch.ways()?;
        same("sent", from, sent(CALLS, BYTES))?;
        ensure!(out.dropped > 0, "the queue dropped nothing");
        same("received", to, received(CALLS - out.dropped, BYTES))?;
        out.agrees_with(from, to)
    })?;
    Ok(())
}

/// Requests go to the asking cgroup, and so do the answers that reach its socket. The answering
/// side has no socket: what it receives is not counted, and what it sends is the kernel's own.
fn echo(kind: &str, family: Family) -> Result<()> {
    const COUNT: u64 = 25;
    const PAYLOAD: u64 = 600;
    let scene = Scene::new()?;
    let mut meter = Meter::start()?;
    let address = scene.pair.right.address(family).to_string();
    let (count, payload) = (COUNT.to_string(), PAYLOAD.to_string());
    let mut sender = scene.send("net-echo", &[kind, &address, &count, &payload])?;
    hear(&mut sender, "sent")?;
    let each = family.header() + HEADER + PAYLOAD;
    meter.expect(|snapshot| {
        let (from, to) = scene.rows(snapshot, sent(COUNT, each))?;
        same(
            "asking",
            from,
            plus(sent(COUNT, each), received(COUNT, each)),
        )?;
        same("the other side", to, Traffic::default())
    })?;
    Ok(())
}
