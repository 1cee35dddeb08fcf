//! What the desktop does by itself: its keys, the launcher and Alt + Tab.

use std::path::PathBuf;

use smithay::backend::renderer::element::memory::MemoryRenderBuffer;
use smithay::input::keyboard::{Keysym, KeysymHandle, ModifiersState, keysyms};
use smithay::reexports::wayland_server::Resource;
use smithay::reexports::wayland_server::protocol::wl_surface::WlSurface;
use smithay::utils::{Logical, Point};

use crate::backdrop;
use crate::launcher::{self, App, Launcher, Layout, Outcome, Piece};
use crate::seat::State;
use crate::windows::Policy;

/// A key that is held in the launcher repeats after this long, nanoseconds.
const REPEAT_DELAY: u64 = 450_000_000;
/// And then this often.
const REPEAT_EVERY: u64 = 45_000_000;

/// State of what the desktop does by itself.
#[derive(Default)]
pub struct Desktop {
    /// The launcher.
    pub launcher: Launcher,
    /// Super is held and nothing else happened: its release opens the launcher.
    super_alone: bool,
    /// What the key just seen leads to.
    action: Option<Action>,
    switcher: Option<Switcher>,
    repeat: Option<Repeat>,
}

#[derive(Clone, Copy)]
struct Press {
    key: Keysym,
    character: Option<char>,
    ctrl: bool,
}

struct Repeat {
    code: u16,
    press: Press,
    /// When it comes again.
    at: u64,
}

/// Alt + Tab while Alt is held.
struct Switcher {
    /// The windows, the one in front first.
    windows: Vec<WlSurface>,
    chosen: usize,
    folders: Vec<PathBuf>,
    drawn: Option<Piece>,
}

enum Action {
    Terminal,
    Close,
    Launcher,
    /// The next window, or the one before.
    Switch(bool),
    /// The chosen window is shown, or none.
    Switched(bool),
    Press(u16, Press),
}

impl Desktop {
    /// When something has to be done next.
    pub fn due(&self) -> Option<u64> {
        self.repeat.as_ref().map(|repeat| repeat.at)
    }
}

impl State {
    /// A key changes. True when it is not for the application. What it leads to is done
    /// by [`act`](Self::act), once the keyboard knows of the key.
    pub fn desktop_key(
        &mut self,
        code: u16,
        down: bool,
        modifiers: &ModifiersState,
        key: &KeysymHandle<'_>,
    ) -> bool {
        if self.windows.policy != Policy::Desktop {
            return false;
        }
        let symbol = key.raw_latin_sym_or_raw_current_sym().unwrap_or_else(|| key.modified_sym());
        let desktop = &mut self.desktop;
        if !down {
            return desktop.release(code, modifiers, symbol);
        }
        let is_super = matches!(symbol.raw(), keysyms::KEY_Super_L | keysyms::KEY_Super_R);
        desktop.super_alone = is_super;
        if desktop.switcher.is_some() && symbol.raw() == keysyms::KEY_Escape {
            desktop.action = Some(Action::Switched(false));
            return true;
        }
        if let Some(action) = shortcut(modifiers, symbol) {
            desktop.action = Some(action);
            return true;
        }
        if desktop.launcher.is_open() && !is_super {
            let symbol = key.modified_sym();
            let press = Press { key: symbol, character: symbol.key_char(), ctrl: modifiers.ctrl };
            desktop.action = Some(Action::Press(code, press));
            return true;
        }
        false
    }

    /// Does what the last key leads to.
    pub fn act(&mut self) {
        match self.desktop.action.take() {
            None => {}
            Some(Action::Terminal) => {
                self.close_launcher();
                self.open_terminal();
            }
            Some(Action::Close) => {
                if let Some(managed) = self.focused.clone().and_then(|focused| self.windows.find(&focused)) {
                    managed.close();
                }
            }
            Some(Action::Launcher) if self.desktop.launcher.is_open() => self.close_launcher(),
            Some(Action::Launcher) => self.open_launcher(),
            Some(Action::Switch(back)) => self.switch_window(back),
            Some(Action::Switched(show)) => self.end_switch(show),
            Some(Action::Press(code, press)) => {
                self.press_in_launcher(press);
                let at = self.now() + REPEAT_DELAY;
                let open = self.desktop.launcher.is_open();
                self.desktop.repeat = open.then_some(Repeat { code, press, at });
            }
        }
    }

