//! The changes of a kind, and all that it has where that is told as changes.

use rand::Rng as _;

use super::Watcher;
use crate::{
    cluster::{Api, ApiError, Line, MOST_LINE_BYTES, exchange},
    enrich::watch::{
        failure::{Failure, Reason},
        message,
        state::Told,
    },
};

/// The server ends a watch after a time from between these: load balancers change.
const WATCH_SECONDS: std::ops::Range<u64> = 300..600;

impl Watcher {
    /// The changes since this version; without one, all that is there before them.
    pub(super) async fn follow(&mut self, api: &Api, version: Option<&str>) -> Result<(), Failure> {
        let mut path = format!(
            "{}watch=true&allowWatchBookmarks=true&timeoutSeconds={}",
            self.kind.path(),
            rand::rng().random_range(WATCH_SECONDS),
        );
        match version {
            Some(version) => {
                path.push_str("&resourceVersion=");
                path.push_str(&message::encoded(version));
            }
            None => path.push_str("&sendInitialEvents=true&resourceVersionMatch=NotOlderThan"),
        }
        let answer = match self.ask(api, &path, self.kind.watch_type()).await {
            Err(Failure::Status {
                status: 400 | 422, ..
            }) if version.is_none() => {
                return Err(Failure::NoStreaming);
            }
            answer => answer?,
        };
        self.is_streaming = version.is_none();
        if self.is_streaming {
            self.begin();
        } else {
            self.works();
        }
        let mut lines = answer.lines();
        loop {
            let patience = match self.is_streaming {
                true => self.times.listing,
                false => self.times.silence,
            };
            match lines.next(patience).await? {
                Some(Line::Text(line)) => self.take(line)?,
                Some(Line::TooLong) => self.leave_out(),
                None if self.is_streaming => return Err(Failure::EndedEarly),
                None => return Ok(()),
            }
        }
    }

    fn take(&mut self, line: &[u8]) -> Result<(), Failure> {
        let event = message::event(line)?;
        let object = event.object.get();
        match &*event.r#type {
            "ADDED" => {
                self.state.tell(Told::Added);
                self.put("ADDED", object);
            }
            "MODIFIED" => {
                self.state.tell(Told::Modified);
                self.put("MODIFIED", object);
            }
            "DELETED" => {
                self.state.tell(Told::Deleted);
                exchange::event(self.kind.name(), "DELETED", object);
                exchange::cache(self.kind.name(), "gone");
                let gone = self.keep.gone(self.kind, object);
                self.judge(gone);
            }
            "BOOKMARK" => {
                self.state.tell(Told::Bookmark);
                exchange::event(self.kind.name(), "BOOKMARK", object);
                return self.pass(object);
            }
            "ERROR" => {
                exchange::event(self.kind.name(), "ERROR", object);
                return Err(message::error(object, self.kind.rule()));
            }
            // Whatever a newer server tells.
            _ => self.state.failures.count(Reason::Odd),
        }
        if !self.is_streaming {
            // While all is told that is there, these are the objects' own versions.
            self.move_to(message::progress(object).version);
        }
        Ok(())
    }

    fn pass(&mut self, bookmark: &str) -> Result<(), Failure> {
        let progress = message::progress(bookmark);
        if self.is_streaming {
            if !progress.ends_list {
                // Those of a streaming list come after its end only.
                return Err(Failure::NoStreaming);
            }
            if progress.version.is_none() {
                let reason = "a list without a version".to_owned();
                return Err(Failure::Malformed(reason));
            }
            self.is_streaming = false;
            self.end();
        }
        self.move_to(progress.version);
        Ok(())
    }

    fn move_to(&mut self, version: Option<String>) {
        match version {
            Some(version) => self.version = Some(version),
            None => self.state.failures.count(Reason::Odd),
        }
    }

    fn leave_out(&mut self) {
        self.state.failures.count(Reason::TooLarge);
        if !std::mem::replace(&mut self.told_oddity, true) {
            let most = ApiError::TooLarge(MOST_LINE_BYTES);
            log::warn!("watching {}: left out: {most}", self.kind.name());
        }
    }
}
