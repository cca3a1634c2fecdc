//! The window of sequence numbers that a session accepts: every number once, not too far ahead and not too far behind
//! (IPMI 2.0 §6.12.13).

/// How far numbers may lie ahead of, and behind, the greatest one so far.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reach {
    ahead: u32,
    behind: u32,
}

impl Reach {
    /// That of IPMI 1.5.
    pub(super) const V1_5: Self = Self { ahead: 8, behind: 8 };
    /// That of IPMI 2.0.
    pub(super) const V2_0: Self = Self { ahead: 15, behind: 16 };
}

/// The numbers that have come.
#[derive(Debug)]
pub(super) struct Window {
    reach: Reach,
    greatest: u32,
    /// Which of the numbers behind the greatest have come; bit 0 is the greatest itself.
    seen: u32,
}

impl Window {
    /// A window that expects `first` and nothing from before.
    pub(super) const fn new(reach: Reach, first: u32) -> Self {
        Self { reach, greatest: first.wrapping_sub(1), seen: u32::MAX }
    }

    /// Takes note of a number of an authentic packet. False says that it has come before or lies outside.
    pub(super) const fn accept(&mut self, sequence: u32) -> bool {
        let ahead = sequence.wrapping_sub(self.greatest);
        let behind = self.greatest.wrapping_sub(sequence);
        if sequence == 0 {
            return false;
        }
        if ahead > 0 && ahead <= self.reach.ahead {
            self.seen = self.seen << ahead | 1;
            self.greatest = sequence;
            return true;
        }
        if behind < self.reach.behind && self.seen & (1 << behind) == 0 {
            self.seen |= 1 << behind;
            return true;
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_counts_once() {
        let mut window = Window::new(Reach::V2_0, 1);
        assert!(!window.accept(0));
        assert!(window.accept(1) && !window.accept(1));
        assert!(window.accept(5) && window.accept(3) && !window.accept(3));
        assert!(!window.accept(21), "16 ahead");
        assert!(window.accept(20), "15 ahead");
        assert!(window.accept(6) && !window.accept(5));
        assert!(!window.accept(4), "16 behind");
    }

    #[test]
    fn numbers_begin_again() {
        let mut window = Window::new(Reach::V1_5, u32::MAX);
        assert!(window.accept(u32::MAX));
        assert!(window.accept(2) && window.accept(1));
        assert!(!window.accept(0) && !window.accept(11) && window.accept(10));
    }

    #[test]
    fn nothing_from_before_the_beginning() {
        let mut window = Window::new(Reach::V1_5, 100);
        assert!(!window.accept(99) && !window.accept(95));
        assert!(window.accept(100));
        assert!(!window.accept(99));
    }
}
