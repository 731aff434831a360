//! What the store does with requests that fail.

use std::sync::Arc;

use object_store::{Error, ObjectStore, ObjectStoreExt as _, PutMode, PutOptions, path::Path};

use super::{Store, bucket::Bucket};
use crate::chaos::{
    life::{Fate, Life},
    profile::{self, Profile},
    random::Random,
    world::World,
};

struct Scene {
    world: Arc<World>,
    bucket: Arc<Bucket>,
    life: Arc<Fate>,
    store: Store,
    path: Path,
}

fn scene(chances: profile::Store) -> Scene {
    let mut random = Random::new(1);
    let profile = Profile {
        store: profile::Store {
            slowness: 10,
            ..chances
        },
        ..Profile::draw(&mut random)
    };
    let world = World::with_profile(random, profile, false);
    let bucket = Arc::default();
    let life = Arc::default();
    let store = Store::new(&world, &bucket, "a writer".to_owned(), &life);
    Scene {
        world,
        bucket,
        life,
        store,
        path: Path::from("a/b"),
    }
}

impl Scene {
    async fn create(&self) -> Result<(), Error> {
        let options = PutOptions::from(PutMode::Create);
        let put = self.store.put_opts(&self.path, "text".into(), options);
        put.await.map(drop)
    }

    fn is_there(&self) -> bool {
        self.bucket.get(&self.path).is_some()
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_works_does_what_s3_does() {
    let scene = scene(profile::Store::default());
    scene.create().await.unwrap();
    let second = scene.create().await.unwrap_err();
    assert!(matches!(second, Error::AlreadyExists { .. }), "{second}");
    let read = scene.store.get(&scene.path).await.unwrap();
    assert_eq!(read.bytes().await.unwrap(), "text");
    scene
        .store
        .put(&Path::from("a/c/d"), "more".into())
        .await
        .unwrap();
    let listed = scene
        .store
        .list_with_delimiter(Some(&Path::from("a")))
        .await
        .unwrap();
    assert_eq!(listed.common_prefixes, [Path::from("a/c")]);
    assert_eq!(listed.objects.len(), 1);
    scene.store.delete(&scene.path).await.unwrap();
    let gone = scene.store.get(&scene.path).await.unwrap_err();
    assert!(matches!(gone, Error::NotFound { .. }), "{gone}");
}

#[tokio::test(start_paused = true)]
async fn refused_is_not_done_and_forgotten_is() {
    let refusing = scene(profile::Store {
        refuse: 10_000,
        ..profile::Store::default()
    });
    refusing.create().await.unwrap_err();
    assert!(!refusing.is_there());
    let forgetting = scene(profile::Store {
        forget: 10_000,
        ..profile::Store::default()
    });
    let error = forgetting.create().await.unwrap_err();
    assert!(!matches!(error, Error::AlreadyExists { .. }), "{error}");
    assert!(forgetting.is_there());
}

#[tokio::test(start_paused = true)]
async fn late_lands_after_its_error_and_never_does_not() {
    let late = scene(profile::Store {
        late: 10_000,
        ..profile::Store::default()
    });
    late.create().await.unwrap_err();
    assert!(!late.is_there());
    tokio::time::sleep(std::time::Duration::from_secs(200)).await;
    assert!(late.is_there());
    let never = scene(profile::Store {
        never: 10_000,
        ..profile::Store::default()
    });
    never.create().await.unwrap_err();
    tokio::time::sleep(std::time::Duration::from_secs(200)).await;
    assert!(!never.is_there());
}

#[tokio::test(start_paused = true)]
async fn its_own_first_try_makes_a_put_fail() {
    let scene = scene(profile::Store {
        again: 10_000,
        ..profile::Store::default()
    });
    let error = scene.create().await.unwrap_err();
    assert!(matches!(error, Error::AlreadyExists { .. }), "{error}");
    assert!(scene.is_there());
}

/// The writer is gone, its request goes on.
#[tokio::test(start_paused = true)]
async fn a_write_outlives_its_writer() {
    let scene = scene(profile::Store::default());
    let life = Life::new(&scene.world, &scene.life, Some(2), scene.create());
    assert!(life.await.is_none());
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    assert!(scene.is_there());
}
