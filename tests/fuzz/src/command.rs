//! Any bytes as the answer to every command that has no target of its own, and the procedures of those commands with
//! BMCs that answer as they like.
//!
//! The promises: what decodes encodes to something that decodes to the same, requests as well as answers; texts
//! cannot control a terminal; every procedure ends within its bound.

use std::fmt::Debug;

use arbitrary::{Arbitrary, Unstructured};
use opendcre_ipmi::app::{ChannelInfo, DeviceIdentity, Guid, SelfTest};
use opendcre_ipmi::chassis::boot::{
    BootDevice, BootFlags, BootOption, GetBootFlags, SetBootOption, SetBootTarget,
};
use opendcre_ipmi::chassis::{
    ChassisControl, ChassisIdentify, ChassisStatus, PowerOnHours, RestorePolicies, SetPowerRestorePolicy,
};
use opendcre_ipmi::dcmi::{
    AccessChannels, ActivatePowerLimit, AssetTag, Capability, CapabilityParameter, ControllerId,
    FindTemperatureSensors, GetPowerLimit, GetPowerReading, GetText, MandatoryAttributes, Page,
    PowerController, PowerLimit, PowerReading, ReadAssetTag, ReadCapabilities, ReadControllerId,
    ReadTemperatures, RollingPeriods, SetPowerLimit, SetText, Supported, Temperature, TextField, TextPart,
    WriteAssetTag, WriteControllerId,
};
use opendcre_ipmi::lan::{GetLanParameter, LanConfig, LanParameter, ReadLanConfig};
use opendcre_ipmi::packet::v1_5::AuthType;
use opendcre_ipmi::session::{
    ActivateSession, GetChannelAuthCapabilities, GetChannelCipherSuites, GetSessionChallenge,
    SetSessionPrivilege,
};
use opendcre_ipmi::user::{GetUserAccess, GetUserName, MAXIMUM_USER_ID, ReadUsers, UserAccess};
use opendcre_ipmi::{Command, DecodeError, Privilege, Procedure, Response};

use crate::hostile::Hostility;
use crate::is_printable;

/// Takes the bytes as every request and answer, and as the answers to every procedure.
pub fn command(data: &[u8]) {
    answers(data);
    requests(data);
    sessions(data);
    let response = Response { completion: GetPowerLimit::NOT_ACTIVE, data: data.to_vec() };
    assert!(GetPowerLimit.read(&response).is_ok_and(|state| !state.active));
    if let Ok(dialogue) = Dialogue::arbitrary_take_rest(Unstructured::new(data)) {
        dialogue.play();
    }
}

fn answers(data: &[u8]) {
    stays_the_same(data, DeviceIdentity::decode, DeviceIdentity::encode);
    stays_the_same(data, Guid::decode, Guid::encode);
    stays_the_same(data, SelfTest::decode, SelfTest::encode);
    stays_the_same(data, ChannelInfo::decode, ChannelInfo::encode);
    stays_the_same(data, ChassisStatus::decode, ChassisStatus::encode);
    stays_the_same(data, RestorePolicies::decode, RestorePolicies::encode);
    stays_the_same(data, PowerOnHours::decode, PowerOnHours::encode);
    stays_the_same(data, BootOption::decode, BootOption::encode);
    stays_the_same(data, BootFlags::decode, BootFlags::encode);
    capability::<Supported>(data);
    capability::<MandatoryAttributes>(data);
    capability::<PowerController>(data);
    capability::<AccessChannels>(data);
    capability::<RollingPeriods>(data);
    stays_the_same(data, PowerReading::decode, PowerReading::encode);
    stays_the_same(data, PowerLimit::decode, PowerLimit::encode);
    stays_the_same(data, TextPart::decode, TextPart::encode);
    pages(data);
    stays_the_same(data, UserAccess::decode, UserAccess::encode);
    stays_the_same(data, LanParameter::decode, LanParameter::encode);
    lan_parameters(data);
    assert!(is_printable(&AssetTag::decode(data)) && is_printable(&ControllerId::decode(data)));
    if let Ok(guid) = Guid::decode(data) {
        assert_eq!(guid.to_string().len(), 36);
    }
    if let (Ok(flags), Ok(option)) = (GetBootFlags.parse(data), BootOption::decode(data)) {
        assert!(!option.locked || flags.effective_device() == BootDevice::NoOverride);
    }
    if let Ok(name) = (GetUserName { user: 2 }).parse(data) {
        assert!(is_printable(&name.to_string()));
    }
}

fn stays_the_same<T: PartialEq + Debug>(
    data: &[u8],
    decode: impl Fn(&[u8]) -> Result<T, DecodeError>,
    encode: impl Fn(&T) -> Vec<u8>,
) {
    if let Ok(value) = decode(data) {
        assert_eq!(decode(&encode(&value)), Ok(value));
    }
}

fn capability<T: CapabilityParameter + PartialEq + Debug>(data: &[u8]) {
    stays_the_same(data, Capability::<T>::decode, Capability::encode);
}

