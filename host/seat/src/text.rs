//! Text that a client entered, to whoever has the keys.
//!
//! Characters of the layout come as its keys. Others come as text to a field that asked
//! for it (`zwp_text_input_v3`, of which this is an implementation without an input
//! method behind it: we are the input method), and otherwise as spare keys that are
//! given a meaning. Each such change makes every client compile its keymap anew, so it
//! is done seldom; what comes in the meantime waits, keys included, so that the order
//! stays.
//!
//! Some clients (foot 1.13) drop text that crosses a commit of theirs. So a field gets
//! text only after a time without a commit; within a burst spare keys take over.

use std::collections::VecDeque;

use punktfunk_core::input::Event;
use smithay::input::keyboard::{KeyboardTarget, Layout};
use smithay::reexports::wayland_protocols::wp::text_input::zv3::server::zwp_text_input_manager_v3::{
    self, ZwpTextInputManagerV3,
};
use smithay::reexports::wayland_protocols::wp::text_input::zv3::server::zwp_text_input_v3::{
    self, ZwpTextInputV3,
};
use smithay::reexports::wayland_server::backend::ClientId;
use smithay::reexports::wayland_server::protocol::wl_surface::WlSurface;
use smithay::reexports::wayland_server::{
    Client, DataInit, Dispatch, DisplayHandle, GlobalDispatch, New, Resource,
};
use smithay::utils::SERIAL_COUNTER;
use smithay::wayland::seat::WaylandFocus;

use crate::seat::State;

/// Nanoseconds between two changes of the keymap.
const CHANGE: u64 = 50_000_000;
/// Nanoseconds after a commit of a field, or text to it, in which it gets no text.
const QUIET: u64 = 200_000_000;
/// Keys and characters that may wait for one. The change comes early when they are more.
const WAITING: usize = 1024;

/// A client's text input.
struct Field {
    object: ZwpTextInputV3,
    /// What its next commit makes of `enabled`.
    pending: Option<bool>,
    /// It wants text.
    enabled: bool,
    /// How often it committed: we answer with this number.
    commits: u32,
    /// When it may be sent text.
    quiet_at: u64,
}

/// The fields of all clients, and what waits for spare keys.
#[derive(Default)]
pub struct Text {
    fields: Vec<Field>,
    focus: Option<WlSurface>,
    waiting: VecDeque<Event>,
    /// When the keymap may change again.
    change_at: u64,
}

impl Text {
    fn field(&mut self, object: &ZwpTextInputV3) -> Option<&mut Field> {
        self.fields.iter_mut().find(|field| field.object == *object)
    }
}

/// Offers the global.
pub fn offer(display: &DisplayHandle) {
    display.create_global::<State, ZwpTextInputManagerV3, _>(1, ());
}

impl State {
    /// Tells the fields when the keys went elsewhere.
    pub fn follow_keys(&mut self) {
        let focus = self
            .keyboard
            .current_focus()
            .and_then(|focus| focus.wl_surface().map(|surface| surface.into_owned()));
        if focus == self.text.focus {
            return;
        }
        let old = std::mem::replace(&mut self.text.focus, focus.clone());
        let same = |field: &Field, surface: &WlSurface| field.object.id().same_client_as(&surface.id());
        for field in &mut self.text.fields {
            if let Some(old) = old.as_ref().filter(|old| same(field, old)) {
                (field.pending, field.enabled) = (None, false);
                // A surface that is gone cannot be named any more.
                if old.is_alive() {
                    field.object.leave(old);
                }
            }
            if let Some(new) = focus.as_ref().filter(|new| same(field, new)) {
                field.object.enter(new);
            }
        }
    }

    /// Types a key or a character, after what waits already.
    pub fn type_in_order(&mut self, event: Event) {
        if !self.text.waiting.is_empty() {
            self.text.waiting.push_back(event);
            if self.text.waiting.len() > WAITING {
                self.type_waiting();
            }
        } else if !self.type_now(event) {
            self.text.waiting.push_back(event);
            self.type_due();
        }
    }

    /// When what waits is to be typed.
    pub fn typing_due(&self) -> Option<u64> {
        (!self.text.waiting.is_empty()).then_some(self.text.change_at)
    }

    /// Types what waits, when its time has come.
    pub fn type_due(&mut self) {
        if self.typing_due().is_some_and(|due| due <= self.now()) {
            self.type_waiting();
        }
    }

    /// Forgets what waits: nobody wants it any more.
    pub fn forget_text(&mut self) {
        self.text.waiting.clear();
    }

    fn type_waiting(&mut self) {
        let mut wanted = Vec::new();
        for event in &self.text.waiting {
            match event {
                Event::Text { character } if !self.keymap.knows(*character) => wanted.push(*character),
                _ => {}
            }
        }
        self.text.change_at = self.now() + CHANGE;
        if let Some(keymap) = self.keymap.learn(&wanted) {
            self.replace_keymap(keymap);
        }
        while let Some(event) = self.text.waiting.pop_front() {
            if !self.type_now(event) {
                if wanted.is_empty() {
                    continue;
                }
                // More new characters than spare keys: the rest with the next change.
                self.text.waiting.push_front(event);
                return;
            }
        }
    }

