//! Segmentation offload, checked by the peer: a kernel or a card that cuts a batch at
//! the wrong places makes datagrams that no sender of ours makes. The client counts
//! them, the host stops the offload on the first word of it (section 6).

/// Lengths of datagrams that opened are remembered, so many of them.
const KNOWN: usize = 8;
/// Fewer are noise of the path, or somebody's joke.
const LEAST: u64 = 3;

/// The client's side: lengths of datagrams that belong to nobody.
#[derive(Clone, Debug, Default)]
pub struct Lengths {
    /// Different lengths of datagrams that opened, the newest first.
    known: [usize; KNOWN],
    malformed: u64,
}

impl Lengths {
    /// A datagram of `len` bytes opened.
    pub fn opened(&mut self, len: usize) {
        if self.known.first() == Some(&len) {
            return;
        }
        let end = self.known.iter().position(|&known| known == len).unwrap_or(KNOWN - 1);
        self.known[..=end].rotate_right(1);
        self.known[0] = len;
    }

    /// A datagram of `len` bytes that claims to hold a shard did not open. Whoever is
    /// on the path can send those, so one with a length of ours says nothing; what
    /// others can achieve is that the host sends without the offload.
    pub fn refused(&mut self, len: usize) {
        if len == 0 || !self.known.contains(&len) {
            self.malformed = self.malformed.saturating_add(1);
        }
    }

    /// How many there were since the last call, for the report Sizes; none while they
    /// are too few to mean something.
    pub fn take(&mut self) -> Option<u64> {
        (self.malformed >= LEAST).then(|| std::mem::take(&mut self.malformed))
    }
}

/// The host's side. Starts with the offload on; off is for good, because a path that
/// cuts wrongly once does it again.
#[derive(Clone, Debug, Default)]
pub struct Offload {
    off: bool,
}

impl Offload {
    /// The client counted `malformed` datagrams; true when the offload has to stop now.
    pub fn report(&mut self, malformed: u64) -> bool {
        let stop = malformed > 0 && !self.off;
        self.off |= stop;
        stop
    }

    /// Whether batches may still be left to the kernel to cut.
    pub const fn is_on(&self) -> bool {
        !self.off
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lengths_of_nobody_are_counted() {
        let mut lengths = Lengths::default();
        for len in [1446, 846, 1446, 300] {
            lengths.opened(len);
        }
        for len in [1446, 846, 300] {
            lengths.refused(len);
            lengths.refused(len);
        }
        assert_eq!(lengths.take(), None);
        for len in [2892, 1447] {
            lengths.refused(len);
        }
        assert_eq!(lengths.take(), None, "two are too few");
        lengths.refused(0);
        assert_eq!(lengths.take(), Some(3));
        assert_eq!(lengths.take(), None);
        // What has not been seen for a while counts as unknown again.
        for len in 0..KNOWN {
            lengths.opened(100 + len);
        }
        (0..3).for_each(|_| lengths.refused(1446));
        assert_eq!(lengths.take(), Some(3));
    }

    #[test]
    fn the_first_word_stops_it_once_and_for_good() {
        let mut offload = Offload::default();
        assert!(!offload.report(0) && offload.is_on());
        assert!(offload.report(1));
        assert!(!offload.report(u64::MAX) && !offload.is_on());
        assert!(!offload.report(0) && !offload.is_on());
    }
}
