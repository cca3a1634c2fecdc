//! Who asks.

use std::sync::Arc;

use opendcre_model::{Login, Subject};

/// Whoever sent a command: who they are, and where this request came from. Clones are cheap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// Who they are, and how that was proved.
    pub subject: Arc<Subject>,
    /// Where the request came from, such as a remote address and port.
    pub remote: Arc<str>,
    /// The id of the request, to find it again in the access log.
    pub request_id: Arc<str>,
}

impl Principal {
    /// The service itself, for what nobody asked.
    pub(crate) fn service() -> Self {
        let subject = Subject {
            name: "opendcre".to_owned(),
            login: Login::Local,
            provider: String::new(),
            groups: Vec::new(),
            grants: Vec::new(),
        };
        Self { subject: Arc::new(subject), remote: "".into(), request_id: "".into() }
    }

    /// The name by which they are known.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.subject.name
    }
}
