//! Processes that want more memory than they may have, and the limit that stops them.

mod ending;
mod hold;
mod limit;
mod victims;

pub use limit::{Limited, v1_memory_root};
pub use victims::{NAME, Victim};

use crate::process::Workload;

/// All of them. Arguments are whole numbers, see each.
pub const WORKLOADS: &[Workload] = &[
    ("oom-children", victims::children),
    ("oom-bystander", victims::bystander),
    ("oom-threads", victims::threads_without_leader),
    ("oom-group", victims::group),
    ("oom-ending", victims::already_ending),
    ("oom-sitting", victims::sitting),
];
