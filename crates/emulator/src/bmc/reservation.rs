//! A reservation of a repository: whoever took it last has it (IPMI 2.0 §33.11, §31.4).

/// The reservation of one repository.
#[derive(Debug)]
pub(super) struct Reservation {
    id: u16,
    is_held: bool,
}

impl Reservation {
    pub(super) const fn new() -> Self {
        Self { id: 0, is_held: false }
    }

    /// Takes it, from whoever has it. Ids are never 0.
    pub(super) fn take(&mut self) -> u16 {
        self.id = self.id.checked_add(1).unwrap_or(1);
        self.is_held = true;
        self.id
    }

    /// Whether it is held under this id.
    pub(super) const fn holds(&self, id: u16) -> bool {
        self.is_held && self.id == id
    }

    /// Takes it away.
    pub(super) const fn cancel(&mut self) {
        self.is_held = false;
    }
}
