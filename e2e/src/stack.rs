//! Agents and aggregators as processes: the files that let them believe each other, and their lives.

use std::{
    fs::{self, File},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};

const START_PATIENCE: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A directory with a CA, a certificate for this machine, a token, and what processes say.
#[derive(Clone, Debug)]
pub struct Place {
    /// The directory.
    pub directory: PathBuf,
}

impl Place {
    /// Makes the files in `directory`.
    pub fn make(directory: &Path) -> Result<Self> {
        let place = Self {
            directory: directory.to_owned(),
        };
        fs::create_dir_all(directory).with_context(|| format!("making {}", directory.display()))?;
        place.certify()?;
        let token: u128 = rand::random();
        place.write("token", &format!("{token:032x}"))?;
        place.write("tokens", &format!("{token:032x} *\n"))?;
        Ok(place)
    }

    /// A new certificate of a new CA; who reads the files again notices.
    pub fn certify(&self) -> Result<()> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![
            KeyUsagePurpose::KeyCertSign,
            KeyUsagePurpose::DigitalSignature,
        ];
        let ca_key = KeyPair::generate().context("making a key")?;
        let ca = params.self_signed(&ca_key).context("making a CA")?;
        let issuer = Issuer::new(params, ca_key);
        let names = ["127.0.0.1", "localhost"].map(str::to_owned).to_vec();
        let mut params = CertificateParams::new(names).context("naming a certificate")?;
        params.use_authority_key_identifier_extension = true;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let key = KeyPair::generate().context("making a key")?;
        let certificate = params
            .signed_by(&key, &issuer)
            .context("signing a certificate")?;
        self.write("tls.key", &key.serialize_pem())?;
        self.write("tls.crt", &certificate.pem())?;
        self.write("ca.crt", &ca.pem())
    }

    /// A file of this place.
    pub fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    fn write(&self, name: &str, text: &str) -> Result<()> {
        let (file, fresh) = (self.file(name), self.file(&format!("{name}.new")));
        fs::write(&fresh, text)
            .and_then(|()| fs::rename(&fresh, &file))
            .with_context(|| format!("writing {}", file.display()))
    }

    /// What an agent needs to reach the aggregator at `port`, its spool under `name`.
    pub fn agent_environment(&self, port: u16, name: &str) -> Vec<(&'static str, String)> {
        let path = |name: &str| self.file(name).display().to_string();
        vec![
            (
                "PODLEDGER_AGGREGATOR_ENDPOINT",
                format!("https://127.0.0.1:{port}"),
            ),
            ("PODLEDGER_AGGREGATOR_CA_FILE", path("ca.crt")),
            ("PODLEDGER_AGGREGATOR_TOKEN_FILE", path("token")),
            ("PODLEDGER_SPOOL_FILE", path(&format!("{name}/spool.redb"))),
        ]
    }

    /// The command of an aggregator at `port` whose tables are at `store`.
    pub fn aggregator(&self, binary: &Path, store: &str, port: u16) -> Command {
        self.aggregator_at(binary, store, (Ipv4Addr::LOCALHOST, port).into())
    }

    /// The same at any address of this machine.
    pub fn aggregator_at(&self, binary: &Path, store: &str, address: SocketAddr) -> Command {
        let mut command = Command::new(binary);
        command
            .env("PODLEDGER_AGGREGATOR_STATUS_LISTEN", "off")
            .args(["serve", "--store", store, "--auth", "token-file"])
            .args(["--listen", &address.to_string()])
            .arg("--tls-cert")
            .arg(self.file("tls.crt"))
            .arg("--tls-key")
            .arg(self.file("tls.key"))
            .arg("--auth-tokens")
            .arg(self.file("tokens"));
        command
    }
}

/// A port of 127.0.0.1 that neither TCP nor UDP uses.
pub fn free_port() -> Result<u16> {
    for _ in 0..100 {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        if UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    bail!("no port is free for both TCP and UDP")
}

/// A process that is killed when dropped; what it says goes into a file.
#[derive(Debug)]
pub struct Daemon {
    child: Child,
    log: PathBuf,
}

impl Daemon {
    /// Starts it; its words go to the end of `log`.
    pub fn start(mut command: Command, log: &Path) -> Result<Self> {
        let words = File::options()
            .create(true)
            .append(true)
            .open(log)
            .with_context(|| format!("writing {}", log.display()))?;
        let child = command
            .stdin(Stdio::null())
            .stdout(words.try_clone()?)
            .stderr(words)
            .spawn()
            .with_context(|| format!("starting {}", command.get_program().display()))?;
        Ok(Self {
            child,
            log: log.to_owned(),
        })
    }

    /// Waits until it listens at `port`.
    pub fn await_port(&mut self, port: u16) -> Result<()> {
        self.await_address((Ipv4Addr::LOCALHOST, port).into())
    }

    /// Waits until it listens there.
    pub fn await_address(&mut self, address: SocketAddr) -> Result<()> {
        let began = Instant::now();
        while TcpStream::connect(address).is_err() {
            if let Some(status) = self.child.try_wait()? {
                bail!("it ended at once with {status}: {}", self.last_words());
            }
            ensure!(
                began.elapsed() < START_PATIENCE,
                "it does not listen at {address}: {}",
                self.last_words()
            );
            thread::sleep(LOOK_EVERY);
        }
        Ok(())
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it still runs.
    pub fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Kills it without a word.
    pub fn kill(&mut self) {
        // Both fail only if it has ended, which is what is wanted.
        drop(self.child.kill());
        drop(self.child.wait());
    }

    /// Asks it to end, and waits for it.
    pub fn stop(&mut self, patience: Duration) -> Result<ExitStatus> {
        crate::process::signal(self.id(), libc::SIGTERM);
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            ensure!(
                began.elapsed() < patience,
                "it does not end: {}",
                self.last_words()
            );
            thread::sleep(LOOK_EVERY);
        }
    }

    /// The end of what it said.
    pub fn last_words(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(10)..].join("\n")
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.kill();
    }
}
