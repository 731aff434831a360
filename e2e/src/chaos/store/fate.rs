//! What becomes of one request to the store.

use object_store::Error;

use crate::chaos::world::World;

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It does its work and says so.
    Fine,
    /// It is refused before it did anything.
    Refused,
    /// It does its work, and an error comes back.
    Forgotten,
    /// An error comes back, and then it does its work.
    Late,
    /// A timeout comes back, and it never does anything.
    Never,
    /// It does its work twice: the answer is the second one's.
    Again,
    /// The client dies before it is sent.
    DeathBefore,
    /// The client dies when it has done its work.
    DeathAfter,
}

impl Fate {
    /// Of a request that reads.
    pub fn of_read(world: &World) -> Self {
        let store = &world.profile.store;
        if world.chance(store.deadly) {
            Self::DeathBefore
        } else if world.chance(store.refuse) {
            Self::Refused
        } else {
            Self::Fine
        }
    }

    /// Of one that writes.
    pub fn of_write(world: &World) -> Self {
        let store = &world.profile.store;
        if world.chance(store.deadly) {
            let is_before = world.draw(|random| random.chance(4_000));
            return if is_before {
                Self::DeathBefore
            } else {
                Self::DeathAfter
            };
        }
        let chances = [
            (store.refuse, Self::Refused),
            (store.forget, Self::Forgotten),
            (store.late, Self::Late),
            (store.never, Self::Never),
            (store.again, Self::Again),
        ];
        let met = chances
            .into_iter()
            .find(|(chance, _)| world.chance(*chance));
        met.map_or(Self::Fine, |(_, fate)| fate)
    }
}

/// An error that says nothing of what was done.
pub fn failure(world: &World) -> Error {
    let kinds = [
        "500 Internal Server Error",
        "503 Slow Down",
        "operation timed out",
        "connection reset by peer",
        "409 Conflict",
    ];
    let said = world.draw(|random| random.pick(&kinds).copied());
    Error::Generic {
        store: "S3",
        source: said.unwrap_or_default().into(),
    }
}