    /// Repeats a key that is held in the launcher.
    pub fn work_on_desktop(&mut self, now: u64) {
        if let Some(repeat) = &mut self.desktop.repeat
            && repeat.at <= now
        {
            repeat.at = now + REPEAT_EVERY;
            let press = repeat.press;
            self.press_in_launcher(press);
        }
    }

    fn press_in_launcher(&mut self, press: Press) {
        let layout = Layout::new(self.windows.size);
        let outcome = self.desktop.launcher.press(press.key, press.character, press.ctrl, &layout);
        self.follow(outcome);
    }

    /// Opens the launcher.
    pub fn open_launcher(&mut self) {
        self.dismiss_menu();
        self.desktop.launcher.open();
        self.refresh_pointer();
        self.damage();
    }

    /// Closes it, if it is open.
    pub fn close_launcher(&mut self) {
        self.desktop.repeat = None;
        if self.desktop.launcher.is_open() {
            self.desktop.launcher.close();
            self.refresh_pointer();
            self.damage();
        }
    }

    fn follow(&mut self, outcome: Outcome) {
        self.damage();
        match outcome {
            Outcome::Stay => {}
            Outcome::Close => self.close_launcher(),
            Outcome::Start(app) => {
                self.close_launcher();
                self.start_app(&app);
            }
        }
    }

    fn start_app(&mut self, app: &App) {
        let name = &app.entry.name;
        match self.session.start_entry(app, self.mode) {
            Ok(pid) => tracing::info!(pid, name, "started from the launcher"),
            Err(error) => {
                tracing::warn!("{name} could not be started: {error:#}");
                self.tell(&punktfunk_seat_ipc::ToHost::Error(format!(
                    "{name} could not be started: {error:#}"
                )));
            }
        }
    }

    /// A character was typed. True when the launcher took it.
    pub fn type_into_launcher(&mut self, character: char) -> bool {
        let open = self.desktop.launcher.is_open();
        if open {
            match character {
                '\n' | '\r' => {
                    let key = Keysym::new(keysyms::KEY_Return);
                    self.press_in_launcher(Press { key, character: None, ctrl: false });
                }
                '\u{8}' => {
                    let key = Keysym::new(keysyms::KEY_BackSpace);
                    self.press_in_launcher(Press { key, character: None, ctrl: false });
                }
                character => self.desktop.launcher.type_character(character),
            }
            self.damage();
        }
        open
    }

    /// The pointer moved; the launcher follows it.
    pub fn point_in_launcher(&mut self, at: Point<f64, Logical>) {
        if self.desktop.launcher.is_open() {
            self.desktop.launcher.point(at, &Layout::new(self.windows.size));
        }
    }

    /// The wheel turned, in 120ths of a notch, up if positive. True when the launcher took it.
    pub fn scroll_launcher(&mut self, vertical: i32) -> bool {
        let open = self.desktop.launcher.is_open();
        if open && vertical != 0 {
            let rows = if vertical > 0 { -1 } else { 1 };
            let at = self.pointer.current_location();
            self.desktop.launcher.scroll(rows, at, &Layout::new(self.windows.size));
            self.damage();
        }
        open
    }

    /// A press at the pointer, when nothing of a client may be meant. True when it was
    /// for the desktop itself.
    pub fn press_desktop(&mut self, left: bool) -> bool {
        self.desktop.super_alone = false;
        if self.windows.policy != Policy::Desktop {
            return false;
        }
        let at = self.pointer.current_location();
        if self.desktop.launcher.is_open() {
            if left {
                let outcome = self.desktop.launcher.click(at, &Layout::new(self.windows.size));
                self.follow(outcome);
            }
            return true;
        }
        if self.under(at).is_none() && left && backdrop::on_button(self.windows.size, at) {
            self.open_launcher();
            return true;
        }
        false
    }

