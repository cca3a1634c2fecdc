//! Whatever somebody does to the entries is found, and named.

use proptest::prelude::*;
use proptest::sample::Index;
use rusqlite::Connection;

use super::super::chain::AuditHash;
use super::*;

/// What somebody may do who can write the file.
#[derive(Debug, Clone)]
enum Tampering {
    ChangeText(Index, Index, u8),
    ChangeHash(Index, Index, u8),
    ChangeNumber(Index, i64),
    Delete(Index),
    DeleteAndClose(Index),
    Swap(Index, Index),
    Insert(Index),
    Append,
    Truncate(Index),
    TruncateAndNote(Index),
    ChangeHead(Index, u8),
    RemoveHead,
    RewriteFrom(Index),
}

fn tampering() -> impl Strategy<Value = Tampering> {
    let index = any::<Index>;
    prop_oneof![
        (index(), index(), 1..=u8::MAX)
            .prop_map(|(entry, byte, mask)| Tampering::ChangeText(entry, byte, mask)),
        (index(), index(), 1..=u8::MAX)
            .prop_map(|(entry, byte, mask)| Tampering::ChangeHash(entry, byte, mask)),
        (index(), any::<i64>()).prop_map(|(entry, number)| Tampering::ChangeNumber(entry, number)),
        index().prop_map(Tampering::Delete),
        index().prop_map(Tampering::DeleteAndClose),
        (index(), index()).prop_map(|(one, other)| Tampering::Swap(one, other)),
        index().prop_map(Tampering::Insert),
        Just(Tampering::Append),
        index().prop_map(Tampering::Truncate),
        index().prop_map(Tampering::TruncateAndNote),
        (index(), 1..=u8::MAX).prop_map(|(byte, mask)| Tampering::ChangeHead(byte, mask)),
        Just(Tampering::RemoveHead),
        index().prop_map(Tampering::RewriteFrom),
    ]
}

/// How many entries the log has that is tampered with.
const ENTRIES: u64 = 12;

type Row = (i64, Vec<u8>, Vec<u8>);

/// Lets somebody do what they like, and hides that the triggers were away.
pub(super) fn tamper(connection: &Connection, statement: &str) {
    remove_triggers(connection);
    connection.execute_batch(statement).unwrap();
    restore_triggers(connection);
}

fn remove_triggers(connection: &Connection) {
    for name in ["entry_insert", "entry_update", "entry_delete", "head_insert", "head_update", "head_delete"]
    {
        connection.execute_batch(&format!("DROP TRIGGER IF EXISTS {name}")).unwrap();
    }
}

pub(super) fn restore_triggers(connection: &Connection) {
    remove_triggers(connection);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.db");
    drop(database::Database::open(&path, database::Limits::default(), "{}").unwrap());
    let model = Connection::open(&path).unwrap();
    let mut statement = model.prepare("SELECT sql FROM sqlite_schema WHERE type = 'trigger'").unwrap();
    let triggers: Vec<String> =
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    connection.execute_batch(&triggers.join(";")).unwrap();
}

fn rows(connection: &Connection) -> Vec<Row> {
    let mut statement =
        connection.prepare("SELECT sequence, CAST(text AS BLOB), hash FROM entry ORDER BY sequence").unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
    rows.map(Result::unwrap).collect()
}

/// Replaces all entries. A text that is no UTF-8 is kept as it is.
fn replace(connection: &Connection, rows: &[Row]) {
    remove_triggers(connection);
    connection.execute_batch("DELETE FROM entry").unwrap();
    for row in rows {
        let insert = "INSERT INTO entry (sequence, text, hash) VALUES (?1, CAST(?2 AS TEXT), ?3)";
        connection.execute(insert, (&row.0, &row.1, &row.2)).unwrap();
    }
    restore_triggers(connection);
}

fn note(connection: &Connection, row: &Row) {
    remove_triggers(connection);
    connection.execute("UPDATE head SET sequence = ?1, hash = ?2", (&row.0, &row.2)).unwrap();
    restore_triggers(connection);
}

/// Makes the hashes fit from this entry on.
fn rewrite(rows: &mut [Row], from: usize) {
    for index in from..rows.len() {
        let before = index
            .checked_sub(1)
            .map_or(AuditHash::NONE, |before| AuditHash::of_bytes(&rows[before].2).unwrap());
        let number = u64::try_from(index + 1).unwrap();
        rows[index].0 = number.cast_signed();
        rows[index].2 = AuditHash::following(before, number, &rows[index].1).as_bytes().to_vec();
    }
}

/// Puts an entry in whose own hash fits, and moves those behind it.
fn put_in(rows: &mut Vec<Row>, place: usize) {
    rows.insert(place, (0, b"{\"kind\":\"intent\"}".to_vec(), Vec::new()));
    rewrite(&mut rows[..=place], place);
    for (row, number) in rows.iter_mut().zip(1..) {
        row.0 = number;
    }
}

