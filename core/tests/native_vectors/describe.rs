//! What a message says, in the words of the vectors.

use punktfunk_core::bytes::to_hex;
use punktfunk_core::input::pad::{Charge, Kind, Sensor};
use punktfunk_core::input::{Phase, Tool};
use punktfunk_core::native::media::ShardHeader;
use punktfunk_core::native::wire::control::{Control, Hello, Welcome};
use punktfunk_core::native::wire::datagram::{HdrMetadata, Sound};
use punktfunk_core::native::wire::report::{Missing, Nack, Report};
use punktfunk_core::native::wire::{Codec, Datagram};
use serde_json::{Value, json};

pub fn name(message: &Control) -> String {
    let debug = format!("{message:?}");
    debug.split('(').next().unwrap_or_default().to_owned()
}

pub fn control(message: &Control) -> Value {
    match message {
        Control::Hello(m) => hello(m),
        Control::Welcome(m) => welcome(m),
        Control::Start(m) => json!({"epoch": m.epoch}),
        Control::Refused(m) => json!({"code": m.code.number(), "text": m.text, "versions": m.versions}),
        Control::Goodbye(m) => json!({"code": m.code.number(), "text": m.text}),
        Control::Reconfigure(m) => json!({
            "width": m.width, "height": m.height, "refresh": m.refresh_mhz,
            "codec": m.codec.map(Codec::number), "bitrate": m.bitrate_kbps,
        }),
        Control::Reconfigured(m) => json!({
            "epoch": m.epoch, "width": m.mode.width, "height": m.mode.height, "refresh": m.mode.refresh_mhz,
            "codec": m.codec.number(), "bitrate": m.bitrate_kbps, "text": m.text,
        }),
        Control::Apps(m) => {
            let apps: Vec<_> = m.apps.iter().map(|app| json!({"id": app.id, "title": app.title})).collect();
            json!({"apps": apps, "running": m.running})
        }
        Control::ListApps | Control::Quit | Control::ReleaseAll => json!({}),
        Control::Access(access) => json!({"access": access.0}),
        Control::PairStart(m) => json!({"method": m.method, "name": m.name, "message": to_hex(&m.message)}),
        Control::PairAnswer(m) => json!({"message": to_hex(&m.message)}),
        Control::PairConfirm(m) => json!({"mac": to_hex(&m.mac)}),
        Control::PairDone(m) => json!({"mac": to_hex(&m.mac), "access": m.access.0}),
        _ => input(message),
    }
}

fn hello(m: &Hello) -> Value {
    json!({
        "versions": m.versions, "name": m.name, "app": m.app, "resume": m.resume.map(|id| to_hex(&id.0)),
        "width": m.mode.width, "height": m.mode.height, "refresh": m.mode.refresh_mhz,
        "codecs": m.codecs.iter().map(|codec| codec.number()).collect::<Vec<_>>(),
        "bitrate": m.bitrate_kbps, "channels": m.channels,
        "aeads": m.aeads.iter().map(|aead| aead.number()).collect::<Vec<_>>(),
        "payload": m.payload, "mic": m.mic, "pads": m.pads, "launch": m.launch, "local_sound": m.local_sound,
    })
}

fn welcome(m: &Welcome) -> Value {
    let sound = m.sound.as_ref();
    json!({
        "version": m.version, "session": to_hex(&m.session.0), "media": to_hex(&m.media.0), "epoch": m.epoch,
        "width": m.mode.width, "height": m.mode.height, "refresh": m.mode.refresh_mhz,
        "codec": m.codec.number(), "bitrate": m.bitrate_kbps, "channels": sound.map_or(0, |s| s.channels),
        "aead": m.aead.number(), "payload": m.payload, "access": m.access.0, "mic": m.mic, "pads": m.pads,
        "app": m.app, "resumed": m.resumed, "name": m.name,
        "streams": sound.map(|s| s.streams), "coupled": sound.map(|s| s.coupled),
        "mapping": sound.map(|s| to_hex(&s.mapping)), "frame": sound.map(|s| s.frame_us),
    })
}

fn input(message: &Control) -> Value {
    match message {
        Control::Key(m) => json!({"code": m.code, "down": m.down}),
        Control::Text(m) => json!({"text": m.text}),
        Control::Button(m) => {
            let pointer = m.pointer.map(|pointer| {
                let mut bytes = Vec::new();
                Datagram::from(pointer).encode(&mut bytes);
                to_hex(&bytes)
            });
            json!({"code": m.code, "down": m.down, "pointer": pointer})
        }
        Control::Scroll(m) => json!({"horizontal": m.horizontal, "vertical": m.vertical}),
        Control::Touch(m) => json!({
            "id": m.id, "phase": phase(m.phase), "x": m.x, "y": m.y, "pressure": m.pressure,
            "major": m.contact.map(|axes| axes[0]), "minor": m.contact.map(|axes| axes[1]), "rotation": m.rotation,
        }),
        Control::Pen(m) => json!({
            "phase": phase(m.phase), "tool": if m.tool == Tool::Eraser { 2 } else { 1 }, "buttons": m.buttons,
            "x": m.x, "y": m.y, "pressure": m.pressure, "distance": m.distance, "rotation": m.rotation,
            "tilt": m.tilt,
        }),
        Control::PadArrival(m) => {
            let kinds = [Kind::Unknown, Kind::Xbox, Kind::PlayStation, Kind::Nintendo, Kind::Steam];
            let kind = kinds.iter().position(|kind| *kind == m.kind);
            json!({"pad": m.pad, "kind": kind, "capabilities": m.capabilities, "buttons": m.buttons})
        }
        Control::PadRemoval(m) => json!({"pad": m.pad}),
        Control::Clipboard(m) => json!({"mime": m.mime, "data": to_hex(&m.data)}),
        Control::PadTouch(m) => json!({
            "pad": m.pad, "touchpad": m.touchpad, "id": m.id, "phase": phase(m.phase), "x": m.x, "y": m.y,
            "pressure": m.pressure,
        }),
        Control::PadBattery(m) => {
            let charge = match m.charge {
                Charge::Unknown => 0,
                Charge::Absent => 1,
                Charge::Discharging => 2,
                Charge::Charging => 3,
                Charge::NotCharging => 4,
                Charge::Full => 5,
            };
            json!({"pad": m.pad, "charge": charge, "percent": m.percent})
        }
        Control::PadSensor(m) => json!({"pad": m.pad, "sensor": sensor(m.sensor), "rate": m.rate}),
        Control::PadTriggers(m) => json!({
            "pad": m.pad, "sides": m.sides, "effects": to_hex(&m.effects), "left": to_hex(&m.left),
            "right": to_hex(&m.right),
        }),
        other => panic!("{other:?} has no description"),
    }
}

