//! Looking into a log, while it is written and when nobody writes it.

use super::*;

fn numbers(page: &AuditPage) -> Vec<u64> {
    page.entries.iter().map(|entry| entry.sequence).collect()
}

#[tokio::test]
async fn pages_follow_each_other_in_both_orders() {
    let room = Room::with_entries(7).await;
    let file = AuditFile::new(&room.path);
    for (order, expected) in [
        (AuditOrder::OldestFirst, [vec![1, 2, 3], vec![4, 5, 6], vec![7]]),
        (AuditOrder::NewestFirst, [vec![7, 6, 5], vec![4, 3, 2], vec![1]]),
    ] {
        let mut after = None;
        let mut pages = Vec::new();
        loop {
            let page = file.page(&AuditQuery { after, limit: 3, order, ..AuditQuery::default() }).unwrap();
            assert_eq!(page.head, Some(room.head()));
            pages.push(numbers(&page));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(pages, expected);
    }
    let behind = AuditQuery { after: Some(u64::MAX), limit: 3, ..AuditQuery::default() };
    assert_eq!(numbers(&file.page(&behind).unwrap()), <[u64; 0]>::default());
}

#[tokio::test]
async fn filters_are_all_fulfilled() {
    let room = Room::new();
    let log = room.open();
    let target = |name: &str| AuditTarget {
        board: opendcre_model::BoardId(0x4000_0001),
        device: None,
        name: name.to_owned(),
        rack: String::new(),
    };
    let time = room.clock.now();
    let power = AuditEntry { action: "power_off".to_owned(), target: Some(target("web-\"1\"")), ..entry(2) };
    log.append(&power).await.unwrap();
    log.append(&AuditEntry { kind: AuditKind::Outcome, ..power }).await.unwrap();
    log.append(&refused("eve\n", time + SignedDuration::from_secs(5))).await.unwrap();
    let found = |filter: AuditFilter| {
        let query = AuditQuery { limit: 10, filter, ..AuditQuery::default() };
        numbers(&log.file().page(&query).unwrap())
    };
    let text = |text: &str| Some(text.to_owned());
    let all = AuditFilter::default;
    assert_eq!(found(all()), [1, 2, 3, 4]);
    assert_eq!(found(AuditFilter { who: text("eve\n"), ..all() }), [4]);
    assert_eq!(found(AuditFilter { action: text("power_off"), ..all() }), [2, 3]);
    assert_eq!(
        found(AuditFilter { action: text("power_off"), kind: Some(AuditKind::Outcome), ..all() }),
        [3]
    );
    assert_eq!(found(AuditFilter { board: text("web-\"1\""), ..all() }), [2, 3]);
    assert_eq!(found(AuditFilter { board: text("40000001"), ..all() }), [2, 3]);
    assert_eq!(found(AuditFilter { board: text("40000002"), ..all() }), <[u64; 0]>::default());
    assert_eq!(found(AuditFilter { from: Some(time + SignedDuration::from_secs(1)), ..all() }), [4]);
    assert_eq!(found(AuditFilter { to: Some(time + SignedDuration::from_secs(5)), ..all() }), [1, 2, 3]);
}

#[tokio::test]
async fn reading_leaves_nothing_beside_the_file() {
    let room = Room::with_entries(3).await;
    assert_eq!(entries(&room.path).len(), 3);
    assert!(room.verdict().is_sound());
    let names: Vec<_> =
        fs::read_dir(room.folder.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert_eq!(names, ["audit.db"]);
}

#[tokio::test]
async fn what_is_written_is_read_at_once_and_a_reader_keeps_nobody_from_writing() {
    let room = Room::new();
    let log = room.open_hurried();
    let reader = room.connection();
    reader.execute_batch("BEGIN; SELECT * FROM entry").unwrap();
    for number in 2..=5 {
        log.append(&entry(number)).await.unwrap();
        assert_eq!(entries(&room.path).len() as u64, number);
    }
}

#[tokio::test]
async fn names_of_files_may_have_any_character() {
    let room = Room::new();
    let path = room.file("a ?#%41ä&mode=rwc.db");
    let log = AuditLog::open(&path, Arc::<TestClock>::clone(&room.clock)).unwrap();
    log.append(&entry(2)).await.unwrap();
    drop(log);
    assert_eq!(kinds(&path), ["created", "intent"]);
}

#[test]
fn a_missing_file_is_an_error_and_an_empty_one_is_no_log() {
    let room = Room::new();
    let file = AuditFile::new(&room.path);
    let error = file.verify(&[]).unwrap_err();
    assert!(matches!(error, AuditError::Read { .. }), "{error}");
    assert!(file.page(&AuditQuery::default()).is_err());
    fs::write(&room.path, "").unwrap();
    assert!(!file.verify(&[]).unwrap().is_sound());
    assert!(matches!(file.page(&AuditQuery::default()), Err(AuditError::Damaged { .. })));
}

#[tokio::test]
async fn a_record_is_one_line_with_its_text_as_it_is() {
    let room = Room::with_entries(2).await;
    let record =
        |text: &str| AuditRecord { sequence: 2, hash: room.head().hash, text: text.to_owned() }.to_json();
    let hash = room.head().hash;
    assert_eq!(
        record("{\"b\":1, \"a\":1}"),
        format!("{{\"sequence\":2,\"hash\":\"{hash}\",\"entry\":{{\"b\":1, \"a\":1}}}}")
    );
    for broken in ["", "{", "{}}", "{\n}"] {
        let line = record(broken);
        let value: Value = serde_json::from_str(&line).unwrap();
        assert_eq!((line.lines().count(), &value["entry"]), (1, &Value::from(broken)));
    }
}
