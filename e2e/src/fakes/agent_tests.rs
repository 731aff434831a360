//! The agent's own client of the kubelet against the fake one: every fault by its name.

use std::collections::BTreeMap;
use std::time::Duration;

use agent::health::Health;
use agent::kubelet;

use super::{Access, Kubelet, KubeletFault, Pod, Scene, Template, Times};

struct Node {
    scene: Scene,
    access: Access,
    kubelet: Kubelet,
    health: Health,
    client: kubelet::Kubelet,
}

impl Node {
    fn start() -> Self {
        let scene = Scene::recorded().unwrap();
        let access = Access::new(&scene.node_name()).unwrap();
        let kubelet = Kubelet::start(&scene, &access).unwrap();
        let health = Health::new("kubelet");
        let settings = kubelet::Settings {
            endpoint: kubelet.url(),
            server_name: None,
            token_file: Some(access.token_file()),
            ca_file: Some(access.ca_file()),
            insecure: false,
            timeout: Duration::from_millis(500),
            max_body_bytes: 1 << 20,
            debug: false,
        };
        Self {
            client: kubelet::Kubelet::new(settings, health.clone()).unwrap(),
            scene,
            access,
            kubelet,
            health,
        }
    }

    /// What kinds of failures one scrape told of, and how many pods it got.
    async fn scrape(&mut self) -> (Vec<&'static str>, Option<usize>) {
        let before: BTreeMap<_, _> = self.health.view().failures;
        let sample = self.client.scrape().await;
        let failures = self.health.view().failures.into_iter();
        let new = failures.filter(|(kind, count)| before.get(kind) != Some(count));
        let kinds = new.map(|(kind, _)| kind).collect();
        (kinds, sample.map(|sample| sample.summary.pods.len()))
    }
}

#[tokio::test]
async fn each_fault_has_its_own_name_and_passes() {
    let mut node = Node::start();
    assert_eq!(node.scrape().await, (vec![], Some(5)));
    let drip = KubeletFault::Drip(Duration::from_millis(100));
    for (fault, kind) in [
        (KubeletFault::Hang, "timeout"),
        (KubeletFault::Stall, "timeout"),
        (drip, "timeout"),
        (KubeletFault::Unauthorized, "unauthorized"),
        (KubeletFault::Forbidden, "forbidden"),
        (KubeletFault::InternalError, "status"),
        (KubeletFault::TruncatedJson, "json"),
        (KubeletFault::WrongShape, "json"),
        (KubeletFault::Html, "json"),
        (KubeletFault::Empty, "json"),
        (KubeletFault::Reset, "broken"),
        (KubeletFault::Cut, "broken"),
        (KubeletFault::Endless, "too_large"),
        (KubeletFault::WrongName, "tls"),
        (KubeletFault::ExpiredCertificate, "tls"),
        (KubeletFault::UnknownIssuer, "tls"),
    ] {
        node.kubelet.fail(fault, Times::Always);
        assert_eq!(node.scrape().await, (vec![kind], None), "{fault:?}");
        node.kubelet.heal();
        // Certificates are shown once for each connection.
        node.kubelet.close_connections();
        assert_eq!(node.scrape().await.1, Some(5), "after {fault:?}");
    }
}

#[tokio::test]
async fn odd_values_cost_no_other_pod() {
    let mut node = Node::start();
    for (fault, pods) in [
        (KubeletFault::WrongTypes, 5),
        (KubeletFault::Negative, 5),
        (KubeletFault::Overflow, 5),
        (KubeletFault::DuplicateUid, 5),
    ] {
        node.kubelet.fail(fault, Times::Next(1));
        let (kinds, got) = node.scrape().await;
        assert_eq!((kinds, got), (vec!["odd_values"], Some(pods)), "{fault:?}");
        assert_eq!(node.scrape().await, (vec![], Some(5)));
    }
    // What nobody asked for may be as deep as it likes.
    node.kubelet.fail(KubeletFault::Deep, Times::Next(1));
    assert_eq!(node.scrape().await, (vec![], Some(5)));
}

#[tokio::test]
async fn rotations_and_closed_connections_lose_nothing() {
    let mut node = Node::start();
    for round in 0..3 {
        assert_eq!(node.scrape().await, (vec![], Some(5)), "round {round}");
        node.access.rotate_token().unwrap();
        assert_eq!(node.scrape().await, (vec![], Some(5)), "round {round}");
        node.access.rotate_ca().unwrap();
        node.kubelet.close_connections();
        assert_eq!(node.scrape().await, (vec![], Some(5)), "round {round}");
        node.kubelet
            .fail(KubeletFault::CloseAfterwards, Times::Next(1));
        assert_eq!(node.scrape().await, (vec![], Some(5)), "round {round}");
    }
    assert_eq!(node.kubelet.journal().most_in_flight(), 1);
}

#[tokio::test]
async fn the_scene_is_what_the_agent_sees() {
    let mut node = Node::start();
    let pod = Pod::like(Template::Static, "kube-system", "proxy-node-1").unwrap();
    let uid = pod.uid.clone();
    node.scene.add_fresh(pod);
    let sample = node.client.scrape().await.unwrap();
    assert!(sample.summary.pods.iter().any(|pod| *pod.uid == *uid));
    node.scene.update(&uid, |pod| pod.stats = None);
    assert_eq!(node.scrape().await.1, Some(5));
}
