//! Files of tokens: what is in them, and what changes.

use std::time::Duration;

use protocol::RefusalKind;
use tokio::time::advance;

use super::*;
use crate::ingest::testing::Place;

fn who(file: &TokenFile, token: &str) -> Option<Who> {
    match file.who(&Token::new(token).unwrap()) {
        Ok(who) => Some(who),
        Err(refused) => {
            assert_eq!(refused.refusal.kind, RefusalKind::Unauthorized);
            None
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_file_is_read_again_when_it_changes() {
    let place = Place::new();
    let path = place.write("tokens", "a node-1\n");
    let file = TokenFile::open(&path).unwrap();
    assert_eq!(who(&file, "a"), Some(Who::Node("node-1".into())));
    place.write("tokens", "b *\n");
    assert_eq!(who(&file, "b"), None, "not looked at yet");
    advance(PERIOD).await;
    assert_eq!(who(&file, "b"), Some(Who::Anybody));
    assert_eq!(who(&file, "a"), None);
    place.write("tokens", "only-a-token\n");
    advance(PERIOD).await;
    assert_eq!(
        who(&file, "b"),
        Some(Who::Anybody),
        "a broken file changes nothing"
    );
    std::fs::remove_file(&path).unwrap();
    advance(Duration::from_secs(60)).await;
    assert_eq!(who(&file, "b"), Some(Who::Anybody));
}

#[test]
fn what_is_wrong_is_told_without_the_token() {
    let place = Place::new();
    for (content, told) in [
        ("", "holds no token"),
        ("# none\n\n", "holds no token"),
        ("good node\nsecret\n", "line 2 of"),
        ("secret node more\n", "line 1 of"),
        ("secr\u{e9}t node\n", "line 1 of"),
    ] {
        let path = place.write("tokens", content);
        let error = TokenFile::open(path).unwrap_err().to_string();
        assert!(error.contains(told), "{error}");
        assert!(!error.contains("secr"), "{error}");
    }
    assert!(TokenFile::open(place.0.join("missing")).is_err());
    assert!(TokenFile::open(&place.0).is_err(), "a directory");
}
