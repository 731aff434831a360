//! Checks of the host itself: kernel, file systems, counters, the port of the status server.

use std::{
    fs::{self, File},
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener},
    path::Path,
    time::Duration,
};

use agent::{
    cgroups,
    config::Config,
    http::{self, Endpoint, Request},
    kernel::{Kernel, Options, Source, SourceState, needs, sys},
};
use serde::Deserialize;

use super::{report::Line, wait};

/// What `kernel::needs` tells.
pub(super) const NEEDS: [&str; 4] = ["kernel", "BTF", "cgroup v2", "capabilities"];
/// A line for each kind of counter, in the order of [`Source::ALL`].
pub(super) const COUNTERS: [&str; 4] = [
    "network counters",
    "cpu counters",
    "oom counters",
    "lifecycle counters",
];
/// Magic number of a BPF file system.
const BPF_FS_MAGIC: i64 = 0xcafe_4a11;
/// For an agent that may run here.
const PATIENCE: Duration = Duration::from_secs(1);

pub(super) fn needs(_: &Config) -> Vec<Line> {
    needs::check(cgroups::find_root().as_deref())
        .into_iter()
        .map(|need| match need.found {
            Ok(found) => Line::pass(need.name, found),
            Err(message) => Line::fail_told(need.name, &message, ": ", "see the message"),
        })
        .collect()
}

pub(super) fn pins(config: &Config) -> Vec<Line> {
    const NAME: &str = "BPF file system";
    let Some(pins) = &config.kernel.pins else {
        return vec![Line::skip(
            NAME,
            "kernel.pins is off: counting ends with the process",
        )];
    };
    let place = existing(pins);
    let line = match sys::file_system_magic(place) {
        Ok(BPF_FS_MAGIC) => Line::pass(NAME, pins.display().to_string()),
        Ok(_) => Line::fail(
            NAME,
            format!("{} is on no BPF file system", pins.display()),
            "mount the host's /sys/fs/bpf there; in a container a file system of its own would go, \
             and the counters with it, when the container does",
        ),
        Err(error) => Line::fail(
            NAME,
            format!("{}: {error}", place.display()),
            "run as root, and mount the host's /sys/fs/bpf",
        ),
    };
    vec![line]
}

/// The nearest directory above that exists.
fn existing(path: &Path) -> &Path {
    path.ancestors()
        .find(|ancestor| ancestor.exists())
        .unwrap_or(path)
}

pub(super) fn state(config: &Config) -> Vec<Line> {
    const NAME: &str = "state";
    let Some(state) = &config.agent.state else {
        return vec![Line::skip(
            NAME,
            "agent.state is off: every start begins anew",
        )];
    };
    let place = existing(state);
    let probe = place.join(format!(".podledger-check-{}", std::process::id()));
    let written = File::create_new(&probe).and_then(|_| fs::remove_file(&probe));
    vec![match written {
        Ok(()) => Line::pass(NAME, state.display().to_string()),
        Err(error) => Line::fail(
            NAME,
            format!("writing in {}: {error}", place.display()),
            "mount a directory of the host there, writable, or name another as agent.state",
        ),
    }]
}

/// Loads and attaches the counters for a moment, unless an agent runs here that can tell.
pub(super) fn counters(config: &Config) -> Vec<Line> {
    if let Some(running) = running_agent(config) {
        return running.counters();
    }
    if let Some(pins) = &config.kernel.pins
        && is_locked(pins)
    {
        let why = "an agent holds the pins and tells nothing: see its log";
        return COUNTERS.iter().map(|name| Line::skip(name, why)).collect();
    }
    let mut options = Options::new(cgroups::find_root().unwrap_or_else(|| "/sys/fs/cgroup".into()));
    options.pins = None;
    options
        .sources
        .retain(|source| !config.kernel.without.contains(source));
    let fix = "mend what fails above; where a kernel lacks something, the agent runs without this \
               kind of counter, and kernel.without says that this is meant";
    match Kernel::start(&options) {
        Ok(kernel) => kernel
            .sources()
            .iter()
            .map(|(source, state)| match state {
                SourceState::Active => Line::pass(name(source), "attached"),
                SourceState::Off => Line::skip(name(source), "left out by kernel.without"),
                SourceState::Absent(reason) => Line::fail(name(source), reason, fix),
            })
            .collect(),
        Err(error) => {
            let message = agent::error_chain(&error);
            let wanted = |source: &Source| options.sources.contains(source);
            Source::ALL
                .into_iter()
                .map(|source| match wanted(&source) {
                    true => Line::fail(name(source), &message, fix),
                    false => Line::skip(name(source), "left out by kernel.without"),
                })
                .collect()
        }
    }
}

fn name(source: Source) -> &'static str {
    COUNTERS[source as usize]
}

/// Whether an agent holds this directory of pins.
fn is_locked(pins: &Path) -> bool {
    File::open(pins).is_ok_and(|directory| sys::lock_directory(&directory).is_err())
}

pub(super) fn status(config: &Config) -> Vec<Line> {
    const NAME: &str = "status server";
    let Some(address) = config.status.listen else {
        return vec![Line::skip(NAME, "status.listen is off")];
    };
    let line = match TcpListener::bind(address) {
        Ok(_) => Line::pass(NAME, format!("{address} is free")),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => match running_agent(config) {
            Some(running) if running.ready => {
                Line::pass(NAME, format!("an agent serves {address}"))
            }
            Some(_) => Line::pass(NAME, format!("an agent serves {address}; it is not ready")),
            None => Line::fail(
                NAME,
                format!("{address} is taken by another program"),
                "name a free one as status.listen, or off",
            ),
        },
        Err(error) => Line::fail(
            NAME,
            format!("{address}: {error}"),
            "name an address of this host as status.listen, or off",
        ),
    };
    vec![line]
}

