//! An aggregator for tests: HTTP/3 and HTTP/1.1 over TLS on one port number, and a UDP path that can be cut.

mod path;
mod server3;

use std::{sync::Arc, time::Duration};

use rustls::ServerConfig;

pub use path::Path;
pub use server3::{ENDLESS, Server3, UNREAD};

use super::{Limits, Settings, lookup::System};
use crate::{
    config::Transport,
    http::{
        Endpoint,
        testing::{Authority, Reply, Seen, Server, TemporaryDirectory},
    },
};

pub const NAME: &str = "aggregator.test";

/// How a test's aggregator answers.
pub type Answer = Arc<dyn Fn(&Seen) -> Reply + Send + Sync>;

/// An aggregator, and the files with which it is reached.
pub struct Aggregator {
    pub tcp: Server,
    pub udp: Server3,
    pub path: Path,
    pub authority: Authority,
    pub files: TemporaryDirectory,
}

impl Aggregator {
    pub async fn start(answer: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Self {
        let authority = Authority::named("test");
        Self::certified(&authority.certify(NAME), authority, answer).await
    }

    /// One whose certificate is for another name.
    pub async fn start_as(
        name: &str,
        answer: impl Fn(&Seen) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let authority = Authority::named("test");
        Self::certified(&authority.certify(name), authority, answer).await
    }

    async fn certified(
        tls: &ServerConfig,
        authority: Authority,
        answer: impl Fn(&Seen) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let answer: Answer = Arc::new(answer);
        let files = TemporaryDirectory::new();
        std::fs::write(files.path().join("ca.pem"), authority.pem()).unwrap();
        let udp = Server3::start(tls, Arc::clone(&answer), Duration::ZERO);
        let (tcp, path) = loop {
            let answer = Arc::clone(&answer);
            let tcp = Server::https(tls.clone(), move |seen| answer(seen)).await;
            // Somebody else may have the UDP port of that number.
            if let Some(path) = Path::start(tcp.address, udp.address).await {
                break (tcp, path);
            }
        };
        Self {
            tcp,
            udp,
            path,
            authority,
            files,
        }
    }

    pub fn settings(&self) -> Settings {
        Settings {
            endpoint: Endpoint::parse(&format!("https://{}", self.tcp.address)).unwrap(),
            transport: Transport::Auto,
            ca_file: self.files.path().join("ca.pem"),
            server_name: Some(NAME.to_owned()),
            insecure: false,
            token_file: self.files.path().join("token"),
            lookup: Arc::new(System),
            limits: Limits::default(),
        }
    }

    /// All requests, those by HTTP/3 first.
    pub fn seen(&self) -> Vec<Seen> {
        let mut seen = self.udp.seen();
        seen.extend(self.tcp.seen());
        seen
    }
}
