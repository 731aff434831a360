//! Which class the other end is in: by the longest prefix, and by today's prefixes.

use std::net::{IpAddr, SocketAddr};

use agent::kernel::{Prefix, Snapshot, default_prefixes};
use agent_common::network::{
    CLASS_CROSS_ZONE, CLASS_INTERNET, CLASS_NODE, CLASS_PRIVATE, CLASS_SAME_ZONE, CLASSES, Traffic,
};
use anyhow::Result;
use e2e::{
    harness::Test,
    net::meter::{Meter, classes, plus, same, sent},
    process::Running,
};

use super::{NEEDS, Scene, hear, start};

pub(crate) const TESTS: &[Test] = &[
    Test {
        name: "network_classes",
        needs: NEEDS,
        run: every_class,
    },
    Test {
        name: "network_classes_changed",
        needs: NEEDS,
        run: changed,
    },
];

/// Each of its own length, so that no two can be mistaken for each other.
const PEERS: [(&str, u64, u32); 10] = [
    ("10.77.0.2", 101, CLASS_PRIVATE),
    ("192.168.77.2", 102, CLASS_PRIVATE),
    ("203.0.113.2", 103, CLASS_INTERNET),
    ("203.0.113.3", 104, CLASS_NODE),
    ("10.78.0.2", 105, CLASS_SAME_ZONE),
    ("10.78.0.3", 106, CLASS_CROSS_ZONE),
    ("fd77::2", 107, CLASS_PRIVATE),
    ("2001:db8::2", 108, CLASS_INTERNET),
    ("2001:db8::3", 109, CLASS_NODE),
    ("fd78::2", 110, CLASS_SAME_ZONE),
];

fn prefix(address: &str, bits: u8, class: u32) -> Result<Prefix> {
    Ok(Prefix {
        address: address.parse()?,
        bits,
        class,
    })
}

fn zones(near: &str, far: &str) -> Result<Vec<Prefix>> {
    let mut prefixes = default_prefixes();
    prefixes.push(prefix("203.0.113.3", 32, CLASS_NODE)?);
    prefixes.push(prefix("2001:db8::3", 128, CLASS_NODE)?);
    prefixes.push(prefix("10.78.0.0", 16, CLASS_SAME_ZONE)?);
    prefixes.push(prefix("fd78::", 32, CLASS_SAME_ZONE)?);
    prefixes.push(prefix(near, 32, CLASS_SAME_ZONE)?);
    prefixes.push(prefix(far, 32, CLASS_CROSS_ZONE)?);
    Ok(prefixes)
}

/// Peers on the right with the addresses of [`PEERS`], all reached over the one wire.
fn peers(scene: &Scene) -> Result<(Running, Vec<SocketAddr>)> {
    let (left, right) = (&scene.pair.left, &scene.pair.right);
    let mut sinks = Vec::new();
    for (address, ..) in PEERS {
        right.add_address(address.parse()?)?;
        left.configure(&[format!("route add {address} dev {}", left.device)])?;
        let any_port = SocketAddr::new(address.parse()?, 0);
        sinks.push(format!("udp={any_port}"));
    }
    let sinks: Vec<&str> = sinks.iter().map(String::as_str).collect();
    let mut sink = start(&scene.receiver, right, "net-sink", &sinks)?;
    let line = sink.line()?;
    let addresses = line.split(' ').map(str::parse).collect::<Result<_, _>>()?;
    Ok((sink, addresses))
}

/// One datagram to each peer, from one process each, again whenever told.
fn senders(scene: &Scene, addresses: &[SocketAddr]) -> Result<Vec<Running>> {
    let dial = |(address, (_, bytes, _)): (&SocketAddr, (&str, u64, u32))| {
        let arguments = [
            address.to_string(),
            "1".into(),
            bytes.to_string(),
            "0".into(),
        ];
        let arguments = arguments.each_ref().map(String::as_str);
        let mut sender = scene.send("net-udp", &arguments)?;
        hear(&mut sender, "ready")?;
        Ok(sender)
    };
    addresses.iter().zip(PEERS).map(dial).collect()
}

fn send_each(senders: &mut [Running]) -> Result<()> {
    for sender in senders {
        sender.tell("go")?;
        hear(sender, "sent")?;
    }
    Ok(())
}

/// What one datagram to each peer comes to, with classes by `class_of`.
fn truth(class_of: impl Fn(&str, u32) -> u32) -> Result<[Traffic; CLASSES]> {
    let mut truth = [Traffic::default(); CLASSES];
    for (address, bytes, class) in PEERS {
        let is_v4 = address.parse::<IpAddr>()?.is_ipv4();
        let headers = if is_v4 { 28 } else { 48 };
        let cell = &mut truth[class_of(address, class) as usize];
        *cell = plus(*cell, sent(1, bytes + headers));
    }
    Ok(truth)
}

fn is_classed(scene: &Scene, snapshot: &Snapshot, truth: [Traffic; CLASSES]) -> Result<()> {
    same("sent by class", classes(snapshot, scene.sender.id), truth)
}

fn every_class() -> Result<()> {
    let scene = Scene::new()?;
    let (_sink, addresses) = peers(&scene)?;
    let mut senders = senders(&scene, &addresses)?;
    let prefixes = zones("10.78.0.2", "10.78.0.3")?;
    let mut meter = Meter::with(|options| options.prefixes = prefixes)?;
    send_each(&mut senders)?;
    let truth = truth(|_, class| class)?;
    // The senders' own addresses are in 198.18.0.0/15 and 2001:2::/48: the internet, by default.
    let packets = PEERS.len() as u64;
    meter.expect(|snapshot| {
        is_classed(&scene, snapshot, truth)?;
        let heard = classes(snapshot, scene.receiver.id)[CLASS_INTERNET as usize];
        same("packets from the internet", heard.rx_packets, packets)
    })?;
    Ok(())
}

/// Prefixes that change are honoured from the next packet on, though the answers before were cached;
/// prefixes that are not told again are forgotten.
fn changed() -> Result<()> {
    let scene = Scene::new()?;
    let (_sink, addresses) = peers(&scene)?;
    let mut senders = senders(&scene, &addresses)?;
    let before = zones("10.78.0.2", "10.78.0.3")?;
    let after = zones("10.78.0.3", "10.78.0.2")?;
    let mut meter = Meter::with(|options| options.prefixes = before)?;
    let mut truths = vec![truth(|_, class| class)?];
    send_each(&mut senders)?;
    meter.kernel.set_prefixes(&after)?;
    send_each(&mut senders)?;
    truths.push(truth(|address, class| match address {
        "10.78.0.2" => CLASS_CROSS_ZONE,
        "10.78.0.3" => CLASS_SAME_ZONE,
        _ => class,
    })?);
    meter.kernel.set_prefixes(&default_prefixes())?;
    send_each(&mut senders)?;
    truths.push(truth(|_, class| match class {
        CLASS_SAME_ZONE | CLASS_CROSS_ZONE => CLASS_PRIVATE,
        CLASS_NODE => CLASS_INTERNET,
        class => class,
    })?);
    let sums = std::array::from_fn(|class| {
        truths
            .iter()
            .fold(Traffic::default(), |sum, truth| plus(sum, truth[class]))
    });
    meter.expect(|snapshot| is_classed(&scene, snapshot, sums))?;
    Ok(())
}
