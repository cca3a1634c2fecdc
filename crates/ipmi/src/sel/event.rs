//! System events: what sensors and software report (IPMI 2.0 §29.7 and §32.1).

use std::fmt;

use super::detail;
use super::time::SelTime;
use crate::event::{SENSOR_SPECIFIC, THRESHOLD, sensor_type_name, state_severity, state_text};
use crate::sensor::{Health, Interpretation};

/// Who reported an event (IPMI 2.0 §32.1, table 32-1, "generator id"; §5.5 for software).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Generator(pub u16);

impl Generator {
    /// The BMC itself.
    pub const BMC: Self = Self(0x0020);

    /// The software, 7 bits, if software reported it.
    #[must_use]
    pub const fn software_id(self) -> Option<u8> {
        let [low, _] = self.0.to_le_bytes();
        if low & 1 == 1 { Some(low >> 1) } else { None }
    }

    /// The address on the management bus, 8 bits with the lowest one zero, if a controller reported it.
    #[must_use]
    pub const fn slave_address(self) -> Option<u8> {
        let [low, _] = self.0.to_le_bytes();
        if low & 1 == 0 { Some(low) } else { None }
    }

    /// The channel through which it was reported, 0 to 15; zero on the BMC's own bus.
    #[must_use]
    pub const fn channel(self) -> u8 {
        let [_, high] = self.0.to_le_bytes();
        high >> 4
    }

    /// The logical unit of the controller, 0 to 3.
    #[must_use]
    pub const fn lun(self) -> u8 {
        let [_, high] = self.0.to_le_bytes();
        high & 0x03
    }
}

impl fmt::Display for Generator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(software) = self.software_id() else {
            let [address, _] = self.0.to_le_bytes();
            return if address == crate::BMC_ADDRESS {
                f.write_str("BMC")
            } else {
                write!(f, "controller {address:02X}h")
            };
        };
        let kind = match software {
            0x00..=0x0f => "BIOS",
            0x10..=0x1f => "SMI handler",
            0x20..=0x2f => "system management software",
            0x30..=0x3f => "OEM software",
            0x40..=0x46 => "remote console software",
            0x47 => "terminal mode remote console software",
            _ => "software",
        };
        write!(f, "{kind} (id {software:02X}h)")
    }
}

/// What one of the last two bytes of an event means, according to its first (IPMI 2.0 §29.7, table 29-6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventByte {
    /// Nothing.
    Unspecified,
    /// The reading that led to the event, raw: the sensor's record converts it.
    TriggerReading(u8),
    /// The threshold that was crossed, raw.
    TriggerThreshold(u8),
    /// The state before, each part only if it is known.
    Previous {
        /// The offset in event/reading type 07h that says how severe the event is.
        severity: Option<u8>,
        /// The offset of the state before, of the same event/reading type as the event.
        state: Option<u8>,
    },
    /// Something that the manufacturer defines.
    Oem(u8),
    /// Something that the specification defines for the sensor type.
    SensorSpecific(u8),
    /// The flags have a combination that the specification does not assign.
    Reserved(u8),
}

/// An event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SystemEvent {
    /// When it was added to the log.
    pub time: SelTime,
    /// Who reported it.
    pub generator: Generator,
    /// The format of the event: 04h is that of IPMI 1.5 and 2.0, 03h that of 1.0.
    pub revision: u8,
    /// What kind of sensor it comes from (IPMI 2.0 §42.2, table 42-3).
    pub sensor_type: u8,
    /// Which sensor of the generator it comes from.
    pub sensor_number: u8,
    /// Whether the state was entered, or left.
    pub asserted: bool,
    /// How the states are to be understood, 7 bits: the event/reading type (IPMI 2.0 §42.1, table 42-1).
    pub event_type: u8,
    /// The data of the event.
    pub data: [u8; 3],
}

