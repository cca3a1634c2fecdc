//! The commands that read sensor records: from a BMC's repository (IPMI 2.0 §33), or from the controller that owns
//! the sensors (IPMI 2.0 §35.2 to §35.4).

use crate::wire::Reader;
use crate::{Command, DecodeError, NetFn, Request};

/// Where records are read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Source {
    /// The repository, which has those of the whole machine.
    #[default]
    Repository,
    /// The controller itself, which has those of its own sensors.
    Device {
        /// The logical unit that owns the sensors, 0 to 3.
        lun: u8,
    },
}

impl Source {
    fn request(self, in_repository: u8, in_device: u8, data: Vec<u8>) -> Request {
        match self {
            Self::Repository => Request { netfn: NetFn::STORAGE, lun: 0, command: in_repository, data },
            Self::Device { lun } => Request { netfn: NetFn::SENSOR, lun, command: in_device, data },
        }
    }
}

/// What a repository can do (IPMI 2.0 §33.9, byte 15).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct RepositoryOperations {
    /// Records did not fit in.
    pub overflow: bool,
    /// Whether records can be changed only in a mode of their own: 0 not said, 1 no, 2 yes, 3 both.
    pub update_mode: u8,
    /// Records can be deleted.
    pub delete: bool,
    /// Records can be added in parts.
    pub partial_add: bool,
    /// It can be reserved.
    pub reserve: bool,
    /// It tells how its space is used.
    pub allocation_info: bool,
}

/// Asks what is in the repository, and when it was last changed (IPMI 2.0 §33.9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct GetSdrRepositoryInfo;

/// What is in the repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct RepositoryInfo {
    /// The version of its commands: 51h for IPMI 1.5 and 2.0.
    pub version: u8,
    /// How many records it has.
    pub records: u16,
    /// Free bytes; FFFEh means that many or more, FFFFh that it is not known.
    pub free_bytes: u16,
    /// When a record was last added, in seconds by the BMC's clock.
    pub last_addition: u32,
    /// When a record was last erased, in seconds by the BMC's clock.
    pub last_erase: u32,
    /// What it can do.
    pub operations: RepositoryOperations,
}

impl RepositoryInfo {
    /// Reads the data of the answer.
    ///
    /// # Errors
    /// When they are too short.
    pub fn decode(data: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new("SDR repository information", data);
        Ok(Self {
            version: reader.u8()?,
            records: reader.u16()?,
            free_bytes: reader.u16()?,
            last_addition: reader.u32()?,
            last_erase: reader.u32()?,
            operations: {
                let byte = reader.u8()?;
                RepositoryOperations {
                    overflow: byte & 0x80 != 0,
                    update_mode: byte >> 5 & 3,
                    delete: byte & 0x08 != 0,
                    partial_add: byte & 0x04 != 0,
                    reserve: byte & 0x02 != 0,
                    allocation_info: byte & 0x01 != 0,
                }
            },
        })
    }

    /// The data of the answer.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let can = self.operations;
        let operations = u8::from(can.overflow) << 7
            | (can.update_mode & 3) << 5
            | u8::from(can.delete) << 3
            | u8::from(can.partial_add) << 2
            | u8::from(can.reserve) << 1
            | u8::from(can.allocation_info);
        let mut data = vec![self.version];
        data.extend(self.records.to_le_bytes());
        data.extend(self.free_bytes.to_le_bytes());
        data.extend(self.last_addition.to_le_bytes());
        data.extend(self.last_erase.to_le_bytes());
        data.push(operations);
        data
    }
}

impl Command for GetSdrRepositoryInfo {
    type Output = RepositoryInfo;

    const NAME: &'static str = "Get SDR Repository Info";

    fn request(&self) -> Request {
        Request::new(NetFn::STORAGE, 0x20, &[])
    }

    fn parse(&self, data: &[u8]) -> Result<RepositoryInfo, DecodeError> {
        RepositoryInfo::decode(data)
    }
}

/// Asks a controller how many sensors one of its logical units has (IPMI 2.0 §35.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct GetDeviceSdrInfo {
    /// The logical unit, 0 to 3.
    pub lun: u8,
}

/// How many sensors a controller has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct DeviceSdrInfo {
    /// How many the logical unit that was asked has.
    pub sensors: u8,
    /// The logical units that have sensors, as a mask of four bits.
    pub luns: u8,
    /// A number that changes when the sensors do; nothing for sensors that stay as they are.
    pub population: Option<u32>,
}

impl DeviceSdrInfo {
    /// Reads the data of the answer.
    ///
    /// # Errors
    /// When they are too short.
    pub fn decode(data: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new("device SDR information", data);
        let [sensors, flags] = reader.array()?;
        let is_dynamic = flags & 0x80 != 0;
        let population = is_dynamic.then(|| reader.u32()).transpose()?;
        Ok(Self { sensors, luns: flags & 0x0f, population })
    }

    /// The data of the answer.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut data = vec![self.sensors, u8::from(self.population.is_some()) << 7 | self.luns & 0x0f];
        data.extend(self.population.map(u32::to_le_bytes).into_iter().flatten());
        data
    }
}

impl Command for GetDeviceSdrInfo {
    type Output = DeviceSdrInfo;

    const NAME: &'static str = "Get Device SDR Info";

    fn request(&self) -> Request {
        Request { netfn: NetFn::SENSOR, lun: self.lun, command: 0x20, data: Vec::new() }
    }

    fn parse(&self, data: &[u8]) -> Result<DeviceSdrInfo, DecodeError> {
        DeviceSdrInfo::decode(data)
    }
}

