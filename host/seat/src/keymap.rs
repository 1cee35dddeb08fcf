//! Which key of the layout gives a character.

use smithay::input::keyboard::{XkbConfig, xkb};

/// Spare keys that are used at most.
const SPARE: usize = 24;

/// A compiled layout, to look characters up in, and its spare keys.
pub struct Keymap {
    layout: Option<xkb::Keymap>,
    /// Keycodes without a meaning, and the character each was given.
    spare: Vec<(u32, Option<char>)>,
    /// The spare key that is given away next.
    next: usize,
}

impl Keymap {
    /// Compiles the layout once more, for ourselves.
    pub fn new(config: XkbConfig<'_>) -> Self {
        let context = xkb::Context::new(xkb::CONTEXT_NO_FLAGS);
        let layout = xkb::Keymap::new_from_names(
            &context,
            config.rules,
            config.model,
            config.layout,
            config.variant,
            config.options,
            xkb::KEYMAP_COMPILE_NO_FLAGS,
        );
        let mut spare = Vec::new();
        if let Some(layout) = &layout {
            // X11 has no keys past 255. Low codes are keys that people have.
            let free = (128..=255u32).rev().filter(|code| {
                (0..layout.num_layouts()).all(|group| layout.num_levels_for_key((*code).into(), group) == 0)
            });
            spare.extend(free.take(SPARE).map(|code| (code, None)));
        }
        Self { layout, spare, next: 0 }
    }

    /// True when the layout or a spare key gives this character.
    pub fn knows(&self, character: char) -> bool {
        self.find(character).is_some()
    }

    /// True when a spare key could give this character.
    pub fn can_learn(&self, character: char) -> bool {
        !self.spare.is_empty() && !character.is_control()
    }

    /// Gives spare keys to characters, as many as there are keys; those that had them
    /// longest lose them. The new keymap, `None` when nothing changes.
    pub fn learn(&mut self, characters: &[char]) -> Option<String> {
        let mut given = Vec::new();
        for character in characters.iter().copied().filter(|c| !c.is_control()) {
            if given.contains(&character) || given.len() == self.spare.len() {
                continue;
            }
            given.push(character);
            let next = self.next;
            self.spare.get_mut(next)?.1 = Some(character);
            self.next = (next + 1) % self.spare.len();
        }
        if given.is_empty() { None } else { self.text() }
    }

    /// The layout with its spare keys, as text.
    fn text(&self) -> Option<String> {
        let layout = self.layout.as_ref()?;
        let text = layout.get_as_string(xkb::KEYMAP_FORMAT_TEXT_V1);
        let (mut names, mut symbols) = (String::new(), String::new());
        for (code, character) in &self.spare {
            let Some(character) = character else { continue };
            let name = match layout.key_get_name((*code).into()) {
                Some(name) => name.to_owned(),
                None => {
                    names += &format!("<PF{code:02X}> = {code};\n");
                    format!("PF{code:02X}")
                }
            };
            let character = u32::from(*character);
            symbols += &format!("key <{name}> {{ type = \"ONE_LEVEL\", [ U{character:04X} ] }};\n");
        }
        // The symbols are the last section; the names follow the range of the keycodes.
        let body = text.trim_end().strip_suffix("};")?.trim_end().strip_suffix("};")?;
        let range = body.find("maximum")?;
        let (head, tail) = body.split_at(range + body.get(range..)?.find('\n')? + 1);
        Some(format!("{head}{names}{tail}{symbols}}};\n}};\n"))
    }

    /// The evdev code of the key for `character`, and whether Shift and AltGr are needed.
    pub fn find(&self, character: char) -> Option<(u16, bool, bool)> {
        if let Some((code, _)) = self.spare.iter().find(|(_, given)| *given == Some(character)) {
            return Some((u16::try_from(code.checked_sub(8)?).ok()?, false, false));
        }
        let keymap = self.layout.as_ref()?;
        let wanted = match character {
            '\n' | '\r' => xkb::Keysym::Return,
            '\t' => xkb::Keysym::Tab,
            '\u{8}' => xkb::Keysym::BackSpace,
            character => xkb::utf32_to_keysym(u32::from(character)),
        };
        // Levels 0 to 3: plain, Shift, AltGr, both.
        (0..4u32).find_map(|level| {
            let (low, high) = (keymap.min_keycode().raw(), keymap.max_keycode().raw().min(255));
            (low..=high)
                .find(|code| keymap.key_get_syms_by_level((*code).into(), 0, level).contains(&wanted))
                .and_then(|code| u16::try_from(code.checked_sub(8)?).ok())
                .map(|code| (code, level & 1 != 0, level & 2 != 0))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(layout: &str) -> Keymap {
        Keymap::new(XkbConfig { layout, ..XkbConfig::default() })
    }

    #[test]
    fn characters_are_found_in_the_layout() {
        let us = layout("us");
        assert_eq!(us.find('a'), Some((30, false, false)));
        assert_eq!(us.find('A'), Some((30, true, false)));
        assert_eq!(us.find('\n'), Some((28, false, false)));
        assert_eq!(us.find('ß'), None);
        let de = layout("de");
        assert_eq!(de.find('z'), Some((21, false, false)));
        assert_eq!(de.find('@'), Some((16, false, true)));
    }

    #[test]
    fn spare_keys_learn_what_the_layout_lacks() {
        let compile = |text: String| {
            let context = xkb::Context::new(xkb::CONTEXT_NO_FLAGS);
            let format = xkb::KEYMAP_FORMAT_TEXT_V1;
            xkb::Keymap::new_from_string(&context, text, format, xkb::KEYMAP_COMPILE_NO_FLAGS).unwrap()
        };
        for name in ["us", "de", "us,ru", "fr"] {
            let mut keymap = layout(name);
            assert!(keymap.spare.len() >= 8, "{name}: {:?}", keymap.spare);
            let text = keymap.learn(&['漢', '\u{1f600}', '漢', '\n']).unwrap();
            let compiled = compile(text);
            for character in ['漢', '\u{1f600}'] {
                let (code, shift, level3) = keymap.find(character).unwrap();
                assert!(!shift && !level3);
                let state = xkb::State::new(&compiled);
                let typed = state.key_get_utf8((u32::from(code) + 8).into());
                assert_eq!(typed, character.to_string(), "{name}");
            }
            // Keys of the layout are as before.
            assert_eq!(
                xkb::State::new(&compiled).key_get_utf8(10u32.into()),
                if name == "fr" { "&" } else { "1" }
            );
            // More than there are keys: the first ones give way.
            let many: Vec<char> = (0x4e00..0x4e00 + 2 * SPARE as u32).filter_map(char::from_u32).collect();
            compile(keymap.learn(&many).unwrap());
            assert!(!keymap.knows('漢') && keymap.knows(many[0]) && !keymap.knows(many[2 * SPARE - 1]));
            assert_eq!(keymap.learn(&[]), None);
        }
    }
}
