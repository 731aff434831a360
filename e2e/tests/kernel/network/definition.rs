//! The published definition of what is counted, to the packet: also where it differs from what goes
//! over the wire.

use agent::kernel::Snapshot;
use agent_common::network::Traffic;
use anyhow::{Result, ensure};
use e2e::{
    cgroup::TestCgroup,
    harness::{Test, measured},
    net::{
        meter::{Meter, kernels_own, plus, received, row, same, sent},
        namespace::Namespace,
        pair::{End, Family, Pair},
    },
};

use super::{NEEDS, SYN, Scene, Watch, hear, start, unseen_syn_acks};

pub(crate) const TESTS: &[Test] = &[
    test("network_fragments_v4", || fragments(Family::V4)),
    test("network_fragments_v6", || fragments(Family::V6)),
    test("network_time_wait_v4", || time_wait(Family::V4)),
    test("network_time_wait_v6", || time_wait(Family::V6)),
    test("network_closed_tcp_port_v4", || closed_tcp_port(Family::V4)),
    test("network_closed_tcp_port_v6", || closed_tcp_port(Family::V6)),
    test("network_closed_udp_port_v4", || closed_udp_port(Family::V4)),
    test("network_closed_udp_port_v6", || closed_udp_port(Family::V6)),
    test("network_multicast", multicast),
    test("network_packet_socket", packet_socket),
    test("network_neighbour_discovery", neighbour_discovery),
];

/// TCP header of what follows a SYN.
const SEGMENT: u64 = 32;
const RESET: u64 = 20;
const UDP: u64 = 8;

const fn test(name: &'static str, run: fn() -> Result<()>) -> Test {
    Test {
        name,
        needs: NEEDS,
        run,
    }
}

/// A datagram is one packet, before it is fragmented and after it is put together again.
fn fragments(family: Family) -> Result<()> {
    const COUNT: u64 = 20;
    const BYTES: u64 = 8000;
    const FRAGMENTS: u64 = 6;
    let scene = Scene::new()?;
    let watch = Watch::new(&scene.pair)?;
    let mut meter = Meter::start()?;
    let (_sink, address) = scene.sink("udp", family)?;
    let (count, bytes) = (COUNT.to_string(), BYTES.to_string());
    let mut sender = scene.send("net-udp", &[&address, &count, &bytes, "0"])?;
    hear(&mut sender, "ready")?;
    sender.tell("go")?;
    hear(&mut sender, "sent")?;
    let each = family.header() + UDP + BYTES;
    meter.expect(|snapshot| {
        let (from, to) = scene.rows(snapshot, Traffic::default())?;
        same("sent", from, sent(COUNT, each))?;
        same("received", to, received(COUNT, each))?;
        let (out, _) = watch.ways()?;
        same("packets on the wire", out.packets, COUNT * FRAGMENTS)
    })?;
    Ok(())
}

