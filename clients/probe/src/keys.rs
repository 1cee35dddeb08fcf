//! Windows virtual-key codes of a US keyboard, and typing text with them.

/// Enter.
pub const RETURN: u8 = 0x0D;
/// Left shift.
pub const SHIFT: u8 = 0xA0;
/// Left control.
pub const CONTROL: u8 = 0xA2;
/// Escape.
pub const ESCAPE: u8 = 0x1B;

/// The key of a character on a US keyboard and whether shift is held, or `None`
/// when that keyboard has no such character.
pub const fn key_of(character: char) -> Option<(u8, bool)> {
    Some(match character {
        'a'..='z' => (character as u8 - b'a' + b'A', false),
        'A'..='Z' | '0'..='9' => (character as u8, character.is_ascii_uppercase()),
        ' ' => (0x20, false),
        '\n' => (RETURN, false),
        '\t' => (0x09, false),
        ')' => (b'0', true),
        '!' => (b'1', true),
        '@' => (b'2', true),
        '#' => (b'3', true),
        '$' => (b'4', true),
        '%' => (b'5', true),
        '^' => (b'6', true),
        '&' => (b'7', true),
        '*' => (b'8', true),
        '(' => (b'9', true),
        ';' | ':' => (0xBA, character == ':'),
        '=' | '+' => (0xBB, character == '+'),
        ',' | '<' => (0xBC, character == '<'),
        '-' | '_' => (0xBD, character == '_'),
        '.' | '>' => (0xBE, character == '>'),
        '/' | '?' => (0xBF, character == '?'),
        '`' | '~' => (0xC0, character == '~'),
        '[' | '{' => (0xDB, character == '{'),
        '\\' | '|' => (0xDC, character == '|'),
        ']' | '}' => (0xDD, character == '}'),
        '\'' | '"' => (0xDE, character == '"'),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use punktfunk_core::gamestream::input::evdev_key;

    #[test]
    fn every_printable_character_has_a_key_of_its_own() {
        let mut keys: Vec<_> = (' '..='~').map(|c| key_of(c).unwrap()).collect();
        assert!(keys.iter().all(|&(key, _)| evdev_key(key).is_some()));
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), 95);
        assert_eq!(key_of('>'), Some((0xBE, true)));
        assert_eq!(key_of('ä'), None);
    }
}
