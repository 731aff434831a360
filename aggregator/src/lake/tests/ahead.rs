//! Files of all tables are made when the first table's are, and used only if they fit when their turn comes.

use std::sync::Mutex;

use super::*;
use crate::lake::{
    encode::{Encode, EncodeError, Made, Wanted},
    settings::{CrashPoint, Settings},
};

/// How many batches each table wanted, call by call.
type Calls = Arc<Mutex<Vec<[usize; 5]>>>;

struct Counted(Calls);

impl Encode for Counted {
    fn schema(&self, table: Table) -> String {
        Lines.schema(table)
    }

    fn files(&self, wanted: &[Wanted]) -> Result<Made, EncodeError> {
        let count = |table| wanted.iter().filter(|wanted| wanted.is_for(table)).count();
        self.0.lock().unwrap().push(Table::ALL.map(count));
        Lines.files(wanted)
    }
}

fn counted(seed: u64) -> (Settings, Calls) {
    let calls = Calls::default();
    let settings = Settings {
        encode: Arc::new(Counted(calls.clone())),
        ..settings(seed)
    };
    (settings, calls)
}

#[tokio::test(start_paused = true)]
async fn a_cycle_alone_reads_each_batch_once() {
    let store = Arc::new(InMemory::new());
    let (settings, calls) = counted(1);
    let lake = Lake::open(store.clone(), Path::from("p"), settings);
    let lake = lake.await.unwrap();
    lake.commit(&run("a", 1, 3)).await.unwrap();
    lake.commit(&sealed([gap("a", 4), batch("b", 1)]))
        .await
        .unwrap();
    assert_eq!(*calls.lock().unwrap(), [[3, 0, 3, 0, 3], [1, 0, 1, 0, 2]]);
    assert_marks(&store).await;
}

/// A rival that has got some of the batches into the later tables meanwhile: their files would hold those
/// rows twice.
#[tokio::test(start_paused = true)]
async fn files_made_ahead_are_let_go_if_a_rival_was_faster() {
    let store = Arc::new(InMemory::new());
    let rival = Arc::new(open(store.clone(), 1).await.unwrap());
    let (mut settings, calls) = counted(2);
    settings.hook = Arc::new(move |point| {
        let rival = rival.clone();
        Box::pin(async move {
            if point == CrashPoint::AfterLogEntry(Table::PodUsage) {
                rival.commit(&run("a", 1, 1)).await.unwrap();
            }
        })
    });
    let lake = Lake::open(store.clone(), Path::from("p"), settings);
    let lake = lake.await.unwrap();
    lake.commit(&run("a", 1, 3)).await.unwrap();
    let expected = [[3, 0, 3, 0, 3], [0, 0, 2, 0, 0], [0, 0, 0, 0, 2]];
    assert_eq!(*calls.lock().unwrap(), expected);
    // What was never written is no orphan.
    assert_eq!(lake.counters().orphans.get(), 0);
    assert_holds(&store, &once(&[("a", 3)])).await;
}
