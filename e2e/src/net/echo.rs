//! ICMP echo, and packets made by hand.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use socket2::{Domain, Protocol, Socket, Type};

const REPLY_PATIENCE: Duration = Duration::from_secs(20);
const ECHO_V4: u8 = 8;
const ECHO_V6: u8 = 128;
const PROTOCOL_UDP: u8 = 17;

/// Sends echo requests one by one, each after the answer to the last.
pub(super) fn echo(kind: &str, to: IpAddr, count: u64, payload: usize) -> Result<()> {
    let kind = match kind {
        "dgram" => Type::DGRAM,
        "raw" => Type::RAW,
        _ => bail!("there is no kind {kind}"),
    };
    let (domain, protocol, request) = match to {
        IpAddr::V4(_) => (Domain::IPV4, Protocol::ICMPV4, ECHO_V4),
        IpAddr::V6(_) => (Domain::IPV6, Protocol::ICMPV6, ECHO_V6),
    };
    let socket = Socket::new(domain, kind, Some(protocol)).context("an ICMP socket")?;
    socket.set_read_timeout(Some(REPLY_PATIENCE))?;
    socket.connect(&SocketAddr::new(to, 0).into())?;
    let mut packet = vec![0; 8 + payload];
    packet[0] = request;
    // The kernel fills it in, but not for raw IPv4.
    let checksum = checksum(&packet);
    packet[2..4].copy_from_slice(&checksum.to_be_bytes());
    for _ in 0..count {
        socket.send(&packet)?;
        socket
            .recv(&mut [const { std::mem::MaybeUninit::uninit() }; 2048])
            .context("no echo came back")?;
    }
    Ok(())
}

/// An IPv4 packet with a UDP datagram of zeros.
pub(super) fn udp_packet(from: Ipv4Addr, to: SocketAddrV4, payload: usize) -> Result<Vec<u8>> {
    let mut packet = vec![0; 28 + payload];
    let length = u16::try_from(packet.len())?;
    packet[0] = 0x45;
    packet[2..4].copy_from_slice(&length.to_be_bytes());
    packet[8] = 64;
    packet[9] = PROTOCOL_UDP;
    packet[12..16].copy_from_slice(&from.octets());
    packet[16..20].copy_from_slice(&to.ip().octets());
    let header_checksum = checksum(&packet[..20]);
    packet[10..12].copy_from_slice(&header_checksum.to_be_bytes());
    packet[20..22].copy_from_slice(&to.port().to_be_bytes());
    packet[22..24].copy_from_slice(&to.port().to_be_bytes());
    packet[24..26].copy_from_slice(&(length - 20).to_be_bytes());
    // A checksum of 0 means none.
    Ok(packet)
}

/// The Internet checksum of an even number of bytes.
fn checksum(bytes: &[u8]) -> u16 {
    let words = bytes.chunks_exact(2);
    let sum: u32 = words
        .map(|word| u32::from(u16::from_be_bytes([word[0], word[1]])))
        .sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    !((folded & 0xffff) + (folded >> 16)) as u16
}
