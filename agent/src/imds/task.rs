//! Asks in its own time: nothing waits for the instance to be known.

use std::time::Duration;

use super::{Imds, Instance, Settings};
use crate::{health::Health, http::HttpError};

/// How often to ask.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// After the first failure; it doubles with each further one.
    pub first_retry: Duration,
    /// It doubles no further.
    pub most_retry: Duration,
    /// After a success: an instance does not change, but a wrong first answer must heal.
    pub refresh: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            first_retry: Duration::from_secs(1),
            most_retry: Duration::from_secs(300),
            refresh: Duration::from_secs(3_600),
        }
    }
}

impl Pace {
    /// How long to wait after so many failures in a row.
    fn wait(&self, failures: u32) -> Duration {
        let Some(doublings) = failures.checked_sub(1) else {
            return self.refresh;
        };
        let factor = 2_u32.checked_pow(doublings).unwrap_or(u32::MAX);
        self.first_retry.saturating_mul(factor).min(self.most_retry)
    }
}

/// Publishes the instance as soon as it is known and whenever it was asked for again. Ends only if the
/// settings are unusable.
pub async fn run(
    settings: &Settings,
    pace: Pace,
    health: Health,
    publish: impl Fn(Instance),
) -> Result<(), HttpError> {
    let mut imds = Imds::new(settings).inspect_err(|error| health.off(&error.to_string()))?;
    let mut known = Instance::default();
    let mut failures = 0_u32;
    let mut refused = None;
    loop {
        match imds.fetch().await {
            Ok(fetched) => {
                failures = 0;
                health.works();
                if let Some(field) = &fetched.refused
                    && refused != fetched.refused
                {
                    health.noticed("answer", &field.to_string());
                }
                refused = fetched.refused;
                known = learn(&known, fetched.instance);
                publish(known.clone());
            }
            Err(error) => {
                failures = failures.saturating_add(1);
                health.failed(error.kind(), error.to_string());
            }
        }
        tokio::time::sleep(pace.wait(failures)).await;
    }
}

/// The newest answer, completed by what was known of the same instance.
fn learn(known: &Instance, mut new: Instance) -> Instance {
    if known.instance_id != new.instance_id {
        let id = new.instance_id.as_deref().unwrap_or_default();
        log::info!("Retrieved EC2 instance ID: {id}");
        return new;
    }
    for (new, known) in [
        (&mut new.instance_type, &known.instance_type),
        (&mut new.zone, &known.zone),
        (&mut new.zone_id, &known.zone_id),
        (&mut new.region, &known.region),
        (&mut new.capacity_type, &known.capacity_type),
    ] {
        if new.is_none() {
            new.clone_from(known);
        }
    }
    new
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_five_minutes_and_are_an_hour_when_all_is_well() {
        let waits = |failures| Pace::default().wait(failures).as_secs();
        assert_eq!([0, 1, 2, 3, 9].map(waits), [3_600, 1, 2, 4, 256]);
        assert_eq!([10, 33, u32::MAX].map(waits), [300; 3]);
    }

    #[test]
    fn what_was_known_of_the_same_instance_is_kept() {
        let of = |id: &str, zone: Option<&str>| Instance {
            instance_id: Some(id.to_owned()),
            zone: zone.map(str::to_owned),
            ..Instance::default()
        };
        let known = of("i-1", Some("eu-west-1a"));
        assert_eq!(learn(&known, of("i-1", None)), known);
        assert_eq!(
            learn(&known, of("i-1", Some("eu-west-1b"))).zone.as_deref(),
            Some("eu-west-1b")
        );
        assert_eq!(learn(&known, of("i-2", None)), of("i-2", None));
    }
}
