use agent::spool::*;
use e2e::disk::*;
use protocol::*;
use std::time::Duration;
fn header(seq: u64) -> Header {
    Header {
        cluster: "c".into(),
        node: "n".into(),
        boot_id: "b".into(),
        epoch: Epoch([1; 16]),
        seq,
        previous: None,
        window_start: Timestamp {
            unix_us: 1_767_225_600_000_000,
        },
        window_end: Timestamp {
            unix_us: 1_767_225_630_000_000,
        },
    }
}
fn entry(seq: u64) -> Entry {
    let h = header(seq);
    let r = vec![Row::Reconcile(Reconcile {
        timestamp: h.window_end,
        window_start: h.window_start,
        window_end: h.window_end,
        ..Default::default()
    })];
    Entry {
        frame: encode_rows(&h, &r).into(),
        header: h,
        rows: Counts::default(),
    }
}
fn main() {
    for kind in 0..2 {
        for k in 0..12 {
            for tries in 1..4 {
                let disk = Disk::new(k);
                let (mut s, _) = Spool::open_on(
                    disk.place(),
                    Bounds {
                        max_bytes: 1 << 20,
                        max_age: Duration::from_secs(1000000),
                    },
                )
                .unwrap();
                s.begin(&header(1)).unwrap();
                s.keep(&[entry(1)], Some(b"1")).unwrap();
                disk.set_mood(if kind == 0 {
                    Mood::SyncFails(k)
                } else {
                    Mood::Full(k)
                });
                let mut first = vec![];
                for _ in 0..tries {
                    let r = s.keep(&[entry(2)], Some(b"2"));
                    let ok = r.is_ok();
                    first.push(r.map_err(|e| e.to_string()));
                    if ok {
                        break;
                    }
                }
                if first.last().unwrap().is_ok() {
                    continue;
                }
                disk.set_mood(Mood::Works);
                let r = s.keep(&[entry(2), entry(3)], Some(b"3"));
                println!(
                    "{kind} {k} {tries}: {} -> {:?}",
                    first.len(),
                    r.map_err(|e| e.to_string())
                );
            }
        }
    }
}
