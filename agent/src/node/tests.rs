//! A recorded node, made-up ones, and garbage.

use std::{
    fs,
    os::unix::fs::symlink,
    path::PathBuf,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use super::*;

const RECORDED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/node");

fn recorded() -> NodeReading {
    let root = Path::new(RECORDED);
    read_at(&root.join("proc"), &root.join("sys"), 100)
}

/// The mount points of a made-up node, for as long as it lives.
struct Node(PathBuf);

impl Node {
    fn new(files: &[(&str, &[u8])]) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("podledger-node-{}-{number}", std::process::id());
        let node = Self(std::env::temp_dir().join(name));
        fs::create_dir_all(&node.0).unwrap();
        for (path, text) in files {
            node.write(path, text);
        }
        node
    }

    fn write(&self, path: &str, text: &[u8]) {
        let path = self.0.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Makes interfaces physical.
    fn devices(&self, names: &[&str]) {
        for name in names {
            self.write(&format!("sys/class/net/{name}/device"), b"");
        }
    }

    fn master(&self, of: &str, master: &str) {
        let link = self.0.join(format!("sys/class/net/{of}/master"));
        symlink(format!("../{master}"), link).unwrap();
    }

    fn read(&self) -> NodeReading {
        read_at(&self.0.join("proc"), &self.0.join("sys"), 100)
    }

    fn nics(&self) -> Vec<String> {
        let nics = self.read().nics.unwrap();
        nics.into_iter().map(|nic| nic.name).collect()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

/// A `net/dev` in which each interface has these bytes received and sent, and some packets.
fn net_dev(nics: &[(&str, u64, u64)]) -> Vec<u8> {
    let line = |(name, rx, tx): &(&str, u64, u64)| {
        format!("{name}: {rx} 3 0 1 0 0 0 0 {tx} 5 0 2 0 0 0 0\n")
    };
    let lines: String = nics.iter().map(line).collect();
    format!("Inter-| Receive | Transmit\n face |bytes packets |bytes\n{lines}").into_bytes()
}

#[test]
fn a_recorded_node_is_read_whole() {
    let reading = recorded();
    let cpu = CpuTimes {
        user_ns: 435_770_000_000,
        system_ns: 621_000_000_000,
        idle_ns: 1_539_270_000_000,
        iowait_ns: 770_000_000,
        steal_ns: 0,
    };
    assert_eq!((reading.cpu, reading.online_cpus), (Some(cpu), Some(2)));
    assert_eq!(reading.load, Some([5.09, 3.95, 2.48]));
    let memory = Memory {
        total_bytes: Some(2_988_816 * 1024),
        available_bytes: Some(2_487_624 * 1024),
        working_set_bytes: Some(194_473_984 + 312_242_176 - 206_077_952),
        swap_total_bytes: Some(0),
        swap_free_bytes: Some(0),
    };
    assert_eq!(reading.memory, memory);
    assert_eq!(reading.memory.swap_usage_bytes(), Some(0));
    let pressures = [
        reading.cpu_pressure,
        reading.memory_pressure,
        reading.io_pressure,
    ];
    let told = pressures.map(|pressure| (pressure.some_usec, pressure.full_usec));
    let expected = [(536_994_146, 0), (122_858, 52_176), (2_550_129, 564_275)];
    assert_eq!(told, expected.map(|(some, full)| (Some(some), Some(full))));
    assert_eq!(reading.boot_time_unix_seconds, Some(1_795_220_902));
    assert_eq!(
        reading.kernel_version.as_deref(),
        Some("6.1.0-56-cloud-amd64")
    );
    assert_eq!(reading.uptime_seconds, None, "was not recorded");
}

/// Recorded of the top cgroup: cAdvisor's figures, and what the kubelet made of them.
#[test]
fn the_working_set_is_the_kubelets() {
    let stat = b"anon 188649472\nfile 310927360\ninactive_anon 1\ninactive_file 206901248\n";
    let node = Node::new(&[("sys/fs/cgroup/memory.stat", stat)]);
    assert_eq!(node.read().memory.working_set_bytes, Some(292_675_584));
    node.write("sys/fs/cgroup/memory.current", b"1\n");
    assert_eq!(node.read().memory.working_set_bytes, None, "not the top");
}

#[test]
fn the_working_set_of_a_hybrid_host_is_that_of_its_v1_hierarchy() {
    let node = Node::new(&[
        ("sys/fs/cgroup/memory/memory.usage_in_bytes", b"1000\n"),
        (
            "sys/fs/cgroup/memory/memory.stat",
            b"inactive_file 7\ntotal_inactive_file 400\n",
        ),
    ]);
    assert_eq!(node.read().memory.working_set_bytes, None, "a pod's own");
    node.write("sys/fs/cgroup/memory/release_agent", b"\n");
    assert_eq!(node.read().memory.working_set_bytes, Some(600));
}

#[test]
fn the_recorded_nodes_own_interface_is_found_by_its_device_or_its_route() {
    let dev = fs::read(Path::new(RECORDED).join("proc/1/net/dev")).unwrap();
    let node = Node::new(&[("proc/1/net/dev", &dev)]);
    assert_eq!(node.nics(), [""; 0], "nothing tells which");
    let route = b"Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT\n\
        cni0 0000F40A 00000000 0001 0 0 0 00FFFFFF 0 0 0\n\
        eth0 00000000 0202000A 0003 0 0 100 00000000 0 0 0\n";
    node.write("proc/1/net/route", route);
    assert_eq!(node.nics(), ["eth0"]);
    node.devices(&["eth0"]);
    node.write("proc/1/net/route", b"");
    let eth0 = Nic {
        name: "eth0".into(),
        tx_bytes: 2_818_666,
        tx_packets: 5_424,
        tx_dropped: 0,
        rx_bytes: 2_541_196,
        rx_packets: 6_784,
        rx_dropped: 0,
    };
    assert_eq!(node.read().nics, Some(vec![eth0]));
}

#[test]
fn no_traffic_is_counted_by_two_interfaces() {
    let names = [
        "lo", "eth0", "eth1", "bond0", "bond0.7", "eni12ab", "docker0", "vf0", "hv0",
    ];
    let all: Vec<_> = names.map(|name| (name, 1, 1)).into();
    let node = Node::new(&[("proc/1/net/dev", &net_dev(&all))]);
    node.devices(&["eth0", "eth1", "vf0", "hv0"]);
    node.write("sys/class/net/bond0/address", b"");
    node.master("eth0", "bond0");
    node.master("eth1", "bond0");
    node.master("vf0", "hv0");
    assert_eq!(node.nics(), ["eth0", "eth1", "hv0"]);
}

#[test]
fn without_a_device_the_best_default_route_tells() {
    let dev = net_dev(&[("lo", 1, 1), ("eth0", 1, 1), ("eth1", 1, 1)]);
    let node = Node::new(&[("proc/net/dev", &dev)]);
    let route = b"eth0 00000000 0202000A 0003 0 0 200 00000000 0 0 0\n\
        eth1 00000000 0202000A 0003 0 0 100 00000000 0 0 0\n\
        down0 00000000 0202000A 0002 0 0 1 00000000 0 0 0\n";
    node.write("proc/net/route", route);
    assert_eq!(node.nics(), ["eth1"]);
    node.write("proc/net/route", b"");
    let zero = "0".repeat(32);
    let route = format!(
        "{zero} 00 {zero} 00 {zero} ffffffff 00000001 00000000 00200200       lo\n\
         {zero} 00 {zero} 00 fe80 00000400 00000001 00000000 00000003     eth0\n"
    );
    node.write("proc/net/ipv6_route", route.as_bytes());
    assert_eq!(node.nics(), ["eth0"]);
}

#[test]
fn the_hosts_network_comes_before_our_own() {
    let (host, own) = (net_dev(&[("eth0", 100, 1)]), net_dev(&[("eth0", 7, 1)]));
    let node = Node::new(&[("proc/1/net/dev", &host), ("proc/net/dev", &own)]);
    node.devices(&["eth0"]);
    assert_eq!(node.read().nics.unwrap()[0].rx_bytes, 100);
}

#[test]
fn garbage_makes_absent_figures_and_no_panic() {
    assert_eq!(Node::new(&[]).read(), NodeReading::default());
    let files = [
        "proc/stat",
        "proc/loadavg",
        "proc/meminfo",
        "proc/uptime",
        "proc/pressure/cpu",
        "proc/pressure/io",
        "proc/pressure/memory",
        "sys/fs/cgroup/memory.stat",
    ];
    let garbage: [&[u8]; 7] = [
        b"",
        b"\xff\x00\xfe\n\xff",
        b"cpu  1 2 3\ncpu\ncpuX\nbtime -1\n",
        b"cpu  -1 0 0 0 0 0 0 0\nbtime 1e3\nNaN inf -1\n",
        b"cpu  18446744073709551615 18446744073709551615 0 0 0 0 0 0\n",
        b"MemTotal: 18446744073709551615 kB\nMemAvailable: 5\nSwapTotal: -1 kB\nSwapFree:kB\n",
        b"anon 1\nfile 18446744073709551615\ninactive_file x\nsome avg10=0 total=\nfull total=-3\n",
    ];
    for garbage in garbage {
        let files: Vec<_> = files.iter().map(|file| (*file, garbage)).collect();
        assert_eq!(Node::new(&files).read(), NodeReading::default());
    }
    for dev in [
        b"eth0: 1 2 3\n: 1 2\n../x: 1 1 1 1 1 1 1 1 1 1 1 1\n".as_slice(),
        b"\xff: -1",
    ] {
        let node = Node::new(&[("proc/net/dev", dev)]);
        assert_eq!(node.read().nics, Some(Vec::new()));
    }
}

#[test]
fn files_without_end_are_read_to_their_bound() {
    let mut stat = b"cpu  100 0 0 0 0 0 0 0\ncpu0 1 0 0 0 0 0 0 0\nintr".to_vec();
    stat.extend(b" 12".repeat(200_000));
    stat.extend(b"\nbtime 1\n");
    let reading = Node::new(&[("proc/stat", &stat)]).read();
    let user_ns = reading.cpu.map(|cpu| cpu.user_ns);
    assert_eq!(
        (user_ns, reading.online_cpus),
        (Some(1_000_000_000), Some(1))
    );
    assert_eq!(reading.boot_time_unix_seconds, None);
}

fn with_nics(nics: &[(&str, u64, u64)]) -> NodeReading {
    let nic = |&(name, rx_bytes, tx_bytes): &(&str, u64, u64)| Nic {
        name: name.into(),
        rx_bytes,
        tx_bytes,
        ..Nic::default()
    };
    NodeReading {
        nics: Some(nics.iter().map(nic).collect()),
        ..NodeReading::default()
    }
}

#[test]
fn interfaces_come_go_and_begin_anew() {
    let before = with_nics(&[("eth0", 1_000, 10), ("eth1", 500, 500), ("gone", 9, 9)]);
    let after = with_nics(&[
        ("eth0", 1_300, 30),
        ("eth1", 40, 600),
        ("new", 7_000, 7_000),
    ]);
    let nic = window(&before, &after, Duration::from_secs(10))
        .nic
        .unwrap();
    assert_eq!((nic.rx_bytes, nic.tx_bytes), (300 + 40, 20 + 600));
    let none = window(&NodeReading::default(), &after, Duration::from_secs(10));
    assert_eq!(none.nic, None);
}

#[test]
fn cores_are_those_of_the_given_length_whatever_the_clock_says() {
    let before = recorded();
    let mut after = before.clone();
    after.boot_time_unix_seconds = Some(0);
    let cpu = after.cpu.as_mut().unwrap();
    cpu.user_ns += 12_000_000_000;
    cpu.system_ns += 3_000_000_000;
    cpu.idle_ns += 5_000_000_000;
    cpu.iowait_ns -= 10_000_000;
    after.io_pressure.some_usec = after.io_pressure.some_usec.map(|usec| usec + 250);
    let window = window(&before, &after, Duration::from_secs(10));
    assert_eq!(window.cpu_usage_cores, Some(1.5));
    let cpu = window.cpu.unwrap();
    assert_eq!((cpu.idle_ns, cpu.iowait_ns), (5_000_000_000, 0));
    assert_eq!(window.io_pressure.some_usec, Some(250));
    assert_eq!(window.memory_pressure.full_usec, Some(0));
    let instant = super::window(&before, &after, Duration::ZERO);
    assert_eq!(instant.cpu_usage_cores, None);
}

/// The machine that runs the test.
#[test]
fn a_real_node_tells_everything() {
    let reading = read(Path::new("/proc"), Path::new("/sys"));
    assert!(reading.cpu.unwrap().idle_ns > 0);
    assert!(reading.online_cpus.unwrap() > 0);
    assert!(reading.memory.total_bytes > reading.memory.available_bytes);
    assert!(reading.uptime_seconds.unwrap() > 0.0);
    assert!(reading.kernel_version.is_some() && reading.nics.is_some() && reading.load.is_some());
}