    /// Chooses the next window, or the one before; it is shown when Alt is released.
    fn switch_window(&mut self, back: bool) {
        self.close_launcher();
        let switcher = self.desktop.switcher.get_or_insert_with(|| {
            let stack = self.windows.stack.iter().rev();
            let mapped = stack.filter(|managed| managed.mapped && managed.is_managed());
            Switcher {
                windows: mapped.filter_map(|managed| managed.surface().cloned()).collect(),
                chosen: 0,
                folders: launcher::data_folders(),
                drawn: None,
            }
        });
        let count = switcher.windows.len();
        if count == 0 {
            self.desktop.switcher = None;
            return;
        }
        switcher.chosen = (switcher.chosen + if back { count - 1 } else { 1 }) % count;
        switcher.drawn = None;
        self.damage();
    }

    fn end_switch(&mut self, show: bool) {
        let Some(switcher) = self.desktop.switcher.take() else { return };
        self.damage();
        let chosen = switcher.windows.get(switcher.chosen);
        if let Some(surface) = chosen.filter(|surface| show && surface.is_alive()).cloned()
            && self.windows.find(&surface).is_some_and(|managed| managed.mapped)
        {
            self.activate(&surface);
            self.refresh_pointer();
        }
    }

    /// What the desktop draws above everything, front to back, and whether the rest is
    /// to be dimmed.
    pub fn desktop_pieces(&mut self) -> (Vec<Piece>, bool) {
        let size = self.windows.size;
        if self.desktop.launcher.is_open() {
            return (self.desktop.launcher.pieces(&self.fonts, size), true);
        }
        let Some(switcher) = &mut self.desktop.switcher else { return (Vec::new(), false) };
        if switcher.drawn.is_none() {
            let windows = &mut self.windows;
            let titles: Vec<_> = switcher
                .windows
                .iter()
                .map(|surface| windows.find(surface).map(|m| (m.title(), m.app_id())).unwrap_or_default())
                .collect();
            let drawn = launcher::switcher(&self.fonts, size, &titles, switcher.chosen, &switcher.folders);
            switcher.drawn = Some(drawn);
        }
        (switcher.drawn.iter().cloned().collect::<Vec<(MemoryRenderBuffer, _)>>(), false)
    }

    /// The size of the output changed.
    pub fn desktop_resized(&mut self) {
        self.desktop.launcher.resized();
        if let Some(switcher) = &mut self.desktop.switcher {
            switcher.drawn = None;
        }
    }
}

impl Desktop {
    /// A key went up; releases go to where the presses went, so this takes none.
    fn release(&mut self, code: u16, modifiers: &ModifiersState, symbol: Keysym) -> bool {
        if self.repeat.as_ref().is_some_and(|repeat| repeat.code == code) {
            self.repeat = None;
        }
        let alone = std::mem::take(&mut self.super_alone);
        if alone && matches!(symbol.raw(), keysyms::KEY_Super_L | keysyms::KEY_Super_R) {
            self.action = Some(Action::Launcher);
        }
        if self.switcher.is_some() && !modifiers.alt && !modifiers.logo {
            self.action = Some(Action::Switched(true));
        }
        false
    }
}

fn shortcut(modifiers: &ModifiersState, key: Keysym) -> Option<Action> {
    match key.raw() {
        keysyms::KEY_Return if modifiers.logo => Some(Action::Terminal),
        keysyms::KEY_t | keysyms::KEY_T if modifiers.ctrl && modifiers.alt => Some(Action::Terminal),
        keysyms::KEY_Tab | keysyms::KEY_ISO_Left_Tab if modifiers.alt || modifiers.logo => {
            Some(Action::Switch(modifiers.shift))
        }
        keysyms::KEY_F4 if modifiers.alt => Some(Action::Close),
        _ => None,
    }
}