impl SystemEvent {
    pub(super) fn decode(bytes: [u8; 13]) -> Self {
        let [
            t0,
            t1,
            t2,
            t3,
            generator_low,
            generator_high,
            revision,
            sensor_type,
            sensor_number,
            event,
            data @ ..,
        ] = bytes;
        Self {
            time: SelTime(u32::from_le_bytes([t0, t1, t2, t3])),
            generator: Generator(u16::from_le_bytes([generator_low, generator_high])),
            revision,
            sensor_type,
            sensor_number,
            asserted: event & 0x80 == 0,
            event_type: event & 0x7f,
            data,
        }
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = self.time.0.to_le_bytes().to_vec();
        bytes.extend(self.generator.0.to_le_bytes());
        let event = u8::from(!self.asserted) << 7 | self.event_type & 0x7f;
        bytes.extend([self.revision, self.sensor_type, self.sensor_number, event]);
        bytes.extend(self.data);
        bytes
    }

    /// Which state was entered or left, 0 to 15.
    #[must_use]
    pub const fn offset(&self) -> u8 {
        let [flags, _, _] = self.data;
        flags & 0x0f
    }

    /// The state that was entered or left, as text; nothing for states of manufacturers and unassigned ones.
    #[must_use]
    pub const fn state(&self) -> Option<&'static str> {
        state_text(self.event_type, self.sensor_type, self.offset())
    }

    /// What the second byte of the data means.
    #[must_use]
    pub const fn second(&self) -> EventByte {
        let [flags, byte, _] = self.data;
        match (flags >> 6, self.event_type) {
            (0b00, _) => EventByte::Unspecified,
            (0b01, THRESHOLD) => EventByte::TriggerReading(byte),
            (0b01, _) => EventByte::Previous { severity: known(byte >> 4), state: known(byte & 0x0f) },
            (0b10, _) => EventByte::Oem(byte),
            (_, event_type) => sensor_specific(event_type, byte),
        }
    }

    /// What the third byte of the data means.
    #[must_use]
    pub const fn third(&self) -> EventByte {
        let [flags, _, byte] = self.data;
        match (flags >> 4 & 0b11, self.event_type) {
            (0b00, _) => EventByte::Unspecified,
            (0b01, THRESHOLD) => EventByte::TriggerThreshold(byte),
            (0b01, _) => EventByte::Reserved(byte),
            (0b10, _) => EventByte::Oem(byte),
            (_, event_type) => sensor_specific(event_type, byte),
        }
    }

    /// What the second and third byte of the data say, as texts: raw readings, the state before, and what the
    /// specification defines for the sensor type.
    #[must_use]
    pub fn details(&self) -> Vec<String> {
        detail::texts(self, None)
    }

    /// How bad the state is that was entered or left; nothing where nobody can say so without knowing the machine. What
    /// the event says about itself goes before what its state means.
    #[must_use]
    pub fn severity(&self) -> Option<Health> {
        match (self.second(), self.event_type) {
            (EventByte::Previous { severity: Some(severity), .. }, _) => Health::from_severity(severity),
            (_, THRESHOLD) => threshold_severity(self.offset()),
            _ => state_severity(self.event_type, self.sensor_type, self.offset()),
        }
    }

    /// The same line as that of the event alone, with what is known of its sensor: the name, unless it is empty, and
    /// how raw readings become numbers.
    pub fn with_sensor(&self, name: &str, interpretation: &Interpretation) -> impl fmt::Display {
        let sensor = if name.is_empty() { self.sensor() } else { name.to_owned() };
        let details = detail::texts(self, Some(interpretation));
        fmt::from_fn(move |f| self.write(f, &sensor, &details))
    }

    /// What a sensor is called of which only the number is known.
    fn sensor(&self) -> String {
        format!("sensor {:02X}h", self.sensor_number)
    }

    fn write(&self, f: &mut fmt::Formatter<'_>, sensor: &str, details: &[String]) -> fmt::Result {
        match sensor_type_name(self.sensor_type) {
            Some(name) => f.write_str(name)?,
            None => write!(f, "sensor type {:02X}h", self.sensor_type)?,
        }
        write!(f, ", {sensor}: ")?;
        match self.state() {
            Some(state) => f.write_str(state)?,
            None => {
                let [first, second, third] = self.data;
                write!(f, "event type {:02X}h, data {first:02x} {second:02x} {third:02x}", self.event_type)?;
            }
        }
        for detail in details {
            write!(f, ", {detail}")?;
        }
        if self.asserted { Ok(()) } else { f.write_str(" (ended)") }
    }
}

