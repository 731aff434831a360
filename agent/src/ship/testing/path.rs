//! The way that UDP packets take; it can be cut and healed.

use std::{
    collections::{HashMap, hash_map::Entry},
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::{net::UdpSocket, task::JoinHandle};

const MOST_PACKET_BYTES: usize = 65_536;

/// Passes packets on until it is dropped.
pub struct Path {
    to: Arc<Mutex<SocketAddr>>,
    is_cut: Arc<AtomicBool>,
    is_deaf: Arc<AtomicBool>,
    task: JoinHandle<()>,
}

impl Drop for Path {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Path {
    /// From a port to a server; none if the port is taken.
    pub async fn start(from: SocketAddr, to: SocketAddr) -> Option<Self> {
        let socket = Arc::new(UdpSocket::bind(from).await.ok()?);
        let is_cut = Arc::new(AtomicBool::new(false));
        let is_deaf = Arc::new(AtomicBool::new(false));
        let to = Arc::new(Mutex::new(to));
        let switches = [Arc::clone(&is_cut), Arc::clone(&is_deaf)];
        let task = tokio::spawn(pass(socket, Arc::clone(&to), switches));
        Some(Self {
            to,
            is_cut,
            is_deaf,
            task,
        })
    }

    /// Packets vanish from now on, both ways.
    pub fn cut(&self) {
        self.is_cut.store(true, Ordering::Relaxed);
    }

    /// Packets get through from now on.
    pub fn heal(&self) {
        self.is_cut.store(false, Ordering::Relaxed);
    }

    /// New clients get to this server from now on.
    pub fn lead_to(&self, to: SocketAddr) {
        *self.to.lock().unwrap() = to;
    }

    /// A switch for what clients send alone.
    pub fn deafness(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.is_deaf)
    }

    /// A switch for others.
    pub fn switch(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.is_cut)
    }
}

async fn pass(
    front: Arc<UdpSocket>,
    to: Arc<Mutex<SocketAddr>>,
    [is_cut, is_deaf]: [Arc<AtomicBool>; 2],
) {
    let mut clients: HashMap<SocketAddr, (Arc<UdpSocket>, Aborted)> = HashMap::new();
    let mut packet = vec![0; MOST_PACKET_BYTES];
    loop {
        let Ok((length, client)) = front.recv_from(&mut packet).await else {
            continue;
        };
        if is_cut.load(Ordering::Relaxed) || is_deaf.load(Ordering::Relaxed) {
            continue;
        }
        if let Entry::Vacant(vacant) = clients.entry(client) {
            let back = Arc::new(UdpSocket::bind("127.0.0.1:0").await.unwrap());
            let to = *to.lock().unwrap();
            back.connect(to).await.unwrap();
            let task = pass_back(
                Arc::clone(&back),
                Arc::clone(&front),
                client,
                Arc::clone(&is_cut),
            );
            vacant.insert((back, Aborted(tokio::spawn(task))));
        }
        // A server may be gone for a while.
        let _lost = clients[&client].0.send(&packet[..length]).await;
    }
}

/// Ends with the task that holds it.
struct Aborted(JoinHandle<()>);

impl Drop for Aborted {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn pass_back(
    back: Arc<UdpSocket>,
    front: Arc<UdpSocket>,
    client: SocketAddr,
    is_cut: Arc<AtomicBool>,
) {
    let mut packet = vec![0; MOST_PACKET_BYTES];
    loop {
        let Ok(length) = back.recv(&mut packet).await else {
            continue;
        };
        if !is_cut.load(Ordering::Relaxed) {
            let _lost = front.send_to(&packet[..length], client).await;
        }
    }
}
