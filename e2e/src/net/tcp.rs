//! The kernel's own account of a TCP connection: another truth than the interface's, and one for
//! each connection alone.

use std::{io, os::fd::AsFd};

use agent_common::network::Traffic;
use anyhow::{Context as _, Result};

use super::{meter::same, pair::Family, raw};
use crate::process::Running;

/// With time stamps, as on all segments but the first.
const HEADER: u64 = 32;
/// Options that only the first segment each way has.
const FIRST_OPTIONS: u64 = 8;

/// What one end of a connection has sent and received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TcpInfo {
    /// Segments sent, again or for the first time.
    pub segments_out: u64,
    /// Payload sent, again or for the first time.
    pub bytes_sent: u64,
    /// Segments received.
    pub segments_in: u64,
    /// Segments sent again.
    pub retransmitted: u64,
    /// Segments on their way.
    pub unacknowledged: u64,
    /// Bytes that wait to be sent.
    pub unsent: u64,
}

impl TcpInfo {
    /// Asks the kernel. Places are those of `struct tcp_info`.
    pub fn of(socket: impl AsFd) -> io::Result<Self> {
        let info = raw::tcp_info(socket)?;
        let word = |at: usize| {
            let bytes = [info[at], info[at + 1], info[at + 2], info[at + 3]];
            u64::from(u32::from_ne_bytes(bytes))
        };
        let long = |at: usize| u64::from_ne_bytes(std::array::from_fn(|i| info[at + i]));
        Ok(Self {
            segments_out: word(136),
            bytes_sent: long(200),
            segments_in: word(140),
            retransmitted: word(100),
            unacknowledged: word(24),
            unsent: word(144),
        })
    }

    /// As a line between processes.
    pub fn to_line(self) -> String {
        format!(
            "{} {} {} {} {} {}",
            self.segments_out,
            self.bytes_sent,
            self.segments_in,
            self.retransmitted,
            self.unacknowledged,
            self.unsent
        )
    }

    /// Reads [`TcpInfo::to_line`].
    pub fn from_line(line: &str) -> Result<Self> {
        let numbers: Vec<u64> = line
            .split_whitespace()
            .map(str::parse)
            .collect::<Result<_, _>>()
            .with_context(|| format!("no account of a connection: {line}"))?;
        let at = |index: usize| numbers.get(index).copied().context("too few numbers");
        Ok(Self {
            segments_out: at(0)?,
            bytes_sent: at(1)?,
            segments_in: at(2)?,
            retransmitted: at(3)?,
            unacknowledged: at(4)?,
            unsent: at(5)?,
        })
    }

    /// Holds the row of the side that connected against it. Bytes received are left out: the peer's
    /// acknowledgements have longer options when a packet reached it twice or not at all.
    pub fn agrees_with(&self, row: Traffic, family: Family) -> Result<()> {
        let headers = self.segments_out * (family.header() + HEADER) + FIRST_OPTIONS;
        same("bytes sent", row.tx_bytes, self.bytes_sent + headers)?;
        same("packets sent", row.tx_packets, self.segments_out)?;
        same("packets received", row.rx_packets, self.segments_in)
    }
}

/// Asks a `net-tcp` workload.
pub fn account(sender: &mut Running) -> Result<TcpInfo> {
    sender.tell("account")?;
    TcpInfo::from_line(&sender.line()?)
}