/// What an agent that runs here says of itself.
#[derive(Debug, Deserialize)]
struct Running {
    ready: bool,
    sources: Vec<RunningSource>,
}

#[derive(Debug, Deserialize)]
struct RunningSource {
    name: String,
    state: String,
    message: Option<String>,
}

impl Running {
    fn counters(&self) -> Vec<Line> {
        let tell = |source: Source| {
            let wanted = format!("kernel_{}", source.name());
            let name = name(source);
            let Some(found) = self.sources.iter().find(|told| told.name == wanted) else {
                return Line::skip(name, "the agent that runs here tells nothing of it");
            };
            match found.state.as_str() {
                "working" => Line::pass(name, "attached by the agent that runs here"),
                "off" => Line::skip(name, "left out by the agent that runs here"),
                state => Line::fail(
                    name,
                    found.message.as_deref().unwrap_or(state),
                    "see the log of the agent that runs here",
                ),
            }
        };
        Source::ALL.into_iter().map(tell).collect()
    }
}

fn running_agent(config: &Config) -> Option<Running> {
    let address = reachable(config.status.listen?);
    let endpoint = Endpoint::parse(&format!("http://{address}")).ok()?;
    let settings = http::Settings {
        endpoint,
        server_name: None,
        insecure: false,
        connect_timeout: PATIENCE,
        total_timeout: PATIENCE,
        most_body_bytes: 256 * 1024,
        debug: false,
    };
    let mut client = http::Client::new(settings).ok()?;
    let answer = wait(async move { client.send(Request::get("/ready")).await })
        .ok()?
        .ok()?;
    serde_json::from_slice(&answer.body).ok()
}

/// An address at which one's own server on every address answers.
fn reachable(listens: SocketAddr) -> SocketAddr {
    let ip = match listens.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listens.port())
}

#[cfg(test)]
mod tests {
    use agent::{kernel::Sources, status::StatusBoard};

    use super::{super::report::Verdict, *};

    #[test]
    fn a_running_agent_tells_of_its_counters() {
        let json = r#"{"ready":false,"sources":[
            {"name":"kernel_network","state":"working","since":"x","message":null},
            {"name":"kernel_cpu","state":"absent","since":"x","message":"no hook"},
            {"name":"kernel_oom","state":"off","since":"x","message":null}]}"#;
        let running: Running = serde_json::from_str(json).unwrap();
        let lines = running.counters();
        let verdicts: Vec<_> = lines.iter().map(|line| line.verdict).collect();
        let wanted = [Verdict::Pass, Verdict::Fail, Verdict::Skip, Verdict::Skip];
        assert_eq!(verdicts, wanted);
        assert_eq!(lines[1].found, "no hook");
    }

    /// By the agent's own server, so that the two can't drift apart.
    #[test]
    fn an_agents_own_port_passes_and_its_server_is_asked() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let mut config = Config::default();
        config.status.listen = listener.local_addr().ok();
        let (done, ended) = tokio::sync::oneshot::channel::<()>();
        let server = std::thread::spawn(move || {
            wait(tokio::task::LocalSet::new().run_until(async move {
                let board = std::rc::Rc::new(std::cell::RefCell::new(StatusBoard::default()));
                let sources = Sources::none("no kernel");
                board.borrow_mut().began(PATIENCE, &sources, Vec::new());
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                tokio::select! {
                    () = agent::status::serve(listener, board) => {}
                    _ = ended => {}
                }
            }))
        });
        let line = &status(&config)[0];
        assert_eq!(line.verdict, Verdict::Pass, "{line:?}");
        assert!(line.found.contains("an agent serves"), "{line:?}");
        for line in counters(&config) {
            assert_eq!(
                (line.verdict, line.found.as_str()),
                (Verdict::Fail, "no kernel")
            );
        }
        done.send(()).unwrap();
        server.join().unwrap().unwrap();
    }

    #[test]
    fn a_taken_port_fails_and_a_free_one_passes() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut config = Config::default();
        config.status.listen = taken.local_addr().ok();
        let line = &status(&config)[0];
        assert_eq!(line.verdict, Verdict::Fail);
        assert!(line.found.contains("taken"), "{line:?}");
        drop(taken);
        assert_eq!(status(&config)[0].verdict, Verdict::Pass);
        config.status.listen = None;
        assert_eq!(status(&config)[0].verdict, Verdict::Skip);
    }

    #[test]
    fn directories_that_will_be_made_count_by_the_one_above() {
        let mut config = Config::default();
        config.agent.state = Some(std::env::temp_dir().join("not/made/yet"));
        assert_eq!(state(&config)[0].verdict, Verdict::Pass);
        config.agent.state = Some("/proc/no/such".into());
        assert_eq!(state(&config)[0].verdict, Verdict::Fail);
        config.kernel.pins = Some(std::env::temp_dir().join("pins"));
        assert_eq!(pins(&config)[0].verdict, Verdict::Fail);
        assert_eq!(reachable("[::]:1".parse().unwrap()).to_string(), "[::1]:1");
    }
}
