//! What a BMC is: identity, self test, network, users. What it does not know, or does not tell this user, is missing.

use comfy_table::Table;
use opendcre_ipmi::app::{
    CURRENT_CHANNEL, ChannelInfo, DeviceIdentity, Functions, GetChannelInfo, GetDeviceId, GetSelfTest,
    GetSystemGuid,
};
use opendcre_ipmi::chassis::GetPowerOnHours;
use opendcre_ipmi::lan::{LanConfig, ReadLanConfig};
use opendcre_ipmi::user::{ReadUsers, User};
use opendcre_ipmi::{Single, user};
use serde::Serialize;

use super::console::{Report, fields, hex, joined, list, set_names, words, yes_no};
use super::error::IpmiError;
use super::link::Link;

/// Everything that a BMC says about itself.
#[derive(Debug, Serialize)]
pub(super) struct Info {
    address: String,
    device: Identity,
    guid: Option<String>,
    self_test: Option<String>,
    power_on_minutes: Option<u64>,
    channel: Option<Channel>,
    lan: Option<Lan>,
    users: Option<Vec<Account>>,
    problems: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Identity {
    device_id: u8,
    revision: u8,
    firmware: String,
    firmware_auxiliary: Option<String>,
    updating: bool,
    ipmi_version: String,
    manufacturer: u32,
    product: u16,
    device_sdrs: bool,
    functions: Vec<&'static str>,
}

#[derive(Debug, Serialize)]
struct Channel {
    number: u8,
    medium: String,
    open_sessions: u8,
}

#[derive(Debug, Serialize)]
struct Lan {
    address: Option<String>,
    source: Option<String>,
    netmask: Option<String>,
    mac: Option<String>,
    gateway: Option<String>,
    gateway_mac: Option<String>,
    port: Option<u16>,
    vlan: Option<u16>,
    cipher_suites: Option<Vec<u8>>,
}

#[derive(Debug, Serialize)]
struct Account {
    id: u8,
    name: String,
    enabled: Option<bool>,
    privilege: String,
}

/// Asks for all of it.
pub(super) async fn read(link: &Link) -> Result<Info, IpmiError> {
    let mut problems = Vec::new();
    let device = Identity::from(link.ask(GetDeviceId).await?);
    let guid = link.try_run("GUID", Single(GetSystemGuid), &mut problems).await?;
    let self_test = link.try_run("self test", Single(GetSelfTest), &mut problems).await?;
    let hours = link.try_run("power-on hours", Single(GetPowerOnHours), &mut problems).await?;
    let channel =
        link.try_run("channel", Single(GetChannelInfo { channel: CURRENT_CHANNEL }), &mut problems).await?;
    let lan = link.try_run("network", ReadLanConfig::new(CURRENT_CHANNEL), &mut problems).await?;
    let users = link.try_run("users", ReadUsers::new(CURRENT_CHANNEL), &mut problems).await?;
    Ok(Info {
        address: link.address.to_string(),
        device,
        guid: guid.map(|guid| guid.to_string()),
        self_test: self_test.map(|result| result.to_string()),
        power_on_minutes: hours.map(|hours| hours.minutes()),
        channel: channel.map(Channel::from),
        lan: lan.map(Lan::from),
        users: users.map(|users| users.into_iter().filter(is_used).map(Account::from).collect()),
        problems,
    })
}

/// Whether a number stands for somebody: most BMCs have room for many more users than they have.
fn is_used(user: &User) -> bool {
    !user.name.is_empty() || user.access.enabled == Some(true)
}

impl From<DeviceIdentity> for Identity {
    fn from(identity: DeviceIdentity) -> Self {
        let has = |function| identity.functions.contains(function);
        Self {
            device_id: identity.device_id,
            revision: identity.revision,
            firmware: identity.firmware(),
            firmware_auxiliary: identity.auxiliary.map(|bytes| hex(&bytes)),
            updating: identity.updating,
            ipmi_version: identity.ipmi_version.to_string(),
            manufacturer: identity.manufacturer,
            product: identity.product,
            device_sdrs: identity.device_sdrs,
            functions: set_names([
                (has(Functions::SENSOR), "sensors"),
                (has(Functions::SDR_REPOSITORY), "sdr_repository"),
                (has(Functions::SEL), "sel"),
                (has(Functions::FRU), "fru"),
                (has(Functions::EVENT_RECEIVER), "event_receiver"),
                (has(Functions::EVENT_GENERATOR), "event_generator"),
                (has(Functions::BRIDGE), "bridge"),
                (has(Functions::CHASSIS), "chassis"),
            ]),
        }
    }
}

impl From<ChannelInfo> for Channel {
    fn from(channel: ChannelInfo) -> Self {
        let ChannelInfo { number, medium, active_sessions, .. } = channel;
        Self { number, medium: medium.to_string(), open_sessions: active_sessions }
    }
}

impl From<LanConfig> for Lan {
    fn from(lan: LanConfig) -> Self {
        Self {
            address: lan.address.map(|address| address.to_string()),
            source: lan.source.map(|source| source.to_string()),
            netmask: lan.netmask.map(|mask| mask.to_string()),
            mac: lan.mac.map(|mac| mac.to_string()),
            gateway: lan.gateway.map(|gateway| gateway.to_string()),
            gateway_mac: lan.gateway_mac.map(|mac| mac.to_string()),
            port: lan.port,
            vlan: lan.vlan.filter(|vlan| vlan.enabled).map(|vlan| vlan.id),
            cipher_suites: lan.cipher_suites,
        }
    }
}

impl From<user::User> for Account {
    fn from(user: user::User) -> Self {
        let User { id, name, access } = user;
        Self { id, name, enabled: access.enabled, privilege: access.limit.to_string() }
    }
}

impl Report for Info {
    fn tables(&self) -> Vec<Table> {
        let accounts = self.users.iter().flatten().map(Account::row);
        vec![
            fields(self.identity_rows()),
            fields(self.lan.iter().flat_map(Lan::rows)),
            list(["ID", "USER", "ENABLED", "PRIVILEGE"], accounts),
        ]
    }

