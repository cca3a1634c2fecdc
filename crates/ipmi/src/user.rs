//! The users of a BMC: their names and what they may do (IPMI 2.0 §22.26 to §22.30). Reads only; never sees passwords.

use std::fmt;

use crate::text::presentable;
use crate::wire::Reader;
use crate::{Command, CommandError, Completion, DecodeError, NetFn, Procedure, Request, Response, Step};

/// Set User Access (IPMI 2.0 §22.26).
pub const SET_USER_ACCESS: u8 = 0x43;
/// Get User Access (IPMI 2.0 §22.27).
pub const GET_USER_ACCESS: u8 = 0x44;
/// Set User Name (IPMI 2.0 §22.28).
pub const SET_USER_NAME: u8 = 0x45;
/// Get User Name Command (IPMI 2.0 §22.29).
pub const GET_USER_NAME: u8 = 0x46;
/// Set User Password (IPMI 2.0 §22.30).
pub const SET_USER_PASSWORD: u8 = 0x47;

/// The highest number that a user can have: six bits (IPMI 2.0 §22.27).
pub const MAXIMUM_USER_ID: u8 = 63;

/// What a user, a channel or a cipher suite may at most be used for: four bits (IPMI 2.0 tables 22-32 and 23-4). Unlike
/// the privilege that a session asks for, this can be none at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PrivilegeLimit(pub u8);

impl PrivilegeLimit {
    /// No limit is given.
    pub const UNSPECIFIED: Self = Self(0);
    /// Being called back.
    pub const CALLBACK: Self = Self(1);
    /// Reading.
    pub const USER: Self = Self(2);
    /// Controlling the host.
    pub const OPERATOR: Self = Self(3);
    /// Configuring the BMC.
    pub const ADMINISTRATOR: Self = Self(4);
    /// What the manufacturer decides.
    pub const OEM: Self = Self(5);
    /// Nothing.
    pub const NO_ACCESS: Self = Self(0x0f);
}

impl fmt::Display for PrivilegeLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match *self {
            Self::UNSPECIFIED => "unspecified",
            Self::CALLBACK => "callback",
            Self::USER => "user",
            Self::OPERATOR => "operator",
            Self::ADMINISTRATOR => "administrator",
            Self::OEM => "oem",
            Self::NO_ACCESS => "no access",
            Self(other) => return write!(f, "reserved {other:X}h"),
        })
    }
}

/// What a user may do on a channel, and how many users there are (IPMI 2.0 §22.27, table 22-32).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UserAccess {
    /// How many users the BMC can have, at most 63.
    pub maximum_users: u8,
    /// How many of them are enabled, at most 63.
    pub enabled_users: u8,
    /// How many of them, from number 1 on, have a name that cannot be changed, at most 63.
    pub fixed_names: u8,
    /// Whether the user is enabled; nothing when the BMC does not say.
    pub enabled: Option<bool>,
    /// May log in only by being called back.
    pub callback_only: bool,
    /// May authenticate links, such as PPP.
    pub link_authentication: bool,
    /// May send IPMI messages, which is what a remote console needs.
    pub ipmi_messaging: bool,
    /// What the user may at most do.
    pub limit: PrivilegeLimit,
}

impl UserAccess {
    /// Reads the data of an answer.
    ///
    /// # Errors
    /// When they are fewer than four bytes.
    pub fn decode(data: &[u8]) -> Result<Self, DecodeError> {
        let [maximum, enabled, fixed, access] = Reader::new("user access", data).array()?;
        Ok(Self {
            maximum_users: maximum & MAXIMUM_USER_ID,
            enabled_users: enabled & MAXIMUM_USER_ID,
            fixed_names: fixed & MAXIMUM_USER_ID,
            enabled: match enabled >> 6 {
                1 => Some(true),
                2 => Some(false),
                _ => None,
            },
            callback_only: access & 0x40 != 0,
            link_authentication: access & 0x20 != 0,
            ipmi_messaging: access & 0x10 != 0,
            limit: PrivilegeLimit(access & 0x0f),
        })
    }

    /// The data of an answer. Numbers that are too large for their field lose their upper bits.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let status = match self.enabled {
            None => 0,
            Some(true) => 1,
            Some(false) => 2,
        };
        vec![
            self.maximum_users & MAXIMUM_USER_ID,
            self.enabled_users & MAXIMUM_USER_ID | status << 6,
            self.fixed_names & MAXIMUM_USER_ID,
            u8::from(self.callback_only) << 6
                | u8::from(self.link_authentication) << 5
                | u8::from(self.ipmi_messaging) << 4
                | self.limit.0 & 0x0f,
        ]
    }
}

/// Asks what a user may do on a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GetUserAccess {
    /// The channel, 0 to 15; [`crate::app::CURRENT_CHANNEL`] is the one that is in use.
    pub channel: u8,
    /// The user's number, 1 to 63.
    pub user: u8,
}

