#!/usr/bin/env python3
"""Makes the vectors in this folder from docs/protocol/punktfunk-1.md alone.

It shares no code with the crates: numbers, fields and SPAKE2 are written here from the
page and its RFCs, HKDF is hmac and hashlib, the AEADs are those of the package
`cryptography` (OpenSSL). The tests of punktfunk-core read the files and compare both
ways. Run it in this folder after the page has changed: ./make.py
"""
import hashlib
import hmac
import json
import struct

from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

NOTE = "made by make.py in this folder, which shares no code with the crates"


def save(name, **content):
    with open(name, "w", encoding="utf-8") as file:
        json.dump({"note": NOTE, **content}, file, indent=1, ensure_ascii=False)
        file.write("\n")


# ---- numbers and fields (RFC 9000, section 16; page, section 2) ----------------------

def varint(value):
    for bits, form, size in ((6, 0, 1), (14, 1, 2), (30, 2, 4), (62, 3, 8)):
        if value < 1 << bits:
            return (value | form << (8 * size - 2)).to_bytes(size, "big")
    raise ValueError(value)


def zigzag(value):
    return value << 1 if value >= 0 else (-value << 1) - 1


def field(tag, value):
    if isinstance(value, int):
        value = varint(value)
    elif isinstance(value, str):
        value = value.encode()
    return varint(tag) + varint(len(value)) + value


def message(kind, *fields):
    body = b""
    for tag, value in fields:
        for one in value if isinstance(value, list) else [value]:
            if one is not None:
                body += field(tag, one)
    return varint(kind) + varint(len(body)) + body


# ---- messages of the control stream ---------------------------------------------------

MODE = {"width": 2560, "height": 1440, "refresh": 119880}
SESSION = bytes(range(16))
MEDIA = bytes(range(0xA0, 0xA8))
messages = []


def control(way, name, kind, fields, *wire):
    messages.append({"name": name, "way": way, "type": kind, "fields": fields, "hex": message(kind, *wire).hex()})


def mode(m):
    return (5, m["width"]), (6, m["height"]), (7, m["refresh"])


def hello(**changed):
    f = {"versions": [1], "name": "Wohnzimmer 📺", "app": 7, "resume": SESSION.hex(), **MODE,
         "codecs": [18, 2, 1], "bitrate": 80000, "channels": 6, "aeads": [1, 2], "payload": 1452,
         "mic": True, "pads": 2, "launch": False, "local_sound": True, **changed}
    resume = bytes.fromhex(f["resume"]) if f["resume"] else None
    control("host", "Hello", 0x01, f, (1, f["versions"]), (2, f["name"]), (3, f["app"]), (4, resume), *mode(f),
            (8, f["codecs"]), (9, f["bitrate"]), (10, f["channels"]), (11, f["aeads"]), (12, f["payload"]),
            (13, int(f["mic"])), (14, f["pads"]), (15, int(f["launch"])), (16, int(f["local_sound"])))


def welcome(**changed):
    f = {"version": 1, "session": SESSION.hex(), "media": MEDIA.hex(), "epoch": 3, **MODE, "codec": 18,
         "bitrate": 40000, "channels": 6, "aead": 1, "payload": 1200, "access": 0x7F, "mic": True, "pads": 2,
         "app": 7, "resumed": True, "name": "den", "streams": 4, "coupled": 2, "mapping": "000401050203",
         "frame": 5000, **changed}
    control("client", "Welcome", 0x02, f, (1, f["version"]), (2, SESSION), (3, MEDIA), (4, f["epoch"]), *mode(f),
            (8, f["codec"]), (9, f["bitrate"]), (10, f["channels"]), (11, f["aead"]), (12, f["payload"]),
            (13, f["access"]), (14, int(f["mic"])), (15, f["pads"]), (16, f["app"]), (17, int(f["resumed"])),
            (18, f["name"]), (19, f["streams"]), (20, f["coupled"]),
            (21, bytes.fromhex(f["mapping"]) if f["mapping"] else None), (22, f["frame"]))