    /// False when a character must wait for a spare key.
    fn type_now(&mut self, event: Event) -> bool {
        match event {
            Event::Key { code, down } => self.key(code, down),
            Event::Text { character } if self.type_into_launcher(character) => {}
            Event::Text { character } if self.keymap.knows(character) => self.type_character(character),
            Event::Text { character } if !self.commit_text(character) => {
                // Nobody could type it, not even with a key of its own.
                return !self.keymap.can_learn(character);
            }
            _ => {}
        }
        true
    }

    /// Hands a character to the field that has the keys. False when there is none.
    fn commit_text(&mut self, character: char) -> bool {
        if character.is_control() {
            return false;
        }
        self.follow_keys();
        let Some(focus) = self.text.focus.clone() else { return false };
        let now = self.now();
        let wants = |field: &&mut Field| {
            field.enabled && field.quiet_at <= now && field.object.id().same_client_as(&focus.id())
        };
        let Some(field) = self.text.fields.iter_mut().find(wants) else { return false };
        field.quiet_at = now + QUIET;
        field.object.commit_string(Some(character.to_string()));
        field.object.done(field.commits);
        true
    }

    /// Another keymap for everybody; what is locked stays locked.
    fn replace_keymap(&mut self, keymap: String) {
        let keyboard = self.keyboard.clone();
        let before = keyboard.modifier_state();
        if keyboard.set_keymap_from_string(self, keymap).is_err() {
            tracing::warn!("the keymap with spare keys does not compile");
            return;
        }
        self.restore_locks(before);
    }

    /// Locks Caps and Num again, and chooses the layout again, as they were.
    pub fn restore_locks(&mut self, before: smithay::input::keyboard::ModifiersState) {
        let keyboard = self.keyboard.clone();
        let mut state = keyboard.modifier_state();
        (state.caps_lock, state.num_lock) = (before.caps_lock, before.num_lock);
        keyboard.set_modifier_state(state);
        let layout = before.serialized.layout_effective;
        keyboard.with_xkb_state(self, |mut context| {
            let known = context.xkb().lock().map_or(0, |xkb| xkb.layouts().count());
            if usize::try_from(layout).is_ok_and(|layout| layout < known) {
                context.set_layout(Layout(layout));
            }
        });
        if let Some(focus) = keyboard.current_focus() {
            let (seat, state) = (self.seat.clone(), keyboard.modifier_state());
            KeyboardTarget::modifiers(&focus, &seat, self, state, SERIAL_COUNTER.next_serial());
        }
    }
}

impl GlobalDispatch<ZwpTextInputManagerV3, ()> for State {
    fn bind(
        _state: &mut Self,
        _display: &DisplayHandle,
        _client: &Client,
        resource: New<ZwpTextInputManagerV3>,
        _data: &(),
        init: &mut DataInit<'_, Self>,
    ) {
        init.init(resource, ());
    }
}

impl Dispatch<ZwpTextInputManagerV3, ()> for State {
    fn request(
        state: &mut Self,
        _client: &Client,
        _manager: &ZwpTextInputManagerV3,
        request: zwp_text_input_manager_v3::Request,
        _data: &(),
        _display: &DisplayHandle,
        init: &mut DataInit<'_, Self>,
    ) {
        if let zwp_text_input_manager_v3::Request::GetTextInput { id, .. } = request {
            let object = init.init(id, ());
            let focus = state.text.focus.as_ref();
            if let Some(focus) = focus.filter(|focus| focus.id().same_client_as(&object.id())) {
                object.enter(focus);
            }
            state.text.fields.push(Field { object, pending: None, enabled: false, commits: 0, quiet_at: 0 });
        }
    }
}

impl Dispatch<ZwpTextInputV3, ()> for State {
    fn request(
        state: &mut Self,
        _client: &Client,
        object: &ZwpTextInputV3,
        request: zwp_text_input_v3::Request,
        _data: &(),
        _display: &DisplayHandle,
        _init: &mut DataInit<'_, Self>,
    ) {
        let quiet_at = state.now() + QUIET;
        let focused = state.text.focus.as_ref().is_some_and(|f| f.id().same_client_as(&object.id()));
        let Some(field) = state.text.field(object) else { return };
        match request {
            zwp_text_input_v3::Request::Enable => field.pending = Some(true),
            zwp_text_input_v3::Request::Disable => field.pending = Some(false),
            zwp_text_input_v3::Request::Commit => {
                field.commits = field.commits.wrapping_add(1);
                field.quiet_at = quiet_at;
                if let Some(enabled) = field.pending.take() {
                    field.enabled = enabled && focused;
                }
            }
            // What surrounds the cursor would help an input method.
            _ => {}
        }
    }

    fn destroyed(state: &mut Self, _client: ClientId, object: &ZwpTextInputV3, _data: &()) {
        state.text.fields.retain(|field| field.object != *object);
    }
}
