//! The ways in which a kubelet's answer goes wrong.

use std::time::Duration;

use hyper::{Response, StatusCode};
use serde::Serialize as _;
use serde_json::{Value, json};

use super::{JSON, TEXT, answer};
use crate::fakes::body::Content;
use crate::fakes::certificates::Shown;
use crate::fakes::server::Reply;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KubeletFault {
    /// Accepts, reads the request and never answers.
    Hang,
    /// Answers after this time.
    Slow(Duration),
    /// Sends 16 bytes each time this has passed.
    Drip(Duration),
    /// The head and half of the body, and then nothing.
    Stall,
    /// 401, whatever the token.
    Unauthorized,
    /// 403, whatever the token.
    Forbidden,
    /// 500 with a plain text.
    InternalError,
    /// A TCP reset instead of an answer.
    Reset,
    /// A complete answer whose JSON ends in the middle.
    TruncatedJson,
    /// The connection ends in the middle of the answer.
    Cut,
    /// JSON that never ends.
    Endless,
    /// An unknown field with a hundred thousand arrays in each other.
    Deep,
    /// Texts where numbers belong and lists where objects do, in the first pod only.
    WrongTypes,
    /// JSON of another shape altogether.
    WrongShape,
    /// The first pod's counters are below zero.
    Negative,
    /// The first pod's counters are beyond 64 bits.
    Overflow,
    /// 200 and a page for people, as a proxy in the way answers.
    Html,
    /// No bytes at all, with 200.
    Empty,
    /// The samples don't move any more.
    Stale,
    /// The first pod is there twice, with other counters.
    DuplicateUid,
    /// The certificate is of another host.
    WrongName,
    /// The certificate's time is over.
    ExpiredCertificate,
    /// The certificate is of an authority that is not in the volume.
    UnknownIssuer,
    /// A good answer, after which the connection is closed without notice.
    CloseAfterwards,
}

impl KubeletFault {
    /// The certificate to show, for those that are about one.
    pub(super) fn shown(self) -> Option<Shown> {
        match self {
            Self::WrongName => Some(Shown::WrongName),
            Self::ExpiredCertificate => Some(Shown::Expired),
            Self::UnknownIssuer => Some(Shown::UnknownIssuer),
            _ => None,
        }
    }
}

/// Bigger than any bound on a body, sent over and over.
const ENDLESS_ENTRIES: usize = 64;
const DEPTH: usize = 100_000;

pub(super) fn reply(mut summary: Value, fault: Option<KubeletFault>) -> Reply {
    match fault {
        Some(KubeletFault::WrongTypes) => wrong_types(&mut summary),
        Some(KubeletFault::WrongShape) => summary = json!([{ "pods": 1 }, null]),
        Some(KubeletFault::DuplicateUid) => duplicate(&mut summary),
        Some(KubeletFault::InternalError) => return Reply::Answer(internal_error()),
        _ => {}
    }
    let text = pretty(&summary);
    let half = || text.as_bytes()[..text.len() / 2].to_vec();
    let content = match fault {
        Some(KubeletFault::Slow(delay)) => {
            return Reply::After(delay, good(Content::chunked(text)));
        }
        Some(KubeletFault::CloseAfterwards) => {
            return Reply::ThenClose(good(Content::chunked(text)));
        }
        Some(KubeletFault::Drip(every)) => Content::drip(text, every),
        Some(KubeletFault::Stall) => Content::stalled(half()),
        Some(KubeletFault::TruncatedJson) => Content::chunked(half()),
        Some(KubeletFault::Cut) => Content::cut(half()),
        Some(KubeletFault::Endless) => endless(&summary),
        Some(KubeletFault::Deep) => Content::chunked(deep(&text)),
        Some(KubeletFault::Negative) => Content::chunked(with_counters(&summary, "-1")),
        Some(KubeletFault::Overflow) => {
            Content::chunked(with_counters(&summary, "184467440737095516160"))
        }
        Some(KubeletFault::Empty) => Content::whole(""),
        Some(KubeletFault::Html) => {
            let page = "<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body>Please sign in.</body></html>\n";
            let html = "text/html; charset=utf-8";
            return Reply::Answer(answer(StatusCode::OK, html, Content::whole(page)));
        }
        _ => Content::chunked(text),
    };
    Reply::Answer(good(content))
}

fn good(content: Content) -> Response<Content> {
    answer(StatusCode::OK, JSON, content)
}

fn internal_error() -> Response<Content> {
    let text = "Internal Error: failed to list pod stats: failed to get pod or container map: failed to list all pod sandboxes: rpc error: code = DeadlineExceeded desc = context deadline exceeded";
    answer(
        StatusCode::INTERNAL_SERVER_ERROR,
        TEXT,
        Content::whole(text),
    )
}

/// As the kubelet writes it: each level one blank further.
fn pretty(summary: &Value) -> String {
    let mut bytes = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(b" ");
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, formatter);
    // A tree always can be written to memory.
    drop(summary.serialize(&mut serializer));
    String::from_utf8(bytes).unwrap_or_default()
}

fn wrong_types(summary: &mut Value) {
    let Some(pod) = summary["pods"].get_mut(0) else {
        return;
    };
    pod["cpu"]["usageCoreNanoSeconds"] = json!("many");
    pod["memory"] = json!([1, 2]);
    pod["network"]["rxBytes"] = json!({});
    pod["startTime"] = json!(7);
    pod["containers"] = json!("none");
}

fn duplicate(summary: &mut Value) {
    let Some(pods) = summary["pods"].as_array_mut() else {
        return;
    };
    if let Some(mut pod) = pods.first().cloned() {
        pod["cpu"]["usageCoreNanoSeconds"] = json!(1);
        pod["podRef"]["name"] = json!("another-of-that-uid");
        pods.push(pod);
    }
}

/// The numbers don't fit into the tree, so they get into its text.
fn with_counters(summary: &Value, number: &str) -> String {
    const MARK: &str = "a-number-goes-here";
    let mut summary = summary.clone();
    if let Some(pod) = summary["pods"].get_mut(0) {
        pod["cpu"]["usageCoreNanoSeconds"] = json!(MARK);
        pod["cpu"]["usageNanoCores"] = json!(MARK);
        pod["memory"]["workingSetBytes"] = json!(MARK);
        pod["network"]["rxBytes"] = json!(MARK);
    }
    pretty(&summary).replace(&format!("\"{MARK}\""), number)
}

fn endless(summary: &Value) -> Content {
    let pod = summary["pods"].get(0).map_or_else(String::new, pretty);
    let node = pretty(&summary["node"]);
    let head = format!("{{\n \"node\": {node},\n \"pods\": [\n{pod}");
    Content::endless(head, format!(",\n{pod}").repeat(ENDLESS_ENTRIES))
}

fn deep(text: &str) -> String {
    let (open, close) = ("[".repeat(DEPTH), "]".repeat(DEPTH));
    text.replacen('{', &format!("{{\n \"unknown\": {open}{close},"), 1)
}