impl GetUserAccess {
    /// Reads the data of a request.
    ///
    /// # Errors
    /// When they are fewer than two bytes.
    pub fn decode(data: &[u8]) -> Result<Self, DecodeError> {
        let [channel, user] = Reader::new("a request for user access", data).array()?;
        Ok(Self { channel: channel & 0x0f, user: user & MAXIMUM_USER_ID })
    }
}

impl Command for GetUserAccess {
    type Output = UserAccess;

    const NAME: &'static str = "Get User Access";

    fn request(&self) -> Request {
        let data = [self.channel & 0x0f, self.user & MAXIMUM_USER_ID];
        Request::new(NetFn::APP, GET_USER_ACCESS, &data)
    }

    fn parse(&self, data: &[u8]) -> Result<UserAccess, DecodeError> {
        UserAccess::decode(data)
    }
}

/// A user's name: 16 bytes of which zeros at the end do not count. The first user of most BMCs has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct UserName(pub [u8; 16]);

impl UserName {
    /// The name `name`; nothing when it is longer than 16 bytes.
    #[must_use]
    pub fn new(name: &str) -> Option<Self> {
        let mut bytes = [0; 16];
        bytes.get_mut(..name.len())?.copy_from_slice(name.as_bytes());
        Some(Self(bytes))
    }

    /// Reads the data of an answer.
    ///
    /// # Errors
    /// When they are fewer than 16 bytes.
    pub fn decode(data: &[u8]) -> Result<Self, DecodeError> {
        Ok(Self(Reader::new("a user name", data).array()?))
    }

    /// The data of an answer.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        self.0.to_vec()
    }
}

impl fmt::Display for UserName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.0.split(|byte| *byte == 0).next().unwrap_or_default();
        f.write_str(&presentable(&String::from_utf8_lossy(name)))
    }
}

/// Asks for a user's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GetUserName {
    /// The user's number, 1 to 63.
    pub user: u8,
}

impl Command for GetUserName {
    type Output = UserName;

    const NAME: &'static str = "Get User Name";

    fn request(&self) -> Request {
        Request::new(NetFn::APP, GET_USER_NAME, &[self.user & MAXIMUM_USER_ID])
    }

    fn parse(&self, data: &[u8]) -> Result<UserName, DecodeError> {
        UserName::decode(data)
    }
}

/// One user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The number, 1 to 63.
    pub id: u8,
    /// The name; empty when the user has none, or the BMC does not tell it.
    pub name: String,
    /// What the user may do on the channel that was asked about.
    pub access: UserAccess,
}

/// Reads the users, as many as the BMC says it can have. Numbers that it then refuses are left out.
#[derive(Debug, Clone)]
pub struct ReadUsers {
    channel: u8,
    /// The number that is asked about.
    id: u8,
    /// How many users the BMC can have.
    maximum: u8,
    /// The access of the user whose name was asked for.
    access: Option<UserAccess>,
    users: Vec<User>,
}

impl ReadUsers {
    /// Reads the users with their access on `channel`.
    #[must_use]
    pub const fn new(channel: u8) -> Self {
        Self { channel, id: 1, maximum: 1, access: None, users: Vec::new() }
    }

    /// Takes an answer, and goes on to the next number when all is known of this one.
    fn take(&mut self, response: &Response) -> Result<(), CommandError> {
        if let Some(access) = self.access.take() {
            let name = known(GetUserName { user: self.id }.read(response))?;
            let name = name.map(|name| name.to_string()).unwrap_or_default();
            self.users.push(User { id: self.id, name, access });
            self.id += 1;
            return Ok(());
        }
        self.access = known(GetUserAccess { channel: self.channel, user: self.id }.read(response))?;
        match self.access {
            Some(access) => self.maximum = access.maximum_users,
            None => self.id += 1,
        }
        Ok(())
    }
}

/// What a BMC says about a user; nothing when it says that there is none of that number.
fn known<T>(result: Result<T, CommandError>) -> Result<Option<T>, CommandError> {
    match result {
        Ok(known) => Ok(Some(known)),
        Err(CommandError::Refused {
            completion: Completion::NOT_PRESENT | Completion::OUT_OF_RANGE | Completion::INVALID_FIELD,
            ..
        }) => Ok(None),
        Err(error) => Err(error),
    }
}

impl Procedure for ReadUsers {
    type Output = Vec<User>;

