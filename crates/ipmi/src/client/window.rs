//! Which packets of a session are new (IPMI 2.0 §6.12.13, §13.6).

/// How far behind the newest packet another may arrive.
const WIDTH: u32 = 32;

/// Remembers which of the last [`WIDTH`] packet numbers have arrived. Numbers count around 2^32.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    newest: u32,
    /// Bit n stands for `newest - n`.
    seen: u32,
}

impl Window {
    /// A window in which `first` will be the first new number.
    pub(super) const fn before(first: u32) -> Self {
        Self { newest: first.wrapping_sub(1), seen: u32::MAX }
    }

    /// Whether the number is new. It counts as arrived from now on.
    ///
    /// A jump ahead is allowed, because so many packets may have been lost: only who has the session's keys can jump.
    pub(super) const fn arrive(&mut self, number: u32) -> bool {
        let ahead = number.wrapping_sub(self.newest);
        if ahead != 0 && ahead <= u32::MAX / 2 {
            self.newest = number;
            self.seen = match self.seen.checked_shl(ahead) {
                Some(seen) => seen | 1,
                None => 1,
            };
            return true;
        }
        let behind = self.newest.wrapping_sub(number);
        if behind >= WIDTH || self.seen & (1 << behind) != 0 {
            return false;
        }
        self.seen |= 1 << behind;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_new_once() {
        let mut window = Window::before(1);
        let arrived: Vec<bool> =
            [1, 1, 3, 2, 2, 3, 0, 40, 9, 8, 40].map(|number| window.arrive(number)).into();
        assert_eq!(arrived, [true, false, true, true, false, false, false, true, true, false, false]);
    }

    #[test]
    fn numbers_count_around() {
        let mut window = Window::before(u32::MAX);
        assert!(window.arrive(u32::MAX));
        assert!(window.arrive(1));
        assert!(window.arrive(0));
        assert!(!window.arrive(u32::MAX));
        assert!(!window.arrive(u32::MAX / 2 + 9));
    }
}