/// Reserves the records, so that reading in parts fails when somebody changes them (IPMI 2.0 §33.11, §35.4). The
/// answer is the reservation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ReserveSdr {
    /// Where.
    pub source: Source,
}

impl Command for ReserveSdr {
    type Output = u16;

    const NAME: &'static str = "Reserve SDR Repository";

    fn request(&self) -> Request {
        self.source.request(0x22, 0x22, Vec::new())
    }

    fn parse(&self, data: &[u8]) -> Result<u16, DecodeError> {
        Reader::new("an SDR reservation", data).u16()
    }
}

/// Reads a part of a record (IPMI 2.0 §33.12, §35.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct GetSdr {
    /// Where.
    pub source: Source,
    /// The reservation; may be 0 when the part begins at 0.
    pub reservation: u16,
    /// The record; 0 is the first, whatever its id.
    pub record: u16,
    /// Where the part begins.
    pub offset: u8,
    /// How many bytes; FFh means all.
    pub count: u8,
}

/// A part of a record.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SdrPart {
    /// The record after this one; [`LAST_RECORD`] when there is none.
    pub next: u16,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// Where the next record would be, after the last (IPMI 2.0 §33.12).
pub const LAST_RECORD: u16 = 0xffff;

impl SdrPart {
    /// The data of the answer.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        [&self.next.to_le_bytes()[..], &self.bytes].concat()
    }
}

impl Command for GetSdr {
    type Output = SdrPart;

    const NAME: &'static str = "Get SDR";

    fn request(&self) -> Request {
        let [reservation_low, reservation_high] = self.reservation.to_le_bytes();
        let [record_low, record_high] = self.record.to_le_bytes();
        let data = vec![reservation_low, reservation_high, record_low, record_high, self.offset, self.count];
        self.source.request(0x23, 0x21, data)
    }

    fn parse(&self, data: &[u8]) -> Result<SdrPart, DecodeError> {
        let mut reader = Reader::new("a part of a sensor record", data);
        Ok(SdrPart { next: reader.u16()?, bytes: reader.rest().to_vec() })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The answer of OpenIPMI's ipmi_sim.
    #[test]
    fn the_repository_tells_when_it_was_changed() {
        let data = [0x51, 0x1e, 0x00, 0xfe, 0xff, 0x73, 0x52, 0x03, 0x6b, 0x00, 0x00, 0x00, 0x00, 0x02];
        let info = GetSdrRepositoryInfo.parse(&data).unwrap();
        let operations = RepositoryOperations { reserve: true, ..RepositoryOperations::default() };
        let expected = RepositoryInfo {
            version: 0x51,
            records: 30,
            free_bytes: 0xfffe,
            last_addition: 0x6b03_5273,
            last_erase: 0,
            operations,
        };
        assert_eq!(info, expected);
        assert_eq!(info.encode(), data);
        assert_eq!(GetSdrRepositoryInfo.request(), Request::new(NetFn::STORAGE, 0x20, &[]));
        GetSdrRepositoryInfo.parse(&data[..13]).unwrap_err();
    }

    #[test]
    fn sensors_that_change_have_a_population() {
        let command = GetDeviceSdrInfo { lun: 1 };
        let request = command.request();
        assert_eq!((request.netfn, request.lun, request.command), (NetFn::SENSOR, 1, 0x20));
        let fixed = DeviceSdrInfo { sensors: 9, luns: 1, population: None };
        assert_eq!(command.parse(&[9, 0x01]), Ok(fixed));
        let dynamic = DeviceSdrInfo { sensors: 9, luns: 3, population: Some(0x0403_0201) };
        assert_eq!(command.parse(&[9, 0x83, 1, 2, 3, 4]), Ok(dynamic));
        command.parse(&[9, 0x83, 1, 2, 3]).unwrap_err();
        for info in [fixed, dynamic] {
            assert_eq!(DeviceSdrInfo::decode(&info.encode()), Ok(info));
        }
    }

    #[test]
    fn records_are_read_in_parts_from_either_source() {
        let in_repository =
            GetSdr { source: Source::Repository, reservation: 3, record: 0x0102, offset: 5, count: 16 };
        let expected = Request::new(NetFn::STORAGE, 0x23, &[3, 0, 2, 1, 5, 16]);
        assert_eq!(in_repository.request(), expected);
        let in_device = GetSdr { source: Source::Device { lun: 2 }, ..in_repository }.request();
        assert_eq!((in_device.netfn, in_device.lun, in_device.command), (NetFn::SENSOR, 2, 0x21));
        let part = in_repository.parse(&[0x03, 0x01, 7, 8]).unwrap();
        assert_eq!(part, SdrPart { next: 0x0103, bytes: vec![7, 8] });
        assert_eq!(part.encode(), [0x03, 0x01, 7, 8]);
        in_repository.parse(&[1]).unwrap_err();
    }

    #[test]
    fn reservations_come_from_either_source() {
        assert_eq!(
            ReserveSdr { source: Source::Repository }.request(),
            Request::new(NetFn::STORAGE, 0x22, &[])
        );
        let in_device = ReserveSdr { source: Source::Device { lun: 0 } };
        assert_eq!(in_device.request(), Request::new(NetFn::SENSOR, 0x22, &[]));
        assert_eq!(in_device.parse(&[0x34, 0x12]), Ok(0x1234));
        in_device.parse(&[0x34]).unwrap_err();
    }

    proptest! {
        #[test]
        fn repository_information_comes_back(mut data: [u8; 14]) {
            data[13] &= 0xef;
            prop_assert_eq!(RepositoryInfo::decode(&data).unwrap().encode(), data);
        }
    }
}
