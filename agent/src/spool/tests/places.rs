//! The directory: who may read it, who may use it, what lies in it.

use std::os::unix::fs::PermissionsExt as _;

use super::*;
use crate::spool::SpoolError;

#[test]
fn only_the_agent_may_read_it() {
    let scratch = Scratch::new();
    drop(scratch.open());
    let mode = |path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(scratch.0.clone()), 0o700);
    assert_eq!(mode(scratch.file()), 0o600);
}

#[test]
fn a_second_agent_is_told_and_harms_nothing() {
    let scratch = Scratch::new();
    let (mut first, _) = scratch.open();
    keep(&mut first, 1, 1..=1, 100);
    let second = Spool::open(scratch.settings(0));
    assert!(matches!(second, Err(SpoolError::InUse)), "{second:?}");
    keep(&mut first, 1, 2..=2, 100);
    drop(first);
    assert_eq!(all(&scratch.open().0).len(), 2);
}

#[test]
fn a_place_that_is_no_directory_is_told() {
    let scratch = Scratch::new();
    fs::create_dir_all(&scratch.0).unwrap();
    fs::write(scratch.0.join("file"), "").unwrap();
    let mut settings = scratch.settings(0);
    settings.file = scratch.0.join("file/spool.redb");
    let opened = Spool::open(settings);
    assert!(matches!(opened, Err(SpoolError::Place(_))), "{opened:?}");
}

/// As after agents that the database ended while they opened it.
#[test]
fn a_file_that_ends_every_agent_is_put_aside() {
    let scratch = Scratch::new();
    let (mut spool, _) = scratch.open();
    keep(&mut spool, 1, 1..=2, 100);
    drop(spool);
    let marker = scratch.0.join("spool.redb.opening");
    let open = |gone: &str| {
        fs::write(&marker, gone).unwrap();
        let (spool, found) = scratch.open();
        assert!(!marker.exists());
        (all(&spool).len(), found)
    };
    assert_eq!(open("4\n"), (2, Found::Resumed));
    assert_eq!(open("no number"), (2, Found::Resumed));
    let (waiting, found) = open("5\n");
    let Found::Lost { reason, .. } = found else {
        panic!("{found:?}")
    };
    assert_eq!(waiting, 0);
    assert!(reason.contains("the last 5 agents"), "{reason}");
    assert_eq!(scratch.open().1, Found::Resumed);
}

/// What is counted while one is opened.
#[test]
fn an_opening_without_an_end_is_counted() {
    let scratch = Scratch::new();
    drop(scratch.open());
    let mut files = crate::spool::files::Files::new(scratch.file());
    for before in 0..3 {
        assert_eq!(crate::spool::place::Place::opening(&mut files), before);
    }
    crate::spool::place::Place::opened(&mut files);
    assert_eq!(crate::spool::place::Place::opening(&mut files), 0);
}

#[test]
fn three_lost_ones_are_kept_and_the_newest_is_named() {
    let scratch = Scratch::new();
    for number in 1..=5 {
        drop(scratch.open());
        fs::write(scratch.file(), format!("garbage {number}")).unwrap();
        let (_, found) = scratch.open();
        let Found::Lost { aside, .. } = found else {
            panic!("{found:?}")
        };
        assert_eq!(aside, scratch.0.join(format!("spool.redb.lost-{number}")));
        assert_eq!(
            fs::read_to_string(aside).unwrap(),
            format!("garbage {number}")
        );
    }
    let names = fs::read_dir(&scratch.0)
        .unwrap()
        .map(|entry| entry.unwrap().file_name());
    let mut names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "spool.redb",
            "spool.redb.lost-3",
            "spool.redb.lost-4",
            "spool.redb.lost-5",
            "spool.redb.reserve"
        ]
    );
}
