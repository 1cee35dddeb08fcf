//! Host and seat ends over a real socket.

use std::path::PathBuf;
use std::time::Duration;

use punktfunk_core::input::Event as Input;
use punktfunk_seat_ipc::host::{Event, SeatLink, Sending};
use punktfunk_seat_ipc::seat::{Connection, Listener, buffers};
use punktfunk_seat_ipc::{FrameNotice, Pool, Ready, Rect, ToHost, ToSeat, VERSION};

const WAIT: Duration = Duration::from_secs(10);

fn directory(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("pf-ipc-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&path).unwrap();
    path
}

fn pair(name: &str) -> (Listener, SeatLink, Connection) {
    let directory = directory(name);
    let listener = Listener::bind(&directory).unwrap();
    let link = SeatLink::connect(&directory).unwrap();
    let mut connection = listener.accept().unwrap().unwrap();
    assert_eq!(connection.receive().unwrap(), Some(ToSeat::Hello { version: VERSION }));
    (listener, link, connection)
}

fn notice(buffer: u8, sequence: u64, damage: Vec<Rect>) -> ToHost {
    ToHost::Frame(FrameNotice { generation: 1, buffer, sequence, timestamp_us: 5, damage })
}

#[test]
fn the_newest_frame_replaces_an_unread_one_and_takes_its_damage() {
    let (_listener, mut link, mut seat) = pair("replace");
    let pool = Pool { generation: 1, width: 33, height: 7, stride: 192, buffers: 3 };
    let memory = buffers(&pool).unwrap();
    seat.send(&ToHost::Ready(Ready { version: VERSION, ..Ready::default() })).unwrap();
    seat.send_pool(pool, &memory).unwrap();
    let rect = |x| Rect { x, y: 1, width: 2, height: 2 };
    seat.send(&notice(0, 0, vec![rect(0)])).unwrap();
    assert!(matches!(link.next_event(WAIT), Ok(Some(Event::Ready(_)))));
    let Ok(Some(Event::Frame(first))) = link.next_event(WAIT) else { panic!("no frame") };
    assert!(first.full(), "the first frame of a pool is wholly new");
    assert_eq!((first.width(), first.height(), first.stride(), first.bytes().len()), (33, 7, 192, 192 * 7));
    drop(first);
    assert_eq!(seat.receive().unwrap(), Some(ToSeat::ReleaseFrame { generation: 1, buffer: 0 }));

    seat.send(&notice(1, 1, vec![rect(4)])).unwrap();
    seat.send(&notice(2, 2, vec![rect(8), Rect { x: 30, y: 0, width: 90, height: 90 }])).unwrap();
    let Ok(Some(Event::Frame(frame))) = link.next_event(WAIT) else { panic!("no frame") };
    assert_eq!(frame.sequence(), 2);
    assert_eq!(frame.damage(), [rect(8), Rect { x: 30, y: 0, width: 3, height: 7 }, rect(4)]);
    assert!(!frame.full());
    assert_eq!(seat.receive().unwrap(), Some(ToSeat::ReleaseFrame { generation: 1, buffer: 1 }));
    drop(seat);
    assert!(link.next_event(WAIT).is_err(), "a closed connection is reported");
}

#[test]
fn buffers_that_are_missing_or_out_of_range_are_errors() {
    let (_listener, mut link, seat) = pair("missing");
    let pool = Pool { generation: 1, width: 8, height: 8, stride: 64, buffers: 2 };
    seat.send(&ToHost::Pool(pool)).unwrap();
    assert!(link.next_event(WAIT).is_err());

    let (_listener, mut link, seat) = pair("short");
    let small = Pool { height: 1, ..pool };
    seat.send_pool(pool, &buffers(&small).unwrap()).unwrap();
    assert!(link.next_event(WAIT).is_err());

    let (_listener, mut link, seat) = pair("range");
    seat.send_pool(pool, &buffers(&pool).unwrap()).unwrap();
    seat.send(&notice(2, 0, vec![])).unwrap();
    assert!(link.next_event(WAIT).is_err());
}

#[test]
fn a_living_seat_is_not_replaced_and_a_dead_one_is() {
    let directory = directory("twice");
    let listener = Listener::bind(&directory).unwrap();
    assert!(Listener::bind(&directory).is_err());
    drop(listener);
    assert!(Listener::bind(&directory).is_ok());
}

#[test]
fn a_seat_that_does_not_read_makes_nobody_wait_and_loses_nothing() {
    let (_listener, mut link, mut seat) = pair("hung");
    // Far more than the socket holds, each step with an edge in it.
    let sender = link.sender();
    let overflow = (0..20_000).find(|press| {
        let motion = Input::PointerMotion { dx: 1.0, dy: 0.5 };
        let button = Input::PointerButton { code: 272, down: press % 2 == 0 };
        [motion, button].iter().any(|event| sender.input(event).unwrap() == Sending::Overflow)
    });
    assert!(overflow.is_some_and(|press| press > 256), "{overflow:?}");
    link.send(&ToSeat::SetViewer(false)).unwrap();
    sender.input(&Input::Key { code: 30, down: true }).unwrap();
    // Everything arrives in its order as soon as the seat reads; the reader of the
    // link sends it.
    let mut heard = Vec::new();
    while heard.last() != Some(&ToSeat::Input(Input::Key { code: 30, down: true })) {
        assert!(link.next_event(Duration::ZERO).unwrap().is_none());
        while let Some(message) = seat.receive().unwrap() {
            heard.push(message);
        }
    }
    let place = |wanted: &ToSeat| heard.iter().position(|message| message == wanted).unwrap();
    let released = place(&ToSeat::Input(Input::ReleaseAll));
    assert_eq!(heard.len() - released, 3, "{:?}", &heard[released..]);
    assert_eq!(heard[released + 1], ToSeat::SetViewer(false));
    // Before it gave up, each edge came once.
    let edges = heard[..released].iter().filter_map(|message| match message {
        ToSeat::Input(Input::PointerButton { down, .. }) => Some(*down),
        _ => None,
    });
    assert!(edges.enumerate().all(|(count, down)| down == (count % 2 == 0)));
}

#[test]
fn a_sleeping_reader_sends_what_begins_to_wait() {
    let (_listener, mut link, mut seat) = pair("asleep");
    let sender = link.sender();
    let reader = std::thread::spawn(move || link.next_event(WAIT));
    let mut sent = 0;
    let mut heard = 0.0;
    // Until something waits, and that has been merged.
    while sent < 20_000 {
        sender.input(&Input::PointerMotion { dx: 1.0, dy: 0.0 }).unwrap();
        sent += 1;
    }
    let mut messages = 0;
    while heard < f64::from(sent) {
        match seat.receive().unwrap() {
            Some(ToSeat::Input(Input::PointerMotion { dx, .. })) => {
                (heard, messages) = (heard + dx, messages + 1)
            }
            Some(other) => panic!("{other:?}"),
            None => std::thread::yield_now(),
        }
    }
    assert_eq!(heard, f64::from(sent));
    assert!(messages < sent, "nothing had to wait");
    seat.send(&ToHost::Ready(Ready { version: VERSION, ..Ready::default() })).unwrap();
    assert!(matches!(reader.join().unwrap(), Ok(Some(Event::Ready(_)))));
}
