//! That the fakes answer as recorded, and that their faults are what their names say.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject as _};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned, crypto::ring};
use serde_json::Value;

use super::*;

const SUMMARY: &str = include_str!("../../data/kubelet/stats-summary.json");
const SUMMARY_SHORT: &str = include_str!("../../data/kubelet/stats-summary-cpumem.json");
const PODS: &str = include_str!("../../data/api/pods-node1.json");
const OF_NODE: &str = "/api/v1/pods?fieldSelector=spec.nodeName%3Dnode-1";
const PATIENCE: Duration = Duration::from_secs(10);

fn connected(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

fn request(method: &str, path: &str, headers: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n{headers}\r\n")
}

fn exchange(mut stream: impl Read + Write, request: &str) -> io::Result<String> {
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

fn plain(address: SocketAddr, method: &str, path: &str, headers: &str) -> String {
    exchange(connected(address), &request(method, path, headers)).unwrap()
}

fn tls(address: SocketAddr, access: &Access) -> StreamOwned<ClientConnection, TcpStream> {
    let mut roots = RootCertStore::empty();
    let certificate = CertificateDer::from_pem_file(access.ca_file()).unwrap();
    roots.add(certificate).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let connection = ClientConnection::new(Arc::new(config), name).unwrap();
    StreamOwned::new(connection, connected(address))
}

fn get(kubelet: &Kubelet, access: &Access, query: &str, token: &str) -> io::Result<String> {
    let path = format!("/stats/summary{query}");
    let headers = format!("Authorization: Bearer {token}\r\n");
    exchange(
        tls(kubelet.address(), access),
        &request("GET", &path, &headers),
    )
}

/// The body, its chunks put together.
fn body(answer: &str) -> String {
    let (head, mut rest) = answer.split_once("\r\n\r\n").unwrap();
    if !head.contains("Transfer-Encoding: chunked") {
        return rest.to_owned();
    }
    let mut body = String::new();
    while let Some((length, more)) = rest.split_once("\r\n") {
        let length = usize::from_str_radix(length, 16).unwrap();
        body.push_str(&more[..length]);
        rest = &more[length + 2..];
    }
    body
}

fn node() -> (Scene, Access, Kubelet) {
    let scene = Scene::recorded_then().unwrap();
    let access = Access::new(&scene.node_name()).unwrap();
    let kubelet = Kubelet::start(&scene, &access).unwrap();
    (scene, access, kubelet)
}

#[test]
fn at_the_recorded_moment_the_summary_is_the_recorded_one_to_the_byte() {
    let (_scene, access, kubelet) = node();
    let answer = get(&kubelet, &access, "", &access.token()).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"));
    assert!(
        answer.contains("\r\nTransfer-Encoding: chunked\r\n"),
        "{answer}"
    );
    let body_lines: Vec<_> = body(&answer).lines().map(str::to_owned).collect();
    for (line, expected) in SUMMARY.lines().enumerate() {
        assert_eq!(body_lines[line], expected, "line {line}");
    }
    assert_eq!(body(&answer).len(), SUMMARY.trim_end().len());
    let query = "?only_cpu_and_memory=true";
    let short = get(&kubelet, &access, query, &access.token());
    let short = body(&short.unwrap());
    let fields = |text: &str| -> Vec<String> {
        let lines = text.lines().filter_map(|line| line.split_once(':'));
        let mut names: Vec<_> = lines.map(|(name, _)| name.to_owned()).collect();
        names.sort();
        names.dedup();
        names
    };
    assert_eq!(fields(&short), fields(SUMMARY_SHORT));
}

#[test]
fn samples_move_by_periods_and_counters_with_them() {
    let (scene, access, kubelet) = node();
    let pod = |kubelet: &Kubelet| -> Value {
        let answer = get(kubelet, &access, "", &access.token()).unwrap();
        let summary: Value = serde_json::from_str(&body(&answer)).unwrap();
        summary["pods"][0].clone()
    };
    scene.advance(Duration::from_secs(2));
    let first = pod(&kubelet);
    assert_eq!(first["cpu"]["time"], "2026-11-21T00:42:16Z");
    scene.advance(Duration::from_secs(1));
    assert_eq!(pod(&kubelet)["cpu"], first["cpu"]);
    scene.advance(Duration::from_secs(20));
    let later = pod(&kubelet);
    assert_eq!(later["cpu"]["time"], "2026-11-21T00:42:36Z");
    let used = |pod: &Value| pod["cpu"]["usageCoreNanoSeconds"].as_u64().unwrap();
    assert_eq!(used(&later) - used(&first), 20 * 5_947_163);
    kubelet.fail(KubeletFault::Stale, Times::Always);
    let stale = pod(&kubelet);
    scene.advance(Duration::from_secs(60));
    assert_eq!(pod(&kubelet), stale);
}

#[test]
fn the_kubelet_wants_the_token_that_is_in_the_volume() {
    let (_scene, access, kubelet) = node();
    let old = access.token();
    let nobody = get(&kubelet, &access, "", "wrong").unwrap();
    assert!(
        nobody.starts_with("HTTP/1.1 401 Unauthorized\r\n"),
        "{nobody}"
    );
    assert_eq!(body(&nobody), "Unauthorized");
    let powerless = get(&kubelet, &access, "", &access.token_without_rights()).unwrap();
    assert!(powerless.starts_with("HTTP/1.1 403 Forbidden\r\n"));
    assert!(body(&powerless).starts_with("Forbidden (user=system:serviceaccount:demo:agent"));
    access.rotate_token().unwrap();
    assert!(get(&kubelet, &access, "", &old).unwrap().contains(" 401 "));
    let new = std::fs::read_to_string(access.token_file()).unwrap();
    assert!(get(&kubelet, &access, "", &new).unwrap().contains(" 200 "));
    assert_eq!(kubelet.journal().most_in_flight(), 1);
}

#[test]
fn certificates_follow_the_authority_and_fail_when_asked_to() {
    let (_scene, access, kubelet) = node();
    let faults = [
        KubeletFault::WrongName,
        KubeletFault::ExpiredCertificate,
        KubeletFault::UnknownIssuer,
    ];
    for (number, fault) in faults.into_iter().enumerate() {
        kubelet.fail(fault, Times::Next(1));
        let error = get(&kubelet, &access, "", &access.token()).unwrap_err();
        assert!(
            error.to_string().contains("certificate"),
            "{fault:?}: {error}"
        );
        let journal = kubelet.journal();
        assert!(journal.wait_for_failed_handshakes(number + 1, PATIENCE));
    }
    access.rotate_ca().unwrap();
    assert!(get(&kubelet, &access, "", &access.token()).is_ok());
}

#[test]
fn faults_of_the_answer_are_what_they_say() {
    let (_scene, access, kubelet) = node();
    let next = |fault| {
        kubelet.fail(fault, Times::Next(1));
        get(&kubelet, &access, "", &access.token())
    };
    assert!(next(KubeletFault::Reset).is_err());
    assert!(next(KubeletFault::Cut).is_err());
    let truncated = body(&next(KubeletFault::TruncatedJson).unwrap());
    let error = serde_json::from_str::<Value>(&truncated).unwrap_err();
    assert!(error.is_eof());
    assert!(body(&next(KubeletFault::Overflow).unwrap()).contains(": 184467440737095516160,"));
    assert!(body(&next(KubeletFault::Negative).unwrap()).contains("\"rxBytes\": -1,"));
    assert!(body(&next(KubeletFault::Deep).unwrap()).contains("[[[[[[[["));
    let twice: Value =
        serde_json::from_str(&body(&next(KubeletFault::DuplicateUid).unwrap())).unwrap();
    assert_eq!(
        twice["pods"][0]["podRef"]["uid"],
        twice["pods"][5]["podRef"]["uid"]
    );
    assert!(next(KubeletFault::CloseAfterwards).is_ok());
    assert!(get(&kubelet, &access, "", &access.token()).is_ok());
}

#[test]
fn copies_have_names_and_counters_of_their_own() {
    let scene = Scene::of_size(250).unwrap();
    let mut uids: Vec<String> = scene.pods().into_iter().map(|pod| pod.uid).collect();
    uids.sort();
    uids.dedup();
    assert_eq!(uids.len(), 250);
    let pods = scene.pods();
    let ids: Vec<_> = ["httpd", "side"]
        .map(|name| pods[7].container_id(name).unwrap())
        .into();
    assert!(ids[0] != ids[1] && ids.iter().all(|id| id.len() == 64));
    let object = pods[7].object.as_ref().unwrap();
    assert_eq!(
        object["metadata"]["ownerReferences"][0]["name"],
        "web-768c4ccb68"
    );
    assert_eq!(pods[7].name(), "web-768c4ccb68-00007");
    let fixed = Pod::like(Template::Static, "kube-system", "proxy-node-1").unwrap();
    assert_eq!(fixed.uid.len(), 32);
    let annotations = &fixed.object.as_ref().unwrap()["metadata"]["annotations"];
    assert_eq!(annotations["kubernetes.io/config.hash"], fixed.uid.as_str());
    assert_ne!(fixed.object_uid().unwrap(), fixed.uid);
}

#[test]
fn the_api_server_lists_what_was_recorded_in_pages_too() {
    let (scene, access, _kubelet) = node();
    let api = ApiServer::start(&scene, &access, Security::Plain).unwrap();
    let list = |query: &str| -> Value {
        let answer = plain(api.address(), "GET", &format!("{OF_NODE}{query}"), "");
        serde_json::from_str(&body(&answer)).unwrap()
    };
    let recorded: Value = serde_json::from_str(PODS).unwrap();
    assert_eq!(list(""), recorded);
    let mut paged = Vec::new();
    let mut query = "&limit=4".to_owned();
    loop {
        let page = list(&query);
        paged.extend(page["items"].as_array().unwrap().clone());
        let Some(token) = page["metadata"]["continue"].as_str() else {
            break;
        };
        query = format!("&limit=4&continue={token}");
    }
    assert_eq!(Value::Array(paged), recorded["items"]);
    assert_eq!(list("&limit=4&continue=made-by-hand")["code"], 410);
    assert_eq!(api.asked(), [("list".to_owned(), "pods".to_owned())]);
}

#[test]
fn a_watch_tells_what_is_there_and_what_changes() {
    let (scene, access, _kubelet) = node();
    let api = ApiServer::start(&scene, &access, Security::Plain).unwrap();
    let query = "&watch=true&allowWatchBookmarks=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan";
    let mut stream = connected(api.address());
    let asked = request("GET", &format!("{OF_NODE}{query}"), "");
    stream.write_all(asked.as_bytes()).unwrap();
    assert!(api.journal().wait(1, PATIENCE));
    let pod = Pod::like(Template::BestEffort, "demo", "late").unwrap();
    let uid = pod.uid.clone();
    api.add_pod(pod);
    assert!(api.update_pod(&uid, |pod| *pod = pod.clone().with_label("a", "b")));
    api.add_pod(
        Pod::like(Template::Web, "demo", "elsewhere")
            .unwrap()
            .on_node(Some("node-2")),
    );
    assert!(api.delete_pod(&uid));
    while api.disturb(Disturbance::Expired) == 0 {
        std::thread::yield_now();
    }
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let events: Vec<Value> = body(&answer)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let kinds: Vec<&str> = events
        .iter()
        .map(|event| event["type"].as_str().unwrap())
        .collect();
    let ends = |event: &Value| {
        event["object"]["metadata"]["annotations"]["k8s.io/initial-events-end"] == "true"
    };
    let end = events.iter().position(ends).unwrap();
    assert_eq!(kinds[end], "BOOKMARK");
    assert!(end >= 9 && kinds[..end].iter().all(|kind| *kind == "ADDED"));
    // Where the first change fell depends on when the request was read.
    assert_eq!(kinds[kinds.len() - 2..], ["DELETED", "ERROR"]);
    assert_eq!(events[kinds.len() - 1]["object"]["code"], 410);
    let names: Vec<_> = events
        .iter()
        .map(|event| &event["object"]["metadata"]["name"])
        .collect();
    assert!(!names.iter().any(|name| **name == "elsewhere"));
}

#[test]
fn a_watch_from_before_the_compaction_is_told_so() {
    let (scene, access, _kubelet) = node();
    let api = ApiServer::start(&scene, &access, Security::Plain).unwrap();
    scene.compact();
    let path = format!("{OF_NODE}&watch=true&resourceVersion=2");
    let answer = plain(api.address(), "GET", &path, "");
    let expected = "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\",\"message\":\"too old resource version: 2 (1087)\",\"reason\":\"Expired\",\"code\":410}}\n";
    assert_eq!(body(&answer), expected);
    api.fail(ApiFault::Cut, Times::Next(1));
    let asked = request("GET", &format!("{OF_NODE}&watch=true"), "");
    let cut = exchange(connected(api.address()), &asked);
    assert!(cut.is_err() || !cut.unwrap().ends_with("0\r\n\r\n"));
}

#[test]
fn metadata_wants_a_token_with_a_time_to_live() {
    let imds = Imds::start(Instance::default(), HttpTokens::Required).unwrap();
    let id = "/latest/meta-data/instance-id";
    let ask =
        |method: &str, path: &str, headers: &str| plain(imds.address(), method, path, headers);
    assert!(ask("GET", id, "").starts_with("HTTP/1.1 401 Unauthorized\r\n"));
    assert!(ask("PUT", "/latest/api/token", "").contains(" 400 "));
    let ttl = "X-aws-ec2-metadata-token-ttl-seconds: 21600\r\n";
    let token = body(&ask("PUT", "/latest/api/token", ttl));
    let header = format!("X-aws-ec2-metadata-token: {token}\r\n");
    assert_eq!(body(&ask("GET", id, &header)), "i-1234567890abcdef0");
    let placement = body(&ask("GET", "/latest/meta-data/placement/", &header));
    assert_eq!(placement, "availability-zone\navailability-zone-id\nregion");
    imds.expire_tokens();
    assert!(ask("GET", id, &header).contains(" 401 "));
    imds.fail(ImdsFault::NoTokens, Times::Always);
    assert!(ask("PUT", "/latest/api/token", ttl).contains(" 405 "));
}
