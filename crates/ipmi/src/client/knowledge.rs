//! What a BMC has taught its client; it outlives sessions.

use crate::cipher::CipherSuite;
use crate::{NetFn, Privilege, Request};

/// The most commands whose privilege is remembered. A BMC that is odd about more is asked twice for the others.
const MAX_COMMANDS: usize = 32;

/// What was learned.
#[derive(Debug, Clone, Default)]
pub(super) struct Knowledge {
    /// The suite with which a session was opened.
    pub(super) suite: Option<CipherSuite>,
    /// The privilege with which a login succeeded.
    pub(super) login: Option<Privilege>,
    /// The BMC refuses to lower the privilege of a session.
    pub(super) never_lowers: bool,
    /// Commands that need more privilege than usual.
    commands: Vec<(NetFn, u8, Privilege)>,
}

impl Knowledge {
    /// The privilege that `request` needs, at least `usual`.
    pub(super) fn privilege(&self, request: &Request, usual: Privilege) -> Privilege {
        let same = |entry: &&(NetFn, u8, Privilege)| entry.0 == request.netfn && entry.1 == request.command;
        self.commands.iter().find(same).map_or(usual, |(_, _, learned)| usual.max(*learned))
    }

    /// The BMC wants `privilege` for `request`.
    pub(super) fn learn(&mut self, request: &Request, privilege: Privilege) {
        self.commands.retain(|entry| entry.0 != request.netfn || entry.1 != request.command);
        if self.commands.len() < MAX_COMMANDS {
            self.commands.push((request.netfn, request.command, privilege));
        }
    }
}
