//! Entities, the physical and logical parts of a machine that records belong to, and which of them contain which
//! (IPMI 2.0 §39, §43.4, §43.5, §43.14).

use crate::DecodeError;
use crate::wire::Reader;

/// A part of a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Entity {
    /// What it is (IPMI 2.0 §43.14, table 43-13).
    pub id: u8,
    /// Which one, 0 to 127. From 60h it is counted by the controller that the record belongs to, below for the whole
    /// machine.
    pub instance: u8,
    /// Whether it is a container that only groups others.
    pub logical: bool,
}

impl Entity {
    /// Reads its two bytes.
    #[must_use]
    pub const fn decode([id, instance]: [u8; 2]) -> Self {
        Self { id, instance: instance & 0x7f, logical: instance & 0x80 != 0 }
    }

    /// Its two bytes.
    #[must_use]
    pub const fn encode(self) -> [u8; 2] {
        [self.id, self.instance & 0x7f | (self.logical as u8) << 7]
    }

    /// What it is, such as "processor"; `None` when not assigned.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        entity_name(self.id)
    }
}

/// Name of an entity id (IPMI 2.0 §43.14, table 43-13, with the three from 40h that DCMI adds); `None` when not
/// assigned.
#[must_use]
pub const fn entity_name(id: u8) -> Option<&'static str> {
    Some(match id {
        0x00 => "unspecified",
        0x01 => "other",
        0x02 => "unknown",
        0x03 | 0x41 => "processor",
        0x04 => "disk",
        0x05 => "peripheral bay",
        0x06 => "system management module",
        0x07 => "system board",
        0x08 => "memory module",
        0x09 => "processor module",
        0x0a => "power supply",
        0x0b => "add-in card",
        0x0c => "front panel board",
        0x0d => "back panel board",
        0x0e => "power system board",
        0x0f => "drive backplane",
        0x10 => "system internal expansion board",
        0x11 => "other system board",
        0x12 => "processor board",
        0x13 => "power unit",
        0x14 => "power module",
        0x15 => "power management board",
        0x16 => "chassis back panel board",
        0x17 => "system chassis",
        0x18 => "sub-chassis",
        0x19 => "other chassis board",
        0x1a => "disk drive bay",
        0x1b => "peripheral bay",
        0x1c => "device bay",
        0x1d => "fan",
        0x1e => "cooling unit",
        0x1f => "cable",
        0x20 => "memory device",
        0x21 => "system management software",
        0x22 => "system firmware",
        0x23 => "operating system",
        0x24 => "system bus",
        0x25 => "group",
        0x26 => "remote management communication device",
        0x27 => "external environment",
        0x28 => "battery",
        0x29 => "processing blade",
        0x2a => "connectivity switch",
        0x2b => "processor and memory module",
        0x2c => "I/O module",
        0x2d => "processor and I/O module",
        0x2e => "management controller firmware",
        0x2f => "IPMI channel",
        0x30 => "PCI bus",
        0x31 => "PCI Express bus",
        0x32 => "SCSI bus",
        0x33 => "SATA or SAS bus",
        0x34 => "processor front side bus",
        0x35 => "real time clock",
        0x37 | 0x40 => "air inlet",
        0x42 => "baseboard",
        _ => return None,
    })
}

/// How the four entities of an association are meant, and what else its flags say (IPMI 2.0 §43.4, byte 8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct AssociationFlags {
    /// The four are two ranges, from first to last, rather than a list.
    pub ranges: bool,
    /// More records continue this one.
    pub linked: bool,
    /// The presence of the container can always be read from its presence sensor.
    pub presence_always_readable: bool,
}

impl AssociationFlags {
    const fn decode(byte: u8) -> Self {
        Self {
            ranges: byte & 0x80 != 0,
            linked: byte & 0x40 != 0,
            presence_always_readable: byte & 0x20 != 0,
        }
    }

    const fn encode(self) -> u8 {
        (self.ranges as u8) << 7 | (self.linked as u8) << 6 | (self.presence_always_readable as u8) << 5
    }
}

/// Which entities one contains: record type 08h (IPMI 2.0 §43.4, table 43-4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct EntityAssociation {
    /// What contains the others.
    pub container: Entity,
    /// How the others are meant.
    pub flags: AssociationFlags,
    /// What it contains; id 0 where there is none.
    pub contained: [Entity; 4],
}

