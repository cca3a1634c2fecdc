//! Which sensors a BMC has: reading its sensor records, and finding out cheaply whether they have changed.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use opendcre_ipmi::Single;
use opendcre_ipmi::app::{DeviceIdentity, Functions};
use opendcre_ipmi::quirk::{Quirks, quirks};
use opendcre_ipmi::sdr::{
    GetDeviceSdrInfo, GetSdrRepositoryInfo, Repository, Sensor, Source, Stamp, WalkSdr,
};
use opendcre_model::{BoardId, Context, DeviceId, Fault};
use tracing::warn;

use super::bmcs::Bmcs;
use super::error::{BmcError, if_any};
use super::knowledge::sensor_id;

/// How many lists of sensors are compared with that of another BMC. There are hardly more models in a room.
const MOST_LISTS: usize = 64;

/// A source of sensor records with what changes when they do; without it when they could not be read.
pub(super) type Mark = (Source, Option<Stamp>);

/// What was read of a BMC's sensor records so far. It outlives the caller whose time was over, so that the next one
/// goes on from there: a slow BMC may need longer than any of them waits.
#[derive(Debug, Default)]
pub(super) struct Survey {
    /// Of which BMC.
    device: Option<DeviceIdentity>,
    /// The source that is being read.
    walk: Option<WalkSdr>,
    /// The sources that were read.
    marks: Vec<Mark>,
    /// The sensors of their records by their device ids, of which there are 1024.
    sensors: BTreeMap<DeviceId, Sensor>,
}

/// The sensors of all BMCs: machines of one model have the same ones, and share them.
#[derive(Debug, Default)]
pub(super) struct SensorLists(Mutex<Vec<Weak<[Sensor]>>>);

impl SensorLists {
    /// These sensors, or equal ones of another BMC.
    fn share(&self, sensors: Arc<[Sensor]>) -> Arc<[Sensor]> {
        // A panic elsewhere leaves it consistent.
        let mut lists = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lists.retain(|list| list.strong_count() > 0);
        let mut known = lists.iter().filter_map(Weak::upgrade);
        if let Some(known) = known.find(|known| *known == sensors) {
            return known;
        }
        if lists.len() < MOST_LISTS {
            lists.push(Arc::downgrade(&sensors));
        }
        sensors
    }
}

/// All sensors of a BMC, and what changes when they do.
#[derive(Debug)]
pub(super) struct Surveyed {
    pub(super) marks: Vec<Mark>,
    /// By their device ids, each there once.
    pub(super) sensors: Arc<[Sensor]>,
}

impl Survey {
    /// Keeps the sensors of one source that can be asked. Of several with the same id the first one wins: most BMCs
    /// with two sources have the same sensors in both.
    fn keep(&mut self, source: Source, records: Option<&Repository>, quirks: Quirks) {
        self.marks.push((source, records.map(|records| records.stamp)));
        let sensors = records.into_iter().flat_map(Repository::sensors);
        for sensor in sensors.filter(|sensor| can_be_asked(sensor, quirks)) {
            self.sensors.entry(sensor_id(&sensor)).or_insert(sensor);
        }
    }
}

impl Bmcs {
    /// Reads the sensor records of a BMC, or goes on with it. A source that the BMC does not have, or does not give,
    /// has no sensors.
    pub(super) async fn survey(
        &self,
        board: BoardId,
        device: &DeviceIdentity,
        survey: &mut Survey,
        context: Context,
    ) -> Result<Surveyed, BmcError> {
        if survey.device.as_ref() != Some(device) {
            *survey = Survey { device: Some(device.clone()), ..Survey::default() };
        }
        for source in sources(device).iter().skip(survey.marks.len()) {
            let records = self.walk(board, *source, &mut survey.walk, context).await?;
            survey.keep(*source, records.as_ref(), quirks(device.manufacturer, device.product));
        }
        let Survey { marks, sensors, .. } = std::mem::take(survey);
        Ok(Surveyed { marks, sensors: self.sensors.share(sensors.into_values().collect()) })
    }

    /// Reads the records of `source`, or goes on with it; nothing when the BMC does not give them.
    async fn walk(
        &self,
        board: BoardId,
        source: Source,
        walk: &mut Option<WalkSdr>,
        context: Context,
    ) -> Result<Option<Repository>, BmcError> {
        let outcome = self.run(board, walk.get_or_insert_with(|| WalkSdr::new(source)), context).await;
        // One that lacks an answer can be gone on with, one that an answer has ended cannot.
        if outcome.as_ref().err().is_none_or(BmcError::is_answer) {
            *walk = None;
        }
        if let Err(error) = outcome.as_ref()
            && error.is_final()
            && error.fault() != Fault::Unsupported
        {
            warn!(%error, "the sensors of a BMC cannot be found");
        }
        if_any(outcome)
    }

    /// Whether the records are those that were read before.
    pub(super) async fn is_unchanged(
        &self,
        board: BoardId,
        marks: &[Mark],
        context: Context,
    ) -> Result<bool, BmcError> {
        for (source, stamp) in marks {
            if self.stamp(board, *source, context).await? != *stamp {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// What changes when the records of `source` do; nothing when the BMC does not have it.
    async fn stamp(
        &self,
        board: BoardId,
        source: Source,
        context: Context,
    ) -> Result<Option<Stamp>, BmcError> {
        match source {
            Source::Repository => {
                let info = if_any(self.run(board, Single(GetSdrRepositoryInfo), context).await)?;
                Ok(info.as_ref().map(Stamp::from))
            }
            Source::Device { lun } => {
                let info = if_any(self.run(board, Single(GetDeviceSdrInfo { lun }), context).await)?;
                Ok(info.as_ref().map(Stamp::from))
            }
        }
    }
}

/// Where a BMC has sensor records: in its repository, and besides in itself. One that names neither is asked for a
/// repository all the same.
const fn sources(device: &DeviceIdentity) -> &'static [Source] {
    const ITSELF: Source = Source::Device { lun: 0 };
    match (device.functions.contains(Functions::SDR_REPOSITORY), device.device_sdrs) {
        (_, false) => &[Source::Repository],
        (true, true) => &[Source::Repository, ITSELF],
        (false, true) => &[ITSELF],
    }
}

/// Whether a sensor has readings, and the BMC itself gives them.
const fn can_be_asked(sensor: &Sensor, quirks: Quirks) -> bool {
    sensor.is_readable && (sensor.address.is_of_bmc() || quirks.owner_is_wrong)
}
