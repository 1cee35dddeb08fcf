//! Keys: what the desktop does not want itself goes to the clients.

use smithay::backend::input::KeyState;
use smithay::input::keyboard::{FilterResult, ModifiersState, XkbConfig};
use smithay::utils::SERIAL_COUNTER;
use smithay::wayland::keyboard_shortcuts_inhibit::KeyboardShortcutsInhibitorSeat;
use smithay::wayland::seat::WaylandFocus;

use crate::seat::State;

/// Ctrl, Shift, Alt and Super, left and right, with AltGr.
const MODIFIERS: [u16; 8] = [29, 97, 42, 54, 56, 100, 125, 126];

impl State {
    pub(crate) fn key(&mut self, code: u16, down: bool) {
        // A second press without a release would be counted by xkb and leave a
        // modifier stuck; clients repeat held keys by themselves.
        if down == self.input.keys.contains(&code) {
            return;
        }
        if down {
            self.input.keys.insert(code);
        } else {
            self.input.keys.remove(&code);
        }
        let state = if down { KeyState::Pressed } else { KeyState::Released };
        let taken = self.input.taken.remove(&code);
        let (keyboard, millis) = (self.keyboard.clone(), self.millis());
        // Asked before: the keyboard is locked while it filters.
        let ours = !self.shortcuts_inhibited() || self.desktop.launcher.is_open();
        keyboard.input(
            self,
            (u32::from(code) + 8).into(),
            state,
            SERIAL_COUNTER.next_serial(),
            millis,
            |state, modifiers, key| {
                if ours && state.desktop_key(code, down, modifiers, &key) && down {
                    state.input.taken.insert(code);
                    return FilterResult::Intercept(());
                }
                if taken { FilterResult::Intercept(()) } else { FilterResult::Forward }
            },
        );
        self.act();
    }

    /// True when the client that has the keys wants our shortcuts as well.
    fn shortcuts_inhibited(&self) -> bool {
        let focus = self.keyboard.current_focus();
        let surface = focus.as_ref().and_then(|focus| focus.wl_surface());
        let inhibitor =
            surface.and_then(|surface| self.seat.keyboard_shortcuts_inhibitor_for_surface(&surface));
        inhibitor.is_some_and(|inhibitor| inhibitor.is_active())
    }

    /// Types a character by the key that the layout has for it.
    pub(crate) fn type_character(&mut self, character: char) {
        let Some((code, shift, level3)) = self.keymap.find(character) else { return };
        const SHIFT: u16 = 42;
        const ALT_GR: u16 = 100;
        // What is held would make another character, or a shortcut, of it.
        let held: Vec<u16> =
            MODIFIERS.into_iter().filter(|modifier| self.input.keys.contains(modifier)).collect();
        let needed = [(shift, SHIFT), (level3, ALT_GR)];
        let needed = || needed.iter().filter(|(wanted, _)| *wanted).map(|(_, key)| *key);
        held.iter().for_each(|key| self.key(*key, false));
        // Caps Lock changes what has a capital, also on spare keys.
        let before = self.keyboard.modifier_state();
        if before.caps_lock {
            self.restore_locks(ModifiersState { caps_lock: false, ..before });
        }
        needed().for_each(|key| self.key(key, true));
        self.key(code, true);
        self.key(code, false);
        needed().for_each(|key| self.key(key, false));
        if before.caps_lock {
            self.restore_locks(before);
        }
        held.iter().for_each(|key| self.key(*key, true));
    }

    /// Another keyboard layout; one that xkb does not know is refused.
    pub fn set_keymap(&mut self, keymap: &punktfunk_seat_ipc::Keymap) {
        let options = (!keymap.options.is_empty()).then(|| keymap.options.clone());
        let config =
            XkbConfig { layout: &keymap.layout, variant: &keymap.variant, options, ..XkbConfig::default() };
        let keyboard = self.keyboard.clone();
        let before = keyboard.modifier_state();
        match keyboard.set_xkb_config(self, config.clone()) {
            Ok(()) => {
                self.keymap = crate::keymap::Keymap::new(config);
                self.restore_locks(before);
            }
            Err(_) => tracing::warn!(?keymap, "xkb does not know this keyboard layout; the old one stays"),
        }
    }
}
