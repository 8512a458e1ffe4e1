//! The content of a file after it was reopened.

use super::*;

fn draft(room: &str, ts: u64) -> Draft {
    let message = Message {
        room: room.to_owned(),
        user: "ann".to_owned(),
        ts,
        ..Message::default()
    };
    let (epoch, seq) = (Epoch::from_bits(1), 0);
    Draft::new(message, None, Position { epoch, seq })
}

fn open(path: &Path, limit: usize) -> Result<Store, DataError> {
    Store::open(path, limit, Opening::Any)
}

fn read(store: &Store) -> Vec<(String, u64, Vec<u64>)> {
    let mut all = Vec::new();
    let each = |kept: Kept| {
        let seqs = kept.messages.iter().map(|message| message.seq).collect();
        all.push((kept.room, kept.newest.seq, seqs));
    };
    store.read(each).expect("it is whole");
    all
}

#[test]
fn what_was_appended_is_there_when_the_file_is_opened_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("chat.redb");
    let store = open(&path, 10).expect("a new file");
    let mut batch = [draft("tea", 1), draft("milk", 2), draft("tea", 3)];
    store
        .append(batch.iter_mut(), || ())
        .expect("there is space");
    assert_eq!(batch.map(|draft| draft.message.seq), [1, 1, 2]);
    drop(store);
    let store = open(&path, 10).expect("it is there");
    let kept = [("milk".into(), 1, vec![1]), ("tea".into(), 2, vec![1, 2])];
    assert_eq!(read(&store), kept);
    let mut more = [draft("tea", 4)];
    store
        .append(more.iter_mut(), || ())
        .expect("there is space");
    assert_eq!(more[0].message.seq, 3);
}

#[test]
fn a_room_keeps_as_many_as_it_may_and_its_number() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("chat.redb");
    let say = |store: &Store, count| {
        let mut batch: Vec<_> = (0..count).map(|_| draft("tea", 5)).collect();
        store
            .append(batch.iter_mut(), || ())
            .expect("there is space");
    };
    let store = open(&path, 3).expect("a new file");
    say(&store, 5);
    assert_eq!(read(&store), [("tea".into(), 5, vec![3, 4, 5])]);
    drop(store);
    let store = open(&path, 1).expect("it is there");
    store
        .forget(0, 0, |_, is_silent| is_silent)
        .expect("there is space");
    assert_eq!(read(&store), [("tea".into(), 5, vec![5])]);
    drop(store);
    let store = open(&path, 0).expect("it is there");
    say(&store, 1);
    store
        .forget(0, 0, |_, is_silent| is_silent)
        .expect("there is space");
    assert_eq!(read(&store), [("tea".into(), 6, vec![])]);
}

#[test]
fn old_messages_expire_before_their_rooms() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("chat.redb");
    let store = open(&path, 10).expect("a new file");
    let mut batch = [draft("tea", 10), draft("tea", 20), draft("milk", 10)];
    store
        .append(batch.iter_mut(), || ())
        .expect("there is space");
    store
        .forget(20, 10, |_, is_silent| is_silent)
        .expect("there is space");
    let kept = [("milk".into(), 1, vec![]), ("tea".into(), 2, vec![2])];
    assert_eq!(read(&store), kept);
    store
        .forget(20, 11, |_, is_silent| is_silent)
        .expect("there is space");
    assert_eq!(read(&store), [("tea".into(), 2, vec![2])]);
}

#[test]
fn a_file_is_opened_once_and_must_be_a_store() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("chat.redb");
    let _store = open(&path, 10).expect("a new file");
    let twice = open(&path, 10).map(drop);
    assert!(matches!(
        twice,
        Err(DataError::Store(redb::Error::DatabaseAlreadyOpen))
    ));
    let other = folder.path().join("notes.txt");
    std::fs::write(&other, "milk, tea").expect("there is space");
    assert!(open(&other, 10).is_err());
}

#[test]
fn room_in_use_is_not_forgotten() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(&folder.path().join("chat.redb"), 10).expect("a new file");
    let mut batch = [draft("tea", 10), draft("milk", 10)];
    store
        .append(batch.iter_mut(), || ())
        .expect("there is space");
    let milk = |room: &str, is_silent| is_silent && room == "milk";
    store.forget(20, 20, milk).expect("there is space");
    assert_eq!(read(&store), [("tea".into(), 1, vec![])]);
}

