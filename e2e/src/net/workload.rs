//! The talking processes. Each does its work, says so, and keeps its sockets until its input ends,
//! so that no end of a connection is in the figures unless a test wants it there.

use std::{
    fs,
    io::{self, Read as _, Write as _},
    net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener, TcpStream, UdpSocket},
    path::Path,
    process, thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use socket2::{Domain, Protocol, SockRef, Socket, Type};

use super::{echo, raw, stream, tcp::TcpInfo};
use crate::process::Workload;

/// What a sender may have on its way: less than what a virtual wire holds, so that nothing drops.
const SEND_BUFFER: usize = 32 * 1024;
/// All must have been acknowledged by then.
const PATIENCE: Duration = Duration::from_secs(60);
/// Answers to what was refused.
const REFUSAL_PATIENCE: Duration = Duration::from_secs(20);

/// To be handed to [`crate::process::run_as_workload`].
pub const WORKLOADS: &[Workload] = &[
    ("net-sink", sink),
    ("net-udp", udp),
    ("net-udp-roam", udp_roam),
    ("net-tcp", tcp),
    ("net-tcp-dial", tcp_dial),
    ("net-tcp-answer", tcp_answer),
    ("net-refused", refused),
    ("net-echo", icmp_echo),
    ("net-packet", packet),
    ("net-namespace", namespace),
];

/// Says a line to the test.
fn say(line: &str) -> Result<()> {
    let mut output = io::stdout();
    writeln!(output, "{line}")?;
    Ok(output.flush()?)
}

/// The test's next line; none when it wants no more.
fn next_line() -> Result<Option<String>> {
    let mut line = String::new();
    Ok((io::stdin().read_line(&mut line)? > 0).then_some(line))
}

fn hold() -> Result<()> {
    while next_line()?.is_some() {}
    Ok(())
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T> {
    text.parse()
        .ok()
        .with_context(|| format!("`{text}` does not fit here"))
}

/// `udp=ADDRESS`, `udp-gro=ADDRESS`, `tcp=ADDRESS` or `multicast=GROUP:PORT@INTERFACE`, any number:
/// takes all that comes. Says the bound addresses.
fn sink(arguments: &[String]) -> Result<()> {
    let mut bound = Vec::new();
    for argument in arguments {
        let (kind, address) = argument.split_once('=').context("an address")?;
        let address = match kind {
            "udp" => drain(UdpSocket::bind(address)?)?,
            "udp-gro" => drain(merging(UdpSocket::bind(address)?)?)?,
            "tcp" => accept_all(TcpListener::bind(address)?)?,
            "multicast" => drain(multicast(address)?)?,
            _ => bail!("there is no kind {kind}"),
        };
        bound.push(address.to_string());
    }
    say(&bound.join(" "))?;
    hold()
}

fn drain(socket: UdpSocket) -> Result<SocketAddr> {
    let address = socket.local_addr()?;
    thread::spawn(move || while socket.recv(&mut [0; 65_536]).is_ok() {});
    Ok(address)
}

/// Takes datagrams of one flow together.
fn merging(socket: UdpSocket) -> Result<UdpSocket> {
    raw::set_option(&socket, libc::SOL_UDP, libc::UDP_GRO, 1).context("UDP_GRO")?;
    Ok(socket)
}

fn accept_all(listener: TcpListener) -> Result<SocketAddr> {
    let address = listener.local_addr()?;
    thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            thread::spawn(move || {
                let mut buffer = vec![0; 256 * 1024];
                while stream.read(&mut buffer).is_ok_and(|read| read > 0) {}
                // Its own end, too, comes only with the end of the process.
                hold_forever(&stream);
            });
        }
    });
    Ok(address)
}

fn hold_forever(_socket: &TcpStream) {
    loop {
        thread::park();
    }
}

fn multicast(address: &str) -> Result<UdpSocket> {
    let (group, interface) = address.split_once('@').context("an interface")?;
    let group: SocketAddrV4 = number(group)?;
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_reuse_address(true)?;
    socket.bind(&SocketAddr::from(group).into())?;
    socket.join_multicast_v4(group.ip(), &number::<Ipv4Addr>(interface)?)?;
    Ok(socket.into())
}

fn udp_to(destination: &str) -> Result<UdpSocket> {
    let destination: SocketAddr = number(destination)?;
    let any = match destination.ip() {
        IpAddr::V4(_) => "0.0.0.0:0",
        IpAddr::V6(_) => "[::]:0",
    };
    let socket = UdpSocket::bind(any)?;
    SockRef::from(&socket).set_send_buffer_size(SEND_BUFFER)?;
    socket.connect(destination)?;
    Ok(socket)
}

/// `DESTINATION COUNT BYTES SEGMENT`: waits for a line between having the socket and sending. A
/// segment of 0 leaves datagrams whole.
fn udp(arguments: &[String]) -> Result<()> {
    let [destination, count, bytes, segment] = arguments else {
        bail!("wrong arguments");
    };
    let socket = udp_to(destination)?;
    let segment = number(segment)?;
    if segment > 0 {
        raw::set_option(&socket, libc::SOL_UDP, libc::UDP_SEGMENT, segment)
            .context("UDP_SEGMENT")?;
    }
    let datagram = vec![0; number(bytes)?];
    say("ready")?;
    while next_line()?.is_some() {
        for _ in 0..number(count)? {
            socket.send(&datagram)?;
        }
        say("sent")?;
    }
    Ok(())
}

