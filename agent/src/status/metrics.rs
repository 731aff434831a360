//! The board as a page of metrics.

use std::time::SystemTime;

use super::{
    board::{CLOSE_BUCKETS, PodFigures, StatusBoard, TABLES},
    page::Page,
    process::Process,
    sources::{self, State},
    words::{self, Word},
};

/// Bytes of a page without pods, about.
const BASE_BYTES: usize = 8 * 1_024;
/// Bytes of a pod's series, about.
const POD_BYTES: usize = 800;

/// All metrics as text.
pub(super) fn render(board: &StatusBoard, process: &Process) -> String {
    let pods = board.by_uid().count();
    let mut page = Page::with_capacity(BASE_BYTES + pods * POD_BYTES);
    let version: &[&str] = &[env!("CARGO_PKG_VERSION")];
    page.family(&words::BUILD_INFO, [(version, 1)]);
    windows(&mut page, board);
    unattributed(&mut page, board);
    source(&mut page, board);
    kubelet(&mut page, board);
    bpf(&mut page, board);
    if let Some(shipping) = &board.shipping {
        shipping.render(&mut page);
    }
    own(&mut page, process);
    if pods > 0 {
        by_pod(&mut page, board);
    }
    page.into_text()
}

fn windows(page: &mut Page, board: &StatusBoard) {
    page.single(&words::WINDOWS, Some(board.windows));
    page.head(&words::ROWS);
    for (table, count) in TABLES.iter().zip(board.rows) {
        page.sample(&words::ROWS, "", &[table], count);
    }
    close_times(page, board);
    let end = board.last_window_end.map(|end| end.unix_us as f64 / 1e6);
    page.single(&words::LAST_WINDOW_END, end);
    page.single(&words::PODS, board.pods);
}

fn close_times(page: &mut Page, board: &StatusBoard) {
    let word = &words::WINDOW_CLOSE;
    page.head(word);
    let mut sum = 0;
    for (bound, count) in CLOSE_BUCKETS.iter().zip(board.close.buckets) {
        sum += count;
        page.sample(word, "_bucket", &[&bound.to_string()], sum);
    }
    page.sample(word, "_bucket", &["+Inf"], board.windows);
    page.sample(word, "_sum", &[], board.close.total.as_secs_f64());
    page.sample(word, "_count", &[], board.windows);
}

fn unattributed(page: &mut Page, board: &StatusBoard) {
    if !board.losses.is_empty() {
        page.head(&words::LOSSES);
    }
    for (kind, count) in &board.losses {
        page.sample(&words::LOSSES, "", &[kind], count);
    }
    let sums = &board.unattributed;
    page.single(&words::UNATTRIBUTED_CPU, Some(sums.cpu_ns as f64 / 1e9));
    let directions: [(&[&str], u64); 2] = [
        (&["transmit"], sums.tx_bytes),
        (&["receive"], sums.rx_bytes),
    ];
    page.family(&words::UNATTRIBUTED_NETWORK, directions);
}

fn source(page: &mut Page, board: &StatusBoard) {
    let mut sources = sources::all(board);
    sources.retain(|source| source.state != State::Off);
    if sources.is_empty() {
        return;
    }
    page.head(&words::SOURCE_UP);
    for source in &sources {
        let up = u8::from(source.state == State::Working);
        page.sample(&words::SOURCE_UP, "", &[source.name], up);
    }
    page.head(&words::SOURCE_SINCE);
    for source in &sources {
        let since = unix_seconds(source.since);
        page.sample(&words::SOURCE_SINCE, "", &[source.name], since);
    }
    requests(page, board);
}

fn requests(page: &mut Page, board: &StatusBoard) {
    if board.healths.is_empty() {
        return;
    }
    let views: Vec<_> = board
        .healths
        .iter()
        .map(crate::health::Health::view)
        .collect();
    page.head(&words::SOURCE_REQUESTS);
    for view in &views {
        let word = &words::SOURCE_REQUESTS;
        page.sample(word, "", &[view.name, "ok"], view.successes);
        for (kind, count) in &view.failures {
            page.sample(word, "", &[view.name, kind], count);
        }
    }
    page.head(&words::SOURCE_FAILURES);
    for view in &views {
        let count = view.consecutive_failures;
        page.sample(&words::SOURCE_FAILURES, "", &[view.name], count);
    }
}

fn kubelet(page: &mut Page, board: &StatusBoard) {
    let cost = board.kubelet.as_ref();
    let round_trip = cost.map(|cost| cost.round_trip.as_secs_f64());
    page.single(&words::KUBELET_ROUND_TRIP, round_trip);
    page.single(&words::KUBELET_ANSWER, cost.map(|cost| cost.bytes));
}

fn bpf(page: &mut Page, board: &StatusBoard) {
    // Without statistics the kernel tells 0 runs: a 0 here would say that it costs nothing.
    let ran: Vec<_> = board
        .programs
        .iter()
        .filter(|cost| cost.run_count > 0)
        .collect();
    if !ran.is_empty() {
        page.head(&words::BPF_RUN);
        for cost in &ran {
            let seconds = cost.run_time_ns as f64 / 1e9;
            page.sample(&words::BPF_RUN, "", &[cost.name], seconds);
        }
        page.head(&words::BPF_RUNS);
        for cost in &ran {
            page.sample(&words::BPF_RUNS, "", &[cost.name], cost.run_count);
        }
    }
    page.single(&words::BPF_MAPS, board.map_bytes);
}

fn own(page: &mut Page, process: &Process) {
    page.single(&words::PROCESS_CPU, process.cpu_seconds);
    page.single(&words::PROCESS_RESIDENT, process.resident_bytes);
    page.single(&words::PROCESS_VIRTUAL, process.virtual_bytes);
    page.single(&words::PROCESS_OPEN_FDS, process.open_fds);
    page.single(&words::PROCESS_MAX_FDS, process.max_fds);
    page.single(&words::PROCESS_START, process.start_seconds);
}

fn by_pod(page: &mut Page, board: &StatusBoard) {
    pod_series(page, board, &words::POD_CPU, |pod| pod.cpu_seconds);
    let as_float = |value: Option<u64>| value.map(|value| value as f64);
    pod_series(page, board, &words::POD_TX, |pod| as_float(pod.tx_bytes));
    pod_series(page, board, &words::POD_RX, |pod| as_float(pod.rx_bytes));
    pod_series(page, board, &words::POD_WORKING_SET, |pod| {
        as_float(pod.working_set_bytes)
    });
    pod_series(page, board, &words::POD_OOM_KILLS, |pod| {
        as_float(pod.oom_kills)
    });
}

/// Samples are 64 bit floats for those who read them, so nothing is lost by making them one here.
fn pod_series(
    page: &mut Page,
    board: &StatusBoard,
    word: &Word,
    figure: impl Fn(&PodFigures) -> Option<f64>,
) {
    let mut is_first = true;
    for (uid, pod) in board.by_uid() {
        let Some(value) = figure(pod) else {
            continue;
        };
        if std::mem::take(&mut is_first) {
            page.head(word);
        }
        page.sample(word, "", &[&pod.namespace, &pod.name, uid], value);
    }
}

pub(super) fn unix_seconds(time: SystemTime) -> f64 {
    time.duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0.0, |since| since.as_secs_f64())
}
