//! Finds requests in the bytes that the line brings. Knows nothing of time or of what the requests ask for.

use opendcre_devicebus::{Deframer, Packet, PacketError};

/// The requests in what has been received so far: iterate after every [`Requests::push`] until there is none.
///
/// A damaged candidate is given out too, as an error; noise may have looked like several.
#[derive(Debug, Default, Clone)]
pub struct Requests {
    deframer: Deframer,
}

impl Requests {
    /// Adds received bytes. Iterating until `None` afterwards bounds the memory.
    pub fn push(&mut self, bytes: &[u8]) {
        self.deframer.push(bytes);
    }

    /// Forgets everything received so far.
    pub fn clear(&mut self) {
        self.deframer.clear();
    }
}

impl Iterator for Requests {
    type Item = Result<Packet, PacketError>;

    fn next(&mut self) -> Option<Self::Item> {
        // A master hands over a request in one piece. So what is still incomplete is hardly a request whose data look
        // like a packet, and there is no need to wait for silence before looking behind it.
        self.deframer.next_packet().or_else(|| self.deframer.packet_behind(|_| true).map(Ok))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(data: &[u8]) -> Packet {
        Packet { sequence: 7, kind_code: 0xff, board: 1, device: 0xffff, data: data.to_vec() }
    }

    /// The valid packets that are found after these bytes.
    fn found(requests: &mut Requests, bytes: &[u8]) -> Vec<Packet> {
        requests.push(bytes);
        requests.by_ref().filter_map(Result::ok).collect()
    }

    #[test]
    fn noise_that_feigns_a_long_packet_hides_no_request() {
        let mut requests = Requests::default();
        let (scan, version) = (request(b"D"), request(b"V"));
        // A header and a length of 200 bytes.
        let bytes =
            [&[0x01, 200][..], &scan.encode().unwrap(), &[0x01, 200], &version.encode().unwrap()].concat();
        assert_eq!(found(&mut requests, &bytes), [scan, version]);
    }

    #[test]
    fn a_request_in_two_pieces_is_found_when_it_is_complete() {
        let mut requests = Requests::default();
        let scan = request(b"D");
        let bytes = scan.encode().unwrap();
        let (front, rest) = bytes.split_at(5);
        assert_eq!(found(&mut requests, front), []);
        assert_eq!(found(&mut requests, rest), [scan]);
    }

    #[test]
    fn what_is_cleared_is_forgotten() {
        let mut requests = Requests::default();
        let bytes = request(b"D").encode().unwrap();
        let (front, rest) = bytes.split_at(5);
        assert_eq!(found(&mut requests, front), []);
        requests.clear();
        assert_eq!(found(&mut requests, rest), []);
    }
}