/// Does it, and tells whether it changed anything.
fn apply(connection: &Connection, tampering: &Tampering) -> bool {
    let before = rows(connection);
    let mut after = before.clone();
    match tampering {
        Tampering::ChangeText(entry, byte, mask) => {
            let text = &mut after[entry.index(before.len())].1;
            let byte = byte.index(text.len());
            text[byte] ^= mask;
        }
        Tampering::ChangeHash(entry, byte, mask) => {
            let hash = &mut after[entry.index(before.len())].2;
            let byte = byte.index(hash.len());
            hash[byte] ^= mask;
        }
        Tampering::ChangeNumber(entry, number) => {
            if before.iter().any(|row| row.0 == *number) {
                return false;
            }
            after[entry.index(before.len())].0 = *number;
        }
        Tampering::Delete(entry) => drop(after.remove(entry.index(before.len()))),
        Tampering::DeleteAndClose(entry) => {
            after.remove(entry.index(before.len()));
            for (row, number) in after.iter_mut().zip(1..) {
                row.0 = number;
            }
        }
        Tampering::Swap(one, other) => {
            let (one, other) = (one.index(before.len()), other.index(before.len()));
            after.swap(one, other);
            (after[one].0, after[other].0) = (after[other].0, after[one].0);
        }
        Tampering::Insert(entry) => {
            put_in(&mut after, entry.index(before.len()));
        }
        Tampering::Append => {
            after.push((0, b"{}".to_vec(), Vec::new()));
            let last = after.len() - 1;
            rewrite(&mut after, last);
        }
        Tampering::Truncate(entry) => after.truncate(entry.index(before.len())),
        Tampering::TruncateAndNote(entry) => {
            after.truncate(entry.index(before.len()).max(1));
            note(connection, after.last().unwrap());
        }
        Tampering::ChangeHead(byte, mask) => {
            let mut head = before.last().unwrap().clone();
            let byte = byte.index(head.2.len());
            head.2[byte] ^= mask;
            note(connection, &head);
            return true;
        }
        Tampering::RemoveHead => {
            tamper(connection, "DELETE FROM head");
            return true;
        }
        Tampering::RewriteFrom(entry) => {
            let entry = entry.index(before.len());
            after[entry].1 = b"{\"kind\":\"started\"}".to_vec();
            rewrite(&mut after, entry);
            note(connection, after.last().unwrap());
        }
    }
    replace(connection, &after);
    after != before
}

fn sound_log() -> (Vec<u8>, AuditHead) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let room = runtime.block_on(Room::with_entries(ENTRIES));
    let head = room.head();
    (fs::read(&room.path).unwrap(), head)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn everything_that_is_done_to_the_entries_is_found(tampering in tampering()) {
        static LOG: std::sync::LazyLock<(Vec<u8>, AuditHead)> = std::sync::LazyLock::new(sound_log);
        let room = Room::new();
        fs::write(&room.path, &LOG.0).unwrap();
        let is_changed = apply(&room.connection(), &tampering);
        let verdict = AuditFile::new(&room.path).verify(&[LOG.1]).unwrap();
        prop_assert_eq!(verdict.is_sound(), !is_changed, "{:?}", verdict);
    }

    #[test]
    fn a_byte_of_the_file_that_is_changed_never_makes_an_entry_false(position: Index, mask in 1..=u8::MAX) {
        static LOG: std::sync::LazyLock<(Vec<u8>, AuditHead)> = std::sync::LazyLock::new(sound_log);
        let room = Room::new();
        let mut bytes = LOG.0.clone();
        let position = position.index(bytes.len());
        bytes[position] ^= mask;
        fs::write(&room.path, bytes).unwrap();
        // Some bytes mean nothing. Whatever is called sound says what was written.
        let verdict = AuditFile::new(&room.path).verify(&[LOG.1]);
        if verdict.is_ok_and(|verdict| verdict.is_sound()) {
            let found: Vec<String> =
                entries(&room.path).iter().skip(1).map(|(_, entry)| entry["message"].as_str().unwrap().to_owned()).collect();
            let written: Vec<String> = (2..=ENTRIES).map(|number| format!("entry {number}")).collect();
            prop_assert_eq!(found, written);
        }
    }
}