/// `DESTINATION BYTES CGROUP...`: makes a socket in each cgroup, and then sends one datagram from
/// each.
fn udp_roam(arguments: &[String]) -> Result<()> {
    let [destination, bytes, cgroups @ ..] = arguments else {
        bail!("wrong arguments");
    };
    let own_id = process::id().to_string();
    let mut sockets = Vec::new();
    for cgroup in cgroups {
        crate::cgroup::write(&Path::new(cgroup).join("cgroup.procs"), &own_id)?;
        sockets.push(udp_to(destination)?);
    }
    let datagram = vec![0; number(bytes)?];
    for socket in &sockets {
        socket.send(&datagram)?;
    }
    say("sent")?;
    hold()
}

/// `DESTINATION BYTES WAY BUFFER [wait]`: sends until all is acknowledged, then answers every line
/// with an account of the connection. A buffer of 0 leaves its size to the kernel; with `wait`, a
/// line is awaited between connecting and sending.
fn tcp(arguments: &[String]) -> Result<()> {
    let [destination, bytes, way, buffer, wait @ ..] = arguments else {
        bail!("wrong arguments");
    };
    let destination: SocketAddr = number(destination)?;
    let socket = Socket::new(Domain::for_address(destination), Type::STREAM, None)?;
    match number(buffer)? {
        0 => {}
        buffer => socket.set_send_buffer_size(buffer)?,
    }
    socket.connect(&destination.into())?;
    let stream: TcpStream = socket.into();
    if !wait.is_empty() {
        say("connected")?;
        next_line()?;
    }
    if let Err(reason) = stream::send(&stream, way, number(bytes)?)? {
        return say(&format!("absent: {reason}"));
    }
    acknowledged(&stream)?;
    say("sent")?;
    while next_line()?.is_some() {
        say(&TcpInfo::of(&stream)?.to_line())?;
    }
    Ok(())
}

fn acknowledged(stream: &TcpStream) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let info = TcpInfo::of(stream)?;
        if info.unacknowledged == 0 && info.unsent == 0 {
            return Ok(());
        }
        if Instant::now() > deadline {
            bail!("not acknowledged: {info:?}");
        }
        thread::sleep(Duration::from_millis(1));
    }
}

/// `DESTINATION COUNT`: opens connections, and closes them at the next line.
fn tcp_dial(arguments: &[String]) -> Result<()> {
    let [destination, count] = arguments else {
        bail!("wrong arguments");
    };
    let connections: Vec<TcpStream> = (0..number(count)?)
        .map(|_| TcpStream::connect(destination))
        .collect::<io::Result<_>>()?;
    close_when_told(connections)
}

/// `ADDRESS COUNT`: says where it listens, accepts connections, and closes them at the next line.
fn tcp_answer(arguments: &[String]) -> Result<()> {
    let [address, count] = arguments else {
        bail!("wrong arguments");
    };
    let listener = TcpListener::bind(address)?;
    say(&listener.local_addr()?.to_string())?;
    let connections: Vec<TcpStream> = (0..number(count)?)
        .map(|_| listener.accept().map(|(stream, _)| stream))
        .collect::<io::Result<_>>()?;
    close_when_told(connections)
}

fn close_when_told(connections: Vec<TcpStream>) -> Result<()> {
    say("open")?;
    next_line()?;
    drop(connections);
    say("closed")?;
    hold()
}

/// `tcp|udp DESTINATION COUNT`: knocks where nobody listens.
fn refused(arguments: &[String]) -> Result<()> {
    let [protocol, destination, count] = arguments else {
        bail!("wrong arguments");
    };
    for _ in 0..number(count)? {
        let outcome = match protocol.as_str() {
            "tcp" => TcpStream::connect(destination).map(drop),
            _ => {
                let socket = udp_to(destination)?;
                socket.set_read_timeout(Some(REFUSAL_PATIENCE))?;
                socket.send(&[0; 100])?;
                socket.recv(&mut [0; 100]).map(drop)
            }
        };
        match outcome {
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
            other => bail!("not refused but {other:?}"),
        }
    }
    say("refused")?;
    hold()
}

/// `dgram|raw ADDRESS COUNT BYTES`
fn icmp_echo(arguments: &[String]) -> Result<()> {
    let [kind, address, count, bytes] = arguments else {
        bail!("wrong arguments");
    };
    if kind == "dgram" {
        // Of the network namespace; the group of root is enough.
        fs::write("/proc/sys/net/ipv4/ping_group_range", "0 0")?;
    }
    echo::echo(kind, number(address)?, number(count)?, number(bytes)?)?;
    say("sent")?;
    hold()
}

/// `DEVICE FROM TO COUNT BYTES`: UDP datagrams past the IP layer.
fn packet(arguments: &[String]) -> Result<()> {
    let [device, from, to, count, bytes] = arguments else {
        bail!("wrong arguments");
    };
    let socket = Socket::new(Domain::PACKET, Type::DGRAM, None)?;
    let packet = echo::udp_packet(number(from)?, number(to)?, number(bytes)?)?;
    let link_address = super::pair::LINK_ADDRESS;
    for _ in 0..number(count)? {
        raw::send_over_link(&socket, device, link_address, &packet)?;
    }
    say("sent")?;
    hold()
}

/// `NAME`: makes a network namespace.
fn namespace(arguments: &[String]) -> Result<()> {
    let [name] = arguments else {
        bail!("wrong arguments");
    };
    super::namespace::run("ip", &["netns", "add", name]).map(drop)
}
