//! A seat in virtual time, with devices that remember what was written.

use std::cell::RefCell;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;

use proptest::prelude::*;

use super::*;
use crate::device::InputEvent;
use crate::ff::{Effect, Shape};

/// What happened to the devices of a test, and what games ask of them.
#[derive(Default)]
struct World {
    reports: Vec<(u8, Vec<InputEvent>)>,
    gone: Vec<u8>,
    given: Vec<(u8, u32)>,
    requests: VecDeque<Request>,
    announced: bool,
    refusal: Option<Refusal>,
}

struct Fake {
    index: u8,
    world: Rc<RefCell<World>>,
    fd: OwnedFd,
}

impl AsFd for Fake {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Device for Fake {
    fn write(&mut self, events: &[InputEvent]) -> io::Result<()> {
        self.world.borrow_mut().reports.push((self.index, events.to_vec()));
        Ok(())
    }
    fn read(&mut self) -> io::Result<Option<Request>> {
        Ok(self.world.borrow_mut().requests.pop_front())
    }
    fn event_node(&self) -> Option<u32> {
        Some(100 + u32::from(self.index))
    }
    fn is_announced(&self) -> bool {
        self.world.borrow().announced
    }
    fn give_to(&self, user: u32) -> io::Result<()> {
        self.world.borrow_mut().given.push((self.index, user));
        Ok(())
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.world.borrow_mut().gone.push(self.index);
    }
}

struct FakeKernel(Rc<RefCell<World>>);

impl Backend for FakeKernel {
    type Device = Fake;
    fn create(&mut self, spec: &Spec) -> Result<Fake, Refusal> {
        if let Some(refusal) = self.0.borrow().refusal {
            return Err(refusal);
        }
        let fd = std::fs::File::open("/dev/null").unwrap().into();
        Ok(Fake { index: spec.index, world: Rc::clone(&self.0), fd })
    }
}

/// A seat with its surroundings.
struct Rig {
    now: Duration,
    seat: Seat<Fake>,
    shared: Shared<Fake>,
    kernel: FakeKernel,
    world: Rc<RefCell<World>>,
}

impl Rig {
    fn new() -> Self {
        let world = Rc::new(RefCell::new(World { announced: true, ..World::default() }));
        let kernel = FakeKernel(Rc::clone(&world));
        let mut rig =
            Self { now: ms(1_000), seat: Seat::new(Some(77)), shared: Shared::default(), kernel, world };
        rig.say(0, ToBroker::Hello(SeatName::new("ana").unwrap())).unwrap();
        assert_eq!(rig.heard(), [(0, ToHost::Caps { kinds: 6, pads: 8 })]);
        rig
    }

    fn say(&mut self, device: u8, message: ToBroker) -> Result<(), Ended> {
        let mut packet = [0; MAX_MESSAGE];
        let len = message.encode(Header { device, ..Header::default() }, &mut packet);
        self.seat.handle(self.now, &packet[..len], &mut self.shared, &mut self.kernel)
    }

    fn create(&mut self, device: u8) {
        self.say(device, ToBroker::Create { kind: PadKind::Xbox360, client: [1; 8] }).unwrap();
        self.seat.tick(self.now).unwrap();
    }

    fn state(&mut self, device: u8, left_trigger: u8) {
        let state = PadState { triggers: [left_trigger, 0], ..PadState::default() };
        self.say(device, ToBroker::State(state)).unwrap();
    }

    fn heard(&mut self) -> Vec<(u8, ToHost)> {
        std::iter::from_fn(|| self.seat.poll(self.now)).collect()
    }

    fn reports(&mut self) -> Vec<(u8, i32)> {
        let reports = std::mem::take(&mut self.world.borrow_mut().reports);
        reports.into_iter().map(|(index, events)| (index, events[0].value)).collect()
    }