async fn findings(tampering: &str) -> Vec<String> {
    let room = Room::with_entries(9).await;
    let head = room.head();
    tamper(&room.connection(), tampering);
    let verdict = AuditFile::new(&room.path).verify(&[head]).unwrap();
    verdict.findings.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn what_was_done_is_named() {
    let changed =
        |number| format!("entry {number} was changed, or what it followed was changed, replaced or removed");
    let moved = |number, from| {
        format!("entry {number} was written as entry {from}: it was moved, or others were put in or removed")
    };
    assert_eq!(findings("").await, <[String; 0]>::default());
    assert_eq!(
        findings("UPDATE entry SET text = replace(text, '5', '6') WHERE sequence = 5").await,
        [changed(5)]
    );
    assert_eq!(findings("DELETE FROM entry WHERE sequence = 5").await, ["entry 5 was removed"]);
    assert_eq!(findings("DELETE FROM entry WHERE sequence < 4").await, ["entries 1 to 3 were removed"]);
    let swap =
        "UPDATE entry SET sequence = 50 WHERE sequence = 5; UPDATE entry SET sequence = 5 WHERE sequence = 6;
                UPDATE entry SET sequence = 6 WHERE sequence = 50";
    assert_eq!(findings(swap).await, [moved(5, 6), moved(6, 5)]);
    let close =
        "DELETE FROM entry WHERE sequence = 5; UPDATE entry SET sequence = -sequence WHERE sequence > 5;
                 UPDATE entry SET sequence = -sequence - 1 WHERE sequence < 0";
    let found = findings(close).await;
    assert_eq!(found[0], changed(5));
    assert!(found[1].starts_with("entries 6 to 8 were written from 7 on"), "{found:?}");
    assert!(found[2].starts_with("the log ends with entry 8, but entry 9:"), "{found:?}");
    let found = findings("DELETE FROM entry WHERE sequence > 7").await;
    assert!(found[0].starts_with("the log ends with entry 7, but entry 9:"), "{found:?}");
    let found = findings("CREATE TRIGGER more AFTER INSERT ON entry BEGIN DELETE FROM entry; END").await;
    assert_eq!(found, ["the file was rebuilt by something else: \"more\" was added"]);
}

#[tokio::test]
async fn a_file_without_its_triggers_is_told_of_and_its_entries_are_looked_at_all_the_same() {
    let room = Room::with_entries(9).await;
    let connection = room.connection();
    connection
        .execute_batch(
            "DROP TRIGGER entry_update; DROP TRIGGER head_delete;
             CREATE TRIGGER head_delete AFTER DELETE ON head BEGIN SELECT 1; END;
             UPDATE entry SET text = '{}' WHERE sequence = 3",
        )
        .unwrap();
    let verdict = room.verdict();
    let findings: Vec<String> = verdict.findings.iter().map(ToString::to_string).collect();
    assert_eq!(
        findings,
        [
            "the file was rebuilt by something else: the trigger entry_update is gone or changed",
            "the file was rebuilt by something else: the trigger head_delete is gone or changed",
            "entry 3 was changed, or what it followed was changed, replaced or removed",
        ]
    );
    assert_eq!((verdict.entries, verdict.head), (9, Some(room.head())));
}

#[tokio::test]
async fn the_entries_of_a_file_with_other_tables_are_not_looked_at() {
    for statement in [
        "DROP TABLE head",
        "DROP TABLE entry; CREATE VIEW entry AS SELECT 1 AS sequence, '' AS text, zeroblob(32) AS hash",
        "ALTER TABLE entry ADD COLUMN more TEXT",
        "PRAGMA user_version = 0",
    ] {
        let room = Room::with_entries(3).await;
        remove_triggers(&room.connection());
        room.connection().execute_batch(statement).unwrap();
        let verdict = room.verdict();
        let findings: Vec<String> = verdict.findings.iter().map(ToString::to_string).collect();
        assert_eq!(findings.len(), 1, "{statement}: {findings:?}");
        assert!(
            findings[0].contains("its tables are not those of an audit log"),
            "{statement}: {findings:?}"
        );
        assert_eq!(verdict.entries, 0);
    }
}

#[tokio::test]
async fn one_that_is_put_in_moves_all_that_follow_and_is_found_at_once() {
    let room = Room::with_entries(300).await;
    let connection = room.connection();
    let mut rows = rows(&connection);
    put_in(&mut rows, 150);
    replace(&connection, &rows);
    let findings: Vec<String> = room.verdict().findings.iter().map(ToString::to_string).collect();
    assert_eq!(findings.len(), 3, "{findings:?}");
    assert!(findings[0].starts_with("entries 152 to 301 were written from 151 on"), "{findings:?}");
    assert_eq!(findings[1], "entry 301 and what follows it were added by something else than this program");
    assert!(findings[2].starts_with("entry 300:"), "{findings:?}");
}

#[tokio::test]
async fn the_triggers_keep_everybody_from_changing_anything() {
    let room = Room::with_entries(3).await;
    let connection = room.connection();
    for statement in [
        "UPDATE entry SET text = ''",
        "DELETE FROM entry",
        "INSERT INTO entry VALUES (9, '', zeroblob(32))",
        "REPLACE INTO entry VALUES (2, '', zeroblob(32))",
        "UPDATE head SET sequence = 2",
        "DELETE FROM head",
        "REPLACE INTO head VALUES (1, 1, zeroblob(32))",
    ] {
        let error = connection.execute_batch(statement).unwrap_err();
        assert!(error.to_string().contains("only added to"), "{statement}: {error}");
    }
    assert!(room.verdict().is_sound());
}
