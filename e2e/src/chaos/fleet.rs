//! How many aggregators there are. In some worlds their number changes all the time, and the agents follow
//! what the names say, as real ones do; an update replaces one after the other.

use std::{sync::Arc, time::Duration};

use super::{
    aggregator::Place,
    network::Network,
    random::Random,
    world::{World, lock},
};

/// The numbers of aggregators at most.
pub const MOST: usize = 4;
/// Longest time until the names say what is.
const NAMES_LAG_MS: u64 = 10_000;

/// See the module.
pub struct Fleet {
    /// The world.
    pub world: Arc<World>,
    /// Its network, which has the names.
    pub network: Arc<Network>,
    /// All places that there may be.
    pub places: Vec<Arc<Place>>,
}

impl Fleet {
    /// One, several, one ... until the world heals; then one.
    pub async fn run(self) {
        let span = self.world.profile.windows * self.world.profile.window_ms / 3;
        let mut open = 1;
        while !self.world.is_healed() {
            self.world.linger(span).await;
            let is_update = self.world.draw(|random| random.chance(2_500));
            if is_update {
                self.update(open).await;
            } else {
                open = self.world.draw(|random| next(open, random));
                self.open(open).await;
            }
        }
        self.open(1).await;
    }

    async fn open(&self, open: usize) {
        self.world
            .note(format_args!("{open} aggregators are wanted"));
        for (door, place) in self.places.iter().enumerate() {
            self.want(place, door < open);
        }
        self.world.linger(NAMES_LAG_MS).await;
        self.network.name((0..open).collect());
    }

    async fn update(&self, open: usize) {
        for place in self.places.iter().take(open) {
            self.want(place, false);
            let pause = self.world.draw(|random| random.magnitude(100, 20_000));
            tokio::time::sleep(Duration::from_millis(pause)).await;
            self.want(place, true);
        }
    }

    /// Who is not wanted is told so, or killed.
    fn want(&self, place: &Place, is_wanted: bool) {
        let was_wanted = place.is_wanted.send_replace(is_wanted);
        if was_wanted && !is_wanted && self.world.chance(3_000) {
            lock(&place.life).end();
        }
    }
}

fn next(open: usize, random: &mut Random) -> usize {
    match open {
        1 => *random.pick(&[2, MOST, MOST]).unwrap_or(&MOST),
        _ => *random.pick(&[1, 1, 2, 3]).unwrap_or(&1),
    }
}
