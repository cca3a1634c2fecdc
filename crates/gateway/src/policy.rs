//! The one place that decides what may be done.
//!
//! In this release it does not matter who asks: everybody who reaches the service may do everything that its owner
//! has not switched off. Roles will be decided here and nowhere else.

use crate::{Command, Settings};

/// Why `command` is refused; nothing if it may be carried out.
pub(crate) const fn refusal(settings: &Settings, command: &Command) -> Option<&'static str> {
    match command {
        Command::Action(_) => refusal_of_change(settings),
        Command::Query(_) | Command::Scan(_) | Command::Refresh(_) | Command::List(_) => None,
    }
}

/// Why a change is refused, be it of equipment or of what is known of it; nothing if it may be made.
pub(crate) const fn refusal_of_change(settings: &Settings) -> Option<&'static str> {
    if settings.read_only { Some("this service only reads; its configuration says read_only") } else { None }
}