/// A side that closes first is, to the kernel, no socket any more when the other side closes: that
/// FIN and the answer to it are in no row of the first side. The other side sees both.
fn time_wait(family: Family) -> Result<()> {
    const COUNT: u64 = 20;
    let count = COUNT.to_string();
    let scene = Scene::new()?;
    let watch = Watch::new(&scene.pair)?;
    let mut meter = Meter::start()?;
    let right = &scene.pair.right;
    let listen = [right.any_port(family), count.clone()];
    let listen = listen.each_ref().map(String::as_str);
    let mut answering = start(&scene.receiver, right, "net-tcp-answer", &listen)?;
    let address = answering.line()?;
    let mut dialing = scene.send("net-tcp-dial", &[&address, &count])?;
    hear(&mut dialing, "open")?;
    hear(&mut answering, "open")?;
    dialing.tell("close")?;
    hear(&mut dialing, "closed")?;
    let (syn, segment) = (family.header() + SYN, family.header() + SEGMENT);
    let opened = plus(sent(COUNT, syn), received(COUNT, syn));
    // SYN, ACK, FIN against SYN-ACK, ACK.
    let dialed = plus(
        opened,
        plus(sent(2 * COUNT, segment), received(COUNT, segment)),
    );
    meter.expect(|snapshot| same("closed here", row(snapshot, scene.sender.id), dialed))?;
    answering.tell("close")?;
    hear(&mut answering, "closed")?;
    // SYN, ACK, FIN, ACK against SYN-ACK, ACK, FIN.
    let answered = plus(
        opened,
        plus(received(3 * COUNT, segment), sent(2 * COUNT, segment)),
    );
    let own = [scene.sender.id, scene.receiver.id];
    let unseen = unseen_syn_acks(family, COUNT)?;
    let snapshot = meter.expect(|snapshot| {
        same("closed first", row(snapshot, own[0]), dialed)?;
        same("closed last", plus(row(snapshot, own[1]), unseen), answered)?;
        let (out, back) = watch.ways()?;
        same("packets out", out.packets, 4 * COUNT)?;
        same("packets back", back.packets, 3 * COUNT)?;
        kernels_own_or_unseen(snapshot, own, sent(COUNT, segment))
    })?;
    tell("acknowledgements in TIME_WAIT", family, &snapshot, own)
}

/// What the kernel sends without a socket is in its own row or in none, by kernel and family.
fn kernels_own_or_unseen(snapshot: &Snapshot, own: [u64; 2], all: Traffic) -> Result<()> {
    let kernel = kernels_own(snapshot, &own)?;
    let is_good = kernel == all || kernel == Traffic::default();
    ensure!(
        is_good,
        "the kernel's own: {kernel:?}, neither {all:?} nor nothing"
    );
    Ok(())
}

fn tell(what: &str, family: Family, snapshot: &Snapshot, own: [u64; 2]) -> Result<()> {
    let is_seen = kernels_own(snapshot, &own)? != Traffic::default();
    measured(
        &format!("network: {what} {family:?}"),
        "root's row or unseen",
        if is_seen { "root's row" } else { "unseen" },
    );
    Ok(())
}

/// The refusal is the kernel's own on the closed side, and the knocking is not counted there.
fn closed_tcp_port(family: Family) -> Result<()> {
    const COUNT: u64 = 10;
    let scene = Scene::new()?;
    let mut meter = Meter::start()?;
    let address = format!("{}:9", host(&scene.pair.right, family));
    let mut knocking = scene.send("net-refused", &["tcp", &address, &COUNT.to_string()])?;
    hear(&mut knocking, "refused")?;
    let (syn, reset) = (family.header() + SYN, family.header() + RESET);
    let own = [scene.sender.id, scene.receiver.id];
    let snapshot = meter.expect(|snapshot| {
        let knocked = plus(sent(COUNT, syn), received(COUNT, reset));
        same("knocking", row(snapshot, own[0]), knocked)?;
        same("the closed side", row(snapshot, own[1]), Traffic::default())?;
        kernels_own_or_unseen(snapshot, own, sent(COUNT, reset))
    })?;
    tell("RST of a closed port", family, &snapshot, own)
}

/// As with TCP, but the refusal is an ICMP error, which no socket receives.
fn closed_udp_port(family: Family) -> Result<()> {
    const COUNT: u64 = 5;
    const ICMP: u64 = 8;
    let scene = Scene::new()?;
    let mut meter = Meter::start()?;
    let address = format!("{}:9", host(&scene.pair.right, family));
    let mut knocking = scene.send("net-refused", &["udp", &address, &COUNT.to_string()])?;
    hear(&mut knocking, "refused")?;
    let knock = family.header() + UDP + 100;
    let refusal = family.header() + ICMP + knock;
    meter.expect(|snapshot| {
        let (from, to) = scene.rows(snapshot, sent(COUNT, refusal))?;
        same("knocking", from, sent(COUNT, knock))?;
        same("the closed side", to, Traffic::default())
    })?;
    Ok(())
}