def all_messages():
    hello()
    hello(versions=[1, 2, 70000], name="", app=None, resume=None, channels=0, mic=False, pads=0, launch=True,
          local_sound=False, width=64, height=16384, refresh=1000, bitrate=500, payload=9000)
    welcome()
    welcome(channels=0, streams=None, coupled=None, mapping=None, frame=None, mic=False, pads=0, resumed=False,
            access=1, epoch=255)
    control("host", "Start", 0x03, {"epoch": 3}, (1, 3))
    for code in range(18):
        versions = [1, 2] if code == 2 else []
        text = f"code {code}" if code else ""
        control("client", "Refused", 0x04, {"code": code, "text": text, "versions": versions},
                (1, code), (2, text or None), (3, versions))
    for way in ("host", "client"):
        control(way, "Goodbye", 0x05, {"code": 15, "text": "Später."}, (1, 15), (2, "Später."))
    control("host", "Reconfigure", 0x06, {**MODE, "codec": 3, "bitrate": 9000}, *mode(MODE), (8, 3), (9, 9000))
    none = {"width": None, "height": None, "refresh": None, "codec": None, "bitrate": None}
    control("host", "Reconfigure", 0x06, {**none, "bitrate": 500}, (9, 500))
    chosen = {"epoch": 4, **MODE, "codec": 3, "bitrate": 9000}
    for text in ("", "no encoder for it"):
        control("client", "Reconfigured", 0x07, {**chosen, "text": text}, (1, 4), *mode(MODE), (8, 3), (9, 9000),
                (10, text or None))
    control("host", "ListApps", 0x08, {})
    apps = [{"id": 1, "title": "Desktop"}, {"id": 70000, "title": "Räuber"}]
    nested = [field(1, a["id"]) + field(2, a["title"]) for a in apps]
    control("client", "Apps", 0x09, {"apps": apps, "running": 1}, (1, nested), (2, 1))
    control("client", "Apps", 0x09, {"apps": [], "running": None})
    control("host", "Quit", 0x0A, {})
    control("client", "Access", 0x0B, {"access": 3}, (1, 3))
    point_a, point_b = b"A" + bytes(range(32)), b"B" + bytes(range(32))
    control("host", "PairStart", 0x10, {"method": 1, "name": "tablet", "message": point_a.hex()},
            (1, 1), (2, "tablet"), (3, point_a))
    control("client", "PairAnswer", 0x11, {"message": point_b.hex()}, (1, point_b))
    mac = hashlib.sha256(b"mac").digest()
    control("host", "PairConfirm", 0x12, {"mac": mac.hex()}, (1, mac))
    control("client", "PairDone", 0x13, {"mac": mac.hex(), "access": 511}, (1, mac), (2, 511))
    input_messages()


def input_messages():
    control("host", "Key", 0x20, {"code": 30, "down": True}, (1, 30), (2, 1))
    control("host", "Text", 0x21, {"text": "ñ🙂"}, (1, "ñ🙂"))
    control("host", "Button", 0x22, {"code": 0x110, "down": False, "pointer": None}, (1, 0x110), (2, 0))
    for said in (struct.pack(">BIii", 0x40, 7, 256, -257), struct.pack(">BIHH", 0x41, 4294967295, 0, 65535)):
        control("host", "Button", 0x22, {"code": 0x111, "down": True, "pointer": said.hex()},
                (1, 0x111), (2, 1), (3, said))
    for horizontal, vertical in ((0, -120), (-2147483648, 2147483647)):
        control("host", "Scroll", 0x23, {"horizontal": horizontal, "vertical": vertical},
                (1, zigzag(horizontal)), (2, zigzag(vertical)))
    for phase in range(8):
        known = phase % 2 == 0
        f = {"id": 4294967295, "phase": phase, "x": 0, "y": 65535, "pressure": 32768 if known else None,
             "major": 300 if known else None, "minor": 200 if known else None, "rotation": 360 if known else None}
        control("host", "Touch", 0x24, f, (1, f["id"]), (2, phase), (3, 0), (4, 65535), (5, f["pressure"]),
                (6, f["major"]), (7, f["minor"]), (8, f["rotation"]))
    f = {"phase": 3, "tool": 2, "buttons": 5, "x": 100, "y": 200, "pressure": 65535, "distance": 0,
         "rotation": 45, "tilt": 90}
    control("host", "Pen", 0x25, f, *enumerate(f.values(), 1))
    f = {**f, "tool": 1, "pressure": None, "distance": None, "rotation": None, "tilt": None}
    control("host", "Pen", 0x25, f, *enumerate(f.values(), 1))
    for kind in range(5):
        f = {"pad": 15, "kind": kind, "capabilities": 0x1FF, "buttons": 0x3FF7FF}
        control("host", "PadArrival", 0x26, f, *enumerate(f.values(), 1))
    control("host", "PadRemoval", 0x27, {"pad": 0}, (1, 0))
    control("host", "ReleaseAll", 0x28, {})
    for way in ("host", "client"):
        mime, data = "text/plain;charset=utf-8", "copied ✂".encode()
        control(way, "Clipboard", 0x29, {"mime": mime, "data": data.hex()}, (1, mime), (2, data))
    f = {"pad": 1, "touchpad": 1, "id": 9, "phase": 1, "x": 1, "y": 65534, "pressure": 77}
    control("host", "PadTouch", 0x2A, f, *enumerate(f.values(), 1))
    for charge in range(6):
        percent = 100 - charge if charge else None
        f = {"pad": 2, "charge": charge, "percent": percent}
        control("host", "PadBattery", 0x2B, f, *enumerate(f.values(), 1))
    for sensor in (1, 2):
        f = {"pad": 3, "sensor": sensor, "rate": 1000}
        control("client", "PadSensor", 0x2C, f, *enumerate(f.values(), 1))
    left, right = bytes(range(10)), bytes(range(10, 20))
    f = {"pad": 4, "sides": 12, "effects": "0126", "left": left.hex(), "right": right.hex()}
    control("client", "PadTriggers", 0x2D, f, (1, 4), (2, 12), (3, b"\x01\x26"), (4, left), (5, right))


