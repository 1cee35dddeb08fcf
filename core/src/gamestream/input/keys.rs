//! Windows virtual-key codes to evdev key codes.
//!
//! Positions of a US keyboard: clients normalise to it. Both sides are public
//! constants, of `WinUser.h` and of `linux/input-event-codes.h`. The generic shift,
//! control and alt stand for the left ones.

/// evdev code of the left shift key.
pub(super) const LEFT_SHIFT: u16 = 42;
/// evdev code of the right shift key.
pub(super) const RIGHT_SHIFT: u16 = 54;
/// evdev code of the left control key.
pub(super) const LEFT_CTRL: u16 = 29;
/// evdev code of the right control key.
pub(super) const RIGHT_CTRL: u16 = 97;
/// evdev code of the left alt key.
pub(super) const LEFT_ALT: u16 = 56;
/// evdev code of the right alt key.
pub(super) const RIGHT_ALT: u16 = 100;

/// The keys that hold nothing but a modifier.
pub(super) const fn is_modifier(code: u16) -> bool {
    matches!(code, LEFT_SHIFT | RIGHT_SHIFT | LEFT_CTRL | RIGHT_CTRL | LEFT_ALT | RIGHT_ALT | 125 | 126)
}

/// Letters A to Z.
const LETTERS: [u16; 26] =
    [30, 48, 46, 32, 18, 33, 34, 35, 23, 36, 37, 38, 50, 49, 24, 25, 16, 19, 31, 20, 22, 47, 17, 45, 21, 44];
/// Digits 0 to 9 of the keypad.
const KEYPAD: [u16; 10] = [82, 79, 80, 81, 75, 76, 77, 71, 72, 73];
/// From 0x20 (space) to 0x2F (help); 0 where evdev has none.
const NAVIGATION: [u16; 16] = [57, 104, 109, 107, 102, 105, 103, 106, 108, 0x161, 210, 0, 99, 110, 111, 138];
/// From 0x6A (multiply) to 0x6F (divide).
const KEYPAD_SIGNS: [u16; 6] = [55, 78, 121, 74, 83, 98];
/// From 0xA0 (left shift) to 0xB7 (second application key).
const SIDES_AND_MEDIA: [u16; 24] = [
    LEFT_SHIFT,
    RIGHT_SHIFT,
    LEFT_CTRL,
    RIGHT_CTRL,
    LEFT_ALT,
    RIGHT_ALT,
    158,
    159,
    173,
    128,
    217,
    156,
    172,
    113,
    114,
    115,
    163,
    165,
    166,
    164,
    155,
    226,
    157,
    140,
];
/// From 0xBA (semicolon) to 0xC0 (grave).
const PUNCTUATION: [u16; 7] = [39, 13, 51, 12, 52, 53, 41];
/// From 0xDB (left bracket) to 0xDE (apostrophe).
const BRACKETS: [u16; 4] = [26, 43, 27, 40];

/// The evdev code of a Windows virtual-key code, if evdev has that key.
pub fn evdev_key(virtual_key: u8) -> Option<u16> {
    let at = |base: u8| virtual_key.wrapping_sub(base);
    let of = |table: &[u16], base: u8| table.get(usize::from(at(base))).copied().filter(|code| *code != 0);
    match virtual_key {
        0x08 => Some(14),
        0x09 => Some(15),
        0x0C => Some(0x163),
        0x0D => Some(28),
        0x10 => Some(LEFT_SHIFT),
        0x11 => Some(LEFT_CTRL),
        0x12 => Some(LEFT_ALT),
        0x13 => Some(119),
        0x14 => Some(58),
        0x15 => Some(122),
        0x19 => Some(123),
        0x1B => Some(1),
        0x1C => Some(92),
        0x1D => Some(94),
        0x20..=0x2F => of(&NAVIGATION, 0x20),
        0x30 => Some(11),
        0x31..=0x39 => Some(2 + u16::from(at(0x31))),
        0x41..=0x5A => of(&LETTERS, 0x41),
        0x5B..=0x5D => Some(125 + u16::from(at(0x5B))),
        0x5F => Some(142),
        0x60..=0x69 => of(&KEYPAD, 0x60),
        0x6A..=0x6F => of(&KEYPAD_SIGNS, 0x6A),
        0x70..=0x79 => Some(59 + u16::from(at(0x70))),
        0x7A | 0x7B => Some(87 + u16::from(at(0x7A))),
        0x7C..=0x87 => Some(183 + u16::from(at(0x7C))),
        0x90 => Some(69),
        0x91 => Some(70),
        0xA0..=0xB7 => of(&SIDES_AND_MEDIA, 0xA0),
        0xBA..=0xC0 => of(&PUNCTUATION, 0xBA),
        0xDB..=0xDE => of(&BRACKETS, 0xDB),
        0xE2 => Some(86),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn well_known_keys_are_where_they_belong() {
        let known = [
            (b'A', 30),
            (b'Q', 16),
            (b'Z', 44),
            (b'M', 50),
            (b'0', 11),
            (b'1', 2),
            (b'9', 10),
            (0x0D, 28),
            (0x20, 57),
            (0x2E, 111),
            (0x5B, 125),
            (0x5D, 127),
            (0x60, 82),
            (0x69, 73),
            (0x6F, 98),
            (0x70, 59),
            (0x79, 68),
            (0x7A, 87),
            (0x7B, 88),
            (0x7C, 183),
            (0x87, 194),
            (0xA5, 100),
            (0xAF, 115),
            (0xB3, 164),
            (0xBA, 39),
            (0xC0, 41),
            (0xDC, 43),
            (0xDE, 40),
            (0xE2, 86),
        ];
        for (key, code) in known {
            assert_eq!(evdev_key(key), Some(code), "{key:#x}");
        }
        assert_eq!(evdev_key(0), None);
        assert_eq!(evdev_key(0x2B), None);
    }

    #[test]
    fn only_the_generic_modifiers_share_a_key() {
        let mut codes: Vec<u16> = (0..=255).filter_map(evdev_key).collect();
        let count = codes.len();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), count - 3);
    }
}
