//! Two ends of a wire, and what the interfaces say went over it. Nothing goes over it but what a
//! test sends: both ends have one and the same link address and no neighbour discovery.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket},
    process,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use super::{
    meter::eventually,
    namespace::{Namespace, configure, run},
};

/// Link address of both ends.
pub(super) const LINK_ADDRESS: [u8; 6] = [0x02, 0x70, 0x6c, 0, 0, 1];
/// Several times 64 KiB.
const LARGE_PACKET_BYTES: u32 = 190_000;
/// The packet that tells how much of the link layer an interface counts.
const PROBE_BYTES: usize = 100;
const PROBE_AS_IPV4: u64 = PROBE_BYTES as u64 + 28;
const PROBE_PATIENCE: Duration = Duration::from_secs(10);
/// Prefix of all IPv4 addresses on pairs, set aside by RFC 2544 for tests of network devices.
pub const TEST_V4: (Ipv4Addr, u8) = (Ipv4Addr::new(198, 18, 0, 0), 15);
/// The same for IPv6, by RFC 5180.
pub const TEST_V6: (Ipv6Addr, u8) = (Ipv6Addr::new(0x2001, 2, 0, 0, 0, 0, 0, 0), 48);

/// IP version of a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// Bytes of the IP header.
    pub const fn header(self) -> u64 {
        match self {
            Self::V4 => 20,
            Self::V6 => 40,
        }
    }
}

/// One end of a wire.
#[derive(Debug)]
pub struct End {
    /// Where it is; the host's own namespace when absent.
    pub namespace: Option<Namespace>,
    /// Name of its interface.
    pub device: String,
    v4: Ipv4Addr,
    v6: Ipv6Addr,
}

/// What went over a wire in one direction, as an interface counts it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wire {
    /// With the link header or without it, by kind of interface.
    pub bytes: u64,
    /// Packets.
    pub packets: u64,
    /// Packets handed to the interface that did not go out.
    pub dropped: u64,
}

/// Both directions, seen from one end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Sent by this end.
    pub tx: Wire,
    /// Received by this end.
    pub rx: Wire,
}

/// Link bytes in each packet that an end counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkHeaders {
    /// Sent by the left end.
    pub left_tx: u64,
    /// Sent by the right end.
    pub right_tx: u64,
}

impl End {
    /// Its address.
    pub fn address(&self, family: Family) -> IpAddr {
        match family {
            Family::V4 => self.v4.into(),
            Family::V6 => self.v6.into(),
        }
    }

    /// `address:0`, for binding.
    pub fn any_port(&self, family: Family) -> String {
        std::net::SocketAddr::new(self.address(family), 0).to_string()
    }

    /// The namespace's name, if it is not the host's.
    pub fn namespace_name(&self) -> Option<&str> {
        self.namespace.as_ref().map(|inside| inside.name.as_str())
    }

    /// Gives it one more address.
    pub fn add_address(&self, address: IpAddr) -> Result<()> {
        self.configure(&[self.address_line(address, "")])
    }

    /// Takes its IPv4 address away while `work` is done: what arrives meanwhile is lost.
    pub fn absent_while<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        self.configure(&[format!("address del {}/24 dev {}", self.v4, self.device)])?;
        let outcome = work();
        self.configure(&[self.address_line(self.v4.into(), "/24")])?;
        outcome
    }

    fn address_line(&self, address: IpAddr, length: &str) -> String {
        // Without duplicate address detection it can be used at once.
        let option = if address.is_ipv6() { "nodad" } else { "" };
        format!("address add {address}{length} dev {} {option}", self.device)
    }

    /// Lines for `ip` at this end.
    pub fn configure(&self, lines: &[String]) -> Result<()> {
        configure(self.namespace.as_ref(), lines)
    }

    /// Does `work` in its namespace.
    pub fn enter<T: Send>(&self, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        match &self.namespace {
            Some(namespace) => namespace.enter(work),
            None => work(),
        }
    }

    /// Switches offloads: `["gso", "off", ...]`.
    pub fn offloads(&self, switches: &[&str]) -> Result<()> {
        let inside = self.namespace_name();
        let mut words = match inside {
            Some(name) => vec!["netns", "exec", name, "ethtool"],
            None => vec![],
        };
        words.extend(["-K", &self.device]);
        words.extend_from_slice(switches);
        run(inside.map_or("ethtool", |_| "ip"), &words).map(drop)
    }

    /// Lets IPv6 packets grow beyond what the length field of IP can tell.
    pub fn grow_packets(&self) -> Result<()> {
        self.configure(&[format!(
            "link set dev {} gso_max_size {LARGE_PACKET_BYTES} gro_max_size {LARGE_PACKET_BYTES}",
            self.device
        )])
    }

    /// Cuts large packets before they reach the wire, below the hook.
    pub fn segment_before_wire(&self) -> Result<()> {
        self.offloads(&["tso", "off", "gso", "off", "tx-udp-segmentation", "off"])
    }

    /// What its interface counted.
    pub fn counters(&self) -> Result<Counters> {
        let mut words = self
            .namespace_name()
            .map_or(vec![], |name| vec!["-n", name]);
        words.extend(["-json", "-statistics", "link", "show", "dev", &self.device]);
        let link: Value = serde_json::from_str(&run("ip", &words)?)?;
        let dropped_in_queue = match link[0]["qdisc"].as_str() {
            Some("noqueue") => 0,
            _ => self.dropped_in_queue()?,
        };
        let side = |name: &str| -> Option<Wire> {
            let side = &link[0]["stats64"][name];
            Some(Wire {
                bytes: side["bytes"].as_u64()?,
                packets: side["packets"].as_u64()?,
                dropped: side["dropped"].as_u64()?,
            })
        };
        let (mut tx, rx) = side("tx").zip(side("rx")).context("no link statistics")?;
        tx.dropped += dropped_in_queue;
        Ok(Counters { tx, rx })
    }

    fn dropped_in_queue(&self) -> Result<u64> {
        let mut words = self
            .namespace_name()
            .map_or(vec![], |name| vec!["-n", name]);
        words.extend(["-json", "-statistics", "qdisc", "show", "dev", &self.device]);
        let queues: Value = serde_json::from_str(&run("tc", &words)?)?;
        queues[0]["drops"].as_u64().context("no queue statistics")
    }

    /// Puts a short and slow queue before the wire.
    pub fn narrow(&self, rate: &str, limit_bytes: u32) -> Result<()> {
        let limit = limit_bytes.to_string();
        let mut words = self
            .namespace_name()
            .map_or(vec![], |name| vec!["-n", name]);
        words.extend(["qdisc", "add", "dev", &self.device, "root", "tbf"]);
        words.extend(["rate", rate, "burst", "10000", "limit", &limit]);
        run("tc", &words).map(drop)
    }

    /// Lets it discover its neighbours, which it else needs not.
    pub fn discover_neighbours(&self) -> Result<()> {
        let device = &self.device;
        self.configure(&[
            format!("address flush dev {device}"),
            format!("link set dev {device} arp on"),
            self.address_line(self.v6.into(), "/64"),
        ])
    }

    fn bring_up(&self) -> Result<()> {
        let device = &self.device;
        self.configure(&[
            format!("link set dev {device} arp off addrgenmode none"),
            self.address_line(self.v4.into(), "/24"),
            self.address_line(self.v6.into(), "/64"),
            format!("link set dev {device} up"),
        ])
    }
}