def skipped():
    """Messages with what a reader has to skip, and what they mean without it."""
    start = message(3, (1, 3))
    return [
        {"why": "a field with an unknown tag between known ones", "way": "host",
         "hex": message(0x20, (0, b"?"), (1, 30), (2, 1), (9, b"later"), (9, b"twice")).hex(),
         "same_as": message(0x20, (1, 30), (2, 1)).hex()},
        {"why": "an unknown type before a known one", "way": "host",
         "hex": (message(0x3FFF, (1, b"x" * 80)) + start).hex(), "same_as": start.hex()},
        {"why": "numbers in longer forms than needed", "way": "host",
         "hex": "4003" "4003" "01" "01" "03", "same_as": start.hex()},
        {"why": "codecs that nobody knows yet", "way": "host",
         "hex": message(1, (1, [1]), (2, "c"), *mode(MODE), (8, [77, 2, 1000]), (9, 500), (10, 2), (11, [9, 1]),
                        (12, 1200), (13, 0), (14, 0), (15, 1), (16, 0)).hex(),
         "same_as": message(1, (1, [1]), (2, "c"), *mode(MODE), (8, [2]), (9, 500), (10, 2), (11, [1]),
                            (12, 1200), (13, 0), (14, 0), (15, 1), (16, 0)).hex()},
    ]


def refused():
    """Messages that close the connection with BAD_MESSAGE."""
    good = [(1, [1]), (2, "c"), *mode(MODE), (8, [2]), (9, 500), (10, 2), (11, [1]), (12, 1200)]

    def bad(why, way, data):
        return {"why": why, "way": way, "hex": data.hex()}

    def hello_with(tag, value):
        return message(1, *[(t, value if t == tag else v) for t, v in good])

    return [
        bad("tags out of order", "host", message(0x20, (2, 1), (1, 30))),
        bad("a number twice", "host", message(0x20, (1, 30), (1, 30), (2, 1))),
        bad("a required field is missing", "host", message(0x20, (1, 30))),
        bad("a field longer than its body", "host", varint(0x20) + varint(3) + b"\x01\x05\x1e"),
        bad("a body that ends within a field", "host", varint(0x20) + varint(1) + b"\x01"),
        bad("a flag that is 2", "host", message(0x20, (1, 30), (2, 2))),
        bad("a number with a byte behind it", "host", message(0x20, (1, b"\x1e\x00"), (2, 1))),
        bad("a number without a byte", "host", message(0x20, (1, b""), (2, 1))),
        bad("a key code of 17 bits", "host", message(0x20, (1, 65536), (2, 1))),
        bad("text that is not UTF-8", "host", message(0x21, (1, b"\xc3\x28"))),
        bad("a body longer than its type allows", "host", varint(0x20) + varint(65)),
        bad("an unknown type of more than 65,536 bytes", "host", varint(0x3FFF) + varint(65537)),
        bad("the host's message from the client", "host", message(0x03 + 4, (1, 3))),
        bad("the client's message from the host", "client", message(0x20, (1, 30), (2, 1))),
        bad("no version", "host", hello_with(1, None)),
        bad("an odd width", "host", hello_with(5, 1921)),
        bad("a height of 62", "host", hello_with(6, 62)),
        bad("a rate of 999 mHz", "host", hello_with(7, 999)),
        bad("a bitrate of 499 kbit/s", "host", hello_with(9, 499)),
        bad("three channels", "host", hello_with(10, 3)),
        bad("a payload of 1199 bytes", "host", hello_with(12, 1199)),
        bad("a name of 65 bytes", "host", hello_with(2, "n" * 65)),
        bad("a list of 65", "host", hello_with(8, [2] * 65)),
        bad("pad 16", "host", message(0x27, (1, 16))),
        bad("touch phase 8", "host", message(0x24, (1, 0), (2, 8), (3, 0), (4, 0))),
        bad("a SPAKE2 message of 32 bytes", "client", message(0x11, (1, b"B" * 32))),
        bad("a mapping of five for six channels", "client", message(
            2, (1, 1), (2, SESSION), (3, MEDIA), (4, 0), *mode(MODE), (8, 1), (9, 500), (10, 6), (11, 1), (12, 1200),
            (13, 1), (16, 1), (19, 4), (20, 2), (21, b"\0\4\1\5\2"), (22, 5000))),
    ]