    fn advance(&mut self, answer: Option<&Response>) -> Result<Step<Vec<User>>, CommandError> {
        if let Some(response) = answer {
            self.take(response)?;
        }
        Ok(if self.access.is_some() {
            Step::Ask(GetUserName { user: self.id }.request())
        } else if self.id <= self.maximum {
            Step::Ask(GetUserAccess { channel: self.channel, user: self.id }.request())
        } else {
            Step::Done(std::mem::take(&mut self.users))
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn answer(completion: u8, data: &[u8]) -> Response {
        Response { completion: Completion(completion), data: data.to_vec() }
    }

    /// Drives the procedure against a BMC that answers with what `bmc` gives for a command and a user.
    fn drive(bmc: impl Fn(u8, u8) -> Response) -> (usize, Result<Vec<User>, CommandError>) {
        let mut procedure = ReadUsers::new(1);
        let mut last = None;
        for asked in 0..=2 * usize::from(MAXIMUM_USER_ID) {
            match procedure.advance(last.as_ref()) {
                Ok(Step::Done(users)) => return (asked, Ok(users)),
                Err(error) => return (asked, Err(error)),
                Ok(Step::Ask(request)) => last = Some(bmc(request.command, *request.data.last().unwrap())),
            }
        }
        panic!("it does not come to an end");
    }

    /// What ipmi_sim answers for its user 2, ADMIN.
    #[test]
    fn the_simulators_user_is_read() {
        let access = GetUserAccess { channel: 1, user: 2 }.parse(&[0x3f, 0x07, 0x01, 0x14]).unwrap();
        assert_eq!((access.maximum_users, access.enabled_users, access.fixed_names), (63, 7, 1));
        assert_eq!((access.enabled, access.limit), (None, PrivilegeLimit::ADMINISTRATOR));
        assert!(access.ipmi_messaging && !access.link_authentication && !access.callback_only);
        assert_eq!(access.encode(), [0x3f, 0x07, 0x01, 0x14]);
        let name = GetUserName { user: 2 }.parse(b"ADMIN\0\0\0\0\0\0\0\0\0\0\0").unwrap();
        assert_eq!(name.to_string(), "ADMIN");
        assert_eq!(UserName::new("ADMIN"), Some(name));
    }

    #[test]
    fn the_questions_are_those_of_the_specification() {
        let question = GetUserAccess { channel: 1, user: 2 };
        assert_eq!(question.request(), Request::new(NetFn(0x06), 0x44, &[0x01, 0x02]));
        assert_eq!(GetUserAccess::decode(&[0x01, 0x02]), Ok(question));
        assert_eq!(GetUserName { user: 2 }.request(), Request::new(NetFn(0x06), 0x46, &[0x02]));
    }

    #[test]
    fn whether_a_user_is_enabled_has_three_answers() {
        let enabled = |status: u8| UserAccess::decode(&[0x0a, status << 6 | 3, 0x01, 0x5f]).unwrap().enabled;
        assert_eq!([0, 1, 2, 3].map(enabled), [None, Some(true), Some(false), None]);
        let access = UserAccess::decode(&[0x0a, 0x83, 0x01, 0x5f]).unwrap();
        assert!(access.callback_only);
        assert_eq!(access.limit.to_string(), "no access");
        assert_eq!(access.encode(), [0x0a, 0x83, 0x01, 0x5f]);
    }

    #[test]
    fn names_have_at_most_sixteen_bytes() {
        assert_eq!(UserName::new("sixteen bytes ok").unwrap().to_string(), "sixteen bytes ok");
        assert_eq!(UserName::new("seventeen bytes !"), None);
        assert_eq!(UserName([0; 16]).to_string(), "");
        assert_eq!(UserName([0xff; 16]).to_string().chars().count(), 16);
    }

    #[test]
    fn users_are_listed_with_gaps_and_without_names() {
        let (asked, users) = drive(|command, user| match (command, user) {
            (0x44, 3) => answer(0xcc, &[]),
            (0x44, _) => answer(0x00, &[0x04, 0x43, 0x01, 0x14]),
            (0x46, 1) => answer(0xcc, &[]),
            (_, _) => answer(0x00, b"somebody\0\0\0\0\0\0\0\0"),
        });
        let users = users.unwrap();
        assert_eq!(asked, 7);
        let listed: Vec<(u8, &str)> = users.iter().map(|user| (user.id, user.name.as_str())).collect();
        assert_eq!(listed, [(1, ""), (2, "somebody"), (4, "somebody")]);
        assert_eq!(users[0].access.enabled, Some(true));
    }

    #[test]
    fn a_user_who_may_not_ask_gets_the_refusal() {
        let (asked, result) = drive(|_, _| answer(0xd4, &[]));
        let completion = Completion::INSUFFICIENT_PRIVILEGE;
        assert_eq!(
            (asked, result),
            (1, Err(CommandError::Refused { command: "Get User Access", completion }))
        );
    }

    #[test]
    fn a_bmc_without_users_has_none() {
        assert_eq!(drive(|_, _| answer(0xcc, &[])), (1, Ok(Vec::new())));
    }

    proptest! {
        #[test]
        fn what_is_decoded_comes_back_when_encoded(data: Vec<u8>) {
            if let Ok(access) = UserAccess::decode(&data) {
                prop_assert_eq!(UserAccess::decode(&access.encode()), Ok(access));
            }
            if let Ok(name) = UserName::decode(&data) {
                prop_assert_eq!(name.encode(), &data[..16]);
            }
        }

        #[test]
        fn the_list_comes_to_an_end_whatever_is_answered(
            codes in proptest::collection::vec(prop_oneof![3 => Just(0_u8), 1 => Just(0xcc)], 256),
            data: [u8; 16],
        ) {
            let (_, users) = drive(|command, user| answer(codes[usize::from(command ^ user)], &data));
            prop_assert!(users.unwrap().len() <= 63);
        }
    }
}