/// How bad it is to have crossed a threshold outwards (IPMI 2.0 §42.1, table 42-2); crossing it inwards is not bad.
const fn threshold_severity(offset: u8) -> Option<Health> {
    match offset {
        0x00 | 0x07 => Some(Health::NonCritical),
        0x02 | 0x09 => Some(Health::Critical),
        0x04 | 0x0b => Some(Health::NonRecoverable),
        _ => None,
    }
}

/// Four bits that all set say that nothing is known.
const fn known(bits: u8) -> Option<u8> {
    if bits == 0x0f { None } else { Some(bits) }
}

/// Only the event/reading types that the specification defines can have a meaning that it defines.
const fn sensor_specific(event_type: u8, byte: u8) -> EventByte {
    match event_type {
        0x01..=0x0c | SENSOR_SPECIFIC => EventByte::SensorSpecific(byte),
        _ => EventByte::Reserved(byte),
    }
}

impl fmt::Display for SystemEvent {
    /// What happened, in one line, without time and generator.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, &self.sensor(), &self.details())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{SelEntry, SelRecord, When};
    use super::*;
    use crate::sensor::{AnalogFormat, BaseUnit, Conversion, Factors, Units};

    /// From ipmi_sim; ipmitool prints: Fan, Fan1, Lower Critical going low, Deasserted, Reading 500 > Threshold 1000 RPM,
    /// where the sensor's record has M = 100.
    #[test]
    fn a_threshold_event_has_its_reading_and_threshold() {
        let bytes =
            [0x21, 0x00, 0x02, 0x35, 0x32, 0x00, 0x00, 0x20, 0x00, 0x04, 0x04, 0x03, 0x81, 0x52, 0x05, 0x0a];
        let entry = SelEntry::decode(&bytes).unwrap();
        let SelRecord::Event(event) = entry.record else { panic!() };
        assert_eq!(entry.id, 0x21);
        assert_eq!(event.time.when(), When::SinceStart(12853));
        assert_eq!((event.generator, event.revision), (Generator::BMC, 4));
        assert_eq!((event.sensor_type, event.sensor_number), (4, 3));
        assert_eq!((event.asserted, event.event_type, event.offset()), (false, THRESHOLD, 2));
        assert_eq!(event.second(), EventByte::TriggerReading(5));
        assert_eq!(event.third(), EventByte::TriggerThreshold(10));
        assert_eq!(entry.encode(), bytes);
    }

    fn event(event_type: u8, data: [u8; 3]) -> SystemEvent {
        SystemEvent {
            time: SelTime::UNSPECIFIED,
            generator: Generator::BMC,
            revision: 4,
            sensor_type: 1,
            sensor_number: 1,
            asserted: true,
            event_type,
            data,
        }
    }

    #[test]
    fn the_first_byte_says_what_the_others_mean() {
        let bytes = |event_type, flags| {
            let event = event(event_type, [flags, 0x1f, 0x22]);
            (event.second(), event.third())
        };
        let (reading, threshold) = (EventByte::TriggerReading(0x1f), EventByte::TriggerThreshold(0x22));
        assert_eq!(bytes(THRESHOLD, 0x00), (EventByte::Unspecified, EventByte::Unspecified));
        assert_eq!(bytes(THRESHOLD, 0x50), (reading, threshold));
        assert_eq!(bytes(THRESHOLD, 0xa0), (EventByte::Oem(0x1f), EventByte::Oem(0x22)));
        let previous = EventByte::Previous { severity: Some(1), state: None };
        assert_eq!(bytes(SENSOR_SPECIFIC, 0x50), (previous, EventByte::Reserved(0x22)));
        let specific = (EventByte::SensorSpecific(0x1f), EventByte::SensorSpecific(0x22));
        assert_eq!(bytes(SENSOR_SPECIFIC, 0xf0), specific);
        assert_eq!(bytes(0x70, 0xf0), (EventByte::Reserved(0x1f), EventByte::Reserved(0x22)));
    }