# ---- QUIC datagrams (page, section 3) -------------------------------------------------

def sound(packets):
    return struct.pack(">B", len(packets)) + b"".join(struct.pack(">H", len(p)) + p for p in packets)


def datagrams():
    out = []

    def add(way, name, kind, fields, layout, *values, tail=b""):
        out.append({"name": name, "way": way, "type": kind, "fields": fields,
                    "hex": (struct.pack(">B" + layout, kind, *values) + tail).hex()})

    add("host", "PointerMotion", 0x40, {"seq": 0, "dx": 256, "dy": -257}, "Iii", 0, 256, -257)
    add("host", "PointerPosition", 0x41, {"seq": 4294967295, "x": 0, "y": 65535}, "IHH", 4294967295, 0, 65535)
    state = {"seq": 1, "pad": 15, "buttons": 0x21000, "left_trigger": 255, "right_trigger": 1,
             "left": [-32768, 32767], "right": [0, -1]}
    add("host", "PadState", 0x42, state, "IBIBBhhhh", 1, 15, 0x21000, 255, 1, -32768, 32767, 0, -1)
    for sensor in (1, 2):
        add("host", "PadMotion", 0x43, {"seq": 2, "pad": 0, "sensor": sensor, "axes": [9.8125, -0.5, 0.0]},
            "IBBfff", 2, 0, sensor, 9.8125, -0.5, 0.0)
    add("client", "Rumble", 0x44, {"seq": 3, "pad": 1, "low": 65535, "high": 1, "left_trigger": 2,
                                   "right_trigger": 3}, "IBHHHH", 3, 1, 65535, 1, 2, 3)
    for way, name, kind in (("client", "Sound", 0x45), ("host", "Microphone", 0x46)):
        for packets in ([b"\xfcnew"], [b"\xfcnew", b"\xfcold", b""]):
            add(way, name, kind, {"seq": 500, "timestamp": 0xA1B2C3D4E5F6, "packets": [p.hex() for p in packets]},
                "IHI", 500, 0xA1B2, 0xC3D4E5F6, tail=sound(packets))
    hdr = [34000, 16000, 13250, 34500, 7500, 3000, 15635, 16450, 1000, 50, 4000, 400]
    add("client", "HdrMetadata", 0x47, {"values": hdr}, "B8HIIHH", 1, *hdr)
    add("client", "HdrMetadata", 0x47, {"values": None}, "B8HIIHH", 0, *[0] * 12)
    add("client", "PadLight", 0x48, {"seq": 4, "pad": 2, "colour": [255, 128, 0]}, "IBBBB", 4, 2, 255, 128, 0)
    bad = [
        {"why": "an unknown type", "way": "host", "hex": "3f00"},
        {"why": "pad 16", "way": "host", "hex": struct.pack(">BIBIBBhhhh", 0x42, 0, 16, 0, 0, 0, 0, 0, 0, 0).hex()},
        {"why": "sensor 3", "way": "host", "hex": struct.pack(">BIBBfff", 0x43, 0, 0, 3, 0, 0, 0).hex()},
        {"why": "a motion that is no number", "way": "host",
         "hex": struct.pack(">BIBBfff", 0x43, 0, 0, 1, float("nan"), 0, 0).hex()},
        {"why": "no packet", "way": "client", "hex": struct.pack(">BIHIB", 0x45, 0, 0, 0, 0).hex()},
        {"why": "nine packets", "way": "client", "hex": (struct.pack(">BIHI", 0x45, 0, 0, 0) + sound([b""] * 9)).hex()},
        {"why": "a packet that ends early", "way": "client", "hex": struct.pack(">BIHIBH", 0x45, 0, 0, 0, 1, 5).hex()},
        {"why": "rumble from the client", "way": "host", "hex": struct.pack(">BIBHHHH", 0x44, 0, 0, 0, 0, 0, 0).hex()},
    ]
    save("datagrams.json", datagrams=out, refused=bad)


