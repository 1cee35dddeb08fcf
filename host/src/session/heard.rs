//! What clients of sessions do on their control channels, whatever the protocol, as far as
//! they may.

use punktfunk_core::input;
use punktfunk_core::native::wire::Access;

use super::messages::Ended;
use super::supervisor::Shared;
use super::{ControlEvent, SessionId};

impl Shared {
    /// Something was heard from the client of a session. Never blocks.
    pub fn control(&self, id: SessionId, event: ControlEvent) {
        let table = self.table();
        let Some(seat) = table.streaming(id) else { return };
        let (Some(running), Some(stream)) = (&seat.running, &seat.stream) else { return };
        match event {
            ControlEvent::KeyFrameWanted => stream.want_key_frame(),
            ControlEvent::InvalidateRange { first, last } => stream.lost(first, last),
            ControlEvent::LongTermAck { frame } => stream.acknowledge(frame),
            ControlEvent::Input(event) if stream.allows(needed(&event)) => running.input(event),
            ControlEvent::Pad(event) if stream.allows(Access::PADS) => running.pad(&event),
            ControlEvent::Input(_) | ControlEvent::Pad(_) => {}
            ControlEvent::FecStatus(status) => stream.report(status),
            ControlEvent::RoundTrip(time) => stream.round_trip(time),
            ControlEvent::Closed { by_client } => {
                running.release();
                // Stopping joins threads: not on the thread that hears every client.
                let _ = self.ended.send(Ended::Client { id, by_client });
            }
        }
    }
}

/// What a client must be allowed for this.
fn needed(event: &input::Event) -> Access {
    match event {
        input::Event::Key { .. } | input::Event::Text { .. } => Access::KEYBOARD,
        input::Event::ReleaseAll => Access::NONE,
        _ => Access::POINTER,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_input_needs_its_own_right() {
        use input::Event;
        assert_eq!(needed(&Event::Key { code: 30, down: true }), Access::KEYBOARD);
        assert_eq!(needed(&Event::Text { character: 'a' }), Access::KEYBOARD);
        assert_eq!(needed(&Event::PointerMotion { dx: 1.0, dy: 0.0 }), Access::POINTER);
        assert_eq!(needed(&Event::PointerButton { code: 0x110, down: true }), Access::POINTER);
        assert_eq!(needed(&Event::Scroll { horizontal: 0, vertical: 120 }), Access::POINTER);
        assert_eq!(needed(&Event::ReleaseAll), Access::NONE, "whoever goes lets go");
    }
}
