//! A client's microphone on its seat: Opus packets in, a source of the seat's PipeWire
//! server out. Packets come over a network: they may be missing, late or twice, and the
//! queue behind this bounds what may wait. What is missing is made up for by the decoder
//! for a moment and is silence after that.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use opus2::{Channels, Decoder};

use super::local::{Local, Part};
use super::{AudioError, SAMPLE_RATE};

/// Values of the longest Opus packet: 120 ms in stereo.
const LONGEST: usize = 120 * (SAMPLE_RATE as usize / 1000) * 2;
/// So many missing packets are made up for; a longer gap is silence.
const MADE_UP: u32 = 5;

/// A running microphone. Dropping it takes the source away.
pub struct Microphone {
    ears: Local,
    hearing: Mutex<Hearing<Decoder>>,
}

impl Microphone {
    /// A source on the PipeWire server at `remote`, as soon as that answers.
    ///
    /// # Errors
    /// When there is no decoder or no thread.
    pub fn start(remote: &Path) -> Result<Self, AudioError> {
        let decoder = Decoder::new(SAMPLE_RATE, Channels::Stereo)?;
        let none = || std::io::Error::other("no thread for the microphone");
        let ears = Local::start(remote, Part::Microphone).ok_or_else(none)?;
        Ok(Self { ears, hearing: Mutex::new(Hearing::new(decoder)) })
    }

    /// The newest packet is number `sequence`; `packets` begins with it, and each further
    /// one is the one before. Never waits.
    pub fn hear(&self, sequence: u32, packets: &[&[u8]]) {
        let mut hearing = self.hearing.lock().unwrap_or_else(PoisonError::into_inner);
        hearing.hear(sequence, packets, |samples| self.ears.push(samples));
    }
}

/// What turns packets into samples.
trait Decode {
    /// Values written, interleaved stereo; `None` makes up for a missing packet of the
    /// length of `into`.
    fn decode(&mut self, packet: Option<&[u8]>, into: &mut [f32]) -> Option<usize>;
}

impl Decode for Decoder {
    fn decode(&mut self, packet: Option<&[u8]>, into: &mut [f32]) -> Option<usize> {
        // A peer can send anything: what does not decode is missing.
        self.decode_float(packet.unwrap_or_default(), into, false).ok().map(|samples| samples * 2)
    }
}

/// Puts packets in order.
struct Hearing<D> {
    decoder: D,
    /// The packet that comes next; `None` before the first.
    next: Option<u32>,
    /// Values of the last packet, for the length of a missing one.
    last: usize,
    values: Vec<f32>,
}

impl<D: Decode> Hearing<D> {
    fn new(decoder: D) -> Self {
        Self { decoder, next: None, last: 0, values: vec![0.0; LONGEST] }
    }

    fn hear(&mut self, sequence: u32, packets: &[&[u8]], mut out: impl FnMut(&[f32])) {
        for (age, packet) in packets.iter().enumerate().rev() {
            // At most a few.
            let age = age as u32;
            let number = sequence.wrapping_sub(age);
            let missing = match self.next {
                // The first one heard: what was before it is nobody's loss.
                None if age > 0 => continue,
                None => 0,
                Some(next) => number.wrapping_sub(next),
            };
            // Heard already, or too late.
            if missing >= 1 << 31 {
                continue;
            }
            if missing <= MADE_UP {
                (0..missing).for_each(|_| self.make_up(&mut out));
            }
            self.next = Some(number.wrapping_add(1));
            if let Some(count) = self.decoder.decode(Some(packet), &mut self.values) {
                self.last = count;
                out(self.values.get(..count).unwrap_or_default());
            }
        }
    }

    fn make_up(&mut self, out: &mut impl FnMut(&[f32])) {
        let Some(into) = self.values.get_mut(..self.last).filter(|into| !into.is_empty()) else { return };
        if let Some(count) = self.decoder.decode(None, into) {
            out(into.get(..count).unwrap_or_default());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// "Decodes" a packet into two values that say its first byte, a missing one into
    /// minus one, and refuses the empty packet.
    struct Mirror;

    impl Decode for Mirror {
        fn decode(&mut self, packet: Option<&[u8]>, into: &mut [f32]) -> Option<usize> {
            let value = packet.map_or(Some(-1.0), |packet| packet.first().map(|&byte| f32::from(byte)))?;
            into[..2].fill(value);
            Some(2)
        }
    }

    fn heard(said: &[(u32, &[&[u8]])]) -> Vec<f32> {
        let (mut hearing, mut all) = (Hearing::new(Mirror), Vec::new());
        for (sequence, packets) in said {
            hearing.hear(*sequence, packets, |values| all.push(values[0]));
        }
        all
    }

    #[test]
    fn packets_count_once_and_in_their_order() {
        let twice: &[(u32, &[&[u8]])] = &[(7, &[&[7], &[6]]), (8, &[&[8], &[7]]), (8, &[&[8]]), (6, &[&[6]])];
        assert_eq!(heard(twice), [7.0, 8.0]);
        assert_eq!(heard(&[(u32::MAX, &[&[1]]), (0, &[&[2]])]), [1.0, 2.0], "numbers wrap");
    }

    #[test]
    fn what_is_missing_is_taken_from_the_packet_before_or_made_up_for() {
        assert_eq!(heard(&[(1, &[&[1]]), (3, &[&[3], &[2]])]), [1.0, 2.0, 3.0]);
        assert_eq!(heard(&[(1, &[&[1]]), (4, &[&[4]])]), [1.0, -1.0, -1.0, 4.0]);
        assert_eq!(heard(&[(1, &[&[1]]), (1_000_000, &[&[4]])]), [1.0, 4.0], "a long gap is silence");
        assert_eq!(heard(&[(1, &[&[]]), (2, &[&[2]])]), [2.0], "what does not decode is left out");
    }

    #[test]
    fn a_real_decoder_survives_anything() {
        let decoder = Decoder::new(SAMPLE_RATE, Channels::Stereo).expect("a decoder");
        let (mut hearing, mut state) = (Hearing::new(decoder), 1_u32);
        for number in 0..2_000_u32 {
            let packet: Vec<u8> = (0..number % 90)
                .map(|_| {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    (state >> 24) as u8
                })
                .collect();
            hearing.hear(number.wrapping_mul(state % 3), &[&packet, &packet[..packet.len() / 2]], |values| {
                assert!(values.len() <= LONGEST);
            });
        }
    }
}