# ---- reports (page, section 4.3) ------------------------------------------------------

def reports():
    out = []

    def add(way, name, kind, fields, *wire):
        out.append({"name": name, "way": way, "type": kind, "fields": fields, "hex": message(kind, *wire).hex()})

    f = {"highest": 5000000000, "received": 812, "lost": 31, "bursts": [9, 4, 2, 1, 0, 65535], "recovered": 28,
         "frames": 3, "frames_lost": 1, "delay": 1250, "decode": 4100, "backlog": 2, "largest": 1452, "number": 77,
         "interval": 50021, "bytes": 1179024}
    wire = [(tag, struct.pack(">6H", *v) if isinstance(v, list) else v) for tag, v in enumerate(f.values(), 1)]
    add("host", "Feedback", 0x60, f, *wire)
    ranges = [[0, 1], [40, 24], [65534, 1]]
    add("host", "Nack", 0x61, {"frame": 9, "block": 1, "missing": ranges, "whole": False, "turn": None, "spread": 0}, (1, 9), (2, 1),
        (3, b"".join(struct.pack(">HH", *r) for r in ranges)))
    add("host", "Nack", 0x61, {"frame": 9, "block": 0, "missing": [], "whole": True, "turn": None, "spread": 0}, (1, 9), (2, 0), (4, 1))
    add("host", "Nack", 0x61, {"frame": 9, "block": 2, "missing": [[3, 4]], "whole": False, "turn": 2, "spread": 40},
        (1, 9), (2, 2), (3, struct.pack(">HH", 3, 4)), (5, 2), (6, 40))
    add("host", "KeyFrameWanted", 0x62, {"after": 4294967295}, (1, 4294967295))
    add("host", "Invalidate", 0x63, {"first": 10, "last": 12}, (1, 10), (2, 12))
    add("host", "ClockProbe", 0x64, {"id": 5, "sent": 123456789}, (1, 5), (2, 123456789))
    add("client", "ClockReply", 0x65, {"id": 5, "sent": 123456789, "arrived": 99, "left": 101}, (1, 5),
        (2, 123456789), (3, 99), (4, 101))
    add("client", "PathProbe", 0x66, {"id": 6, "size": 8900}, (1, 6), (2, 8900))
    add("host", "PathProbed", 0x67, {"id": 6, "size": 8900}, (1, 6), (2, 8900))
    add("host", "Sizes", 0x68, {"malformed": 3}, (1, 3))
    add("host", "Acknowledge", 0x69, {"frame": 8}, (1, 8))
    ack, probe = message(0x69, (1, 8)), message(0x66, (1, 6), (2, 60))
    parts = [
        {"why": "two reports, an unknown one between", "way": "host", "reports": 2, "ends_well": True,
         "hex": (ack + message(0x7F, (1, 1)) + message(0x68, (1, 3))).hex()},
        {"why": "zeros after a probe are padding", "way": "client", "reports": 1, "ends_well": True,
         "hex": (probe + bytes(60 - 21 - len(probe))).hex()},
        {"why": "what breaks the rules ends the list", "way": "host", "reports": 1, "ends_well": False,
         "hex": (ack + message(0x69) + ack).hex()},
        {"why": "a report from the wrong side", "way": "client", "reports": 0, "ends_well": False, "hex": ack.hex()},
        {"why": "an empty range", "way": "host", "reports": 0, "ends_well": False,
         "hex": message(0x61, (1, 9), (2, 1), (3, struct.pack(">HH", 4, 0))).hex()},
        {"why": "a range past the code's end", "way": "host", "reports": 0, "ends_well": False,
         "hex": message(0x61, (1, 9), (2, 1), (3, struct.pack(">HH", 65535, 1))).hex()},
    ]
    save("reports.json", reports=out, parts=parts)
    return out


