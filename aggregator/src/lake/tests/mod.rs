//! Several aggregators on one store that fails, and what the tables hold afterwards.

mod ahead;
mod crash;
mod faults;
pub(crate) mod faulty;
mod rivals;
mod start;
pub(crate) mod world;

use std::sync::Arc;

use object_store::{ObjectStoreExt as _, memory::InMemory, path::Path};
use protocol::{Epoch, Table};

use super::{Lake, LakeError, encode::Encode as _, log::table_path, watermark};
use crate::{held::Held, intake::Sealed};
use world::{
    Lines, assert_holds, assert_marks, batch, content, gap, log, once, open, plain_store, run,
    sealed, settings, snapshot,
};
