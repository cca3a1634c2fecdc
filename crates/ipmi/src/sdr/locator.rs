//! Where FRU inventories and controllers are: record types 11h and 12h (IPMI 2.0 §43.8, §43.9).

use super::entity::Entity;
use super::name;
use crate::DecodeError;
use crate::wire::Reader;

/// What a device is and belongs to: the end of every locator record.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Device {
    /// What it belongs to.
    pub entity: Entity,
    /// For OEM use.
    pub oem: u8,
    /// Its name.
    pub name: String,
}

impl Device {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { entity: Entity::decode(reader.array()?), oem: reader.u8()?, name: name::read(reader)? })
    }

    fn encode(&self, body: &mut Vec<u8>) {
        body.extend(self.entity.encode());
        body.push(self.oem);
        name::write(body, &self.name);
    }
}

/// Where a FRU inventory is: record type 11h (IPMI 2.0 §43.8, table 43-7).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct FruLocator {
    /// The controller that gives access to it: its address on its bus, even; 20h is the BMC.
    pub access_address: u8,
    /// Whether it is read with FRU commands from the controller; otherwise it is a memory chip on a private bus.
    pub logical: bool,
    /// The number for FRU commands, or the address of the chip.
    pub fru: u8,
    /// The logical unit that takes the commands, 0 to 3.
    pub lun: u8,
    /// The private bus of a chip, 0 to 7.
    pub private_bus: u8,
    /// The channel by which the controller is reached, 0 to 15.
    pub channel: u8,
    /// The kind of device (IPMI 2.0 §43.13, table 43-12).
    pub device_type: u8,
    /// The kind more closely.
    pub device_type_modifier: u8,
    /// What it is and belongs to.
    pub device: Device,
}

impl FruLocator {
    /// Reads what follows the header of a record.
    ///
    /// # Errors
    /// When it is too short.
    pub fn decode(body: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new("a FRU device locator record", body);
        let [access_address, fru, access, channel, _, device_type, device_type_modifier] = reader.array()?;
        Ok(Self {
            access_address: access_address & 0xfe,
            logical: access & 0x80 != 0,
            fru,
            lun: access >> 3 & 3,
            private_bus: access & 7,
            channel: channel >> 4,
            device_type,
            device_type_modifier,
            device: Device::decode(&mut reader)?,
        })
    }

    /// What follows the header of the record.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let access = u8::from(self.logical) << 7 | (self.lun & 3) << 3 | self.private_bus & 7;
        let mut body = vec![
            self.access_address & 0xfe,
            self.fru,
            access,
            self.channel << 4,
            0,
            self.device_type,
            self.device_type_modifier,
        ];
        self.device.encode(&mut body);
        body
    }
}

/// What a controller can do (IPMI 2.0 §43.9, byte 9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct ControllerCapabilities {
    /// It controls the chassis.
    pub chassis: bool,
    /// It bridges.
    pub bridge: bool,
    /// It sends events over its bus.
    pub event_generator: bool,
    /// It receives events from its bus.
    pub event_receiver: bool,
    /// It has FRU inventories.
    pub fru_inventory: bool,
    /// It has an event log.
    pub event_log: bool,
    /// It has a repository of sensor records.
    pub sdr_repository: bool,
    /// It has sensors.
    pub sensors: bool,
}

impl ControllerCapabilities {
    /// Reads the byte.
    #[must_use]
    pub const fn decode(byte: u8) -> Self {
        Self {
            chassis: byte & 0x80 != 0,
            bridge: byte & 0x40 != 0,
            event_generator: byte & 0x20 != 0,
            event_receiver: byte & 0x10 != 0,
            fru_inventory: byte & 0x08 != 0,
            event_log: byte & 0x04 != 0,
            sdr_repository: byte & 0x02 != 0,
            sensors: byte & 0x01 != 0,
        }
    }

    /// The byte.
    #[must_use]
    pub const fn encode(self) -> u8 {
        (self.chassis as u8) << 7
            | (self.bridge as u8) << 6
            | (self.event_generator as u8) << 5
            | (self.event_receiver as u8) << 4
            | (self.fru_inventory as u8) << 3
            | (self.event_log as u8) << 2
            | (self.sdr_repository as u8) << 1
            | self.sensors as u8
    }
}

/// Where a controller is: record type 12h (IPMI 2.0 §43.9, table 43-8).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct ControllerLocator {
    /// Its address on its bus, even; 20h is the BMC.
    pub address: u8,
    /// The channel by which it is reached, 0 to 15.
    pub channel: u8,
    /// Power state notification and initialization, as in the specification's byte 8.
    pub initialization: u8,
    /// What it can do.
    pub capabilities: ControllerCapabilities,
    /// What it is and belongs to.
    pub device: Device,
}

impl ControllerLocator {
    /// Reads what follows the header of a record.
    ///
    /// # Errors
    /// When it is too short.
    pub fn decode(body: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new("a controller locator record", body);
        let [address, channel, initialization, capabilities, _, _, _] = reader.array()?;
        Ok(Self {
            address: address & 0xfe,
            channel: channel & 0x0f,
            initialization,
            capabilities: ControllerCapabilities::decode(capabilities),
            device: Device::decode(&mut reader)?,
        })
    }

    /// What follows the header of the record.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut body = vec![
            self.address & 0xfe,
            self.channel & 0x0f,
            self.initialization,
            self.capabilities.encode(),
            0,
            0,
            0,
        ];
        self.device.encode(&mut body);
        body
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A record that OpenIPMI's sdrcomp made; ipmitool shows "Fru0 | 00h | ns | 7.1 | Logical FRU @00h".
    #[test]
    fn a_fru_is_found() {
        let body = [0x20, 0, 0x80, 0, 0, 0x10, 0, 0x07, 0x01, 0, 0xc4, b'F', b'r', b'u', b'0'];
        let locator = FruLocator::decode(&body).unwrap();
        assert_eq!((locator.access_address, locator.fru, locator.logical), (0x20, 0, true));
        assert_eq!((locator.device_type, locator.device.name.as_str()), (0x10, "Fru0"));
        assert_eq!(locator.device.entity, Entity { id: 7, instance: 1, logical: false });
        assert_eq!(locator.encode(), body);
        FruLocator::decode(&body[..10]).unwrap_err();
    }

    /// A record that OpenIPMI's sdrcomp made, with a six-bit name; ipmitool shows "Dynamic MC @ 20h".
    #[test]
    fn a_controller_is_found() {
        let body = [0x20, 0, 0, 0x8f, 0, 0, 0, 0x07, 0x01, 0, 0x86, 0xef, 0x2b, 0xce, 0x69, 0x0b];
        let locator = ControllerLocator::decode(&body).unwrap();
        assert_eq!((locator.address, locator.channel), (0x20, 0));
        let can = locator.capabilities;
        assert!(can.chassis && can.fru_inventory && can.event_log && can.sdr_repository && can.sensors);
        assert!(!can.bridge && !can.event_generator && !can.event_receiver);
        assert_eq!(locator.device.name, "OOBSIM");
        assert_eq!(ControllerLocator::decode(&locator.encode()), Ok(locator));
    }

    #[test]
    fn every_capability_byte_comes_back() {
        for byte in 0..=u8::MAX {
            assert_eq!(ControllerCapabilities::decode(byte).encode(), byte);
        }
    }
}
