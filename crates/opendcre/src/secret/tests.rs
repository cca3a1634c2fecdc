use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::*;

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn store(&self) -> PathBuf {
        self.0.path().join("secrets.json")
    }

    fn key(&self) -> PathBuf {
        self.0.path().join("secrets.key")
    }

    fn lock(&self) -> Lock {
        Lock::wait(&self.store()).unwrap()
    }

    fn create(&self) -> SealedStore {
        SealedStore::create(&self.store(), &self.key(), &self.lock()).unwrap()
    }

    fn set(&self, name: &str, text: &str) {
        let lock = self.lock();
        let mut store = SealedStore::create(&self.store(), &self.key(), &lock).unwrap();
        store.set(name, &text.into(), &lock).unwrap();
    }

    fn open(&self) -> Result<SealedStore, StoreError> {
        SealedStore::open(&self.store(), &self.key())
    }
}

fn secret(text: &str) -> SecretString {
    text.into()
}

#[test]
fn what_was_sealed_is_opened_by_the_next_process_and_shown_nowhere() {
    let folder = Folder::new();
    folder.set("rack-1", "calvin");
    folder.set("rack-2", "hobbes");
    let store = folder.open().unwrap();
    assert_eq!(store.get("rack-1").unwrap().expose_secret(), "calvin");
    assert_eq!(store.get("rack-2").unwrap().expose_secret(), "hobbes");
    assert_eq!(store.names().collect::<Vec<_>>(), ["rack-1", "rack-2"]);
    assert!(!fs::read_to_string(folder.store()).unwrap().contains("calvin"));
    for file in [folder.store(), folder.key()] {
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn a_secret_that_was_removed_is_gone() {
    let folder = Folder::new();
    folder.set("rack-1", "calvin");
    folder.open().unwrap().remove("rack-1", &folder.lock()).unwrap();
    let mut store = folder.open().unwrap();
    assert!(matches!(store.get("rack-1"), Err(StoreError::Unknown(_))));
    assert!(matches!(store.remove("rack-1", &folder.lock()), Err(StoreError::Unknown(_))));
}

#[test]
fn another_key_opens_nothing() {
    let folder = Folder::new();
    folder.set("rack-1", "calvin");
    fs::write(folder.key(), "0".repeat(64)).unwrap();
    assert!(matches!(folder.open().unwrap().get("rack-1"), Err(StoreError::Broken(_))));
}

#[test]
fn no_secret_can_be_given_the_name_of_another_and_no_byte_be_changed() {
    let folder = Folder::new();
    let mut store = folder.create();
    store.set("mine", &secret("calvin"), &folder.lock()).unwrap();
    store.set("yours", &secret("hobbes"), &folder.lock()).unwrap();
    let mut renamed = store.content.clone();
    renamed.secrets.insert("yours".to_owned(), renamed.secrets["mine"].clone());
    file::write(&folder.store(), &renamed).unwrap();
    assert!(matches!(folder.open().unwrap().get("yours"), Err(StoreError::Broken(_))));

    let sealed = STANDARD.decode(&store.content.secrets["mine"].sealed).unwrap();
    for position in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[position] ^= 1;
        store.content.secrets.get_mut("mine").unwrap().sealed = STANDARD.encode(changed);
        assert!(matches!(store.get("mine"), Err(StoreError::Broken(_))), "{position}");
    }
}

#[test]
fn a_key_that_is_lost_is_not_made_anew_behind_the_store() {
    let folder = Folder::new();
    folder.set("rack-1", "calvin");
    fs::remove_file(folder.key()).unwrap();
    let error = SealedStore::create(&folder.store(), &folder.key(), &folder.lock()).map(|_| ()).unwrap_err();
    assert!(matches!(error, StoreError::NoKey(_)), "{error}");
}

#[test]
fn files_that_are_none_are_refused_without_repeating_them() {
    let folder = Folder::new();
    let _ = folder.create();
    for text in ["{}", "[]", "calvin", r#"{"version": 2, "secrets": {}}"#] {
        fs::write(folder.store(), text).unwrap();
        let error = folder.open().map(|_| ()).unwrap_err();
        assert!(matches!(error, StoreError::Damaged { .. }), "{text}");
        assert!(!error.to_string().contains("calvin"));
    }
    for text in ["", "calvin", &"+1".repeat(32), &"0".repeat(63), &"0".repeat(65)] {
        fs::write(folder.key(), text).unwrap();
        let error = folder.open().map(|_| ()).unwrap_err();
        assert!(matches!(error, StoreError::BadKey(_)), "{text}");
    }
}

#[test]
fn what_is_no_secret_is_not_sealed() {
    let folder = Folder::new();
    let mut store = folder.create();
    for (name, text) in [("", "x"), ("a b", "x"), ("a/b", "x"), ("rack-1", ""), (&"a".repeat(65), "x")] {
        assert!(
            matches!(store.set(name, &secret(text), &folder.lock()), Err(StoreError::Unfit(_))),
            "{name:?}"
        );
    }
    assert!(store.set("rack-1", &secret(&"x".repeat(MAX_SECRET + 1)), &folder.lock()).is_err());
    assert!(!folder.store().exists());
}

#[test]
fn changes_at_the_same_time_are_all_kept() {
    let folder = Folder::new();
    let names: Vec<String> = (0..16).map(|number| format!("rack-{number:02}")).collect();
    std::thread::scope(|scope| {
        for name in &names {
            scope.spawn(|| folder.set(name, "calvin"));
        }
    });
    assert_eq!(folder.open().unwrap().names().collect::<Vec<_>>(), names);
}

#[test]
fn a_folder_that_is_missing_is_named() {
    let folder = Folder::new();
    let error =
        Lock::wait(&folder.0.path().join("missing/secrets.json")).map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("/missing is missing; make it"), "{error}");
}
