//! The server keeps what S3 promises, and breaks it only as it is told.

use std::sync::Arc;
use std::time::Duration;

use futures_util::TryStreamExt as _;
use futures_util::future::join_all;
use object_store::path::Path;
use object_store::{
    ClientOptions, Error, ObjectStore, ObjectStoreExt as _, PutMode, PutOptions, PutPayload,
};

use super::*;

struct Folder(std::path::PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let name = format!("podledger-s3-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        drop(fs::remove_dir_all(&path));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

fn create() -> PutOptions {
    PutOptions::from(PutMode::Create)
}

async fn put(store: &Arc<dyn ObjectStore>, key: &str, text: &str) -> Result<(), Error> {
    let payload = PutPayload::from(text.to_owned());
    let path = Path::from(key);
    store.put_opts(&path, payload, create()).await.map(drop)
}

async fn get(store: &Arc<dyn ObjectStore>, key: &str) -> Result<String, Error> {
    let bytes = store.get(&Path::from(key)).await?.bytes().await?;
    Ok(String::from_utf8(bytes.to_vec()).unwrap())
}

#[tokio::test]
async fn objects_are_put_read_listed_and_deleted() {
    let folder = Folder::new("objects");
    let server = S3Server::start(&folder.0).unwrap();
    let store = server.store().unwrap();
    put(&store, "a/_delta_log/1.json", "one").await.unwrap();
    put(&store, "a/2.parquet", "two").await.unwrap();
    assert_eq!(get(&store, "a/2.parquet").await.unwrap(), "two");
    let range = store.get_range(&Path::from("a/2.parquet"), 1..3).await;
    assert_eq!(range.unwrap().as_ref(), b"wo");
    let listed: Vec<_> = store
        .list(Some(&Path::from("a")))
        .try_collect()
        .await
        .unwrap();
    assert_eq!(listed.len(), 2);
    store.delete(&Path::from("a/2.parquet")).await.unwrap();
    let gone = get(&store, "a/2.parquet").await;
    assert!(matches!(gone, Err(Error::NotFound { .. })), "{gone:?}");
    drop(server);
    let again = S3Server::start(&folder.0).unwrap();
    let kept = get(&again.store().unwrap(), "a/_delta_log/1.json").await;
    assert_eq!(kept.unwrap(), "one", "what was written stays");
}

/// Eight at once for each key: one wins, and the object is the winner's.
#[tokio::test]
async fn of_conditional_puts_at_once_one_succeeds() {
    let folder = Folder::new("conditional");
    let server = S3Server::start(&folder.0).unwrap();
    let store = server.store().unwrap();
    for round in 0..40 {
        let key = format!("t/_delta_log/{round:020}.json");
        let texts: Vec<String> = (0..8).map(|writer| format!("{writer}")).collect();
        let puts = texts.iter().map(|text| put(&store, &key, text));
        let results = join_all(puts).await;
        let won: Vec<usize> = (0..8).filter(|i| results[*i].is_ok()).collect();
        assert_eq!(won.len(), 1, "{results:?}");
        for result in results.into_iter().filter_map(Result::err) {
            assert!(matches!(result, Error::AlreadyExists { .. }), "{result:?}");
        }
        assert_eq!(get(&store, &key).await.unwrap(), texts[won[0]]);
    }
    assert_eq!(server.faults().counts().refused, 40 * 7);
}

#[tokio::test]
async fn refused_requests_do_nothing() {
    let folder = Folder::new("refused");
    let server = S3Server::start(&folder.0).unwrap();
    let store = server.store().unwrap();
    let rules = |change: fn(&mut Rules)| {
        let mut rules = Rules::default();
        change(&mut rules);
        rules
    };
    for rules in [
        rules(|rules| rules.internal = 1.0),
        rules(|rules| rules.unavailable = 1.0),
        rules(|rules| rules.throttled = 1.0),
        rules(|rules| rules.conflict = 1.0),
    ] {
        server.faults().set(rules);
        put(&store, "a", "1").await.unwrap_err();
        server.faults().clear();
        let none = get(&store, "a").await;
        assert!(matches!(none, Err(Error::NotFound { .. })), "{none:?}");
    }
    assert_eq!(server.faults().counts().faults, 4);
}

/// The client is told of an error, and its own second put is refused.
#[tokio::test]
async fn a_put_may_be_done_and_answered_with_an_error() {
    let folder = Folder::new("done");
    let server = S3Server::start(&folder.0).unwrap();
    let store = server.store().unwrap();
    server.faults().set(Rules {
        only: "_delta_log".to_owned(),
        done_error: 1.0,
        limit: Some(1),
        ..Rules::default()
    });
    put(&store, "other", "0").await.unwrap();
    put(&store, "t/_delta_log/1", "1").await.unwrap_err();
    let second = put(&store, "t/_delta_log/1", "1").await;
    assert!(
        matches!(second, Err(Error::AlreadyExists { .. })),
        "{second:?}"
    );
    assert_eq!(get(&store, "t/_delta_log/1").await.unwrap(), "1");
}

#[tokio::test]
async fn a_put_may_be_done_and_never_answered() {
    let folder = Folder::new("silent");
    let server = S3Server::start(&folder.0).unwrap();
    let impatient = ClientOptions::new().with_timeout(Duration::from_millis(300));
    let store = server.store_with(impatient).unwrap();
    server.faults().set(Rules {
        method: "PUT".to_owned(),
        done_silent: 1.0,
        ..Rules::default()
    });
    put(&store, "a", "1").await.unwrap_err();
    assert_eq!(get(&store, "a").await.unwrap(), "1");
}

/// It lands when nobody waits for it any more.
#[tokio::test]
async fn a_put_may_land_late() {
    let folder = Folder::new("late");
    let server = S3Server::start(&folder.0).unwrap();
    let store = server.store().unwrap();
    server.faults().set(Rules {
        late: 1.0,
        delay_ms: 200,
        limit: Some(1),
        ..Rules::default()
    });
    put(&store, "a", "1").await.unwrap_err();
    assert!(get(&store, "a").await.is_err(), "it was done at once");
    let landed = async {
        while get(&store, "a").await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), landed)
        .await
        .unwrap();
}

/// The same requests after the same seed go wrong in the same places.
#[tokio::test]
async fn faults_are_drawn_from_their_seed() {
    let folder = Folder::new("seed");
    let server = S3Server::start(&folder.0).unwrap();
    let store = server.store().unwrap();
    let mut runs = Vec::new();
    for seed in [1, 1, 2] {
        server.faults().set(Rules {
            seed,
            unavailable: 0.5,
            ..Rules::default()
        });
        let mut fates = Vec::new();
        for _ in 0..40 {
            let result = get(&store, "none").await;
            fates.push(matches!(result, Err(Error::NotFound { .. })));
        }
        runs.push(fates);
    }
    assert_eq!(runs[0], runs[1]);
    assert_ne!(runs[0], runs[2]);
    let passed = runs[0].iter().filter(|passed| **passed).count();
    assert!((5..=35).contains(&passed), "{passed} of 40");
}

#[tokio::test]
async fn faults_are_set_over_http() {
    use http_body_util::{BodyExt as _, Full};
    let folder = Folder::new("control");
    let server = S3Server::start(&folder.0).unwrap();
    let client = async |method: &str, body: &'static str| {
        let stream = tokio::net::TcpStream::connect(server.address)
            .await
            .unwrap();
        let io = hyper_util::rt::TokioIo::new(stream);
        let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
        drop(tokio::spawn(connection));
        let request = hyper::Request::builder()
            .method(method)
            .uri("/_faults")
            .header("host", "localhost")
            .body(Full::new(bytes::Bytes::from(body)))
            .unwrap();
        let response = sender.send_request(request).await.unwrap();
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    };
    let (status, told) = client("PUT", r#"{"unavailable":0.25,"only":"wm"}"#).await;
    assert_eq!(status, 200, "{told}");
    assert_eq!(server.faults().rules().unavailable, 0.25);
    let (_, told) = client("GET", "").await;
    assert!(
        told.contains(r#""only":"wm""#) && told.contains(r#""requests":0"#),
        "{told}"
    );
    let (status, told) = client("PUT", r#"{"unavailabel":1}"#).await;
    assert_eq!(status, 400, "{told}");
}

#[tokio::test]
async fn another_key_is_refused() {
    let folder = Folder::new("key");
    let server = S3Server::start(&folder.0).unwrap();
    let store = AmazonS3Builder::new()
        .with_endpoint(server.endpoint())
        .with_allow_http(true)
        .with_region(REGION)
        .with_bucket_name(BUCKET)
        .with_access_key_id(ACCESS_KEY)
        .with_secret_access_key("another")
        .build()
        .unwrap();
    let store: Arc<dyn ObjectStore> = Arc::new(store);
    put(&store, "a", "1").await.unwrap_err();
}
