//! From video datagrams to decoded pictures. Datagrams are put together on the
//! receiving thread; a second thread decodes, so that a slow picture loses none.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender};
use std::thread::JoinHandle;

use anyhow::{Context as _, Result};
use punktfunk_core::gamestream::control::{ClientMessage, FecStatus};
use punktfunk_core::gamestream::sdp::Codec;
use punktfunk_core::gamestream::video::{Event, FrameKind, Lost, Reassembler, Received};
use punktfunk_core::time::Time;

use crate::control::{Link, channel};
use crate::decode::{self, Picture};
use crate::stats::{Board, Clock, Seen};

/// An IDR frame that does not come is asked for again after so long.
const ASK_AGAIN_MS: u64 = 1000;
/// Access units that may wait for the decoder.
pub(crate) const QUEUE: usize = 128;

/// A complete access unit on its way to the decoder.
pub(crate) struct Unit {
    frame: u32,
    idr: bool,
    at: Time,
    data: Vec<u8>,
}

/// The receiving thread's part.
pub(crate) struct Assembler {
    reassembler: Reassembler,
    link: Link,
    clock: Clock,
    board: Arc<Board>,
    decoder: Option<SyncSender<Unit>>,
    last: Option<u32>,
    /// Nothing can be decoded before an IDR frame comes.
    waiting: bool,
    asked_ms: u64,
}

impl Assembler {
    pub fn new(
        reassembler: Reassembler,
        link: Link,
        clock: Clock,
        board: Arc<Board>,
        decoder: Option<SyncSender<Unit>>,
    ) -> Self {
        Self { reassembler, link, clock, board, decoder, last: None, waiting: true, asked_ms: clock.millis() }
    }

    /// Takes one datagram.
    pub fn take(&mut self, datagram: &[u8]) -> Result<()> {
        let accepted = self.reassembler.push(datagram).is_ok();
        let now_ms = self.clock.millis();
        self.board.update(|stats| {
            stats.video_packets += 1;
            stats.video_bytes += datagram.len() as u64;
            stats.video_rejected += u64::from(!accepted);
            stats.first_video_ms.get_or_insert(now_ms);
        });
        while let Some(event) = self.reassembler.poll() {
            match event {
                Event::Frame(frame) => self.frame(frame)?,
                Event::Lost(lost) => self.lost(lost),
            }
        }
        Ok(())
    }

    fn lost(&mut self, Lost { first, last }: Lost) {
        self.board.update(|stats| stats.lost_frames += u64::from(last - first) + 1);
        self.waiting = true;
        self.ask();
    }

    fn ask(&mut self) {
        self.asked_ms = self.clock.millis();
        self.board.update(|stats| stats.idr_requests += 1);
        self.link.send(channel::URGENT, ClientMessage::IdrRequest);
    }

    fn frame(&mut self, frame: Received) -> Result<()> {
        let idr = frame.kind == FrameKind::Idr;
        let in_order = self.last.is_none_or(|last| frame.index > last);
        self.last = Some(frame.index);
        if frame.repaired > 0 {
            self.report(&frame);
        }
        let skipped = self.waiting && !idr;
        self.board.update(|stats| {
            stats.frames_received += 1;
            stats.idr_frames += u64::from(idr);
            stats.repaired_frames += u64::from(frame.repaired > 0);
            stats.order_errors += u64::from(!in_order);
            stats.skipped_frames += u64::from(skipped);
            if frame.latency_tenths_ms > 0 {
                stats.latencies.push(frame.latency_tenths_ms);
            }
        });
        if skipped {
            if self.clock.millis() >= self.asked_ms + ASK_AGAIN_MS {
                self.ask();
            }
            return Ok(());
        }
        self.waiting = false;
        if let Some(decoder) = &self.decoder {
            let unit = Unit { frame: frame.index, idr, at: self.clock.now(), data: frame.data };
            decoder.send(unit).ok().context("the decoder ended")?;
        }
        Ok(())
    }

    /// Tells the host how close it was. The counts are those of the whole frame.
    fn report(&self, frame: &Received) {
        let count = |n: usize| u16::try_from(n).unwrap_or(u16::MAX);
        let status = FecStatus {
            frame: frame.index,
            data_total: count(frame.data_shards),
            parity_total: count(frame.parity_shards),
            data_received: count(frame.data_shards.saturating_sub(frame.repaired)),
            parity_received: count(frame.repaired),
            missing_before_highest: count(frame.repaired),
            block_count: 1,
            ..FecStatus::default()
        };
        self.link.send(channel::GENERIC, ClientMessage::FecStatus(status));
    }
}

