//! TCP against the interface's counters and the connection's own, however large the packets are at
//! the hook and however the bytes came to the socket.

use agent_common::network::Traffic;
use anyhow::{Result, ensure};
use e2e::{
    harness::{Test, measured, say},
    net::{
        meter::{Meter, eventually, same},
        pair::Family,
        tcp::account,
    },
};

use super::{NEEDS, Scene, Watch, hear, tell, unseen_syn_acks};

pub(crate) const TESTS: &[Test] = &[
    test("network_tcp_bulk_v4", || {
        Bulk::new(Family::V4).run("TCP IPv4")
    }),
    test("network_tcp_bulk_v6", || {
        Bulk::new(Family::V6).run("TCP IPv6")
    }),
    test("network_tcp_bulk_huge", || {
        Bulk::huge().run("TCP IPv6 with BIG TCP")
    }),
    test("network_tcp_bulk_without_gro", || {
        Bulk::without_gro().run("TCP IPv4 without GRO")
    }),
    test("network_tcp_never_segmented", never_segmented),
    test("network_tcp_retransmitted", retransmitted),
    test("network_tcp_write", || by("write")),
    test("network_tcp_sendfile", || by("sendfile")),
    test("network_tcp_splice", || by("splice")),
    test("network_tcp_zerocopy", || by("zerocopy")),
    test("network_tcp_io_uring", || by("io_uring")),
    test("network_tcp_io_uring_zerocopy", || by("io_uring_zerocopy")),
];

const BULK_BYTES: u64 = 64 << 20;
const SMALL_BYTES: u64 = 4 << 20;
/// Less than a virtual wire's ring holds: nothing drops.
const SMALL_BUFFER: &str = "65536";

const fn test(name: &'static str, run: fn() -> Result<()>) -> Test {
    Test {
        name,
        needs: NEEDS,
        run,
    }
}

/// Large packets at the hook, true packets on the wire.
struct Bulk {
    family: Family,
    /// Packets are put together before the receiving hook.
    gro: &'static str,
    /// Packets outgrow IP's field for their length.
    is_huge: bool,
}

impl Bulk {
    const fn new(family: Family) -> Self {
        Self {
            family,
            gro: "on",
            is_huge: false,
        }
    }

    const fn huge() -> Self {
        Self {
            is_huge: true,
            ..Self::new(Family::V6)
        }
    }

    const fn without_gro() -> Self {
        Self {
            gro: "off",
            ..Self::new(Family::V4)
        }
    }

    fn run(&self, name: &str) -> Result<()> {
        let family = self.family;
        let scene = Scene::new()?;
        scene.pair.left.segment_before_wire()?;
        scene.pair.right.offloads(&["gro", self.gro])?;
        if self.is_huge {
            scene.pair.left.grow_packets()?;
            scene.pair.right.grow_packets()?;
        }
        let watch = Watch::new(&scene.pair)?;
        let unseen = unseen_syn_acks(family, 1)?;
        let mut meter = Meter::start()?;
        let (_sink, address) = scene.sink("tcp", family)?;
        let total = BULK_BYTES.to_string();
        let mut sender = scene.send("net-tcp", &[&address, &total, "write", "0"])?;
        hear(&mut sender, "sent")?;
        meter.expect(|snapshot| {
            let (from, to) = scene.rows(snapshot, Traffic::default())?;
            let (out, back) = watch.ways()?;
            out.agrees_with(from, to)?;
            back.agrees_but_for(to, from, unseen)?;
            account(&mut sender)?.agrees_with(from, family)
        })?;
        let (from, to) = scene.rows(&meter.quiet()?, Traffic::default())?;
        ensure!(from.tx_bytes > BULK_BYTES, "too little was sent");
        let (out, _) = watch.ways()?;
        tell(name, out, from, to);
        Ok(())
    }
}

