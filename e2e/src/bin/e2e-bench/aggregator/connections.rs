//! What nodes cost that are connected and hardly speak, and what it takes to have all of them back.

use std::{fmt, path::Path, sync::Arc};

use anyhow::Result;
use e2e::stack::Place;
use serde::Serialize;

use super::{
    Args,
    clients::{Client, Dialer},
    sustained::{clients, connect, cpu, kib_each, memory, storm, under},
};
use crate::numbers::rounded;

/// After so many exchanges a connection has grown to what it stays at: quinn hands packets over in blocks
/// of 32, and keeps two of them.
const EXCHANGES: usize = 24;

/// The figures.
#[derive(Serialize)]
pub(super) struct Connections {
    kib_per_new_connection: f64,
    kib_per_used_connection: f64,
    storm_seconds: f64,
    /// CPU time of the aggregator, from the handshake to the first answer.
    cpu_ms_per_return: f64,
    kib_per_connection_after_storm: f64,
}

pub(super) fn measure(args: &Args, directory: &Path) -> Result<Connections> {
    let hold = async |place: &Place, port, process| hold(args, place, port, process).await;
    under(args, directory, hold)
}

async fn hold(args: &Args, place: &Place, port: u16, process: u32) -> Result<Connections> {
    let token: Arc<str> = std::fs::read_to_string(place.file("token"))?.into();
    let dialer = Arc::new(Dialer::new(&place.file("ca.crt"), port)?);
    let empty = memory(process, "VmRSS:")?;
    let kib_each = |now| rounded(kib_each(empty, now, args.nodes));
    let mut clients = connect(clients(args, &token), &dialer).await?;
    let new = memory(process, "VmRSS:")?;
    talk(&mut clients).await?;
    let used = memory(process, "VmRSS:")?;
    let before = cpu(process)?;
    let (_clients, storm_seconds) = storm(clients, &dialer).await?;
    let cpu_ms = (cpu(process)? - before).as_secs_f64() * 1e3;
    Ok(Connections {
        kib_per_new_connection: kib_each(new),
        kib_per_used_connection: kib_each(used),
        storm_seconds: rounded(storm_seconds),
        cpu_ms_per_return: rounded(cpu_ms / args.nodes as f64),
        kib_per_connection_after_storm: kib_each(memory(process, "VmRSS:")?),
    })
}

/// One after the other: what requests need while they run is not what is measured.
async fn talk(clients: &mut [Client]) -> Result<()> {
    for client in clients {
        for _ in 0..EXCHANGES {
            client.ask().await?;
        }
    }
    Ok(())
}

impl fmt::Display for Connections {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            out,
            "connections {} KiB each when new, {} when used, {} after the storm",
            self.kib_per_new_connection,
            self.kib_per_used_connection,
            self.kib_per_connection_after_storm
        )?;
        write!(
            out,
            "storm       all of them back after {} s, for {} ms of CPU time each",
            self.storm_seconds, self.cpu_ms_per_return
        )
    }
}