fn host(end: &End, family: Family) -> String {
    match family {
        Family::V4 => end.address(family).to_string(),
        Family::V6 => format!("[{}]", end.address(family)),
    }
}

/// Sent once, received once by every socket that listens, on either side of the wire.
fn multicast() -> Result<()> {
    const COUNT: u64 = 20;
    const BYTES: u64 = 28 + 500;
    const GROUP: &str = "239.18.18.18:18018";
    let scene = Scene::new()?;
    let (left, right) = (&scene.pair.left, &scene.pair.right);
    let route = format!("route add 239.0.0.0/8 dev {}", left.device);
    left.configure(&[route])?;
    let mut meter = Meter::start()?;
    let places = [left, left, right, right];
    let mut listening = Vec::new();
    for end in places {
        let cgroup = TestCgroup::new("listener")?;
        let at = format!("multicast={GROUP}@{}", end.address(Family::V4));
        let mut sink = start(&cgroup, end, "net-sink", &[&at])?;
        sink.line()?;
        listening.push((sink, cgroup));
    }
    let mut sender = scene.send("net-udp", &[GROUP, &COUNT.to_string(), "500", "0"])?;
    hear(&mut sender, "ready")?;
    sender.tell("go")?;
    hear(&mut sender, "sent")?;
    meter.expect(|snapshot| {
        same("sent", row(snapshot, scene.sender.id), sent(COUNT, BYTES))?;
        for (_, cgroup) in &listening {
            let heard = row(snapshot, cgroup.id);
            same("received", heard, received(COUNT, BYTES))?;
        }
        Ok(())
    })?;
    // Processes go before their cgroups.
    listening.into_iter().for_each(|(sink, cgroup)| {
        drop(sink);
        drop(cgroup);
    });
    Ok(())
}

/// Packets that a program hands to the link itself are not counted where they are made.
fn packet_socket() -> Result<()> {
    const COUNT: u64 = 20;
    const BYTES: u64 = 28 + 200;
    let scene = Scene::new()?;
    let watch = Watch::new(&scene.pair)?;
    let mut meter = Meter::start()?;
    let (_sink, address) = scene.sink("udp", Family::V4)?;
    let left = &scene.pair.left;
    let from = left.address(Family::V4).to_string();
    let count = COUNT.to_string();
    let arguments = [left.device.as_str(), &from, &address, &count, "200"];
    let mut sender = scene.send("net-packet", &arguments)?;
    hear(&mut sender, "sent")?;
    meter.expect(|snapshot| {
        let (from, to) = scene.rows(snapshot, Traffic::default())?;
        same("sent", from, Traffic::default())?;
        same("received", to, received(COUNT, BYTES))?;
        same("packets on the wire", watch.ways()?.0.packets, COUNT)
    })?;
    Ok(())
}

/// The kernel's sockets of a network namespace belong to the cgroup that made the namespace, which
/// on a node is the container runtime's, and so do its neighbour discovery and multicast reports.
fn neighbour_discovery() -> Result<()> {
    let maker = TestCgroup::new("maker")?;
    let left = Namespace::made_in(&maker, "left")?;
    let scene = Scene::on(Pair::from(left)?)?;
    let mut meter = Meter::start()?;
    scene.pair.right.discover_neighbours()?;
    scene.pair.left.discover_neighbours()?;
    let (_sink, address) = scene.sink("udp", Family::V6)?;
    let mut sender = scene.send("net-udp", &[&address, "1", "100", "0"])?;
    hear(&mut sender, "ready")?;
    sender.tell("go")?;
    hear(&mut sender, "sent")?;
    meter.expect(|snapshot| {
        same("sent", row(snapshot, scene.sender.id), sent(1, 148))?;
        let made = row(snapshot, maker.id);
        ensure!(made.tx_packets > 0, "the maker has nothing");
        same("received", made.rx_packets, 0)
    })?;
    Ok(())
}
