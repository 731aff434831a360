//! Nodes that send: one QUIC connection each, all in this process.

use std::{
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    path::Path,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use aggregator::generate::FakeAgent;
use anyhow::{Context as _, Result, ensure};
use bytes::{Buf as _, Bytes};
use protocol::{Ack, Message, Timestamp, encode_message, encode_rows};
use quinn::{
    ClientConfig, Endpoint, EndpointConfig, TokioRuntime, TransportConfig, VarInt,
    crypto::rustls::QuicClientConfig,
};
use rustls::{
    RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, pem::PemObject as _},
};
use socket2::SockRef;

type Sender = h3::client::SendRequest<h3_quinn::OpenStreams, Bytes>;

/// Sockets that the connections share.
const SOCKETS: usize = 4;
const RECEIVE_BUFFER: usize = 4 << 20;
/// For one connection. Agents try again, or take the other way, sooner still.
const PATIENCE: Duration = Duration::from_secs(5);

/// Opens connections that believe one CA.
pub(super) struct Dialer {
    sockets: Vec<Endpoint>,
    config: ClientConfig,
    address: SocketAddr,
}

impl Dialer {
    pub(super) fn new(ca: &Path, port: u16) -> Result<Self> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(ca).context("reading the CA")?)?;
        let mut tls =
            rustls::ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
                .with_protocol_versions(&[&rustls::version::TLS13])?
                .with_root_certificates(roots)
                .with_no_client_auth();
        tls.alpn_protocols = vec![b"h3".to_vec()];
        let mut config = ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls)?));
        let mut transport = TransportConfig::default();
        transport
            // As agents have it: it decides how soon a lost first packet is sent again.
            .initial_rtt(Duration::from_millis(100))
            .keep_alive_interval(Some(Duration::from_secs(10)))
            .receive_window(VarInt::from_u32(64 * 1024));
        config.transport_config(Arc::new(transport));
        Ok(Self {
            sockets: (0..SOCKETS).map(|_| socket()).collect::<Result<_, _>>()?,
            config,
            address: (Ipv4Addr::LOCALHOST, port).into(),
        })
    }

    async fn dial(&self, number: usize) -> Result<(quinn::Connection, Sender)> {
        let socket = &self.sockets[number % SOCKETS];
        let connecting = socket.connect_with(self.config.clone(), self.address, "localhost")?;
        let quic = tokio::time::timeout(PATIENCE, connecting)
            .await
            .context("no connection in time")??;
        let (mut connection, sender) = h3::client::builder()
            .build(h3_quinn::Connection::new(quic.clone()))
            .await?;
        tokio::spawn(async move {
            // What ends it reaches the requests.
            let _told_there = connection.wait_idle().await;
        });
        Ok((quic, sender))
    }
}

/// One that takes what comes for a thousand nodes, each of which has a socket of its own elsewhere.
fn socket() -> Result<Endpoint> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    SockRef::from(&socket).set_recv_buffer_size(RECEIVE_BUFFER)?;
    let config = EndpointConfig::default();
    Ok(Endpoint::new(config, None, socket, Arc::new(TokioRuntime))?)
}

/// One node.
pub(super) struct Client {
    number: usize,
    agent: FakeAgent,
    token: Arc<str>,
    seq: u64,
    connection: Option<(quinn::Connection, Sender)>,
}

/// What a batch took.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sent {
    pub(super) took: Duration,
}

impl Client {
    pub(super) fn new(number: usize, pods: usize, interval: Duration, token: Arc<str>) -> Self {
        let interval_us = i64::try_from(interval.as_micros()).unwrap_or(i64::MAX);
        Self {
            number,
            agent: FakeAgent::new(number as u64, pods, interval_us),
            token,
            seq: 0,
            connection: None,
        }
    }

    pub(super) async fn connect(&mut self, dialer: &Dialer) -> Result<()> {
        self.connection = Some(dialer.dial(self.number).await?);
        Ok(())
    }

    /// Ends the connection at once.
    pub(super) fn hang_up(&mut self) {
        if let Some((quic, _)) = self.connection.take() {
            quic.close(VarInt::from_u32(0x100), b"");
        }
    }

    /// The next window as a body.
    pub(super) fn body(&mut self) -> Bytes {
        self.seq += 1;
        let now = Timestamp::from_system(SystemTime::now());
        let header = self.agent.header(self.seq, now, None);
        let frame = encode_rows(&header, &self.agent.rows(now));
        let message = Message {
            node: self.agent.name.clone(),
            batches: vec![frame.into()],
            asks: Vec::new(),
        };
        encode_message(&message).into()
    }

    /// Sends the next window and waits until it is received.
    pub(super) async fn send(&mut self) -> Result<Sent> {
        let body = self.body();
        self.exchange(body).await
    }

    /// Asks how far the aggregator is.
    pub(super) async fn ask(&mut self) -> Result<Sent> {
        let message = Message {
            node: self.agent.name.clone(),
            batches: Vec::new(),
            asks: vec![self.agent.epoch],
        };
        self.exchange(encode_message(&message).into()).await
    }

    async fn exchange(&mut self, body: Bytes) -> Result<Sent> {
        let (began, bytes) = (Instant::now(), body.len());
        let (_, sender) = self.connection.as_mut().context("not connected")?;
        let request = http::Request::post(format!("https://localhost{}", protocol::exchange::PATH))
            .header("content-type", protocol::exchange::CONTENT_TYPE)
            .header("authorization", format!("Bearer {}", self.token))
            .header("content-length", bytes)
            .body(())?;
        let mut stream = sender.send_request(request).await?;
        stream.send_data(body).await?;
        stream.finish().await?;
        let answer = stream.recv_response().await?;
        let mut content = Vec::new();
        while let Some(mut piece) = stream.recv_data().await? {
            let piece = piece.copy_to_bytes(piece.remaining());
            content.extend_from_slice(&piece);
        }
        ensure!(
            answer.status().is_success(),
            "{}: {}",
            answer.status(),
            String::from_utf8_lossy(&content)
        );
        let ack: Ack = protocol::decode_ack(&content)?;
        let received = ack.answers.first().map(|answer| answer.received);
        ensure!(
            received == Some(self.seq),
            "{received:?} received, {} sent",
            self.seq
        );
        Ok(Sent {
            took: began.elapsed(),
        })
    }
}