# ---- keys and sealed datagrams (page, sections 4, 4.1 and 4.2) ------------------------

def expand(secret, info, length):
    out, block, count = b"", b"", 1
    while len(out) < length:
        block = hmac.new(secret, block + info + bytes([count]), hashlib.sha256).digest()
        out, count = out + block, count + 1
    return out[:length]


def chain(secret, way, length, generation):
    s = expand(secret, b"pf1 " + way.encode(), 32)
    for _ in range(generation):
        s = expand(s, b"pf1 next", 32)
    return expand(s, b"pf1 key", length), expand(s, b"pf1 iv", 12)


def nonce(iv, sequence):
    return bytes(a ^ b for a, b in zip(iv, sequence.to_bytes(12, "big")))


def keys_and_media(known_reports):
    secret = hashlib.sha256(b"punktfunk/1 exported secret").digest()
    chains, sealed = [], []
    header = {"frame": 70000, "timestamp": 0x0102030405FF, "epoch": 3, "flags": 1 | 2 | 16, "block": 1, "age": 250,
              "base": 4096, "index": 7, "k": 7, "m": 2, "tail": 9}
    shard = bytes(range(12))
    plain_shard = struct.pack(">IHIBBB6H", 70000, 0x0102, 0x030405FF, *[header[n] for n in list(header)[2:]]) + shard
    feedback, probe = bytes.fromhex(known_reports[0]["hex"]), message(0x66, (1, 6), (2, 60))
    for aead, name, length, cipher in ((1, "AES-128-GCM", 16, AESGCM), (2, "ChaCha20-Poly1305", 32, ChaCha20Poly1305)):
        for way in ("h2c", "c2h"):
            for generation in range(4):
                key, iv = chain(secret, way, length, generation)
                chains.append({"aead": aead, "direction": way, "generation": generation, "phase": generation % 2,
                               "key": key.hex(), "iv": iv.hex(), "sequence": 0x0102030405060708,
                               "nonce": nonce(iv, 0x0102030405060708).hex()})
            packets = [("shard", 0, plain_shard), ("padding", 1, probe + bytes(60 - 21 - len(probe))),
                       ("report", 2, message(0x65, (1, 5), (2, 6), (3, 7), (4, 8)))]
            if way == "c2h":
                packets = [("report", 2, feedback)] * 2
            count = len(packets)
            for sequence in range(2 * count):
                generation = sequence // count
                kind_name, kind, plain = packets[sequence % count]
                tag = bytes([0x80 | generation % 2 << 5 | kind])
                prefix = tag + (MEDIA if way == "c2h" else b"") + struct.pack(">I", sequence)
                key, iv = chain(secret, way, length, generation)
                data = prefix + cipher(key).encrypt(nonce(iv, sequence), plain, prefix)
                sealed.append({"aead": aead, "direction": way, "kind": kind_name, "sequence": sequence,
                               "generation": generation, "sealed_at_s": 600 * generation, "plain": plain.hex(),
                               "hex": data.hex()})
    save("keys.json", aeads={"1": "AES-128-GCM", "2": "ChaCha20-Poly1305"}, secret=secret.hex(), chains=chains)
    save("media.json", secret=secret.hex(), media=MEDIA.hex(),
         shard={"fields": header, "shard": shard.hex(), "plain": plain_shard.hex()}, sealed=sealed)


# ---- pairing (page, section 7): SPAKE2 over Ed25519 -----------------------------------

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P


def add(a, b):
    (x1, y1), (x2, y2) = a, b
    t = D * x1 * x2 * y1 * y2
    return ((x1 * y2 + x2 * y1) * pow(1 + t, P - 2, P) % P, (y1 * y2 + x1 * x2) * pow(1 - t, P - 2, P) % P)


def times(point, scalar):
    out = (0, 1)
    while scalar:
        if scalar & 1:
            out = add(out, point)
        point, scalar = add(point, point), scalar >> 1
    return out