#[test]
fn room_that_memory_has_no_more_is_forgotten_with_its_messages() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(&folder.path().join("chat.redb"), 10).expect("a new file");
    let mut batch = [draft("tea", 10), draft("milk", 10), draft("tea", 11)];
    store
        .append(batch.iter_mut(), || ())
        .expect("there is space");
    store
        .forget(0, 0, |room, _| room == "tea")
        .expect("there is space");
    assert_eq!(read(&store), [("milk".into(), 1, vec![1])]);
    let mut again = [draft("tea", 12)];
    store
        .append(again.iter_mut(), || ())
        .expect("there is space");
    assert_eq!(again[0].message.seq, 1);
    let all = [("milk".into(), 1, vec![1]), ("tea".into(), 1, vec![1])];
    assert_eq!(read(&store), all);
}

/// The epoch and the number that a message gets in the room "tea", of which memory knows a
/// position.
fn number(store: &Store, known: Position) -> Position {
    let mut draft = draft("tea", 10);
    draft.known = known;
    store
        .append([&mut draft].into_iter(), || ())
        .expect("there is space");
    let (epoch, seq) = (draft.epoch, draft.message.seq);
    Position { epoch, seq }
}

#[test]
fn numbers_that_begin_again_are_of_another_epoch() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("chat.redb");
    let store = open(&path, 10).expect("a new file");
    let epoch = Epoch::from_bits(7);
    let at = |seq| Position { epoch, seq };
    assert_eq!(number(&store, at(0)), at(1));
    assert_eq!(number(&store, at(0)), at(2));
    drop(store);
    let store = open(&path, 10).expect("it is there");
    assert_eq!(number(&store, at(2)), at(3));
    // The file went back: memory knows more than it holds.
    let back = number(&store, at(9));
    assert_eq!((back.epoch == epoch, back.seq), (false, 4));
    let next = Position { seq: 5, ..back };
    assert_eq!(number(&store, at(9)), next, "it begins one epoch only");
    // The room is gone from the file, and memory knows it.
    store
        .forget(20, 20, |_, is_silent| is_silent)
        .expect("there is space");
    let again = number(&store, next);
    assert_eq!((again.epoch == next.epoch, again.seq), (false, 1));
}

#[test]
fn key_is_known_while_its_message_is_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("chat.redb");
    let say = |store: &Store, key: &str| {
        let mut draft = draft("tea", 10);
        draft.key = Some(key.to_owned());
        store
            .append([&mut draft].into_iter(), || ())
            .expect("there is space");
        (draft.message.seq, draft.is_repetition)
    };
    let store = open(&path, 2).expect("a new file");
    assert_eq!(say(&store, "ann\na"), (1, false));
    assert_eq!(say(&store, "ann\na"), (1, true));
    assert_eq!(say(&store, "bob\na"), (2, false));
    drop(store);
    let store = open(&path, 2).expect("it is there");
    assert_eq!(say(&store, "ann\na"), (1, true));
    assert_eq!(say(&store, "ann\nb"), (3, false));
    assert_eq!(say(&store, "ann\na"), (4, false), "the first is gone");
    assert_eq!(say(&store, "ann\nb"), (3, true));
    store
        .forget(20, 0, |_, is_silent| is_silent)
        .expect("there is space");
    assert_eq!(say(&store, "ann\nb"), (5, false), "the first was too old");
    assert_eq!(read(&store), [("tea".into(), 5, vec![5])]);
}

#[test]
fn messages_of_a_doubtful_write_are_removed_with_their_keys() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("chat.redb");
    let store = open(&path, 10).expect("a new file");
    let mut batch = [draft("tea", 1), draft("tea", 2), draft("milk", 3)];
    for draft in &mut batch {
        draft.key = Some(format!("{}", draft.message.ts));
    }
    store
        .append(batch.iter_mut(), || ())
        .expect("there is space");
    let newest = [("tea".to_owned(), 1), ("milk".to_owned(), 0)];
    let newest = BTreeMap::from(newest);
    store.roll_back(&newest).expect("there is space");
    assert_eq!(read(&store), [("tea".into(), 1, vec![1])]);
    let mut again = [draft("tea", 2), draft("milk", 3)];
    again[0].key = Some("2".to_owned());
    store
        .append(again.iter_mut(), || ())
        .expect("there is space");
    assert_eq!(
        again.map(|draft| (draft.message.seq, draft.is_repetition)),
        [(2, false), (1, false)]
    );
}

#[test]
fn file_that_was_removed_or_replaced_is_found_out() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("chat.redb");
    let store = open(&path, 10).expect("a new file");
    store.check_place(&path).expect("it is there");
    std::fs::remove_file(&path).expect("it is there");
    assert!(matches!(store.check_place(&path), Err(DataError::Removed)));
    let again = Store::open(&path, 10, Opening::Existing).map(drop);
    assert!(again.is_err() && !path.exists(), "none is made");
    std::fs::write(&path, "").expect("there is space");
    assert!(matches!(store.check_place(&path), Err(DataError::Removed)));
    let again = Store::open(&path, 10, Opening::Existing).map(drop);
    assert!(matches!(again, Err(DataError::Removed)));
}
