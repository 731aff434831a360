//! An HTTP/3 server.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::{Buf as _, Bytes, BytesMut};
use h3::server::RequestResolver;
use http_body_util::BodyExt as _;
use quinn::crypto::rustls::QuicServerConfig;
use rustls::ServerConfig;
use tokio::task::JoinHandle;

use super::Answer;
use crate::http::testing::Seen;

/// Requests for this path are answered before they are read.
pub const UNREAD: &str = "/unread/v1/batches";
/// Answers to requests for this path never come to their end.
pub const ENDLESS: &str = "/endless/v1/batches";

/// A server until it is dropped.
pub struct Server3 {
    pub address: SocketAddr,
    endpoint: quinn::Endpoint,
    seen: Arc<Mutex<Vec<Seen>>>,
    connections: Arc<Mutex<Vec<quinn::Connection>>>,
    task: JoinHandle<()>,
}

impl Drop for Server3 {
    fn drop(&mut self) {
        self.task.abort();
        self.end_connections();
    }
}

#[derive(Clone)]
struct Service {
    answer: Answer,
    delay: Duration,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Server3 {
    /// Answers each request after a delay.
    pub fn start(tls: &ServerConfig, answer: Answer, delay: Duration) -> Self {
        let endpoint =
            quinn::Endpoint::server(config(tls), "127.0.0.1:0".parse().unwrap()).unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let connections = Arc::new(Mutex::new(Vec::new()));
        let service = Service {
            answer,
            delay,
            seen: Arc::clone(&seen),
        };
        let (accepting, all) = (endpoint.clone(), Arc::clone(&connections));
        let task = tokio::spawn(async move {
            while let Some(incoming) = accepting.accept().await {
                let (service, all) = (service.clone(), Arc::clone(&all));
                tokio::spawn(async move {
                    if let Ok(quic) = incoming.await {
                        all.lock().unwrap().push(quic.clone());
                        serve(quic, service).await;
                    }
                });
            }
        });
        Self {
            address: endpoint.local_addr().unwrap(),
            endpoint,
            seen,
            connections,
            task,
        }
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    pub fn connections(&self) -> usize {
        self.connections.lock().unwrap().len()
    }

    /// New connections get this certificate, and the old ones end.
    pub fn certify(&self, tls: &ServerConfig) {
        self.endpoint.set_server_config(Some(config(tls)));
        self.end_connections();
    }

    /// As a server does that ends.
    pub fn end_connections(&self) {
        for quic in self.connections.lock().unwrap().iter() {
            quic.close(quinn::VarInt::from_u32(0x100), b"");
        }
    }
}

fn config(tls: &ServerConfig) -> quinn::ServerConfig {
    let mut tls = tls.clone();
    tls.alpn_protocols = vec![b"h3".to_vec()];
    let tls = QuicServerConfig::try_from(tls).unwrap();
    quinn::ServerConfig::with_crypto(Arc::new(tls))
}

async fn serve(quic: quinn::Connection, service: Service) {
    let connection = h3::server::Connection::new(h3_quinn::Connection::new(quic));
    let Ok(mut connection) = connection.await else {
        return;
    };
    while let Ok(Some(request)) = connection.accept().await {
        let service = service.clone();
        tokio::spawn(async move {
            // Clients of tests may go at any time.
            let _gone = respond(request, service).await;
        });
    }
}

async fn respond(
    request: RequestResolver<h3_quinn::Connection, Bytes>,
    service: Service,
) -> Result<(), h3::error::StreamError> {
    let (request, mut stream) = request.resolve_request().await?;
    let mut body = BytesMut::new();
    if request.uri().path() != UNREAD {
        while let Some(mut chunk) = stream.recv_data().await? {
            body.extend_from_slice(&chunk.copy_to_bytes(chunk.remaining()));
        }
    }
    let seen = Seen {
        method: request.method().clone(),
        path: request.uri().path().to_owned(),
        headers: request.headers().clone(),
        body: body.freeze(),
    };
    service.seen.lock().unwrap().push(seen.clone());
    tokio::time::sleep(service.delay).await;
    let (head, body) = (service.answer)(&seen).into_parts();
    stream
        .send_response(http::Response::from_parts(head, ()))
        .await?;
    stream
        .send_data(body.collect().await.unwrap().to_bytes())
        .await?;
    if seen.path == ENDLESS {
        std::future::pending::<()>().await;
    }
    stream.finish().await
}