/// Packets that stay large all the way: no interface tells what they would have been on a wire, but
/// the connection does.
fn never_segmented() -> Result<()> {
    let scene = Scene::new()?;
    let mut meter = Meter::start()?;
    let (_sink, address) = scene.sink("tcp", Family::V6)?;
    let total = SMALL_BYTES.to_string();
    let mut sender = scene.send("net-tcp", &[&address, &total, "write", SMALL_BUFFER])?;
    hear(&mut sender, "sent")?;
    meter.expect(|snapshot| {
        let (from, to) = scene.rows(snapshot, Traffic::default())?;
        same("bytes received", to.rx_bytes, from.tx_bytes)?;
        same("packets received", to.rx_packets, from.tx_packets)?;
        account(&mut sender)?.agrees_with(from, Family::V6)
    })?;
    Ok(())
}

/// Packets that are lost on the other side are sent again, and counted as often as they are sent.
fn retransmitted() -> Result<()> {
    const LOST_AT_LEAST: u64 = 3;
    let scene = Scene::new()?;
    scene.pair.left.segment_before_wire()?;
    let watch = Watch::new(&scene.pair)?;
    let mut meter = Meter::start()?;
    let (_sink, address) = scene.sink("tcp", Family::V4)?;
    let total = SMALL_BYTES.to_string();
    let mut sender = scene.send(
        "net-tcp",
        &[&address, &total, "write", SMALL_BUFFER, "wait"],
    )?;
    hear(&mut sender, "connected")?;
    let connected = watch.ways()?.0.packets;
    scene.pair.right.absent_while(|| {
        sender.tell("go")?;
        eventually(|| {
            let lost = watch.ways()?.0.packets - connected;
            ensure!(lost >= LOST_AT_LEAST, "only {lost} packets got lost");
            Ok(())
        })
    })?;
    hear(&mut sender, "sent")?;
    meter.expect(|snapshot| {
        let (from, to) = scene.rows(snapshot, Traffic::default())?;
        let (out, back) = watch.ways()?;
        same("drops before the wire", out.dropped, 0)?;
        let wire = (out.bytes, out.packets);
        same("sent", (from.tx_bytes, from.tx_packets), wire)?;
        back.agrees_with(to, from)?;
        account(&mut sender)?.agrees_with(from, Family::V4)
    })?;
    let retransmitted = account(&mut sender)?.retransmitted;
    ensure!(retransmitted > 0, "nothing was sent again");
    measured(
        "network: TCP with retransmissions, sent",
        "exact",
        &format!("+0 B, +0 packets; {retransmitted} packets sent again"),
    );
    Ok(())
}

/// Whatever system call brings the bytes to the socket.
fn by(way: &str) -> Result<()> {
    let scene = Scene::new()?;
    scene.pair.left.segment_before_wire()?;
    let watch = Watch::new(&scene.pair)?;
    let mut meter = Meter::start()?;
    let (_sink, address) = scene.sink("tcp", Family::V4)?;
    let total = SMALL_BYTES.to_string();
    let mut sender = scene.send("net-tcp", &[&address, &total, way, SMALL_BUFFER])?;
    let line = sender.line()?;
    if let Some(reason) = line.strip_prefix("absent: ") {
        say(&format!("not applicable here: sending by {way}: {reason}"));
        return Ok(());
    }
    same("the sender's word", line.as_str(), "sent")?;
    let snapshot = meter.expect(|snapshot| {
        let (from, to) = scene.rows(snapshot, Traffic::default())?;
        let (out, back) = watch.ways()?;
        same("drops", out.dropped + back.dropped, 0)?;
        out.agrees_with(from, to)?;
        back.agrees_with(to, from)?;
        account(&mut sender)?.agrees_with(from, Family::V4)
    })?;
    let (from, to) = scene.rows(&snapshot, Traffic::default())?;
    tell(&format!("TCP by {way}"), watch.ways()?.0, from, to);
    Ok(())
}
