//! What happens to a pod: kills for want of memory, and containers that start again.

use protocol::{Event, EventKind, PodUsage, Timestamp};
use rand::{Rng as _, rngs::StdRng};

/// How a container ended.
#[derive(Clone, Copy, Debug)]
pub(super) enum End {
    /// By the kernel, for want of memory.
    Killed,
    /// By itself, with an error.
    Failed,
}

/// The kernel killed a process that had used so much.
pub(super) fn kill(usage: &PodUsage, rng: &mut StdRng, comm: &str, peak_rss_bytes: i64) -> Event {
    let at = moment(usage, rng);
    let pid = rng.random_range(2_000..4_000_000);
    let comm: String = comm.chars().take(15).collect();
    Event {
        incident: u64::try_from(at.unix_us).ok(),
        outcome: Some("killed".to_owned()),
        pid: Some(pid),
        peak_rss_bytes: Some(peak_rss_bytes),
        allocator_pid: Some(pid),
        message: format!(
            "the kernel killed process {pid} ({comm}) for lack of memory; it had used up to {} KiB",
            peak_rss_bytes / 1_024
        ),
        comm: Some(comm),
        ..blank(usage, EventKind::OomKill, at)
    }
}

/// The kubelet started a container again.
pub(super) fn restart(usage: &PodUsage, container: &str, end: End) -> Event {
    let (code, reason) = match end {
        End::Killed => (137, "OOMKilled"),
        End::Failed => (1, "Error"),
    };
    Event {
        message: format!("container {container} started again (exit code {code}, {reason})"),
        reason: Some(reason.to_owned()),
        exit_code: Some(code),
        cgroup_id: None,
        ..blank(usage, EventKind::Restart, usage.window_end)
    }
}

fn blank(usage: &PodUsage, kind: EventKind, timestamp: Timestamp) -> Event {
    Event {
        timestamp,
        kind,
        pod_id: Some(usage.pod_id.clone()),
        cgroup_id: usage.cgroup_id,
        container: usage.workload.clone(),
        namespace: usage.namespace.clone(),
        pod_name: usage.pod_name.clone(),
        ..Event::default()
    }
}

/// In the window.
fn moment(usage: &PodUsage, rng: &mut StdRng) -> Timestamp {
    let (start, end) = (usage.window_start.unix_us, usage.window_end.unix_us);
    usage.window_start.plus_us(rng.random_range(0..end - start))
}
