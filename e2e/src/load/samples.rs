//! A thread's CPU clock over time, and the most that any stretch of time holds of it.

use std::fmt;

use anyhow::{Context as _, Result};

use super::clock::{boot_ns, thread_cpu_ns};

/// A gap between two looks at either clock that is longer than this was no work of ours: the thread,
/// or the machine under it, did not run.
pub const STALL_NS: u64 = 1_000_000;

/// What one thread saw.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Samples {
    /// Boot clock and the thread's CPU clock, rising.
    points: Vec<(u64, u64)>,
    /// When a stall ended, and how long it was.
    stalls: Vec<(u64, u64)>,
}

impl Samples {
    /// Burns `cpu_ns` of CPU time and looks at the clocks meanwhile, keeping a sample every `every_ns`.
    pub fn burn(cpu_ns: u64, every_ns: u64) -> Self {
        let mut samples = Self::default();
        let (mut now, mut cpu) = (boot_ns(), thread_cpu_ns());
        let end = cpu + cpu_ns;
        samples.points.push((now, cpu));
        let mut next = now + every_ns;
        while cpu < end {
            let (before, cpu_before) = (now, cpu);
            (now, cpu) = (boot_ns(), thread_cpu_ns());
            let gap_ns = (now - before).max(cpu - cpu_before);
            if gap_ns > STALL_NS {
                samples.stalls.push((now, gap_ns));
            }
            if now >= next || cpu >= end {
                samples.points.push((now, cpu));
                next = now + every_ns;
            }
        }
        samples
    }

    /// First and last moment.
    pub fn span(&self) -> (u64, u64) {
        let at = |point: Option<&(u64, u64)>| point.map_or(0, |point| point.0);
        (at(self.points.first()), at(self.points.last()))
    }

    /// CPU time between the first and the last moment.
    pub fn cpu_ns(&self) -> u64 {
        let (first, last) = self.span();
        self.cpu_at(last) - self.cpu_at(first)
    }

    /// The longest stall that ended between two moments; 0 if there was none.
    pub fn longest_stall(&self, from_ns: u64, to_ns: u64) -> u64 {
        let inside = |(end, _): &&(u64, u64)| (from_ns..=to_ns).contains(end);
        let lengths = self.stalls.iter().filter(inside).map(|(_, length)| *length);
        lengths.max().unwrap_or(0)
    }

    /// CPU time used until `at_ns`, between two samples in proportion.
    fn cpu_at(&self, at_ns: u64) -> u64 {
        let after = self.points.partition_point(|(at, _)| *at <= at_ns);
        match (
            after.checked_sub(1).map(|i| self.points[i]),
            self.points.get(after),
        ) {
            (Some((from, low)), Some(&(to, high))) => {
                let part = (at_ns - from) as f64 / (to - from) as f64;
                low + (part * (high - low) as f64) as u64
            }
            (Some((_, cpu)), None) | (None, Some(&(_, cpu))) => cpu,
            (None, None) => 0,
        }
    }
}

/// The most CPU time that all of `threads` together used in any `window_ns` between two moments.
pub fn highest(threads: &[Samples], window_ns: u64, from_ns: u64, to_ns: u64) -> u64 {
    let inside = |at: &u64| (from_ns..=to_ns).contains(at);
    let points = threads
        .iter()
        .flat_map(|thread| &thread.points)
        .map(|(at, _)| *at);
    // Windows that begin or end where a thread's clock was looked at.
    points
        .flat_map(|at| [Some(at), at.checked_sub(window_ns)])
        .flatten()
        .filter(|start| inside(start) && inside(&(start + window_ns)))
        .map(|start| used(threads, start, start + window_ns))
        .max()
        .unwrap_or(0)
}

fn used(threads: &[Samples], from_ns: u64, to_ns: u64) -> u64 {
    let one = |thread: &Samples| thread.cpu_at(to_ns) - thread.cpu_at(from_ns);
    threads.iter().map(one).sum()
}

/// One line, to be read back by [`Samples::parse`].
impl fmt::Display for Samples {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |pairs: &[(u64, u64)]| {
            let pairs: Vec<String> = pairs.iter().map(|(a, b)| format!("{a},{b}")).collect();
            pairs.join(" ")
        };
        write!(f, "{};{}", list(&self.points), list(&self.stalls))
    }
}

impl Samples {
    /// From the line that another process printed.
    pub fn parse(line: &str) -> Result<Self> {
        let list = |text: &str| -> Result<Vec<(u64, u64)>> {
            let pair = |pair: &str| {
                let (a, b) = pair.split_once(',').context("a sample without a comma")?;
                Ok((a.parse()?, b.parse()?))
            };
            text.split_whitespace().map(pair).collect()
        };
        let (points, stalls) = line.split_once(';').context("samples without stalls")?;
        Ok(Self {
            points: list(points)?,
            stalls: list(stalls)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(points: &[(u64, u64)]) -> Samples {
        Samples {
            points: points.to_vec(),
            stalls: vec![(7, 3)],
        }
    }

    #[test]
    fn the_highest_window_is_found_between_samples() {
        let thread = samples(&[(100, 0), (150, 0), (180, 30), (300, 30)]);
        let both = [thread.clone(), thread];
        assert_eq!(highest(&both[..1], 100, 0, 1_000), 30);
        assert_eq!(highest(&both, 15, 0, 1_000), 30);
        assert_eq!(highest(&both[..1], 10, 0, 160), 10);
    }

    #[test]
    fn samples_survive_being_printed() {
        let samples = samples(&[(1, 2), (3, 4)]);
        assert_eq!(Samples::parse(&samples.to_string()).unwrap(), samples);
        assert!(Samples::parse("1,2 3").is_err());
    }
}
