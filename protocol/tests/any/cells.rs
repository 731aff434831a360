//! Values of each kind of column.

use protocol::{Closing, EventKind, NetworkClass, Timestamp};
use rand::Rng as _;

use super::{Chance, END, Habit, texts};

/// A type of column.
pub trait Any: Sized {
    fn any(chance: &mut Chance, habit: &Habit) -> Self;
}

impl<T: Any> Any for Option<T> {
    fn any(chance: &mut Chance, habit: &Habit) -> Self {
        (chance.below(8) >= habit.absent).then(|| T::any(chance, habit))
    }
}

impl Any for i64 {
    fn any(chance: &mut Chance, habit: &Habit) -> Self {
        let longs = &chance.longs;
        let other = match longs.len() {
            0 => 0,
            some => longs[habit.other % some],
        };
        let rng = &mut chance.rng;
        let long = match habit.kind {
            0 => rng.random(),
            1 => rng.random_range(0..300),
            2 => habit.long,
            3 => rng.random_range(0..1_000_000) * 4096,
            4 => [Self::MIN, Self::MAX, 0, -1, 1, 1 << 56, 1 << 57][rng.random_range(0..7)],
            5 => other,
            6 => other.wrapping_add(rng.random_range(-1..=1)),
            7 => other.wrapping_mul(3),
            8 => other.wrapping_add(rng.random_range(0..100) << 12),
            9 => other.wrapping_sub(rng.random_range(0..100) << 12),
            10 => habit.long.wrapping_add(rng.random_range(0..2)),
            11 => rng.random_range(-3..3) * (1 << 33),
            12 => other >> 7 ^ rng.random_range(0..4),
            13 => -rng.random_range(0..1_i64 << 20),
            _ => rng.random::<Self>() >> rng.random_range(0..64),
        };
        chance.longs.push(long);
        long
    }
}

/// Those of a finite number.
fn bits(chance: &mut Chance) -> f64 {
    let double = f64::from_bits(chance.rng.random());
    if double.is_finite() { double } else { 0.1 }
}

impl Any for f64 {
    fn any(chance: &mut Chance, habit: &Habit) -> Self {
        const EDGES: [f64; 10] = [
            0.0,
            -0.0,
            f64::MAX,
            f64::MIN_POSITIVE,
            5e-324,
            -5e-324,
            1.0 / 3.0,
            9_007_199_254_740_992.0,
            9_007_199_254_740_994.0,
            1e-9,
        ];
        let doubles = &chance.doubles;
        let other = match doubles.len() {
            0 => 0.0,
            some => doubles[habit.other % some],
        };
        let rng = &mut chance.rng;
        let double = match habit.kind {
            0 => bits(chance),
            1 => EDGES[rng.random_range(0..EDGES.len())],
            2 => habit.double,
            3 => other,
            4 if other.abs() < 1e300 => other.next_up(),
            5 => other / 1e3,
            6 => [0.0, -0.0][rng.random_range(0..2)],
            7 => rng.random_range(-5..5).into(),
            8 => rng.random::<i64>() as Self / 10_f64.powi(rng.random_range(0..12)),
            9 => -0.0,
            10 => rng.random_range(0..1_i64 << 53) as Self / 1e9,
            _ => {
                rng.random_range(0..5_000_000_000_i64) as Self
                    / 10_f64.powi((habit.kind % 10) as i32)
            }
        };
        chance.doubles.push(double);
        double
    }
}

impl Any for String {
    fn any(chance: &mut Chance, habit: &Habit) -> Self {
        texts::text(chance, habit.kind)
    }
}

impl Any for Vec<String> {
    fn any(chance: &mut Chance, habit: &Habit) -> Self {
        let count = chance.below(habit.kind / 4 + 1);
        (0..count)
            .map(|_| texts::text(chance, habit.kind))
            .collect()
    }
}

impl Any for Timestamp {
    fn any(chance: &mut Chance, habit: &Habit) -> Self {
        let rng = &mut chance.rng;
        match habit.kind {
            0..6 => END,
            6..9 => END.plus_us(-30_000_000),
            9..12 => END.plus_us(rng.random_range(-40_000_000..1_000_000)),
            12..14 => END.plus_us(-rng.random_range(0..40) * 1_000_000),
            _ => Self {
                unix_us: rng.random_range(1_577_836_800_000_001..4_102_444_800_000_000),
            },
        }
    }
}

impl Any for bool {
    fn any(chance: &mut Chance, habit: &Habit) -> Self {
        chance.below(16) < habit.kind
    }
}

impl Any for i32 {
    fn any(chance: &mut Chance, habit: &Habit) -> Self {
        i64::any(chance, habit) as Self
    }
}

/// No larger than a column can hold.
impl Any for u64 {
    fn any(chance: &mut Chance, habit: &Habit) -> Self {
        i64::any(chance, habit).cast_unsigned() >> 1
    }
}

fn one<T: Copy>(chance: &mut Chance, of: &[T]) -> T {
    of[chance.rng.random_range(0..of.len())]
}

impl Any for NetworkClass {
    fn any(chance: &mut Chance, habit: &Habit) -> Self {
        let most = habit.kind as usize % Self::ALL.len();
        one(chance, &Self::ALL[..=most])
    }
}

impl Any for Closing {
    fn any(chance: &mut Chance, _: &Habit) -> Self {
        one(chance, &[Self::Provisional, Self::Supplement, Self::Final])
    }
}

impl Any for EventKind {
    fn any(chance: &mut Chance, _: &Habit) -> Self {
        one(chance, &[Self::OomKill, Self::Gap, Self::Restart])
    }
}
