//! The one list of what the agent's metrics are called and mean. Nothing else names a metric.

/// How a metric moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows while the agent lives.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts by size.
    Histogram,
}

impl Kind {
    /// As the format writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// One metric.
#[derive(Debug)]
pub struct Word {
    /// Its name, the unit last.
    pub name: &'static str,
    /// How it moves.
    pub kind: Kind,
    /// Names of its labels.
    pub labels: &'static [&'static str],
    /// What it tells.
    pub help: &'static str,
}

macro_rules! words {
    ($($word:ident: $kind:ident $name:literal [$($label:literal),*] $help:literal;)*) => {
        $(pub(super) const $word: Word = Word {
            name: $name,
            kind: Kind::$kind,
            labels: &[$($label),*],
            help: $help,
        };)*

        /// All of them.
        pub const WORDS: &[Word] = &[$($word),*];
    };
}

words! {
    BUILD_INFO: Gauge "podledger_agent_build_info" ["version"]
        "Always 1; the label tells the version.";
    WINDOWS: Counter "podledger_agent_windows_total" []
        "Windows closed.";
    ROWS: Counter "podledger_agent_rows_total" ["table"]
        "Rows made, by table.";
    WINDOW_CLOSE: Histogram "podledger_agent_window_close_seconds" ["le"]
        "Time from the end of a window until its rows were made.";
    LAST_WINDOW_END: Gauge "podledger_agent_last_window_end_timestamp_seconds" []
        "End of the newest window.";
    PODS: Gauge "podledger_agent_pods" []
        "Pods with a row in the newest window.";
    LOSSES: Counter "podledger_agent_losses_total" ["kind"]
        "What was lost before it could be counted, by kind; each is in a reconcile row, too.";
    UNATTRIBUTED_CPU: Counter "podledger_agent_unattributed_cpu_seconds_total" []
        "CPU time that no workload's row could take.";
    UNATTRIBUTED_NETWORK: Counter "podledger_agent_unattributed_network_bytes_total" ["direction"]
        "Bytes that no workload's row could take.";
    SOURCE_UP: Gauge "podledger_agent_source_up" ["source"]
        "1 while the source works, else 0; nothing for a source that is switched off.";
    SOURCE_SINCE: Gauge "podledger_agent_source_state_since_timestamp_seconds" ["source"]
        "When the source came into its present state.";
    SOURCE_REQUESTS: Counter "podledger_agent_source_requests_total" ["source", "outcome"]
        "Requests to the source, by outcome: ok, or the kind of failure.";
    SOURCE_FAILURES: Gauge "podledger_agent_source_consecutive_failures" ["source"]
        "Failures of the source since it last worked.";
    KUBELET_ROUND_TRIP: Gauge "podledger_agent_kubelet_round_trip_seconds" []
        "Time that the kubelet's newest answer took.";
    KUBELET_ANSWER: Gauge "podledger_agent_kubelet_answer_bytes" []
        "Size of the kubelet's newest answer.";
    BPF_RUN: Counter "podledger_agent_bpf_run_seconds_total" ["program"]
        "CPU time of the kernel program; counted only while kernel.bpf_stats_enabled is 1.";
    BPF_RUNS: Counter "podledger_agent_bpf_runs_total" ["program"]
        "Runs of the kernel program; counted only while kernel.bpf_stats_enabled is 1.";
    BPF_MAPS: Gauge "podledger_agent_bpf_map_bytes" []
        "Kernel memory of all maps.";
    SENT_MESSAGES: Counter "podledger_agent_sent_messages_total" ["way", "status"]
        "Requests to the aggregator, by way and by status: ok, or the kind of failure.";
    SENT_BATCHES: Counter "podledger_agent_sent_batches_total" []
        "Batches in answered requests; one that is sent again counts again.";
    SENT_BYTES: Counter "podledger_agent_sent_bytes_total" []
        "Bytes of those batches.";
    SEND_DURATION: Histogram "podledger_agent_send_duration_seconds" ["le"]
        "Time from a request to its answer.";
    WAY: Gauge "podledger_agent_aggregator_way" ["way"]
        "1 for the way that the next request takes.";
    WAY_TURNS: Counter "podledger_agent_aggregator_way_turns_total" []
        "Turns from HTTP/3 to HTTP/1.1 and back.";
    ADDRESS: Gauge "podledger_agent_aggregator_address" ["address"]
        "1 for the aggregator's address that the next request goes to.";
    MOVES: Counter "podledger_agent_aggregator_moves_total" []
        "Moves from one address of the aggregators to another.";
    LAST_COMMITTED: Gauge "podledger_agent_last_committed_timestamp_seconds" []
        "When the aggregator last told of something new in the tables.";
    BUFFER_SIZE: Gauge "podledger_agent_buffer_size" []
        "Bytes of the batches that wait in the spool.";
    BUFFER_CAPACITY: Gauge "podledger_agent_buffer_capacity" []
        "Bytes of batches that may wait there.";
    SPOOL_BATCHES: Gauge "podledger_agent_spool_batches" []
        "Batches that wait in the spool.";
    SPOOL_OLDEST: Gauge "podledger_agent_spool_oldest_window_end_timestamp_seconds" []
        "End of the oldest window that waits in the spool.";
    SPOOL_GAPS: Counter "podledger_agent_spool_gaps_total" ["reason"]
        "Batches whose place a gap took, by reason; each is in a reconcile row, too.";
    SPOOL_FAILED_WRITES: Counter "podledger_agent_spool_failed_writes_total" []
        "Writes of the spool that failed; they are tried again.";
    SPOOLS_LOST: Counter "podledger_agent_spools_lost_total" []
        "Spools that could not be read any more.";
    PROCESS_CPU: Counter "process_cpu_seconds_total" []
        "CPU time of the agent, in user mode and in the kernel.";
    PROCESS_RESIDENT: Gauge "process_resident_memory_bytes" []
        "Resident memory of the agent.";
    PROCESS_VIRTUAL: Gauge "process_virtual_memory_bytes" []
        "Address space of the agent.";
    PROCESS_OPEN_FDS: Gauge "process_open_fds" []
        "Open file descriptors of the agent.";
    PROCESS_MAX_FDS: Gauge "process_max_fds" []
        "Most file descriptors that the agent may open.";
    PROCESS_START: Gauge "process_start_time_seconds" []
        "When the agent was started.";
    POD_CPU: Counter "podledger_pod_cpu_seconds_total" ["namespace", "pod", "uid"]
        "CPU time of the pod since the agent first saw it.";
    POD_TX: Counter "podledger_pod_network_transmit_bytes_total" ["namespace", "pod", "uid"]
        "Bytes that the pod sent since the agent first saw it.";
    POD_RX: Counter "podledger_pod_network_receive_bytes_total" ["namespace", "pod", "uid"]
        "Bytes that the pod received since the agent first saw it.";
    POD_WORKING_SET: Gauge "podledger_pod_memory_working_set_bytes" ["namespace", "pod", "uid"]
        "Working set of the pod in the newest window.";
    POD_OOM_KILLS: Counter "podledger_pod_oom_kills_total" ["namespace", "pod", "uid"]
        "Processes of the pod killed for want of memory since the agent first saw it.";
}