impl Wire {
    /// What was added since `earlier`.
    pub fn since(&self, earlier: &Self) -> Self {
        Self {
            bytes: self.bytes - earlier.bytes,
            packets: self.packets - earlier.packets,
            dropped: self.dropped - earlier.dropped,
        }
    }

    /// Bytes without link headers.
    pub fn ip_bytes(&self, link_header: u64) -> u64 {
        self.bytes - link_header * self.packets
    }
}

/// A virtual wire.
#[derive(Debug)]
pub struct Pair {
    /// One end; in the host's namespace if asked.
    pub left: End,
    /// The other end, always in a namespace of its own.
    pub right: End,
}

impl Pair {
    /// Between two namespaces.
    pub fn new() -> Result<Self> {
        Self::from(Namespace::new("left")?)
    }

    /// Between one namespace and another.
    pub fn from(left: Namespace) -> Result<Self> {
        Self::connect(Some(left), "veth0".to_owned())
    }

    /// Between the host's namespace and another.
    pub fn with_host() -> Result<Self> {
        Self::connect(None, format!("plt{}", process::id()))
    }

    fn connect(left: Option<Namespace>, device: String) -> Result<Self> {
        // Two test runs at once may both have an end in the host's namespace.
        let number = (process::id() % 250) as u8;
        let end = |namespace, device, side| End {
            namespace,
            device,
            v4: Ipv4Addr::new(198, 18, number, side),
            v6: Ipv6Addr::new(0x2001, 2, 0, number.into(), 0, 0, 0, side.into()),
        };
        let right = end(Some(Namespace::new("right")?), "veth0".to_owned(), 2);
        let left = end(left, device, 1);
        let place = |end: &End| match end.namespace_name() {
            Some(name) => format!("netns {name}"),
            None => String::new(),
        };
        let address = LINK_ADDRESS.map(|byte| format!("{byte:02x}")).join(":");
        configure(
            None,
            &[format!(
                "link add name {} {} address {address} type veth \
                 peer name {} {} address {address}",
                left.device,
                place(&left),
                right.device,
                place(&right)
            )],
        )?;
        left.bring_up()?;
        right.bring_up()?;
        Ok(Self { left, right })
    }

    /// Learns from one known packet each way how much of the link header the interfaces count.
    pub fn link_headers(&self) -> Result<LinkHeaders> {
        let before = self.left.counters()?;
        let bind = |end: &End| {
            end.enter(|| Ok(UdpSocket::bind(end.any_port(Family::V4))?))
                .context("binding the probe")
        };
        let (left, right) = (bind(&self.left)?, bind(&self.right)?);
        pass_probe(&left, &right)?;
        pass_probe(&right, &left)?;
        eventually(|| {
            let after = self.left.counters()?;
            let header = |wire: Wire| match (wire.packets, wire.bytes.checked_sub(PROBE_AS_IPV4)) {
                (1, Some(header @ (0 | 14))) => Ok(header),
                _ => bail!("one probe of {PROBE_AS_IPV4} bytes was counted as {wire:?}"),
            };
            Ok(LinkHeaders {
                left_tx: header(after.tx.since(&before.tx))?,
                right_tx: header(after.rx.since(&before.rx))?,
            })
        })
    }
}

fn pass_probe(from: &UdpSocket, to: &UdpSocket) -> Result<()> {
    to.set_read_timeout(Some(PROBE_PATIENCE))?;
    from.send_to(&[0; PROBE_BYTES], to.local_addr()?)?;
    to.recv(&mut [0; PROBE_BYTES])
        .context("the probe did not arrive")?;
    Ok(())
}