/// Starts the thread that decodes until the other end of `units` is dropped.
pub(crate) fn spawn_decoder(
    codec: Codec,
    units: Receiver<Unit>,
    clock: Clock,
    board: Arc<Board>,
) -> Result<JoinHandle<()>> {
    let mut decoder = decode::Video::open(codec)?;
    let run = move || {
        let mut order = std::collections::VecDeque::new();
        for unit in units {
            order.push_back((unit.frame, unit.idr, unit.at, unit.data.len()));
            match decoder.decode(&unit.data) {
                Ok(pictures) => {
                    for picture in pictures {
                        let Some(source) = order.pop_front() else { break };
                        note(&board, clock, Arc::new(picture), source);
                    }
                }
                Err(error) => {
                    order.pop_back();
                    tracing::warn!(frame = unit.frame, %error, "frame not decoded");
                    board.update(|stats| stats.decode_errors += 1);
                }
            }
        }
    };
    std::thread::Builder::new().name("probe-decode".into()).spawn(run).context("no thread to decode")
}

fn note(
    board: &Board,
    clock: Clock,
    picture: Arc<Picture>,
    (frame, idr, at, bytes): (u32, bool, Time, usize),
) {
    let took = u32::try_from((clock.now() - at).as_micros()).unwrap_or(u32::MAX);
    let at_ms = at.as_millis();
    let (width, height) = (picture.width, picture.height);
    let code = picture.code();
    let now_ms = clock.millis();
    board.picture(picture, |stats| {
        stats.frames_decoded += 1;
        stats.size = (width, height);
        stats.first_picture_ms.get_or_insert(now_ms);
        stats.decoding.push(took);
        stats.seen.push(Seen { frame, code, at_ms, idr, bytes });
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use punktfunk_core::gamestream::video::{Config, Frame, Packetizer};
    use std::sync::mpsc;

    const PACKET_SIZE: usize = 1024;

    fn datagrams(packetizer: &mut Packetizer, kind: FrameKind) -> Vec<Vec<u8>> {
        let mut out = Vec::new();
        let frame = Frame { kind, timestamp_90k: 1500, latency_tenths_ms: 21, data: &[7; 3000] };
        let layout = packetizer.packetize(frame, &mut out).unwrap();
        out.chunks(layout.datagram_len).map(<[u8]>::to_vec).collect()
    }

    #[test]
    fn losses_are_repaired_or_answered_with_a_wish_for_an_idr_frame() {
        let config = Config { packet_size: PACKET_SIZE, fec_percentage: 20, min_parity: 2, key: None };
        let mut packetizer = Packetizer::new(config).unwrap();
        let board = Arc::new(Board::default());
        let (link, said) = Link::detached();
        let (units, decoded) = mpsc::sync_channel(QUEUE);
        let reassembler = Reassembler::new(PACKET_SIZE, None).unwrap();
        let mut assembler =
            Assembler::new(reassembler, link, Clock::start(), Arc::clone(&board), Some(units));
        let mut play = |kind, lost: usize| {
            for datagram in datagrams(&mut packetizer, kind).iter().skip(lost) {
                assembler.take(datagram).unwrap();
            }
        };
        play(FrameKind::Idr, 0);
        // Two of four data shards: as many as there are parity shards.
        play(FrameKind::P, 2);
        play(FrameKind::P, 4);
        play(FrameKind::P, 0);
        play(FrameKind::Idr, 0);
        let frames: Vec<_> = decoded.try_iter().map(|unit| (unit.frame, unit.idr, unit.data.len())).collect();
        assert_eq!(frames, [(1, true, 3000), (2, false, 3000), (5, true, 3000)]);
        let stats = board.stats();
        assert_eq!((stats.frames_received, stats.repaired_frames), (4, 1));
        assert_eq!((stats.lost_frames, stats.skipped_frames, stats.idr_requests), (1, 1, 1));
        assert_eq!(stats.latencies, [21; 4]);
        let said: Vec<_> = said.messages();
        assert!(
            matches!(
                said.as_slice(),
                [(channel::GENERIC, ClientMessage::FecStatus(status)), (channel::URGENT, ClientMessage::IdrRequest)]
                    if status.frame == 2 && status.missing_before_highest == 2 && status.is_repairable()
            ),
            "{said:?}"
        );
    }
}
