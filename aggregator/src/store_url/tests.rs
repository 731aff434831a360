//! What URLs mean, and what a directory keeps.

use std::time::Instant;

use futures_util::TryStreamExt as _;
use object_store::{Error, ObjectStoreExt as _, PutMode, PutPayload};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use super::*;

fn nothing() -> [(String, String); 0] {
    []
}

#[test]
fn urls_of_stores() {
    let s3 = |bucket, prefix| StoreUrl::s3(bucket, prefix).unwrap();
    for (text, expected) in [
        ("s3://b/a/b", s3("b", "a/b")),
        ("s3://b", s3("b", "")),
        ("s3://b/p/", s3("b", "/p")),
        ("memory:", StoreUrl::Memory),
        ("memory:///", StoreUrl::Memory),
        ("file:///var/x", StoreUrl::Directory("/var/x".into())),
        ("file:///var/a%20b", StoreUrl::Directory("/var/a b".into())),
    ] {
        assert_eq!(StoreUrl::parse(text).unwrap(), expected, "{text}");
    }
    assert_eq!(s3("b", "/k8s-metrics/").to_string(), "s3://b/k8s-metrics");
}

#[test]
fn what_is_none_is_told_without_its_secrets() {
    for text in [
        "",
        "/var/x",
        "s3:///p",
        "s3://key:geheim@b/p",
        "s3://b/p?secret=geheim",
        "file://host/x",
        "file:///",
        "gs://b/p",
    ] {
        let error = StoreUrl::parse(text).unwrap_err().to_string();
        assert!(error.contains("s3://bucket/prefix"), "{text}: {error}");
        assert!(!error.contains("geheim"));
    }
    assert!(StoreUrl::s3("a/b", "").is_err());
}

#[test]
fn s3_takes_the_older_system_s_variables() {
    let environment = [
        ("AWS_REGION", "eu-west-1"),
        ("AWS_ENDPOINT_URL", "http://localhost:9000"),
        ("AWS_ACCESS_KEY_ID", "id"),
        ("AWS_SECRET_ACCESS_KEY", "geheim"),
        ("AWS_TIMEOUT", "1h"),
        ("BUCKET", "another"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()));
    let builder = s3("b", environment.clone());
    let value = |key: &str| builder.get_config_value(&key.parse().unwrap());
    assert_eq!(value("aws_region").as_deref(), Some("eu-west-1"));
    assert_eq!(value("aws_bucket").as_deref(), Some("b"));
    assert_eq!(value("aws_access_key_id").as_deref(), Some("id"));
    assert_eq!(value("aws_allow_http").as_deref(), Some("true"));
    assert_eq!(value("aws_conditional_put").as_deref(), Some("etag"));
    let timeout = value("timeout").unwrap();
    assert_eq!(timeout, "5m", "not what the environment says");
    let (store, prefix) = StoreUrl::s3("b", "p").unwrap().open(environment).unwrap();
    assert_eq!(prefix.as_ref(), "p");
    assert!(!format!("{store:?}").contains("geheim"));
}

#[test]
fn s3_has_a_region_and_heeds_nothing_that_is_empty() {
    let value = |environment: [(&str, &str); 2], key: &str| {
        let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned()));
        s3("b", environment).get_config_value(&key.parse().unwrap())
    };
    let empty = [("AWS_REGION", ""), ("AWS_ACCESS_KEY_ID", "")];
    assert_eq!(value(empty, "aws_region").as_deref(), Some("us-east-1"));
    assert_eq!(value(empty, "aws_access_key_id"), None);
    let usual = [("AWS_DEFAULT_REGION", "eu-west-1"), ("AWS_REGION", "")];
    assert_eq!(value(usual, "aws_region").as_deref(), Some("eu-west-1"));
}

/// A server of one canned answer for each request, the last of them for all that follow.
async fn server(answers: &'static [&'static str]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        for number in 0.. {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 4_096];
            assert!(stream.read(&mut request).await.unwrap() > 0);
            let answer = answers[number.min(answers.len() - 1)];
            let (status, body) = answer.split_once('|').unwrap();
            let length = body.len();
            let answer = format!(
                "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
            );
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    format!("http://{address}")
}

/// What is said of a store that answers so, and how often it was asked.
async fn reached(endpoint: &str) -> Result<(), String> {
    let environment = [
        ("AWS_ENDPOINT_URL", endpoint),
        ("AWS_ACCESS_KEY_ID", "id"),
        ("AWS_SECRET_ACCESS_KEY", "geheim"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()));
    let url = StoreUrl::parse("s3://b/p").unwrap();
    let (store, prefix) = url.open(environment).unwrap();
    let patience = Patience {
        answer: Duration::from_secs(5),
        all: Duration::from_secs(4),
        pause: Duration::from_millis(50),
    };
    let reached = url.reach(&*store, &prefix, patience).await;
    reached.map_err(|error| crate::error_chain(&error))
}

