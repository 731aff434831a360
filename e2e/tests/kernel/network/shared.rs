//! Two cgroups in one network namespace, and sockets that change hands: the cgroup is the socket's.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use agent_common::network::{CLASS_LOOPBACK, Traffic};
use anyhow::{Result, ensure};
use e2e::{
    cgroup::TestCgroup,
    harness::Test,
    net::{
        meter::{Meter, classes, kernels_own, plus, row, same, sent},
        pair::{End, Family, Pair},
        tcp::account,
    },
};

use super::{NEEDS, Scene, Watch, hear, start, unseen_syn_acks};

pub(crate) const TESTS: &[Test] = &[
    test("network_host_namespace", host_namespace),
    test("network_loopback_v4", || {
        loopback(Family::V4, |_| Ipv4Addr::LOCALHOST.into())
    }),
    test("network_loopback_v6", || {
        loopback(Family::V6, |_| Ipv6Addr::LOCALHOST.into())
    }),
    test("network_loopback_to_own_address", || {
        loopback(Family::V4, |own| own.address(Family::V4))
    }),
    test("network_moved_sender", moved_sender),
    test("network_moved_listener", moved_listener),
];

const SEND_BUFFER: &str = "65536";

const fn test(name: &'static str, run: fn() -> Result<()>) -> Test {
    Test {
        name,
        needs: NEEDS,
        run,
    }
}

/// Both talk to one peer at the same time through the host's own namespace: to each what its
/// connection says, and together what the interface says.
fn host_namespace() -> Result<()> {
    let scene = Scene::on(Pair::with_host()?)?;
    scene.pair.left.segment_before_wire()?;
    let second = TestCgroup::new("second")?;
    let watch = Watch::new(&scene.pair)?;
    let mut meter = Meter::start()?;
    let (_sink, address) = scene.sink("tcp", Family::V4)?;
    let dial = |cgroup, bytes| {
        let arguments = [address.as_str(), bytes, "write", SEND_BUFFER];
        start(cgroup, &scene.pair.left, "net-tcp", &arguments)
    };
    let mut senders = [dial(&scene.sender, "16000000")?, dial(&second, "5000000")?];
    for sender in &mut senders {
        hear(sender, "sent")?;
    }
    let cgroups = [scene.sender.id, second.id, scene.receiver.id];
    meter.expect(|snapshot| {
        let rows = cgroups.map(|id| row(snapshot, id));
        for (row, sender) in rows.iter().zip(&mut senders) {
            account(sender)?.agrees_with(*row, Family::V4)?;
        }
        same(
            "the kernel's own",
            kernels_own(snapshot, &cgroups)?,
            Traffic::default(),
        )?;
        let (out, back) = watch.ways()?;
        let both = plus(rows[0], rows[1]);
        out.agrees_with(both, rows[2])?;
        back.agrees_with(rows[2], both)
    })?;
    Ok(())
}

/// A byte over loopback is sent by one cgroup and received by the other, once each; of class loopback
/// whatever the address.
fn loopback(family: Family, address: fn(&End) -> IpAddr) -> Result<()> {
    const COUNT: u64 = 100;
    const BYTES: u64 = 700;
    let scene = Scene::new()?;
    let inside = &scene.pair.left;
    let mut meter = Meter::start()?;
    let any_port = SocketAddr::new(address(inside), 0);
    let at = [format!("udp={any_port}"), format!("tcp={any_port}")];
    let at = at.each_ref().map(String::as_str);
    let mut sink = start(&scene.receiver, inside, "net-sink", &at)?;
    let addresses = sink.line()?;
    let (udp, tcp) = addresses.split_once(' ').unwrap_or_default();
    let (count, bytes) = (COUNT.to_string(), BYTES.to_string());
    let mut datagrams = scene.send("net-udp", &[udp, &count, &bytes, "0"])?;
    hear(&mut datagrams, "ready")?;
    datagrams.tell("go")?;
    hear(&mut datagrams, "sent")?;
    let mut stream = scene.send("net-tcp", &[tcp, "3000000", "write", SEND_BUFFER])?;
    hear(&mut stream, "sent")?;
    let each = family.header() + 8 + BYTES;
    let loopback = CLASS_LOOPBACK as usize;
    let unseen = unseen_syn_acks(family, 1)?;
    meter.expect(|snapshot| {
        let from = classes(snapshot, scene.sender.id);
        let to = classes(snapshot, scene.receiver.id);
        let (from, to) = (from[loopback], to[loopback]);
        let stream_alone = Traffic {
            tx_bytes: from.tx_bytes.saturating_sub(COUNT * each),
            tx_packets: from.tx_packets.saturating_sub(COUNT),
            ..from
        };
        account(&mut stream)?.agrees_with(stream_alone, family)?;
        same("receiving", plus(to, unseen), mirrored(from))?;
        let all = [&scene.sender, &scene.receiver].map(|cgroup| row(snapshot, cgroup.id));
        same("all classes", all, [from, to])
    })?;
    Ok(())
}

/// The same, seen from the other end.
fn mirrored(traffic: Traffic) -> Traffic {
    Traffic {
        tx_bytes: traffic.rx_bytes,
        tx_packets: traffic.rx_packets,
        rx_bytes: traffic.tx_bytes,
        rx_packets: traffic.tx_packets,
    }
}

/// A socket made in one cgroup stays its own when the process moves.
fn moved_sender() -> Result<()> {
    let scene = Scene::new()?;
    let second = TestCgroup::new("second")?;
    let mut meter = Meter::start()?;
    let (_sink, address) = scene.sink("udp", Family::V4)?;
    let mut sender = scene.send("net-udp", &[&address, "10", "100", "0"])?;
    hear(&mut sender, "ready")?;
    second.add(sender.id())?;
    sender.tell("go")?;
    hear(&mut sender, "sent")?;
    meter.expect(|snapshot| {
        same("made here", row(snapshot, scene.sender.id), sent(10, 128))?;
        same("moved here", row(snapshot, second.id), Traffic::default())
    })?;
    drop(sender);
    Ok(())
}

/// Connections that a moved process accepts belong to the cgroup of the listening socket.
fn moved_listener() -> Result<()> {
    let scene = Scene::new()?;
    let second = TestCgroup::new("second")?;
    let watch = Watch::new(&scene.pair)?;
    let mut meter = Meter::start()?;
    let (sink, address) = scene.sink("tcp", Family::V4)?;
    second.add(sink.id())?;
    let mut sender = scene.send("net-tcp", &[&address, "1000000", "write", SEND_BUFFER])?;
    hear(&mut sender, "sent")?;
    meter.expect(|snapshot| {
        let made_here = row(snapshot, scene.receiver.id);
        same("moved here", row(snapshot, second.id), Traffic::default())?;
        let from = row(snapshot, scene.sender.id);
        account(&mut sender)?.agrees_with(from, Family::V4)?;
        same("made here", made_here, mirrored(from))?;
        ensure!(watch.ways()?.0.dropped == 0, "the wire dropped");
        Ok(())
    })?;
    drop(sink);
    Ok(())
}
