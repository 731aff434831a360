//! How rows are shown: as JSON, one object a line, or as a table of workloads for people.

use std::{
    borrow::Cow,
    collections::{BTreeMap, VecDeque},
    io::{self, Write},
};

use protocol::{Closing, NetworkClass, PodUsage, Row};

/// Windows for which a workload that is gone stays on a live table.
const KEEP_WINDOWS: usize = 10;
/// Most workloads that are gone on a live table.
const MOST_ENDED: usize = 20;
/// Most lines of a live table.
const MOST_LINES: usize = 40;
/// Classes that have a column.
const CLASSES: [(NetworkClass, &str); 4] = [
    (NetworkClass::Loopback, "LOOPBACK tx/rx"),
    (NetworkClass::Node, "NODE tx/rx"),
    (NetworkClass::Private, "PRIVATE tx/rx"),
    (NetworkClass::Internet, "INTERNET tx/rx"),
];

/// Bytes sent and received, by workload and class.
type Traffic<'a> = BTreeMap<(&'a str, NetworkClass), [i64; 2]>;

/// Writes each row as one line of JSON.
pub fn write_json(output: &mut impl Write, rows: &[Row]) -> io::Result<()> {
    for row in rows {
        serde_json::to_writer(&mut *output, row)?;
        output.write_all(b"\n")?;
    }
    output.flush()
}

/// A table of the newest window and of the workloads that ended lately.
#[derive(Debug)]
pub struct Table {
    is_live: bool,
    /// A plain host has no such figures; once there are some the column stays.
    shows_memory: bool,
    ended: VecDeque<Vec<String>>,
}

impl Table {
    /// Redrawn in place when `is_live`, else one block of plain lines for each window.
    pub fn new(is_live: bool) -> Self {
        Self {
            is_live,
            shows_memory: false,
            ended: VecDeque::new(),
        }
    }

    /// Shows one window.
    pub fn write(&mut self, output: &mut impl Write, rows: &[Row]) -> io::Result<()> {
        self.shows_memory |= usages(rows).any(|usage| usage.memory_usage_bytes.is_some());
        let lines = lines(rows, self.shows_memory);
        if self.is_live {
            // Home, then clear what was below.
            output.write_all(b"\x1b[H\x1b[J")?;
        }
        writeln!(output, "{}", heading(rows, self.shows_memory))?;
        let current = lines.iter().take(MOST_LINES).map(|(line, _)| line);
        current
            .into_iter()
            .try_for_each(|line| writeln!(output, "{line}"))?;
        if lines.len() > MOST_LINES {
            writeln!(
                output,
                "... and {} more workloads",
                lines.len() - MOST_LINES
            )?;
        }
        if self.is_live {
            self.write_ended(output, lines)?;
        }
        for row in rows {
            if let Row::Events(event) = row {
                writeln!(
                    output,
                    "{} {:?} {}",
                    event.timestamp,
                    event.kind,
                    printable(&event.message)
                )?;
            }
        }
        output.flush()
    }

    fn write_ended(
        &mut self,
        output: &mut impl Write,
        lines: Vec<(String, bool)>,
    ) -> io::Result<()> {
        let ended: Vec<&String> = self.ended.iter().flatten().collect();
        let shown = &ended[ended.len().saturating_sub(MOST_ENDED)..];
        shown
            .iter()
            .try_for_each(|line| writeln!(output, "{line}"))?;
        let gone = lines.into_iter().filter(|(_, ended)| *ended);
        self.ended
            .push_back(gone.map(|(line, _)| line).take(MOST_ENDED).collect());
        if self.ended.len() > KEEP_WINDOWS {
            self.ended.pop_front();
        }
        Ok(())
    }
}

fn usages(rows: &[Row]) -> impl Iterator<Item = &PodUsage> {
    rows.iter().filter_map(|row| match row {
        Row::PodUsage(usage) => Some(usage),
        _ => None,
    })
}

fn heading(rows: &[Row], shows_memory: bool) -> String {
    let mut heading = String::new();
    if let Some(Row::Reconcile(balance)) = rows.last() {
        heading = format!(
            "window ending {}   CPU of the host {:.2} s, in rows {:.2} s, unattributed {:.2} s\n",
            balance.window_end,
            balance.cpu_ns.total as f64 / 1e9,
            balance.cpu_ns.rows as f64 / 1e9,
            balance.cpu_ns.unattributed as f64 / 1e9,
        );
    }
    heading.push_str(&format!(
        "{:<44}{:>7}{:>7}{:>7}{:>11}",
        "WORKLOAD", "CPU", "PEAK", "P99", "THROTTLED"
    ));
    if shows_memory {
        heading.push_str(&format!("{:>9}", "MEMORY"));
    }
    for (_, name) in CLASSES {
        heading.push_str(&format!("{name:>18}"));
    }
    heading.push_str(&format!("{:>5}  STATE", "OOM"));
    heading
}

/// A line for each workload, pods before what else runs, busiest first, and whether it is gone.
fn lines(rows: &[Row], shows_memory: bool) -> Vec<(String, bool)> {
    let mut network: Traffic<'_> = BTreeMap::new();
    for row in rows {
        if let Row::PodNetwork(traffic) = row {
            let sum = network.entry((&traffic.pod_id, traffic.class)).or_default();
            sum[0] += traffic.tx_bytes_delta;
            sum[1] += traffic.rx_bytes_delta;
        }
    }
    let mut usages: Vec<&PodUsage> = usages(rows).collect();
    usages.sort_by(|left, right| {
        let is_other = |usage: &PodUsage| usage.pod_name.is_none();
        let cpu = |usage: &PodUsage| usage.cpu_seconds.unwrap_or(0.0);
        let by_kind = is_other(left).cmp(&is_other(right));
        by_kind.then(cpu(right).total_cmp(&cpu(left)))
    });
    usages
        .into_iter()
        .map(|usage| (line(usage, &network, shows_memory), usage.closing.is_some()))
        .collect()
}

