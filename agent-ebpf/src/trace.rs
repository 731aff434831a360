//! Trace lines from inside the programs: `cargo xtask build-ebpf --log` builds them in, the agent
//! writes them to standard error. Without that feature not one instruction of them is built.

/// Writes a line, with a context first and then as `format!` takes it.
macro_rules! trace {
    ($ctx:expr, $($line:tt)+) => {
        #[cfg(feature = "log")]
        aya_log_ebpf::info!($ctx, $($line)+);
    };
}