    #[test]
    fn a_known_sensor_has_a_name_and_numbers() {
        let hot = SystemEvent { sensor_number: 4, ..event(THRESHOLD, [0x59, 0xb5, 0xb4]) };
        let celsius = Interpretation {
            sensor_type: 1,
            event_reading_type: THRESHOLD,
            units: Units::plain(AnalogFormat::Unsigned, BaseUnit(1)),
            conversion: None,
        };
        let text = "Temperature, CPU1 Temp: upper critical, going high, reading B5h, threshold B4h";
        assert_eq!(
            hot.with_sensor("CPU1 Temp", &celsius).to_string(),
            text,
            "without a formula there is no number"
        );
        let factors = Factors { m: 5, result_exponent: -1, ..Factors::default() };
        let conversion = Some(Conversion { factors, ..Conversion::default() });
        let celsius = Interpretation { conversion, ..celsius };
        let ended = SystemEvent { asserted: false, ..hot };
        let text =
            "Temperature, CPU1 Temp: upper critical, going high, reading 90.5 C, threshold 90 C (ended)";
        assert_eq!(ended.with_sensor("CPU1 Temp", &celsius).to_string(), text);
        assert!(hot.with_sensor("", &celsius).to_string().starts_with("Temperature, sensor 04h: "));
    }

    #[test]
    fn an_event_is_as_bad_as_it_says_or_as_its_state_is() {
        let severity = |event_type, flags| event(event_type, [flags, 0x1f, 0]).severity();
        assert_eq!(severity(THRESHOLD, 0x09), Some(Health::Critical));
        assert_eq!(severity(THRESHOLD, 0x54), Some(Health::NonRecoverable));
        assert_eq!(severity(THRESHOLD, 0x07), Some(Health::NonCritical));
        assert_eq!(severity(THRESHOLD, 0x08), None, "it comes back over the upper critical threshold");
        assert_eq!(severity(0x04, 0x01), Some(Health::NonCritical));
        assert_eq!(severity(0x03, 0x41), Some(Health::NonCritical), "the event says so");
        assert_eq!(severity(0x03, 0x01), None);
    }

    #[test]
    fn what_is_not_assigned_is_shown_as_numbers() {
        let event = SystemEvent { sensor_type: 0xc1, ..event(0x72, [0xa3, 0x04, 0x05]) };
        let text = "sensor type C1h, sensor 01h: event type 72h, data a3 04 05, OEM code 04h, OEM code 05h";
        assert_eq!(event.to_string(), text);
        assert_eq!(event.state(), None);
    }

    #[test]
    fn generators_are_controllers_or_software() {
        assert_eq!(Generator::BMC.slave_address(), Some(0x20));
        assert_eq!(Generator::BMC.to_string(), "BMC");
        let satellite = Generator(0x712c);
        assert_eq!((satellite.slave_address(), satellite.channel(), satellite.lun()), (Some(0x2c), 7, 1));
        assert_eq!(satellite.to_string(), "controller 2Ch");
        assert_eq!((Generator(0x0001).software_id(), Generator(0x0001).slave_address()), (Some(0), None));
        assert_eq!(Generator(0x0001).to_string(), "BIOS (id 00h)");
        assert_eq!(Generator(0x0041).to_string(), "system management software (id 20h)");
        assert_eq!(Generator(0x0081).to_string(), "remote console software (id 40h)");
    }
}