def encode(point):
    return (point[1] | (point[0] & 1) << 255).to_bytes(32, "little")


def decode(data):
    value = int.from_bytes(data, "little")
    y, sign = value & (1 << 255) - 1, value >> 255
    xx = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(xx, (P + 3) // 8, P)
    if (x * x - xx) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    assert (x * x - xx) % P == 0
    return (P - x if x & 1 != sign else x, y)


BASE = decode(bytes.fromhex("58" + "66" * 31))
M = decode(bytes.fromhex("15cfd18e385952982b6a8f8c7854963b58e34388c8e6dae891db756481a02312"))
N = decode(bytes.fromhex("f04f2e7eb734b2a8f8b472eaf9c3c632576ac64aea650b496a8a20ff00e583c3"))


def sha(data):
    return hashlib.sha256(data).digest()


def hkdf_extract(salt, ikm):
    return hmac.new(salt, ikm, hashlib.sha256).digest()


def pairing(method, name, password, draws_a, draws_b):
    client, host, exporter = sha(b"client SPKI"), sha(b"host SPKI"), sha(b"exporter")
    okm = expand(hkdf_extract(bytes(32), password), b"SPAKE2 pw", 48)
    pw = int.from_bytes(okm, "big") % ORDER
    a, b = (int.from_bytes(d, "little") % ORDER for d in (draws_a, draws_b))
    x, y = add(times(BASE, a), times(M, pw)), add(times(BASE, b), times(N, pw))
    at_client = times(add(y, times(N, ORDER - pw)), a)
    at_host = times(add(x, times(M, ORDER - pw)), b)
    assert at_client == at_host
    output = sha(sha(password) + sha(client) + sha(host) + encode(x) + encode(y) + encode(at_host))
    start, answer = b"A" + encode(x), b"B" + encode(y)
    parts = [b"punktfunk/1 pairing", client, host, exporter, bytes([method]), name.encode(), start, answer]
    transcript = sha(b"".join(struct.pack(">H", len(p)) + p for p in parts))
    keys = hkdf_extract(transcript, output)
    client_key, host_key = expand(keys, b"pf1 client", 32), expand(keys, b"pf1 host", 32)
    mac_client = hmac.new(client_key, transcript, hashlib.sha256).digest()
    mac_host = hmac.new(host_key, transcript, hashlib.sha256).digest()
    return {
        "method": method, "name": name, "password": password.hex(), "client": client.hex(), "host": host.hex(),
        "exporter": exporter.hex(), "client_random": draws_a.hex(), "host_random": draws_b.hex(),
        "spake2_output": output.hex(), "transcript": transcript.hex(), "client_key": client_key.hex(),
        "host_key": host_key.hex(), "access": 15,
        "PairStart": message(0x10, (1, method), (2, name), (3, start)).hex(),
        "PairAnswer": message(0x11, (1, answer)).hex(), "PairConfirm": message(0x12, (1, mac_client)).hex(),
        "PairDone": message(0x13, (1, mac_host), (2, 15)).hex(),
    }


def pairings():
    draws = [hashlib.sha512(bytes([n])).digest() for n in range(4)]
    save("pairing.json",
         random="64 bytes a side, as a little-endian number modulo the order of the group",
         pairings=[pairing(1, "tablet", b"012345", draws[0], draws[1]),
                   pairing(2, "", bytes(range(16)), draws[2], draws[3])])


def qr():
    fp, secret = sha(b"host SPKI").hex(), bytes(range(16)).hex()
    save("qr.json", codes=[
        {"addresses": ["192.0.2.7:9777"], "fingerprint": fp, "secret": secret, "name": "den",
         "text": f"punktfunk://192.0.2.7:9777/pair?v=1&fp={fp}&s={secret}&n=den"},
        {"addresses": ["[2001:db8::7]:9777", "den.local:9778", "[::1]:1"], "fingerprint": fp, "secret": secret,
         "name": "Dän & Söhne",
         "text": f"punktfunk://[2001:db8::7]:9777/pair?v=1&fp={fp}&s={secret}&n=D%C3%A4n%20%26%20S%C3%B6hne"
                 "&a=den.local%3A9778&a=%5B%3A%3A1%5D%3A1"},
    ])


all_messages()
save("control.json", messages=messages, skipped=skipped(), refused=refused())
datagrams()
keys_and_media(reports())
pairings()
qr()
