//! Makes every text of a batch, each of what comes before it.

use super::{
    super::{
        bits::Reader,
        fault::{bad_value, malformed, too_large},
        grown, uuid,
    },
    numbers::unzigzag,
    run,
    texts::{bounded, end},
};
use crate::{Invalid, Limits, columns::Texts};

/// How many texts there are of each making.
#[derive(Default)]
pub(super) struct Counts {
    /// Random UUIDs.
    pub(super) uuids: usize,
    /// Told but for what they share with the one before.
    pub(super) told: usize,
    /// Another and a hash.
    pub(super) hashed: usize,
    /// Another and a suffix.
    pub(super) suffixed: usize,
    /// Two others.
    pub(super) joined: usize,
}

impl Counts {
    fn total(&self) -> usize {
        let all = [
            self.uuids,
            self.told,
            self.hashed,
            self.suffixed,
            self.joined,
        ];
        all.into_iter().fold(0, usize::saturating_add)
    }
}

/// Reads all of them.
pub(super) fn read(
    counts: &Counts,
    utf8: &[u8],
    bits: &mut Reader<'_>,
    limits: &Limits,
) -> Result<Texts, Invalid> {
    bounded("texts", counts.total(), limits.texts)?;
    let mut made = Made {
        all: Vec::with_capacity(utf8.len()),
        ends: Vec::with_capacity(counts.total()),
        limits,
    };
    for _ in 0..counts.uuids {
        uuid::push(&mut made.all, bits);
        made.end()?;
    }
    bits.check()?;
    made.told(counts.told, utf8, bits)?;
    made.grown(counts.hashed, bits, grown::push_hash)?;
    made.grown(counts.suffixed, bits, grown::push_suffix)?;
    made.joined(counts.joined, bits)?;
    let all = String::from_utf8(made.all).map_err(|error| {
        let message = format!("byte {} is not UTF-8", error.utf8_error().valid_up_to());
        bad_value("texts.utf8", message)
    })?;
    Texts::new(all, made.ends).ok_or_else(|| bad_value("texts.told", "a character is cut in two"))
}

/// Texts made so far.
struct Made<'a> {
    all: Vec<u8>,
    ends: Vec<u32>,
    limits: &'a Limits,
}

impl Made<'_> {
    /// Ends a text. All of them may take what a batch may: one can be made of another many times.
    fn end(&mut self) -> Result<(), Invalid> {
        let start = self.ends.last().map_or(0, |end| *end as usize);
        bounded(
            "texts.bytes",
            self.all.len() - start,
            self.limits.text_bytes,
        )?;
        if self.all.len() > self.limits.batch_bytes {
            return Err(too_large("texts", "more bytes than a batch may have"));
        }
        self.ends.push(end(self.all.len())?);
        Ok(())
    }

    fn told(&mut self, count: usize, utf8: &[u8], bits: &mut Reader<'_>) -> Result<(), Invalid> {
        let kept = run::read(bits, count, None)?;
        let lengths = run::read(bits, count, None)?;
        let mut rest = utf8;
        let mut before = 0..0;
        for (kept, length) in kept.into_iter().zip(lengths) {
            let start = self.all.len();
            let kept = usize::try_from(kept)
                .ok()
                .filter(|kept| *kept <= before.len());
            let own = usize::try_from(length)
                .ok()
                .and_then(|length| rest.split_at_checked(length));
            let (Some(kept), Some((own, after))) = (kept, own) else {
                return Err(malformed("texts.utf8", "is shorter than its texts"));
            };
            self.all
                .extend_from_within(before.start..before.start + kept);
            self.all.extend_from_slice(own);
            self.end()?;
            rest = after;
            before = start..self.all.len();
        }
        match rest.is_empty() {
            true => Ok(()),
            false => Err(malformed("texts.utf8", "is longer than its texts")),
        }
    }

    fn grown(
        &mut self,
        count: usize,
        bits: &mut Reader<'_>,
        push: fn(&mut Vec<u8>, u32),
    ) -> Result<(), Invalid> {
        let stems = run::read(bits, count, None)?;
        let ends = run::read(bits, count, None)?;
        let mut stem = 0;
        for (rise, end) in stems.into_iter().zip(ends) {
            self.copy(&mut stem, rise)?;
            let end = u32::try_from(end);
            push(
                &mut self.all,
                end.map_err(|_| malformed("texts", "an end is too large"))?,
            );
            self.end()?;
        }
        Ok(())
    }

    fn joined(&mut self, count: usize, bits: &mut Reader<'_>) -> Result<(), Invalid> {
        let firsts = run::read(bits, count, None)?;
        let seconds = run::read(bits, count, None)?;
        let (mut first, mut second) = (0, 0);
        for (first_rise, second_rise) in firsts.into_iter().zip(seconds) {
            self.copy(&mut first, first_rise)?;
            self.copy(&mut second, second_rise)?;
            self.end()?;
        }
        Ok(())
    }

    /// Adds the text whose number is so far from the one before.
    fn copy(&mut self, number: &mut i64, rise: u64) -> Result<(), Invalid> {
        *number = number.wrapping_add(unzigzag(rise));
        let at = usize::try_from(*number).ok();
        let Some((at, end)) = at.and_then(|at| Some((at, *self.ends.get(at)? as usize))) else {
            return Err(malformed(
                "texts",
                "one is made of a text that is not before it",
            ));
        };
        let start = match at.checked_sub(1) {
            Some(before) => self.ends[before] as usize,
            None => 0,
        };
        self.all.extend_from_within(start..end);
        Ok(())
    }
}
