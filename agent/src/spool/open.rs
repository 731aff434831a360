//! Opening, and what is done when a spool fails: opened again after a failed write, put aside when it
//! can't be trusted any more.

use std::io;

use protocol::GapReason;

use super::{
    Bounds, Contents, Fault, File, Found, Gaps, Index, Lost, Place, Settings, Spool, SpoolError,
    contents, files::Files,
};

/// So many agents may be gone while they open a file, killed by chance or by what is in it, before it is put
/// aside: a disk that lost what it said to have written can make the database end its process.
const MOST_OPENINGS: u32 = 5;

impl Spool {
    /// Opens or makes the file. One that can't be read is moved aside.
    pub fn open(settings: Settings) -> Result<(Self, Found), SpoolError> {
        let bounds = Bounds {
            max_bytes: settings.max_bytes,
            max_age: settings.max_age,
        };
        Self::open_on(Box::new(Files::new(settings.file)), bounds)
    }

    /// The same in any place.
    pub fn open_on(place: Box<dyn Place>, bounds: Bounds) -> Result<(Self, Found), SpoolError> {
        let mut spool = Self {
            place,
            bounds,
            file: None,
            unusable: None,
            lost: None,
            last: None,
            table_id: None,
            index: Index::default(),
            deleted: Vec::new(),
            reserved: false,
            gaps: Gaps::default(),
            lost_spools: 0,
            failed_writes: 0,
        };
        let found = spool.find()?;
        spool.reserve(true);
        Ok((spool, found))
    }

    fn find(&mut self) -> Result<Found, SpoolError> {
        let Some(bytes) = self.place.current().map_err(place_error)? else {
            self.file = Some(self.make(None)?);
            self.place.install().map_err(place_error)?;
            return Ok(Found::Nothing);
        };
        let before = self.place.opening();
        let opened = match before {
            0..MOST_OPENINGS => File::open(bytes).and_then(|file| self.take(file)),
            _ => Err(Fault::Unusable(format!(
                "each of the last {before} agents that opened it was gone before it was open"
            ))),
        };
        self.place.opened();
        match opened {
            Ok(spoilt) => {
                let message = "its bytes in the spool were damaged";
                self.put_gaps(&spoilt, GapReason::SpoolLost, message)?;
                Ok(Found::Resumed)
            }
            Err(Fault::Write(reason)) => Err(SpoolError::Write(reason)),
            Err(Fault::Unusable(reason)) => {
                self.unusable = Some(reason);
                let Lost { aside, reason } = self.replace()?;
                Ok(Found::Lost { aside, reason })
            }
        }
    }

    /// Takes over what an opened file holds.
    fn take(&mut self, mut file: File) -> Result<Vec<(u64, u64)>, Fault> {
        let contents = contents::load(&mut file)?;
        let Contents {
            last,
            lost,
            table_id,
            index,
            spoilt,
            ..
        } = contents;
        self.file = Some(file);
        self.last = last;
        self.table_id = table_id;
        self.index = index;
        let aside = self.lost.take().map(|lost| lost.aside).unwrap_or_default();
        self.lost = lost.map(|reason| Lost { aside, reason });
        for (ordinal, seq) in &self.deleted {
            self.index.remove(*ordinal, *seq);
        }
        Ok(spoilt)
    }

    /// An open file that can be changed; what failed since is seen to first.
    pub(super) fn heal(&mut self) -> Result<(), SpoolError> {
        match self.file.as_ref().and_then(File::fault) {
            Some(Fault::Unusable(reason)) => self.unusable = Some(reason),
            Some(Fault::Write(_)) => self.reopen()?,
            None => {}
        }
        if self.unusable.is_some() {
            self.replace()?;
        }
        if self.file.is_none() {
            self.reopen()?;
        }
        Ok(())
    }

    /// Opens the file again; the state on disk counts.
    pub(super) fn reopen(&mut self) -> Result<(), SpoolError> {
        let bytes = match self.file.take() {
            Some(file) => Some(file.bytes()),
            None => self.place.current().map_err(place_error)?,
        };
        let opened = match bytes {
            Some(bytes) => File::open(bytes).and_then(|file| self.take(file)),
            None => Err(Fault::Unusable("its file is gone".to_owned())),
        };
        match opened {
            Ok(_) => Ok(()),
            Err(Fault::Write(reason)) => {
                self.file = None;
                Err(SpoolError::Write(reason))
            }
            Err(Fault::Unusable(reason)) => {
                self.unusable = Some(reason);
                self.replace().map(|_| ())
            }
        }
    }

    /// Puts aside what is unusable; a new spool, which says so, takes its place.
    pub(super) fn replace(&mut self) -> Result<Lost, SpoolError> {
        self.file = None;
        let reason = self.unusable.clone().unwrap_or_default();
        log::error!("the spool can't be used any more: {reason}");
        let file = self.make(Some(&reason))?;
        let aside = self
            .place
            .install()
            .map_err(place_error)?
            .unwrap_or_default();
        self.file = Some(file);
        self.unusable = None;
        self.last = None;
        self.table_id = None;
        self.index = Index::default();
        self.deleted.clear();
        self.lost_spools += 1;
        let lost = Lost { aside, reason };
        self.lost = Some(lost.clone());
        Ok(lost)
    }

    /// Holds the place's reserve, or gives it back. Neither is worth an error: it may help later.
    pub(super) fn reserve(&mut self, hold: bool) {
        if self.reserved != hold {
            match self.place.reserve(hold) {
                Ok(()) => self.reserved = hold,
                Err(error) => log::debug!("the spool's reserve stays as it is: {error}"),
            }
        }
    }

    fn make(&mut self, lost: Option<&str>) -> Result<File, SpoolError> {
        let bytes = self.place.fresh().map_err(place_error)?;
        File::create(bytes, lost).map_err(|fault| {
            self.failed_writes += 1;
            match fault {
                Fault::Write(reason) | Fault::Unusable(reason) => SpoolError::Write(reason),
            }
        })
    }
}

fn place_error(error: io::Error) -> SpoolError {
    match error.kind() {
        io::ErrorKind::WouldBlock => SpoolError::InUse,
        _ => SpoolError::Place(error),
    }
}
