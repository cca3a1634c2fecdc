//! Random numbers that are the same for the same input.

use opendcre_ipmi::client::Entropy;

/// Numbers that do not come again, which is all that is needed here.
pub(crate) struct Counting(pub(crate) u64);

impl Entropy for Counting {
    fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            for (to, from) in chunk.iter_mut().zip(self.0.to_be_bytes()) {
                *to = from;
            }
        }
    }
}
