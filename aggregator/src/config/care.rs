//! Settings of the care for the tables.

use std::time::Duration;

use super::{Reader, given, parse};

/// How the tables are taken care of beside serving.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Care {
    /// Between two rounds.
    pub every: Duration,
    /// How long after its end an hour, or a day, is waited for.
    pub settle: Duration,
    /// Days after which rows are deleted.
    pub retention_days: Option<u32>,
}

/// Rows may come for eight days: what is taken out sooner would come back.
const LEAST_DAYS: usize = 9;
const MOST_DAYS: usize = 36_500;

impl Reader<'_> {
    /// None if others take care.
    pub(super) fn care(&mut self) -> Option<Option<Care>> {
        let options = self.options;
        let is_on = self.value("--care", &options.care, "on", |text| match text {
            "on" => Ok(true),
            "off" => Ok(false),
            _ => Err("write on or off".to_owned()),
        });
        let every = self.value("--care-every", &options.care_every, "5m", |text| {
            parse::duration(text, Duration::from_secs(1))
        });
        let settle = self.value("--care-settle", &options.care_settle, "15m", |text| {
            parse::duration(text, Duration::ZERO)
        });
        let days = match given(&options.retention_days) {
            None => Some(None),
            Some(_) => self
                .value("--retention-days", &options.retention_days, "", |text| {
                    parse::count(text, (LEAST_DAYS, MOST_DAYS))
                })
                .map(|days| u32::try_from(days).ok()),
        };
        let care = Care {
            every: every?,
            settle: settle?,
            retention_days: days?,
        };
        Some(is_on?.then_some(care))
    }
}
