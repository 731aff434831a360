//! The tasks around the loop of windows, what they share with it, and what it asks of them at the end
//! of each window.

use std::{
    cell::RefCell,
    future::Future,
    io,
    rc::Rc,
    time::{Duration, Instant},
};

use protocol::Row;
use tokio::{
    net::TcpListener,
    sync::mpsc,
    task::spawn_local,
    time::{sleep, timeout},
};

use super::{
    RunError, Settings, failures,
    kubelet::{self, Newest},
    push,
};
use crate::{
    health::{Condition, Health},
    host::Host,
    imds::{self, Instance},
    join::Known,
    kubelet::Kubelet,
    pods::{self, PodStore},
    status::{self, Figures, StatusBoard},
};

/// The first row does not wait longer than this for answers.
const FIRST_WINDOW: Duration = Duration::from_millis(150);
const LOOK_FOR_ANSWERS: Duration = Duration::from_millis(5);
/// Between two questions for the Node object, where nobody else tells of the instance.
const NODE_OBJECT_RETRY: Duration = Duration::from_secs(60);
/// What the metadata service needs to answer before the Node object is asked.
const IMDS_PATIENCE: Duration = Duration::from_secs(5);

/// The instance, and who told of it.
type Place = Rc<RefCell<Option<(Instance, &'static str)>>>;

/// See the module.
pub(super) struct Node {
    settings: Settings,
    newest: Newest,
    pods: Rc<RefCell<PodStore>>,
    place: Place,
    board: Rc<RefCell<StatusBoard>>,
    health: Healths,
    /// The first window is over.
    has_begun: bool,
    push: Option<mpsc::Sender<push::Payload>>,
}

struct Healths {
    kubelet: Health,
    pods: Health,
    imds: Health,
    push: Health,
}

impl Healths {
    fn all(&self) -> Vec<Health> {
        [&self.kubelet, &self.pods, &self.imds, &self.push]
            .map(Clone::clone)
            .into()
    }
}

impl Node {
    /// Starts every task; none of them is waited for.
    pub(super) async fn start(
        settings: Settings,
        host: &Host,
        shipping: Option<(Figures, Vec<Health>)>,
    ) -> Result<Self, RunError> {
        let mut node = Self {
            newest: Rc::default(),
            pods: Rc::default(),
            place: Rc::default(),
            board: Rc::default(),
            push: None,
            has_begun: false,
            health: Healths {
                kubelet: Health::new("kubelet"),
                pods: Health::new("pods"),
                imds: Health::new("imds"),
                push: Health::new("push"),
            },
            settings,
        };
        node.serve(host, shipping).await?;
        node.ask_kubelet()?;
        node.watch_pods();
        node.ask_for_the_place();
        node.start_push()?;
        Ok(node)
    }

    async fn serve(
        &self,
        host: &Host,
        shipping: Option<(Figures, Vec<Health>)>,
    ) -> Result<(), RunError> {
        if self.settings.per_pod_metrics {
            *self.board.borrow_mut() = StatusBoard::with_pods();
        }
        let mut healths = self.health.all();
        if let Some((figures, of_shipping)) = shipping {
            healths.extend(of_shipping);
            self.board.borrow_mut().ships(figures);
        }
        self.board
            .borrow_mut()
            .began(self.settings.interval, host.sources(), healths);
        let Some(address) = self.settings.status.clone() else {
            return Ok(());
        };
        let listener = TcpListener::bind(&address).await;
        let listener = listener.map_err(|source| RunError::Listen { address, source })?;
        if let Ok(address) = listener.local_addr() {
            log::info!("status: http://{address}/healthz, /ready and /metrics");
        }
        spawn_local(status::serve(listener, Rc::clone(&self.board)));
        Ok(())
    }

    fn ask_kubelet(&self) -> Result<(), RunError> {
        let Some(settings) = self.settings.kubelet.clone() else {
            self.health.kubelet.off("the settings say so");
            return Ok(());
        };
        let kubelet = Kubelet::new(settings, self.health.kubelet.clone())?;
        let pace = kubelet::Pace::new(self.settings.interval, self.settings.jitter_percent);
        spawn_local(kubelet::ask(kubelet, Rc::clone(&self.newest), pace));
        Ok(())
    }

    fn watch_pods(&self) {
        let Some(settings) = self.settings.kubernetes.clone() else {
            return self.health.pods.off("the settings say so");
        };
        let health = self.health.pods.clone();
        spawn_local(pods::watch(settings, Rc::clone(&self.pods), health));
    }

    /// The metadata service, else the Node object, else what the settings say.
    fn ask_for_the_place(&self) {
        if let Some(region) = self.settings.region.clone() {
            let instance = Instance {
                region: Some(region),
                ..Instance::default()
            };
            *self.place.borrow_mut() = Some((instance, "settings"));
        }
        let place = Rc::clone(&self.place);
        match self.settings.imds.clone() {
            Some(settings) => {
                let health = self.health.imds.clone();
                spawn_local(async move {
                    let learn = |instance| *place.borrow_mut() = Some((instance, "imds"));
                    // Unusable settings are told in its health.
                    drop(imds::run(&settings, imds::Pace::default(), health, learn).await);
                });
            }
            None => self.health.imds.off("the settings say so"),
        }
        if let Some(settings) = self.settings.kubernetes.clone() {
            spawn_local(ask_node_object(settings, Rc::clone(&self.place)));
        }
    }

    fn start_push(&mut self) -> Result<(), RunError> {
        let Some(url) = &self.settings.push else {
            self.health.push.off("PUSH_ENDPOINT is not set");
            return Ok(());
        };
        let (sender, receiver) = mpsc::channel(push::MOST_WAITING);
        let client = push::client(url, self.settings.debug)?;
        spawn_local(push::push(client, receiver, self.health.push.clone()));
        self.push = Some(sender);
        Ok(())
    }

    /// Ends when kubelet and API server have answered once, well or badly, or have had their time.
    pub(super) fn first_answers(&self) -> impl Future<Output = ()> + use<> {
        let asked = [self.health.kubelet.clone(), self.health.pods.clone()];
        let is_open = |health: &Health| health.view().condition == Condition::Starting;
        async move {
            let all = async {
                while asked.iter().any(is_open) {
                    sleep(LOOK_FOR_ANSWERS).await;
                }
            };
            // Those that are late are in the next window.
            drop(timeout(FIRST_WINDOW, all).await);
        }
    }

    /// Tells the status server that the loop is alive.
    pub(super) fn beat(&self) -> Box<dyn Fn()> {
        let board = Rc::clone(&self.board);
        Box::new(move || board.borrow_mut().beat())
    }

    /// Closes a window and writes it; its rows are still to be kept.
    pub(super) fn end(
        &mut self,
        host: &mut Host,
        write: &mut impl FnMut(&[Row]) -> io::Result<()>,
    ) -> Result<Vec<Row>, RunError> {
        let began = Instant::now();
        for restart in self.pods.borrow_mut().take_restarts() {
            host.on_restart(restart);
        }
        // The first window ends at once, and the second may be too short to ask again.
        let is_first = !std::mem::replace(&mut self.has_begun, true);
        let sample = match is_first {
            true => self.newest.borrow().clone(),
            false => self.newest.borrow_mut().take(),
        };
        let rows = {
            let (pods, place) = (self.pods.borrow(), self.place.borrow());
            host.close_window(Known {
                pods: Some(&*pods).filter(|_| self.settings.kubernetes.is_some()),
                sample: sample.as_ref(),
                instance: place.as_ref().map(|(instance, source)| (instance, *source)),
                ..Known::default()
            })?
        };
        write(&rows).map_err(crate::host::HostError::Output)?;
        self.push(&rows);
        self.pods.borrow_mut().end_window();
        let mut board = self.board.borrow_mut();
        if let Some(sample) = &sample {
            board.kubelet(sample.round_trip, sample.bytes);
        }
        let cost = host.cost();
        board.bpf(cost.programs, cost.map_bytes);
        board.closed(&rows, began.elapsed());
        let health = &self.health;
        let most = self.settings.max_consecutive_failures;
        failures::check(most, &[&health.kubelet, &health.push])?;
        Ok(rows)
    }

    fn push(&self, rows: &[Row]) {
        let Some(sender) = &self.push else { return };
        let pods = self.pods.borrow();
        let start = |uid: &str| Some(pods.find(uid)?.start_time?.to_string());
        if let Some(payload) = push::payload(rows, start)
            && sender.try_send(payload).is_err()
        {
            let dropped =
                "the aggregator at PUSH_ENDPOINT is too slow: a window was not told to it";
            self.health.push.noticed("dropped", dropped);
        }
    }
}

/// Asks for the Node object while the metadata service tells nothing.
async fn ask_node_object(settings: pods::Settings, place: Place) {
    sleep(IMDS_PATIENCE).await;
    loop {
        let is_known = matches!(&*place.borrow(), Some((_, "imds" | "node")));
        if !is_known {
            match pods::instance_of_node(&settings).await {
                Ok(instance) => {
                    let mut place = place.borrow_mut();
                    if !matches!(&*place, Some((_, "imds"))) {
                        *place = Some((instance, "node"));
                    }
                }
                Err(error) => log::warn!("the Node object: {}", crate::error_chain(&error)),
            }
        }
        sleep(NODE_OBJECT_RETRY).await;
    }
}
