//! How rows are shown: as JSON, one object a line, or as a table of workloads for people.

use std::{
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
    ended: VecDeque<Vec<String>>,
}

impl Table {
    /// Redrawn in place when `is_live`, else one block of plain lines for each window.
    pub fn new(is_live: bool) -> Self {
        Self {
            is_live,
            ended: VecDeque::new(),
        }
    }

    /// Shows one window.
    pub fn write(&mut self, output: &mut impl Write, rows: &[Row]) -> io::Result<()> {
        let lines = lines(rows);
        if self.is_live {
            // Home, then clear what was below.
            output.write_all(b"\x1b[H\x1b[J")?;
        }
        writeln!(output, "{}", heading(rows))?;
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

fn heading(rows: &[Row]) -> String {
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
    for (_, name) in CLASSES {
        heading.push_str(&format!("{name:>18}"));
    }
    heading.push_str(&format!("{:>5}  STATE", "OOM"));
    heading
}

/// A line for each workload, busiest first, and whether it is gone.
fn lines(rows: &[Row]) -> Vec<(String, bool)> {
    let mut network: BTreeMap<(&str, NetworkClass), [i64; 2]> = BTreeMap::new();
    let mut usages: Vec<&PodUsage> = Vec::new();
    for row in rows {
        match row {
            Row::PodUsage(usage) => usages.push(usage),
            Row::PodNetwork(traffic) => {
                let sum = network.entry((&traffic.pod_id, traffic.class)).or_default();
                sum[0] += traffic.tx_bytes_delta;
                sum[1] += traffic.rx_bytes_delta;
            }
            Row::Events(_) | Row::Reconcile(_) => {}
        }
    }
    let cpu = |usage: &PodUsage| usage.cpu_seconds.unwrap_or(0.0);
    usages.sort_by(|left, right| cpu(right).total_cmp(&cpu(left)));
    usages
        .into_iter()
        .map(|usage| (line(usage, &network), usage.closing.is_some()))
        .collect()
}

fn line(usage: &PodUsage, network: &BTreeMap<(&str, NetworkClass), [i64; 2]>) -> String {
    let cores =
        |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.2}"));
    let throttled = usage.cpu_throttled_seconds;
    let mut line = format!(
        "{:<44}{:>7}{:>7}{:>7}{:>11}",
        shortened(&usage.pod_id, 43),
        cores(usage.cpu_usage_cores),
        cores(usage.cpu_peak_cores),
        cores(usage.cpu_p99_cores),
        throttled.map_or_else(|| "-".to_owned(), |seconds| format!("{seconds:.2} s")),
    );
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
}