/// A page is written with no more than fits on one, but read with whatever comes.
fn pages(data: &[u8]) {
    let cut = |length: usize| length.min(Page::<u16>::MAXIMUM);
    if let Ok(page) = Page::<u16>::decode(data) {
        let again = Page::<u16>::decode(&page.encode());
        assert_eq!(again.map(|page| page.items.len()), Ok(cut(page.items.len())));
    }
    if let Ok(page) = Page::<Temperature>::decode(data) {
        let again = Page::<Temperature>::decode(&page.encode());
        assert_eq!(again.map(|page| page.items.len()), Ok(cut(page.items.len())));
    }
}

fn lan_parameters(data: &[u8]) {
    for number in 0..=u8::MAX {
        let mut config = LanConfig::default();
        if config.set(number, data).is_ok()
            && let Some(encoded) = config.get(number)
        {
            let mut again = LanConfig::default();
            assert_eq!(again.set(number, &encoded), Ok(()));
            assert_eq!(again, config);
        }
    }
}

fn requests(data: &[u8]) {
    asks_the_same(data, ChassisControl::decode);
    asks_the_same(data, |data| Ok(ChassisIdentify::decode(data)));
    asks_the_same(data, SetPowerRestorePolicy::decode);
    asks_the_same(data, SetBootOption::decode);
    asks_the_same(data, GetPowerReading::decode);
    asks_the_same(data, SetPowerLimit::decode);
    asks_the_same(data, ActivatePowerLimit::decode);
    asks_the_same(data, GetText::<AssetTag>::decode);
    asks_the_same(data, GetText::<ControllerId>::decode);
    asks_the_same(data, SetText::<AssetTag>::decode);
    asks_the_same(data, SetText::<ControllerId>::decode);
    asks_the_same(data, GetLanParameter::decode);
    asks_the_same(data, GetUserAccess::decode);
}

fn asks_the_same<C: Command>(data: &[u8], decode: impl Fn(&[u8]) -> Result<C, DecodeError>) {
    if let Ok(command) = decode(data) {
        let request = command.request();
        let again = decode(&request.data).map(|command| command.request());
        assert_eq!(again.as_ref(), Ok(&request), "{}", C::NAME);
    }
}

fn sessions(data: &[u8]) {
    let capabilities = GetChannelAuthCapabilities { privilege: Privilege::User, extended: false };
    if let Ok(answer) = capabilities.parse(data) {
        assert_eq!(capabilities.parse(&answer.encode()), Ok(answer));
    }
    let activate = ActivateSession {
        auth_type: AuthType::Md5,
        privilege: Privilege::User,
        challenge: [0; 16],
        first_inbound: 1,
    };
    if let Ok(active) = activate.parse(data) {
        assert_eq!(activate.parse(&active.encode()), Ok(active));
    }
    let challenge = GetSessionChallenge { auth_type: AuthType::Md5, username: data.to_vec() };
    assert_eq!(challenge.request().data.len(), 17);
    assert!(challenge.parse(data).is_ok() == (data.len() >= 20));
    assert!(
        GetChannelCipherSuites { index: 0 }.parse(data).is_ok_and(|part| part.len() <= 16)
            || !(1..=17).contains(&data.len())
    );
    assert!(SetSessionPrivilege(Privilege::User).parse(data).is_ok() != data.is_empty());
}

#[derive(Debug, Arbitrary)]
struct Dialogue {
    hostility: Hostility,
    channel: u8,
    boot: (u8, bool, bool),
    text: String,
    /// What an honest BMC answers, to whatever question.
    data: Vec<u8>,
}

impl Dialogue {
    fn play(&self) {
        let (device, persistent, efi) = self.boot;
        let flags = BootFlags::target(BootDevice::from_number(device), persistent, efi);
        self.drive(SetBootTarget::new(flags), 6);
        self.drive(ReadCapabilities::new(), 5);
        self.drive(ReadAssetTag::new(), 64);
        self.drive(ReadControllerId::new(), 65);
        WriteAssetTag::new(&self.text).into_iter().for_each(|procedure| self.drive(procedure, 4));
        WriteControllerId::new(&self.text).into_iter().for_each(|procedure| self.drive(procedure, 4));
        // Each of three entities under two ids, and at least one temperature of 255 in every answer.
        self.drive(FindTemperatureSensors::new(), 3 * (255 + 2));
        self.drive(ReadTemperatures::new(), 3 * (255 + 2));
        self.drive(ReadLanConfig::new(self.channel), 15);
        self.drive(ReadUsers::new(self.channel), 2 * usize::from(MAXIMUM_USER_ID));
    }

    fn drive<P: Procedure>(&self, procedure: P, most: usize) {
        let done = self.hostility.drive(procedure, most, |_| self.data.clone());
        done.err().iter().for_each(|error| assert!(!error.to_string().is_empty()));
    }
}
