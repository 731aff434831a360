//! The page of metrics against a strict reading of the text format.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    StatusBoard, metrics,
    process::Process,
    testing,
    words::{Kind, WORDS},
};

/// A page as a reader understands it.
#[derive(Debug, Default)]
struct Parsed {
    kinds: BTreeMap<String, String>,
    /// By name with labels, as written.
    samples: BTreeMap<String, f64>,
    labels: Vec<(String, Vec<(String, String)>)>,
}

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with(|letter: char| letter.is_ascii_digit())
        && text
            .chars()
            .all(|letter| letter.is_ascii_alphanumeric() || "_:".contains(letter))
}

/// The labels between braces, escapes undone; what follows the closing brace.
fn labels(mut rest: &str) -> (Vec<(String, String)>, &str) {
    let mut found = Vec::new();
    loop {
        let (name, after) = rest.split_once("=\"").expect("a label has a quoted value");
        assert!(is_name(name) && !name.contains(':'), "{name}");
        let (mut value, mut letters) = (String::new(), after.char_indices());
        let end = loop {
            match letters.next().expect("the value is closed") {
                (at, '"') => break at,
                (_, '\\') => value.push(match letters.next().expect("something is escaped").1 {
                    'n' => '\n',
                    letter @ ('\\' | '"') => letter,
                    letter => panic!("unknown escape {letter}"),
                }),
                (_, letter) => value.push(letter),
            }
        };
        assert!(found.iter().all(|(known, _)| known != name), "{name} twice");
        found.push((name.to_owned(), value));
        rest = &after[end + 1..];
        match rest.strip_prefix(',') {
            Some(next) => rest = next,
            None => return (found, rest.strip_prefix('}').expect("braces are closed")),
        }
    }
}

fn parse(page: &str) -> Parsed {
    let mut parsed = Parsed::default();
    let (mut helped, mut family) = (BTreeSet::new(), String::new());
    assert!(page.ends_with('\n'));
    for line in page.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, text) = help.split_once(' ').expect("help has a text");
            assert!(is_name(name) && !text.is_empty(), "{line}");
            assert!(
                helped.insert(name.to_owned()),
                "{name} is split or told twice"
            );
            family = name.to_owned();
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').expect("a type has a name");
            assert_eq!(name, family, "help and type stand together");
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
            assert_eq!(parsed.kinds.insert(name.to_owned(), kind.to_owned()), None);
        } else {
            sample(line, &family, &mut parsed);
        }
    }
    assert!(parsed.kinds.keys().eq(&helped), "each has help and type");
    parsed
}

fn sample(line: &str, family: &str, parsed: &mut Parsed) {
    let end = line.find(['{', ' ']).expect("a sample has a value");
    let (name, rest) = line.split_at(end);
    let suffixes: &[&str] = match parsed.kinds[family].as_str() {
        "histogram" => &["_bucket", "_sum", "_count"],
        _ => &[""],
    };
    let fits = |suffix: &&str| name.strip_suffix(*suffix) == Some(family);
    assert!(is_name(name) && suffixes.iter().any(fits), "{line}");
    let (found, value) = match rest.strip_prefix('{') {
        Some(inside) => labels(inside),
        None => (Vec::new(), rest),
    };
    let value: f64 = value
        .strip_prefix(' ')
        .expect("one blank")
        .parse()
        .expect(line);
    assert!(value.is_finite() && value >= 0.0, "{line}");
    let series = line.rsplit_once(' ').unwrap().0;
    assert_eq!(
        parsed.samples.insert(series.to_owned(), value),
        None,
        "{line} twice"
    );
    parsed.labels.push((family.to_owned(), found));
}

fn render(board: &StatusBoard) -> String {
    metrics::render(
        board,
        &Process {
            max_fds: Some(1_024),
            ..Process::read()
        },
    )
}

#[test]
fn a_full_page_follows_the_format_and_the_word_list() {
    let page = render(&testing::filled());
    let parsed = parse(&page);
    let told: Vec<_> = parsed
        .kinds
        .iter()
        .map(|(name, kind)| (name.as_str(), kind.as_str()))
        .collect();
    let mut words: Vec<_> = WORDS
        .iter()
        .map(|word| (word.name, word.kind.name()))
        .collect();
    words.sort_unstable();
    assert_eq!(told, words, "the page tells every word of the list");
    for (family, labels) in &parsed.labels {
        let word = WORDS.iter().find(|word| word.name == family).unwrap();
        let names: Vec<_> = labels.iter().map(|(name, _)| name.as_str()).collect();
        let is_histogram = word.kind == Kind::Histogram;
        assert!(
            names == word.labels || is_histogram && names.is_empty(),
            "{family}"
        );
    }
    for word in WORDS {
        let is_total = word.name.ends_with("_total");
        assert_eq!(word.kind == Kind::Counter, is_total, "{}", word.name);
    }
}

/// Lines of the full board's page.
const FIGURES: &str = r#"
podledger_agent_windows_total 2
podledger_agent_rows_total{table="pod_usage"} 4
podledger_agent_rows_total{table="pod_network"} 0
podledger_agent_window_close_seconds_bucket{le="0.002"} 0
podledger_agent_window_close_seconds_bucket{le="0.005"} 1
podledger_agent_window_close_seconds_bucket{le="1"} 1
podledger_agent_window_close_seconds_bucket{le="+Inf"} 2
podledger_agent_window_close_seconds_sum 2.003
podledger_agent_window_close_seconds_count 2
podledger_agent_last_window_end_timestamp_seconds 1700000000.5
podledger_agent_pods 2
podledger_agent_losses_total{kind="cpu_map_full"} 6
podledger_agent_unattributed_cpu_seconds_total 4
podledger_agent_unattributed_network_bytes_total{direction="transmit"} 14
podledger_agent_source_up{source="kernel_cpu"} 0
podledger_agent_source_up{source="kubelet"} 1
podledger_agent_source_requests_total{source="kubelet",outcome="ok"} 1
podledger_agent_source_requests_total{source="kubelet",outcome="timeout"} 1
podledger_agent_source_consecutive_failures{source="imds"} 1
podledger_agent_kubelet_round_trip_seconds 0.012
podledger_agent_kubelet_answer_bytes 345678
podledger_agent_bpf_runs_total{program="cpu_runtime"} 5
podledger_agent_bpf_run_seconds_total{program="cpu_runtime"} 0.0000005
podledger_agent_bpf_map_bytes 65536
podledger_pod_cpu_seconds_total{namespace="shop",pod="till-0",uid="uid-1"} 3
"#;

#[test]
fn figures_are_those_of_the_board() {
    let page = render(&testing::filled());
    for line in FIGURES.trim().lines() {
        assert!(page.lines().any(|told| told == line), "{line}");
    }
    let parsed = parse(&page);
    let odd = parsed.labels.iter().flat_map(|(_, labels)| labels);
    assert_eq!(odd.filter(|(_, value)| value == "a\\b\"c\nd").count(), 5);
    // Without statistics nobody knows the cost, and what is off is not down.
    for absent in ["oom_mark", "source_up{source=\"push\"}"] {
        assert!(!page.contains(absent), "{absent}");
    }
}

#[test]
fn an_empty_board_makes_a_page_too() {
    let parsed = parse(&metrics::render(
        &StatusBoard::default(),
        &Process::default(),
    ));
    assert_eq!(parsed.samples["podledger_agent_windows_total"], 0.0);
    assert!(
        !parsed.kinds.contains_key("podledger_agent_pods"),
        "unknown, not 0"
    );
}