    fn problems(&self) -> &[String] {
        &self.problems
    }
}

impl Info {
    fn identity_rows(&self) -> [(&'static str, Option<String>); 12] {
        let Self { address, device, .. } = self;
        let channel = self.channel.as_ref();
        let channel = channel.map(|channel| {
            format!("{}, {}, open sessions: {}", channel.number, channel.medium, channel.open_sessions)
        });
        [
            ("BMC", Some(address.clone())),
            ("manufacturer", Some(device.manufacturer.to_string())),
            ("product", Some(device.product.to_string())),
            ("device id", Some(format!("{}, revision {}", device.device_id, device.revision))),
            ("firmware", Some(device.firmware.clone())),
            ("being updated", device.updating.then(|| yes_no(true))),
            ("IPMI version", Some(device.ipmi_version.clone())),
            ("functions", joined(&device.functions).as_deref().map(words)),
            ("GUID", self.guid.clone()),
            ("self test", self.self_test.clone()),
            ("power-on hours", self.power_on_minutes.map(|minutes| (minutes / 60).to_string())),
            ("channel", channel),
        ]
    }
}

impl Lan {
    fn rows(&self) -> [(&'static str, Option<String>); 8] {
        let suites = self.cipher_suites.as_ref();
        let suites: Option<Vec<String>> = suites.map(|suites| suites.iter().map(u8::to_string).collect());
        [
            ("IP address", self.address.clone()),
            ("address source", self.source.clone()),
            ("netmask", self.netmask.clone()),
            ("gateway", self.gateway.clone()),
            ("MAC address", self.mac.clone()),
            ("UDP port", self.port.map(|port| port.to_string())),
            ("VLAN", self.vlan.map(|vlan| vlan.to_string())),
            ("cipher suites", suites.and_then(|suites| joined(&suites))),
        ]
    }
}

impl Account {
    fn row(&self) -> [String; 4] {
        let name = if self.name.is_empty() { "(no name)" } else { &self.name };
        let enabled = self.enabled.map_or_else(|| "-".to_owned(), yes_no);
        [self.id.to_string(), name.to_owned(), enabled, self.privilege.clone()]
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use opendcre_ipmi::lan::{MacAddress, Vlan};
    use opendcre_ipmi::user::{PrivilegeLimit, UserAccess};

    use super::*;
    use crate::ipmi::console::shown;

    fn user(id: u8, name: &str, enabled: Option<bool>) -> User {
        let access = UserAccess {
            maximum_users: 10,
            enabled_users: 1,
            fixed_names: 1,
            enabled,
            callback_only: false,
            link_authentication: false,
            ipmi_messaging: true,
            limit: PrivilegeLimit::ADMINISTRATOR,
        };
        User { id, name: name.to_owned(), access }
    }

    fn sample() -> Info {
        let data = [0x20, 0x81, 0x01, 0x02, 0x02, 0x8d, 0xd9, 0x7e, 0x00, 0xce, 0x0d];
        let lan = LanConfig {
            address: Some(Ipv4Addr::new(10, 1, 0, 20)),
            mac: Some(MacAddress([2, 13, 206, 0, 0, 1])),
            vlan: Some(Vlan { enabled: false, id: 7 }),
            cipher_suites: Some(vec![3, 17]),
            ..LanConfig::default()
        };
        let users = [user(1, "", None), user(2, "ADMIN", Some(true)), user(3, "", Some(true))];
        Info {
            address: "10.1.0.20:623".to_owned(),
            device: DeviceIdentity::decode(&data).unwrap().into(),
            guid: None,
            self_test: Some("passed".to_owned()),
            power_on_minutes: Some(125),
            channel: Some(Channel { number: 1, medium: "802.3 LAN".to_owned(), open_sessions: 1 }),
            lan: Some(lan.into()),
            users: Some(users.into_iter().filter(is_used).map(Account::from).collect()),
            problems: vec!["bmc 0001: Get System GUID: no".to_owned()],
        }
    }

    #[test]
    fn what_is_not_known_is_left_out() {
        insta::assert_snapshot!(shown(&sample()), @r"
        BMC             10.1.0.20:623
        manufacturer    32473
        product         3534
        device id       32, revision 1
        firmware        1.02
        IPMI version    2.0
        functions       sensors, sel, fru, chassis
        self test       passed
        power-on hours  2
        channel         1, 802.3 LAN, open sessions: 1

        IP address     10.1.0.20
        MAC address    02:0d:ce:00:00:01
        cipher suites  3, 17

        ID  USER       ENABLED  PRIVILEGE
        2   ADMIN      yes      administrator
        3   (no name)  yes      administrator
        warning: bmc 0001: Get System GUID: no
        ");
    }

    #[test]
    fn keys_for_programs_stay() {
        insta::assert_snapshot!(serde_json::to_string(&sample()).unwrap(), @r#"{"address":"10.1.0.20:623","device":{"device_id":32,"revision":1,"firmware":"1.02","firmware_auxiliary":null,"updating":false,"ipmi_version":"2.0","manufacturer":32473,"product":3534,"device_sdrs":true,"functions":["sensors","sel","fru","chassis"]},"guid":null,"self_test":"passed","power_on_minutes":125,"channel":{"number":1,"medium":"802.3 LAN","open_sessions":1},"lan":{"address":"10.1.0.20","source":null,"netmask":null,"mac":"02:0d:ce:00:00:01","gateway":null,"gateway_mac":null,"port":null,"vlan":null,"cipher_suites":[3,17]},"users":[{"id":2,"name":"ADMIN","enabled":true,"privilege":"administrator"},{"id":3,"name":"","enabled":true,"privilege":"administrator"}],"problems":["bmc 0001: Get System GUID: no"]}"#);
    }
}
