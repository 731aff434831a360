//! What the programs tell of their inner workings, to standard error. Only an object built with
//! `cargo xtask build-ebpf --log` says anything; any other has neither the code nor the map for it.

use std::io::Write as _;

use aya::Ebpf;
use aya_log::EbpfLogger;
use log::{Log, Metadata, Record};

/// The ring of trace lines, where the object has one.
pub(super) struct Trace(EbpfLogger<StandardError>);

impl Trace {
    pub(super) fn open(ebpf: &mut Ebpf) -> Option<Self> {
        EbpfLogger::init_with_logger(ebpf, StandardError)
            .ok()
            .map(Self)
    }

    /// Writes every line that waits.
    pub(super) fn flush(&mut self) {
        self.0.flush();
    }
}

struct StandardError;

impl Log for StandardError {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        // Nobody to tell when standard error is closed.
        drop(writeln!(
            std::io::stderr(),
            "kernel: {}: {}",
            record.target(),
            record.args()
        ));
    }

    fn flush(&self) {}
}
