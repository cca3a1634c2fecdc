//! What was told last of every device that is not well, so that after a restart it is neither told again nor left open.

use opendcre_model::{BoardId, DeviceAddress, DeviceId, Health};
use rusqlite::{Connection, Transaction, params};

use super::health::told_health;
use super::{Event, EventKind};

/// Both parts of an address in one number.
const fn key(device: DeviceAddress) -> i64 {
    ((device.board.0 as i64) << u16::BITS) | device.device.0 as i64
}

fn address(key: i64) -> Option<DeviceAddress> {
    let board = u32::try_from(key >> u16::BITS).ok()?;
    let device = u16::try_from(key & i64::from(u16::MAX)).ok()?;
    Some(DeviceAddress { board: BoardId(board), device: DeviceId(device) })
}

/// Notes what `event` tells, if it is about health.
pub(super) fn note(transaction: &Transaction<'_>, event: &Event) -> rusqlite::Result<()> {
    if let Some((device, health)) = told_health(event) {
        return match health {
            Health::Ok => forget(transaction, key(device), key(device)),
            health => {
                let statement = "INSERT OR REPLACE INTO told (id, health) VALUES (?1, ?2)";
                transaction.prepare_cached(statement)?.execute(params![key(device), health.name()]).map(drop)
            }
        };
    }
    if let (EventKind::BoardRemoved, Some(board)) = (event.kind, event.board) {
        let device = |device| key(DeviceAddress { board, device: DeviceId(device) });
        return forget(transaction, device(u16::MIN), device(u16::MAX));
    }
    Ok(())
}

fn forget(transaction: &Transaction<'_>, first: i64, last: i64) -> rusqlite::Result<()> {
    let statement = "DELETE FROM told WHERE id BETWEEN ?1 AND ?2";
    transaction.prepare_cached(statement)?.execute([first, last]).map(drop)
}

/// The devices that are not well, as far as that was told.
pub(super) fn load(connection: &Connection) -> rusqlite::Result<Vec<(DeviceAddress, Health)>> {
    let mut statement = connection.prepare("SELECT id, health FROM told ORDER BY id")?;
    let mut rows = statement.query([])?;
    let mut told = Vec::new();
    while let Some(row) = rows.next()? {
        let name: Option<String> = row.get(1).ok();
        let health = name.and_then(|name| serde_json::from_value(name.into()).ok());
        told.extend(address(row.get(0)?).zip(health));
    }
    Ok(told)
}
