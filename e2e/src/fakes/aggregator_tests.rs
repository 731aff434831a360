//! The aggregator's watches against the fake API server: what they keep is what the scene holds.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aggregator::config::Cluster;
use aggregator::enrich::{Keep, Kind, Odd, watch::Watches};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::*;

const KINDS: [(Kind, Resource); 6] = [
    (Kind::Nodes, Resource::Nodes),
    (Kind::Pods, Resource::Pods),
    (Kind::Claims, Resource::Claims),
    (Kind::Volumes, Resource::Volumes),
    (Kind::ReplicaSets, Resource::ReplicaSets),
    (Kind::Jobs, Resource::Jobs),
];

/// Objects by kind and name, and whether the list under way has told them.
#[derive(Default)]
struct Kept(Mutex<BTreeMap<(Kind, String), (Value, bool)>>);

fn name(object: &Value) -> String {
    let part = |key: &str| object["metadata"][key].as_str().unwrap_or_default();
    format!("{}/{}", part("namespace"), part("name"))
}

fn parsed(object: &str) -> Result<Value, Odd> {
    serde_json::from_str(object).map_err(|error| Odd(error.to_string()))
}

impl Keep for Kept {
    fn begin(&self, kind: Kind) {
        let mut objects = locked(&self.0);
        let of_kind = objects.iter_mut().filter(|((of, _), _)| *of == kind);
        of_kind.for_each(|(_, object)| object.1 = false);
    }

    fn put(&self, kind: Kind, object: &str) -> Result<(), Odd> {
        let object = parsed(object)?;
        locked(&self.0).insert((kind, name(&object)), (object, true));
        Ok(())
    }

    fn gone(&self, kind: Kind, object: &str) -> Result<(), Odd> {
        locked(&self.0).remove(&(kind, name(&parsed(object)?)));
        Ok(())
    }

    fn end(&self, kind: Kind) {
        locked(&self.0).retain(|(of, _), object| *of != kind || object.1);
    }
}

struct World {
    scene: Scene,
    access: Access,
    api: Option<ApiServer>,
    kept: Arc<Kept>,
    watches: Arc<Watches>,
    task: JoinHandle<()>,
}

impl Drop for World {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl World {
    fn start(prepare: impl FnOnce(&ApiServer)) -> Self {
        let scene = Scene::recorded().unwrap();
        let access = Access::new(&scene.node_name()).unwrap();
        let api = ApiServer::start(&scene, &access, Security::Tls).unwrap();
        prepare(&api);
        let cluster = Cluster {
            host: "127.0.0.1".to_owned(),
            port: api.address().port(),
            token: access.token_file(),
            ca: access.ca_file(),
        };
        let kept = Arc::<Kept>::default();
        let watches = Arc::new(Watches::new(cluster, kept.clone()));
        let running = Arc::clone(&watches);
        Self {
            scene,
            access,
            api: Some(api),
            kept,
            watches,
            task: tokio::spawn(async move { running.run().await }),
        }
    }

    fn api(&self) -> &ApiServer {
        self.api.as_ref().unwrap()
    }

    /// What should be kept of a kind.
    fn expected(&self, resource: Resource) -> BTreeMap<String, Value> {
        let is_metadata = matches!(resource, Resource::ReplicaSets | Resource::Jobs);
        let objects = self.scene.objects(resource).into_iter();
        let live = objects.filter(|object| {
            let phase = object["status"]["phase"].as_str();
            resource != Resource::Pods || !matches!(phase, Some("Succeeded" | "Failed"))
        });
        let shown = live.map(|object| match is_metadata {
            true => json!({ "metadata": object["metadata"] }),
            false => object,
        });
        shown.map(|object| (name(&object), object)).collect()
    }

    fn kept(&self, kind: Kind) -> BTreeMap<String, Value> {
        let objects = locked(&self.kept.0);
        let of_kind = objects.iter().filter(|((of, _), _)| *of == kind);
        let bare = |object: &Value| {
            let mut object = object.clone();
            let fields = object.as_object_mut().unwrap();
            // Items of a list don't tell these.
            fields.retain(|key, _| key != "kind" && key != "apiVersion");
            object
        };
        of_kind
            .map(|((_, name), (object, _))| (name.clone(), bare(object)))
            .collect()
    }