fn phase(phase: Phase) -> u8 {
    match phase {
        Phase::Hover => 0,
        Phase::Down => 1,
        Phase::Up => 2,
        Phase::Move => 3,
        Phase::Cancel => 4,
        Phase::Button => 5,
        Phase::HoverEnd => 6,
        Phase::CancelAll => 7,
    }
}

fn sensor(sensor: Sensor) -> u8 {
    match sensor {
        Sensor::Accelerometer => 1,
        Sensor::Gyro => 2,
    }
}

pub fn datagram(datagram: &Datagram<'_>) -> Value {
    match *datagram {
        Datagram::PointerMotion { seq, dx, dy } => json!({"seq": seq, "dx": dx, "dy": dy}),
        Datagram::PointerPosition { seq, x, y } => json!({"seq": seq, "x": x, "y": y}),
        Datagram::PadState { seq, pad, state } => json!({
            "seq": seq, "pad": pad, "buttons": state.buttons, "left_trigger": state.left_trigger,
            "right_trigger": state.right_trigger, "left": state.left, "right": state.right,
        }),
        Datagram::PadMotion { seq, pad, sensor: which, axes } => {
            json!({"seq": seq, "pad": pad, "sensor": sensor(which), "axes": axes})
        }
        Datagram::Rumble { seq, pad, motors } => json!({
            "seq": seq, "pad": pad, "low": motors.low, "high": motors.high,
            "left_trigger": motors.left_trigger, "right_trigger": motors.right_trigger,
        }),
        Datagram::Sound(heard) | Datagram::Microphone(heard) => sound(&heard),
        Datagram::HdrMetadata(metadata) => json!({"values": metadata.map(hdr)}),
        Datagram::PadLight { seq, pad, colour } => json!({"seq": seq, "pad": pad, "colour": colour}),
    }
}

fn sound(sound: &Sound<'_>) -> Value {
    let packets: Vec<_> = sound.packets.as_slice().iter().map(|packet| to_hex(packet)).collect();
    json!({"seq": sound.seq, "timestamp": sound.timestamp, "packets": packets})
}

fn hdr(metadata: HdrMetadata) -> Vec<u32> {
    let points = metadata.primaries.into_iter().chain([metadata.white]).flatten().map(u32::from);
    let light = [metadata.content.into(), metadata.frame_average.into()];
    points.chain([metadata.maximum, metadata.minimum]).chain(light).collect()
}

pub fn report(report: &Report) -> Value {
    match report {
        Report::Feedback(f) => json!({
            "highest": f.highest, "received": f.received, "lost": f.lost, "bursts": f.bursts,
            "recovered": f.recovered, "frames": f.frames, "frames_lost": f.frames_lost, "delay": f.delay_us,
            "decode": f.decode_us, "backlog": f.backlog, "largest": f.largest, "number": f.number,
            "interval": f.interval_us, "bytes": f.bytes,
        }),
        Report::Nack(nack) => {
            let missing: &[(u16, u16)] = match &nack.missing {
                Missing::Whole => &[],
                Missing::Ranges(ranges) => ranges,
            };
            let whole = nack.missing == Missing::Whole;
            let Nack { frame, block, turn, spread, .. } = nack;
            json!({
                "frame": frame, "block": block, "missing": missing, "whole": whole, "turn": turn, "spread": spread,
            })
        }
        Report::KeyFrameWanted { after } => json!({"after": after}),
        Report::Invalidate { first, last } => json!({"first": first, "last": last}),
        Report::ClockProbe { id, sent } => json!({"id": id, "sent": sent}),
        Report::ClockReply { id, sent, arrived, left } => {
            json!({"id": id, "sent": sent, "arrived": arrived, "left": left})
        }
        Report::PathProbe { id, size } | Report::PathProbed { id, size } => json!({"id": id, "size": size}),
        Report::Sizes { malformed } => json!({"malformed": malformed}),
        Report::Acknowledge { frame } => json!({"frame": frame}),
    }
}

pub fn shard(header: &ShardHeader) -> Value {
    json!({
        "frame": header.frame, "timestamp": header.timestamp, "epoch": header.epoch, "flags": header.flags.0,
        "block": header.block, "age": header.age, "base": header.base, "index": header.index, "k": header.k,
        "m": header.m, "tail": header.tail,
    })
}