fn line(usage: &PodUsage, network: &Traffic<'_>, shows_memory: bool) -> String {
    let cores =
        |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.2}"));
    let throttled = usage.cpu_throttled_seconds;
    let mut line = format!(
        "{:<44}{:>7}{:>7}{:>7}{:>11}",
        shortened(&name(usage), 43),
        cores(usage.cpu_usage_cores),
        cores(usage.cpu_peak_cores),
        cores(usage.cpu_p99_cores),
        throttled.map_or_else(|| "-".to_owned(), |seconds| format!("{seconds:.2} s")),
    );
    if shows_memory {
        let memory = usage.memory_usage_bytes;
        let memory = memory.map_or_else(|| "-".to_owned(), bytes);
        line.push_str(&format!("{memory:>9}"));
    }
    for (class, _) in CLASSES {
        let cell = network.get(&(usage.pod_id.as_str(), class)).map_or_else(
            || "-".to_owned(),
            |[tx, rx]| format!("{}/{}", bytes(*tx), bytes(*rx)),
        );
        line.push_str(&format!("{cell:>18}"));
    }
    let kills = usage.oom_kills.filter(|kills| *kills > 0);
    line.push_str(&format!(
        "{:>5}  ",
        kills.map_or_else(|| "-".to_owned(), |kills| kills.to_string())
    ));
    line.push_str(match usage.closing {
        None => "",
        Some(Closing::Provisional) => "removed",
        Some(Closing::Supplement) => "removed, more came",
        Some(Closing::Final) => "ended",
    });
    line.trim_end().to_owned()
}

/// `namespace/name` of a pod; what else runs, and a pod whose name is unknown, by its id.
fn name(usage: &PodUsage) -> Cow<'_, str> {
    match (&usage.namespace, &usage.pod_name) {
        (Some(namespace), Some(pod)) => format!("{namespace}/{pod}").into(),
        (None, Some(pod)) => pod.into(),
        (_, None) => usage.pod_id.as_str().into(),
    }
}

/// The end of a path tells more than its beginning.
fn shortened(text: &str, most: usize) -> String {
    let text = printable(text);
    let length = text.chars().count();
    if length <= most {
        return text;
    }
    let end: String = text.chars().skip(length - most + 1).collect();
    format!("…{end}")
}

/// Names are others' bytes: none of them may steer a terminal.
fn printable(text: &str) -> String {
    text.chars()
        .map(|char| if char.is_control() { '?' } else { char })
        .collect()
}

fn bytes(value: i64) -> String {
    let units = ["B", "K", "M", "G", "T"];
    let mut scaled = value as f64;
    let mut unit = 0;
    while scaled >= 1000.0 && unit + 1 < units.len() {
        scaled /= 1000.0;
        unit += 1;
    }
    if unit == 0 {
        format!("{value}B")
    } else {
        format!("{scaled:.1}{}", units[unit])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_paths_keep_their_end() {
        assert_eq!(shortened("/a/b", 10), "/a/b");
        assert_eq!(shortened("/a\u{1b}]0;b\u{7}", 10), "/a?]0;b?");
        assert_eq!(shortened("/system.slice/x.service", 10), "…x.service");
    }

    #[test]
    fn bytes_are_short() {
        assert_eq!(
            [0, 999, 1000, 1_500_000].map(bytes),
            ["0B", "999B", "1.0K", "1.5M"]
        );
    }

    fn usage(id: &str, pod: Option<(&str, &str)>, cpu: f64, memory: Option<i64>) -> Row {
        Row::PodUsage(PodUsage {
            pod_id: id.to_owned(),
            namespace: pod.map(|(namespace, _)| namespace.to_owned()),
            pod_name: pod.map(|(_, name)| name.to_owned()),
            cpu_seconds: Some(cpu),
            memory_usage_bytes: memory,
            ..PodUsage::default()
        })
    }

    fn shown(table: &mut Table, rows: &[Row]) -> String {
        let mut output = Vec::new();
        table.write(&mut output, rows).unwrap();
        String::from_utf8(output).unwrap()
    }

    #[test]
    fn pods_come_first_and_by_name() {
        let rows = [
            usage("/system.slice", None, 9.0, None),
            usage("uid-1", Some(("shop", "idle")), 0.0, None),
            usage("uid-2", Some(("shop", "we\u{1b}b")), 1.0, None),
        ];
        let text = shown(&mut Table::new(false), &rows);
        let names: Vec<&str> = text
            .lines()
            .filter_map(|line| line.split_whitespace().next())
            .collect();
        assert_eq!(
            names,
            ["WORKLOAD", "shop/we?b", "shop/idle", "/system.slice"]
        );
    }

    #[test]
    fn memory_has_a_column_once_it_is_known() {
        let mut table = Table::new(false);
        let without = [usage("uid", Some(("shop", "web")), 1.0, None)];
        let with = [usage("uid", Some(("shop", "web")), 1.0, Some(2_500_000))];
        assert!(!shown(&mut table, &without).contains("MEMORY"));
        let text = shown(&mut table, &with);
        assert!(text.contains("MEMORY") && text.contains("2.5M"), "{text}");
        assert!(shown(&mut table, &without).contains("MEMORY"));
    }
}
