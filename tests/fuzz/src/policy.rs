//! Any texts as roles, as rules that grant them, and as grants that come with a token.
//!
//! The promises: what is refused is refused with one short line; a grant that was accepted in a rule is accepted with a
//! token; the order of rules decides nothing about whether they are accepted.

use arbitrary::{Arbitrary, Unstructured};
use opendcre_gateway::{Policy, PolicySettings, Role, Rule, Verb};
use opendcre_model::{Extent, Grant};

use crate::{is_name, is_printable};

/// The bytes of a message, in which characters may be escaped.
const MAX_MESSAGE: usize = 2000;
/// The names of roles that are usual.
const ROLES: [&str; 4] = ["viewer", "operator", "admin", "night-shift"];

/// Roles and rules.
#[derive(Debug, Arbitrary)]
struct Input {
    verbs: [bool; 4],
    role: Option<String>,
    anonymous: Option<u8>,
    rules: Vec<RuleInput>,
}

#[derive(Debug, Arbitrary)]
struct RuleInput {
    role: u8,
    users: Vec<String>,
    groups: Vec<String>,
    racks: Vec<String>,
    boards: Vec<String>,
    devices: Vec<String>,
    board_groups: Vec<String>,
    labels: Vec<String>,
    nodes: Option<String>,
}

/// Makes a policy, and asks it about the grants in it.
pub fn policy(data: &[u8]) {
    let Ok(input) = Input::arbitrary_take_rest(Unstructured::new(data)) else { return };
    let settings = input.settings();
    let backwards =
        PolicySettings { rules: settings.rules.iter().rev().cloned().collect(), ..settings.clone() };
    let made = Policy::new(settings.clone());
    assert_eq!(made.is_ok(), Policy::new(backwards).is_ok());
    match made {
        Ok(policy) => check_grants(&policy, &settings),
        Err(error) => check_message(&error.to_string()),
    }
}

impl Input {
    fn settings(&self) -> PolicySettings {
        // Whoever writes the configuration sees what they call a role.
        let name = self.role.clone().filter(|name| is_name(name)).unwrap_or_else(|| "night-shift".to_owned());
        let verbs = Verb::ALL.into_iter().zip(self.verbs).filter_map(|(verb, has)| has.then_some(verb));
        PolicySettings {
            roles: vec![Role { name, verbs: verbs.collect() }],
            rules: self.rules.iter().map(RuleInput::rule).collect(),
            anonymous_role: self.anonymous.map(role),
            open: false,
        }
    }
}

impl RuleInput {
    fn rule(&self) -> Rule {
        Rule {
            role: role(self.role),
            users: self.users.clone(),
            groups: self.groups.clone(),
            extent: Extent {
                racks: self.racks.clone(),
                boards: self.boards.clone(),
                devices: self.devices.clone(),
                board_groups: self.board_groups.clone(),
                labels: self.labels.clone(),
                nodes: self.nodes.clone(),
            },
        }
    }
}

fn role(number: u8) -> String {
    ROLES.get(usize::from(number & 3)).copied().unwrap_or_default().to_owned()
}

fn check_grants(policy: &Policy, settings: &PolicySettings) {
    assert!(!policy.is_open());
    for Rule { role, extent, users, groups } in &settings.rules {
        assert!(!users.is_empty() || !groups.is_empty());
        let grant = Grant { role: role.clone(), extent: extent.clone() };
        assert_eq!(policy.check(&grant), Ok(()));
        let unknown = Grant { role: format!("{role} "), extent: extent.clone() };
        match policy.check(&unknown) {
            Ok(()) => panic!("a role that nobody has made"),
            Err(defect) => check_message(&defect.to_string()),
        }
    }
}

fn check_message(message: &str) {
    assert!(message.len() <= MAX_MESSAGE, "{} bytes: {message}", message.len());
    assert!(is_printable(message), "{message:?}");
}
