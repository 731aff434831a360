//! The end of a window: readings become rows, and the rows are balanced with the totals.

use agent_common::loss::{LOSS_NAMES, LOSSES};
use protocol::{Origin, Reconcile, Row, Timestamp};

use super::{Ledger, Reading, pods::Groups};
use crate::{
    join::{
        account::{Account, Life},
        balance::{Totals, signed},
        counters::Counters,
        rows::{self, Window},
    },
    kernel::Snapshot,
};

impl Ledger {
    /// Takes a reading into the accounts.
    pub fn observe(&mut self, snapshot: &Snapshot) {
        for id in snapshot.cpu.keys().chain(snapshot.network.keys()) {
            let account = self
                .accounts
                .entry(*id)
                .or_insert_with(|| Account::new(None));
            if account.life != Life::Released {
                let (cpu, network) = (snapshot.cpu.get(id), snapshot.network.get(id));
                account.current = Counters::new(cpu, network);
                account.cpu = cpu.copied();
            }
        }
    }

    /// Ends the window: the rows of everything that came since the last one. Call after
    /// [`Ledger::observe`] with the same snapshot.
    pub fn close(&mut self, reading: &Reading<'_>) -> Vec<Row> {
        self.origin.seq += 1;
        let snapshot = reading.snapshot;
        let length_ns = snapshot.at_ns.saturating_sub(self.started_ns);
        let losses: [u64; LOSSES] =
            std::array::from_fn(|i| snapshot.losses[i].saturating_sub(self.losses[i]));
        let origin = self.origin.clone();
        let window = Window {
            origin: &origin,
            start: self.window_start,
            end: window_end(self.window_start, length_ns, reading.now),
            length_ns,
            row_window: snapshot.row_window,
            lost_events: losses.iter().sum(),
            online_cpus: snapshot.online_cpus,
            sources: reading.sources,
        };
        let stats = reading.known.stats();
        self.meet(reading.known, &stats);
        let (mut rows, groups, sums) = self.account_rows(&window, reading);
        let pods = self.pod_rows(&window, reading.known, (&stats, groups));
        rows.extend(pods.rows);
        let totals = Totals::new(snapshot);
        let difference = totals.since(&self.totals);
        let balance = difference.balance(&sums, &mut self.in_flight);
        if difference.unattributed != [0; 5] {
            rows.push(rows::unattributed(&window, &difference.unattributed));
        }
        rows.extend(self.take_events(&origin));
        self.drop_closed();
        let mut reconcile = balanced(&window, balance, &all_losses(losses, reading.losses));
        if self.by_pods {
            let node = self
                .node
                .close(&window, reading.known, &pods.tally, &mut reconcile);
            rows.push(Row::NodeUsage(node));
        }
        count(&rows, &mut reconcile);
        rows.push(Row::Reconcile(reconcile));
        self.totals = totals;
        self.losses = snapshot.losses;
        self.started_ns = snapshot.at_ns;
        self.window_start = window.end;
        rows
    }

    /// The rows of those cgroups that are no pod's, and what the pods' hold together.
    fn account_rows(
        &mut self,
        window: &Window<'_>,
        reading: &Reading<'_>,
    ) -> (Vec<Row>, Groups, [u64; 5]) {
        let (mut found, mut groups) = (Vec::new(), Groups::new());
        let mut sums = [0; 5];
        self.accounts.retain(|id, account| {
            let unreported = account.unreported();
            let stat = reading.stats.get(id).copied();
            if let Some(uid) = &account.pod {
                let group = groups.entry(uid.clone()).or_default();
                group.add(account, &unreported, window.row_window, stat);
                add(&mut sums, &unreported);
            } else if let Some(closing) = account.row(&unreported) {
                let told = (&unreported, closing);
                found.extend(rows::rows(window, *id, account, stat, told));
                add(&mut sums, &unreported);
            }
            account.stat = stat.or(account.stat);
            account.settle(&unreported, reading.snapshot.at_ns)
        });
        (found, groups, sums)
    }

    fn take_events(&mut self, origin: &Origin) -> Vec<Row> {
        let mut events = std::mem::take(&mut self.events);
        for event in &mut events {
            self.name_event(event);
            event.origin = origin.clone();
        }
        events.into_iter().map(Row::Events).collect()
    }
}

/// The end of a window: the wall clock. When that was set back, rows would overlap: windows are
/// told at half their length then, until the clock has caught up.
fn window_end(start: Timestamp, length_ns: u64, now: Timestamp) -> Timestamp {
    now.max(start.plus_us(signed(length_ns / 2000)))
}

/// What was lost, in the kernel and in the agent, by name.
fn all_losses(kernel: [u64; LOSSES], agent: &[(&'static str, u64)]) -> Vec<String> {
    let kernel = LOSS_NAMES.into_iter().zip(kernel);
    let all = kernel.chain(agent.iter().copied());
    all.filter(|(_, count)| *count > 0)
        .map(|(name, count)| format!("{name}={count}"))
        .collect()
}

fn add(sums: &mut [u64; 5], unreported: &Counters) {
    let [a, b, c, d] = unreported.traffic();
    for (sum, value) in sums.iter_mut().zip([unreported.run_ns, a, b, c, d]) {
        *sum += value;
    }
}

fn balanced(
    window: &Window<'_>,
    [
        cpu_ns,
        net_tx_bytes,
        net_tx_packets,
        net_rx_bytes,
        net_rx_packets,
    ]: [protocol::Balance; 5],
    losses: &[String],
) -> Reconcile {
    Reconcile {
        timestamp: window.end,
        window_start: window.start,
        window_end: window.end,
        cpu_ns,
        net_tx_bytes,
        net_tx_packets,
        net_rx_bytes,
        net_rx_packets,
        losses: losses.to_vec(),
        sources: rows::source_states(window.sources),
        origin: window.origin.clone(),
        ..Reconcile::default()
    }
}

fn count(rows: &[Row], reconcile: &mut Reconcile) {
    for row in rows {
        *match row {
            Row::PodUsage(_) => &mut reconcile.rows_pod_usage,
            Row::PodNetwork(_) => &mut reconcile.rows_pod_network,
            Row::NodeUsage(_) => &mut reconcile.rows_node_usage,
            Row::Events(_) => &mut reconcile.rows_events,
            Row::Reconcile(_) => continue,
        } += 1;
    }
}