    /// Lets time pass as the loop would, up to `until`.
    fn pass(&mut self, until: Duration) -> Vec<(Duration, (u8, ToHost))> {
        let mut heard = Vec::new();
        while let Some(next) = self.seat.deadline(self.now).filter(|next| *next <= until) {
            self.now = self.now.max(next);
            self.seat.tick(self.now).unwrap();
            let now = self.now;
            heard.extend(self.heard().into_iter().map(|message| (now, message)));
        }
        self.now = until;
        heard
    }
}

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

#[test]
fn a_greeting_comes_first_and_once() {
    let mut rig = Rig::new();
    assert_eq!(rig.say(0, ToBroker::Hello(SeatName::new("b").unwrap())), Err(Ended::Hello));
    let mut silent = Rig::new();
    silent.seat = Seat::new(Some(77));
    assert_eq!(silent.say(0, ToBroker::Destroy), Err(Ended::Hello));
    let mut packet = [0; MAX_MESSAGE + 1];
    packet[0] = b'p';
    let broken = rig.seat.handle(rig.now, &packet, &mut rig.shared, &mut rig.kernel);
    assert_eq!(broken, Err(Ended::Codec(CodecError::Size(MAX_MESSAGE + 1))));
}

#[test]
fn events_wait_until_the_device_was_announced() {
    let mut rig = Rig::new();
    rig.world.borrow_mut().announced = false;
    rig.create(2);
    rig.state(2, 1);
    rig.state(2, 2);
    assert!(rig.heard().is_empty() && rig.reports().is_empty());
    rig.pass(ms(1_500));
    rig.world.borrow_mut().announced = true;
    let heard = rig.pass(ms(1_600));
    assert_eq!(heard.len(), 1);
    assert_eq!(heard[0].1, (2, ToHost::Created { event: Some(102) }));
    assert!(heard[0].0 < ms(1_520));
    assert_eq!(rig.reports(), [(2, 2)], "the newest one");
    assert_eq!(rig.world.borrow().given, [(2, 77)]);

    // Without anybody who announces, a second is enough.
    rig.world.borrow_mut().announced = false;
    rig.create(3);
    let heard = rig.pass(ms(4_000));
    assert_eq!(heard, [(ms(2_600), (3, ToHost::Created { event: Some(103) }))]);
}

#[test]
fn a_button_that_was_pressed_and_released_while_it_waited_was_pressed() {
    let mut rig = Rig::new();
    rig.world.borrow_mut().announced = false;
    rig.create(0);
    for (buttons, trigger) in [(0x1000, 1), (0x1000, 2), (0, 2), (0x2000, 3), (0, 3)] {
        let state = PadState { buttons, triggers: [trigger, 0], ..PadState::default() };
        rig.say(0, ToBroker::State(state)).unwrap();
    }
    rig.world.borrow_mut().announced = true;
    rig.pass(ms(1_100));
    let reports: Vec<_> = rig.world.borrow_mut().reports.drain(..).map(|(_, events)| events).collect();
    let keys: Vec<_> = reports
        .iter()
        .map(|events| events.iter().filter(|event| event.kind == 1).map(|event| (event.code, event.value)))
        .map(|mut keys| keys.next().expect("each is about a button"))
        .collect();
    assert_eq!(keys, [(0x130, 1), (0x130, 0), (0x131, 1), (0x131, 0)]);

    // However many there are, the last one is what stays.
    rig.world.borrow_mut().announced = false;
    rig.create(1);
    for step in 0..1_001 {
        let state = PadState { buttons: 0x1000 * (step & 1), ..PadState::default() };
        rig.say(1, ToBroker::State(state)).unwrap();
    }
    rig.world.borrow_mut().announced = true;
    rig.pass(ms(3_000));
    let reports = std::mem::take(&mut rig.world.borrow_mut().reports);
    assert!((2..=MAX_WAITING).contains(&reports.len()), "{}", reports.len());
    assert_eq!(reports.last().unwrap().1[0].value, 0);
}

#[test]
fn a_hang_up_releases_everything_and_takes_the_devices_away() {
    let mut rig = Rig::new();
    rig.create(0);
    rig.create(5);
    rig.state(5, 9);
    assert_eq!(rig.reports(), [(5, 9)]);
    assert_eq!(rig.shared.pads(), 2);
    rig.seat.hang_up(rig.now, &mut rig.shared);
    assert_eq!(rig.reports(), [(5, 0)]);
    assert_eq!(rig.world.borrow().gone, [0], "what was pressed has to be read as released");
    let end = rig.shared.deadline().unwrap();
    assert_eq!(end, rig.now + ms(50));
    rig.shared.tick(end);
    assert_eq!(rig.world.borrow().gone, [0, 5]);
    assert_eq!(rig.shared.deadline(), None);
    assert_eq!(rig.shared.pads(), 0);
}

#[test]
fn a_pad_is_taken_away_and_its_number_is_free_again() {
    let mut rig = Rig::new();
    rig.create(1);
    rig.state(1, 7);
    rig.say(1, ToBroker::Destroy).unwrap();
    assert_eq!(rig.reports(), [(1, 7), (1, 0)]);
    rig.heard();
    rig.say(1, ToBroker::Destroy).unwrap();
    assert_eq!(rig.heard(), [(1, ToHost::Error(Refusal::NoSuchDevice))]);
    rig.state(1, 7);
    rig.create(1);
    rig.say(1, ToBroker::Create { kind: PadKind::Xbox360, client: [0; 8] }).unwrap();
    let wanted = [(1, ToHost::Created { event: Some(101) }), (1, ToHost::Error(Refusal::NoSuchDevice))];
    assert_eq!(rig.heard(), wanted);
}

#[test]
fn a_seat_has_eight_pads_and_all_seats_sixteen() {
    let mut rig = Rig::new();
    for device in 0..8 {
        rig.create(device);
    }
    assert_eq!(rig.heard().len(), 8);
    rig.create(8);
    assert_eq!(rig.heard(), [(8, ToHost::Error(Refusal::SeatFull))]);
    rig.shared.pads = 16;
    rig.say(0, ToBroker::Destroy).unwrap();
    rig.shared.pads = 16;
    rig.create(0);
    assert_eq!(rig.heard(), [(0, ToHost::Error(Refusal::Full))]);
}

#[test]
fn devices_are_made_at_a_bounded_rate() {
    let mut rig = Rig::new();
    let mut refused = 0;
    for _ in 0..40 {
        rig.create(0);
        refused += usize::from(rig.heard() == [(0, ToHost::Error(Refusal::TooFast))]);
        rig.say(0, ToBroker::Destroy).unwrap();
        rig.heard();
    }
    assert_eq!(refused, 8);
    rig.now += Duration::from_secs(60);
    rig.create(0);
    assert_eq!(rig.heard(), [(0, ToHost::Created { event: Some(100) })]);
}

#[test]
fn a_refusal_of_the_kernel_is_passed_on() {
    let mut rig = Rig::new();
    rig.world.borrow_mut().refusal = Some(Refusal::NoUinput);
    rig.create(4);
    assert_eq!(rig.heard(), [(4, ToHost::Error(Refusal::NoUinput))]);
    rig.state(4, 1);
    assert!(rig.reports().is_empty());
    assert_eq!(rig.shared.pads(), 0);
}

#[test]
fn more_states_than_the_limit_are_merged_and_the_newest_wins() {
    let mut rig = Rig::new();
    rig.create(0);
    rig.heard();
    for value in 1..=100 {
        rig.state(0, value);
    }
    let written = rig.reports();
    assert_eq!(written.len(), 32, "a burst passes as it is");
    assert_eq!(written.last(), Some(&(0, 32)));
    assert_eq!(rig.seat.deadline(rig.now), Some(rig.now + Duration::from_micros(500)));
    rig.pass(ms(2_000));
    assert_eq!(rig.reports(), [(0, 100)]);
}

#[test]
fn a_game_that_plays_an_effect_is_heard_and_so_is_its_end() {
    let mut rig = Rig::new();
    rig.create(0);
    rig.heard();
    let shape = Shape::Rumble { strong: 40_000, weak: 20_000 };
    let effect = Effect { id: 1, shape, length: 300, delay: 0 };
    rig.world.borrow_mut().requests.extend([Request::Upload(effect), Request::Play { id: 1, count: 1 }]);
    assert!(rig.seat.device_readable(rig.now, 0));
    assert_eq!(rig.heard(), [(0, ToHost::Rumble { strong: 40_000, weak: 20_000, duration: 300 })]);
    let silence = (0, ToHost::Rumble { strong: 0, weak: 0, duration: 0 });
    assert_eq!(rig.pass(ms(2_000)), [(ms(1_300), silence)]);

    // The game ends while it rumbles: the kernel erases what it stored.
    rig.world.borrow_mut().requests.push_back(Request::Play { id: 1, count: 9 });
    rig.seat.device_readable(rig.now, 0);
    assert_eq!(rig.heard().len(), 1);
    rig.world.borrow_mut().requests.push_back(Request::Erase(1));
    rig.seat.device_readable(rig.now, 0);
    assert_eq!(rig.heard(), [silence]);
    assert_eq!(rig.seat.deadline(rig.now), None);
}

#[test]
fn rumble_is_passed_on_at_a_bounded_rate_and_the_last_word_counts() {
    let mut rig = Rig::new();
    rig.create(0);
    rig.heard();
    let mut heard = 0;
    let mut last = None;
    for step in 1..=1_000_u16 {
        let shape = Shape::Rumble { strong: step, weak: 0 };
        let effect = Effect { id: 0, shape, length: 0, delay: 0 };
        rig.world.borrow_mut().requests.extend([Request::Upload(effect), Request::Play { id: 0, count: 1 }]);
        rig.seat.device_readable(rig.now, 0);
        let until = rig.now + ms(1);
        let now = rig.heard();
        let later = rig.pass(until);
        for message in now.into_iter().chain(later.into_iter().map(|(_, message)| message)) {
            heard += 1;
            last = Some(message);
        }
    }
    for (_, message) in rig.pass(ms(3_000)) {
        heard += 1;
        last = Some(message);
    }
    assert!((250..=258).contains(&heard), "{heard}");
    assert_eq!(last, Some((0, ToHost::Rumble { strong: 1_000, weak: 0, duration: 0 })));
}

#[test]
fn a_host_that_does_not_read_is_disconnected() {
    let mut rig = Rig::new();
    let ended = (0..100).find_map(|_| rig.say(0, ToBroker::Destroy).err());
    assert_eq!(ended, Some(Ended::Deaf));
}

proptest! {
    /// Whatever a host sends: it is an error or it is done, the limits hold, and when it
    /// hangs up every device is gone with nothing pressed.
    #[test]
    fn no_host_gets_past_the_limits(
        steps in proptest::collection::vec((0_u8..18, 0_u8..5, any::<u8>(), 0_u64..400), 1..200),
    ) {
        let mut rig = Rig::new();
        let mut pressed = [0; 16];
        for (device, what, value, pause) in steps {
            let done = match what {
                0 | 1 => {
                    let kind = if value & 1 == 0 { PadKind::Xbox360 } else { PadKind::XboxOneS };
                    rig.say(device, ToBroker::Create { kind, client: [value; 8] })
                }
                2 => rig.say(device, ToBroker::Destroy),
                _ => rig.say(device, ToBroker::State(PadState { triggers: [value, 0], ..PadState::default() })),
            };
            prop_assert_eq!(done.is_err(), device >= 16);
            let until = rig.now + ms(pause);
            rig.pass(until);
            rig.heard();
            let pads = rig.seat.pads.iter().flatten().count();
            prop_assert!(pads <= 8);
            prop_assert_eq!(pads, rig.shared.pads());
        }
        rig.seat.hang_up(rig.now, &mut rig.shared);
        prop_assert_eq!(rig.shared.pads(), 0);
        for (index, value) in rig.reports() {
            pressed[usize::from(index)] = value;
        }
        prop_assert_eq!(pressed, [0; 16]);
    }
}