impl EntityAssociation {
    /// Reads what follows the header of a record.
    ///
    /// # Errors
    /// When it is too short.
    pub fn decode(body: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new("an entity association record", body);
        let container = Entity::decode(reader.array()?);
        let flags = AssociationFlags::decode(reader.u8()?);
        let mut contained = [Entity::default(); 4];
        for entity in &mut contained {
            *entity = Entity::decode(reader.array()?);
        }
        Ok(Self { container, flags, contained })
    }

    /// What follows the header of the record.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut body = self.container.encode().to_vec();
        body.push(self.flags.encode());
        body.extend(self.contained.map(Entity::encode).as_flattened());
        body
    }
}

/// An entity together with the controller that counts it (IPMI 2.0 §43.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct DeviceEntity {
    /// The controller's address on its bus, even; 0 when the instance counts for the whole machine.
    pub address: u8,
    /// The channel by which the controller is reached, 0 to 15.
    pub channel: u8,
    /// The entity.
    pub entity: Entity,
}

/// Which entities one contains, each with its controller: record type 09h (IPMI 2.0 §43.5, table 43-5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DeviceEntityAssociation {
    /// What contains the others.
    pub container: DeviceEntity,
    /// How the others are meant.
    pub flags: AssociationFlags,
    /// What it contains; id 0 where there is none.
    pub contained: [DeviceEntity; 4],
}

impl DeviceEntityAssociation {
    /// Reads what follows the header of a record.
    ///
    /// # Errors
    /// When it is too short.
    pub fn decode(body: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new("a device-relative entity association record", body);
        let entity = Entity::decode(reader.array()?);
        let [address, channel, flags] = reader.array()?;
        let mut contained = [DeviceEntity::default(); 4];
        for device in &mut contained {
            let [address, channel, id, instance] = reader.array()?;
            *device = DeviceEntity::from_parts(address, channel, Entity::decode([id, instance]));
        }
        Ok(Self {
            container: DeviceEntity::from_parts(address, channel, entity),
            flags: AssociationFlags::decode(flags),
            contained,
        })
    }

    /// What follows the header of the record.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        const RESERVED: [u8; 6] = [0; 6];
        let [address, channel] = self.container.locate();
        let mut body = self.container.entity.encode().to_vec();
        body.extend([address, channel, self.flags.encode()]);
        for device in &self.contained {
            body.extend(device.locate());
            body.extend(device.entity.encode());
        }
        body.extend(RESERVED);
        body
    }
}

impl DeviceEntity {
    const fn from_parts(address: u8, channel: u8, entity: Entity) -> Self {
        Self { address: address & 0xfe, channel: channel >> 4, entity }
    }

    const fn locate(self) -> [u8; 2] {
        [self.address & 0xfe, self.channel << 4]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A record that OpenIPMI's sdrcomp made: the system board contains processors 1 to 2.
    #[test]
    fn an_association_names_its_entities() {
        let body = [0x07, 0x01, 0x80, 0x03, 0x01, 0x03, 0x02, 0, 0, 0, 0];
        let association = EntityAssociation::decode(&body).unwrap();
        assert_eq!(association.container.name(), Some("system board"));
        assert!(association.flags.ranges && !association.flags.linked);
        assert_eq!(association.contained[1], Entity { id: 3, instance: 2, logical: false });
        assert_eq!(association.contained[2], Entity::default());
        assert_eq!(association.encode(), body);
        EntityAssociation::decode(&body[..10]).unwrap_err();
    }

    #[test]
    fn a_device_relative_association_names_controllers_too() {
        let mut body = vec![0x07, 0xe1, 0x20, 0x10, 0x60, 0x22, 0x70, 0x03, 0x62];
        body.extend([0; 18]);
        let association = DeviceEntityAssociation::decode(&body).unwrap();
        let container = Entity { id: 7, instance: 0x61, logical: true };
        assert_eq!(association.container, DeviceEntity { address: 0x20, channel: 1, entity: container });
        assert!(association.flags.linked && association.flags.presence_always_readable);
        let contained = Entity { id: 3, instance: 0x62, logical: false };
        assert_eq!(association.contained[0], DeviceEntity { address: 0x22, channel: 7, entity: contained });
        assert_eq!(association.encode(), body);
        DeviceEntityAssociation::decode(&body[..20]).unwrap_err();
    }

    #[test]
    fn entity_ids_have_names() {
        assert_eq!(entity_name(0x0a), Some("power supply"));
        assert_eq!(entity_name(0x1d), Some("fan"));
        assert_eq!(entity_name(0x36), None);
        assert_eq!(entity_name(0xb0), None);
    }
}