#[tokio::test]
async fn what_waiting_can_not_mend_is_told_at_once() {
    let begun = Instant::now();
    for (answers, advice) in [
        (
            &["404 Not Found|<Code>NoSuchBucket</Code>"],
            "no such bucket",
        ),
        (
            &["403 Forbidden|<Code>AccessDenied</Code>"],
            "AWS_SECRET_ACCESS_KEY",
        ),
        (&["401 Unauthorized|"], "does not let this process in"),
        (
            &["301 Moved Permanently|"],
            "in another region: set AWS_REGION",
        ),
        (
            &["400 Bad Request|<Code>AuthorizationHeaderMalformed</Code>"],
            "check AWS_REGION",
        ),
    ] {
        let error = reached(&server(answers).await).await.unwrap_err();
        assert!(
            error.starts_with("s3://b/p: ") && error.contains(advice),
            "{error}"
        );
        assert!(!error.contains("geheim"));
    }
    assert!(
        begun.elapsed() < Duration::from_secs(4),
        "{:?}",
        begun.elapsed()
    );
}

#[tokio::test]
async fn a_store_that_is_away_is_waited_for() {
    let list = "200 OK|<ListBucketResult><Name>b</Name><Prefix></Prefix><KeyCount>0</KeyCount>\
                <MaxKeys>1000</MaxKeys><IsTruncated>false</IsTruncated></ListBucketResult>";
    let answers = vec!["503 Slow Down|", "500 Internal Server Error|", list];
    assert_eq!(reached(&server(answers.leak()).await).await, Ok(()));
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = nobody.local_addr().unwrap();
    drop(nobody);
    let begun = Instant::now();
    let error = reached(&format!("http://{address}")).await.unwrap_err();
    assert!(error.contains("check AWS_ENDPOINT_URL"), "{error}");
    assert!(
        begun.elapsed() > Duration::from_secs(3),
        "it was tried again"
    );
}

struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let number: u64 = rand::random();
        Self(std::env::temp_dir().join(format!("podledger-{name}-{number:x}")))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

#[tokio::test]
async fn a_directory_takes_a_name_once() {
    let place = Place::new("once");
    let url = Url::from_file_path(place.0.join("new/one")).unwrap();
    let url = StoreUrl::parse(url.as_str()).unwrap();
    let (store, prefix) = url.open(nothing()).unwrap();
    let path = prefix.join("table").join("_delta_log").join("0.json");
    let create = || PutMode::Create.into();
    let payload = PutPayload::from_iter(["ab", "c"].map(bytes::Bytes::from));
    store.put_opts(&path, payload, create()).await.unwrap();
    let again = store.put_opts(&path, "other".into(), create()).await;
    assert!(
        matches!(again, Err(Error::AlreadyExists { .. })),
        "{again:?}"
    );
    let read = store.get(&path).await.unwrap().bytes().await.unwrap();
    assert_eq!(read, "abc");
    store.put(&path, "new".into()).await.unwrap();
    let read = store.get(&path).await.unwrap().bytes().await.unwrap();
    assert_eq!(read, "new");
    let listed: Vec<_> = store.list(None).try_collect().await.unwrap();
    assert_eq!(listed.len(), 1, "nothing is left over: {listed:?}");
    let names = std::fs::read_dir(place.0.join("new/one/table/_delta_log")).unwrap();
    assert_eq!(names.count(), 1);
    store.delete(&path).await.unwrap();
    assert!(store.get(&path).await.is_err());
}

#[tokio::test]
async fn of_many_writers_of_one_name_one_wins() {
    let place = Place::new("race");
    let (store, _) = StoreUrl::Directory(place.0.clone())
        .open(nothing())
        .unwrap();
    let path = Path::from("d/7.json");
    let puts = (0..32).map(|number: u32| {
        let store = Arc::clone(&store);
        let path = path.clone();
        tokio::spawn(async move {
            let text = number.to_string().into();
            let options = PutMode::Create.into();
            store.put_opts(&path, text, options).await.map(|_| number)
        })
    });
    let mut winners = Vec::new();
    for put in puts.collect::<Vec<_>>() {
        winners.extend(put.await.unwrap());
    }
    assert_eq!(winners.len(), 1);
    let read = store.get(&path).await.unwrap().bytes().await.unwrap();
    assert_eq!(read, winners[0].to_string());
}
