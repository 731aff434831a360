//! What a kind has, in pages, and how each object is put in.

use super::{Watcher, Way};
use crate::{
    cluster::{Api, exchange},
    enrich::{
        Odd,
        watch::{
            failure::{Failure, Reason},
            message,
            state::Told,
        },
    },
};

const MOST_PAGE_BYTES: usize = 8 << 20;
/// More pages than this are no list.
const MOST_PAGES: u32 = 100_000;

impl Watcher {
    /// Page after page; the version that the list is of.
    pub(super) async fn list(&mut self, api: &Api) -> Result<String, Failure> {
        self.begin();
        let mut path = format!("{}limit={}", self.kind.path(), self.page_objects);
        let first = path.len();
        for _ in 0..MOST_PAGES {
            let answer = self.ask(api, &path, self.kind.list_type()).await?;
            let body = answer.whole(MOST_PAGE_BYTES, self.times.listing).await?;
            let page = message::page(&body)?;
            for item in page.items {
                self.state.tell(Told::Listed);
                self.put("LISTED", item.get());
            }
            let Some(token) = page.token else {
                self.end();
                return Ok(page.version);
            };
            path.truncate(first);
            path.push_str("&continue=");
            path.push_str(&message::encoded(&token));
        }
        Err(Failure::Malformed("the list has no end".to_owned()))
    }

    pub(super) fn put(&mut self, event: &str, object: &str) {
        exchange::event(self.kind.name(), event, object);
        exchange::cache(self.kind.name(), "put");
        let put = self.keep.put(self.kind, object);
        self.judge(put);
    }

    pub(super) fn begin(&mut self) {
        self.told_oddity = false;
        exchange::cache(self.kind.name(), "begin");
        self.keep.begin(self.kind);
    }

    pub(super) fn end(&mut self) {
        exchange::cache(self.kind.name(), "end");
        self.keep.end(self.kind);
        if self.way == Way::PagesOnce {
            self.way = Way::Streamed;
        }
        self.state.listed();
        self.works();
    }

    /// Told once per list: the same object comes again and again.
    pub(super) fn judge(&mut self, kept: Result<(), Odd>) {
        let Err(odd) = kept else { return };
        self.state.failures.count(Reason::Odd);
        if !std::mem::replace(&mut self.told_oddity, true) {
            let odd = crate::printable(&odd.0, 300);
            log::warn!("watching {}: left out: {odd}", self.kind.name());
        }
    }
}