    /// Until all that may be had is kept as it is now.
    async fn agree(&self, kinds: &[(Kind, Resource)]) {
        let is_so = |(kind, resource): &(Kind, Resource)| {
            self.watches.is_listed(*kind) && self.kept(*kind) == self.expected(*resource)
        };
        for _ in 0..1_500 {
            if kinds.iter().all(is_so) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let wrong = kinds.iter().find(|kind| !is_so(kind)).unwrap();
        panic!(
            "{wrong:?}: kept {:?}, expected {:?}",
            self.kept(wrong.0),
            self.expected(wrong.1)
        );
    }

    /// Something new and something gone of every kind.
    fn change(&self, suffix: &str) {
        let pod = Pod::like(Template::BestEffort, "demo", &format!("late-{suffix}")).unwrap();
        self.scene.add_fresh(pod);
        let oldest = self.scene.pods().remove(0);
        assert!(self.scene.remove(&oldest.uid));
        self.scene
            .update_node(|node| node["metadata"]["labels"]["changed"] = suffix.into());
        for (resource, namespace) in [
            (Resource::Claims, Some("demo")),
            (Resource::Volumes, None),
            (Resource::ReplicaSets, Some("demo")),
            (Resource::Jobs, Some("demo")),
        ] {
            for gone in self.scene.objects(resource) {
                let namespace = gone["metadata"]["namespace"].as_str();
                let name = gone["metadata"]["name"].as_str().unwrap();
                assert!(self.scene.remove_object(resource, namespace, name));
            }
            let metadata = json!({ "name": format!("new-{suffix}"), "namespace": namespace });
            let object = json!({ "metadata": metadata, "spec": { "replicas": 1 } });
            self.scene.put_object(resource, object);
        }
    }
}

#[tokio::test]
async fn everything_is_listed_and_followed() {
    let world = World::start(|_| {});
    world.agree(&KINDS).await;
    assert!(world.watches.is_complete());
    for (kind, _) in KINDS {
        assert!(!world.kept(kind).is_empty(), "{kind:?}");
    }
    let before = world.api().journal().count();
    world.change("one");
    world.agree(&KINDS).await;
    let ended = world.scene.pods().pop().unwrap();
    assert!(world.scene.update(&ended.uid, |pod| {
        *pod = pod.clone().in_phase("Succeeded");
    }));
    world.agree(&KINDS).await;
    assert!(
        !world
            .kept(Kind::Pods)
            .contains_key(&format!("demo/{}", ended.name()))
    );
    assert_eq!(world.api().journal().count(), before, "no list anew");
    let asked = world.api().asked();
    assert!(asked.iter().all(|(verb, _)| verb == "watch"), "{asked:?}");
}

#[tokio::test]
async fn forgotten_changes_are_listed_anew() {
    let world = World::start(|_| {});
    world.agree(&KINDS).await;
    // The watches are deaf to what is forgotten at once.
    world.api().disturb(Disturbance::Silence);
    world.change("two");
    world.scene.compact();
    world.api().close_connections();
    world.agree(&KINDS).await;
    world.change("three");
    assert_eq!(world.api().disturb(Disturbance::Expired), 6);
    world.agree(&KINDS).await;
}

#[tokio::test]
async fn a_server_that_was_away_is_followed_again() {
    let mut world = World::start(|_| {});
    world.agree(&KINDS).await;
    let address = world.api().address();
    world.api = None;
    world.change("two");
    world.access.rotate_token().unwrap();
    let again = ApiServer::start_at(address, &world.scene, &world.access, Security::Tls);
    world.api = Some(again.unwrap());
    world.agree(&KINDS).await;
    assert!(
        world
            .api()
            .journal()
            .exchanges()
            .iter()
            .all(|one| one.status == Some(200))
    );
}

#[tokio::test]
async fn what_is_forbidden_holds_up_nothing_else() {
    let world = World::start(|api| {
        let allowed = [
            "nodes",
            "pods",
            "persistentvolumeclaims",
            "persistentvolumes",
        ];
        let rights: Vec<_> = allowed.iter().map(|one| ("watch", *one)).collect();
        api.allow_only(&rights);
    });
    world.agree(&KINDS[..4]).await;
    world.change("one");
    world.agree(&KINDS[..4]).await;
    assert!(world.watches.is_complete(), "waiting is of no use");
    assert!(!world.watches.is_listed(Kind::Jobs));
}

#[tokio::test]
async fn servers_without_streaming_lists_are_asked_for_pages() {
    for fault in [ApiFault::NoStreaming, ApiFault::PlainWatch] {
        let world = World::start(|api| {
            api.fail(fault, Times::Always);
            api.set_bookmark_interval(Duration::from_millis(50));
        });
        world.agree(&KINDS).await;
        world.change("one");
        world.agree(&KINDS).await;
        let asked = world.api().asked();
        assert_eq!(asked.iter().filter(|(verb, _)| verb == "list").count(), 6);
    }
}
