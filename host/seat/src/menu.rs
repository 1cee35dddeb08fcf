//! Popups that take the pointer and the keys: menus, and how they lose them again.

use smithay::desktop::{
    PopupGrab, PopupKeyboardGrab, PopupKind, PopupPointerGrab, PopupUngrabStrategy, find_popup_root_surface,
};
use smithay::input::Seat;
use smithay::input::pointer::Focus;
use smithay::reexports::wayland_server::Resource;
use smithay::reexports::wayland_server::protocol::{wl_seat::WlSeat, wl_surface::WlSurface};
use smithay::utils::{Logical, Point, SERIAL_COUNTER, Serial};

use crate::seat::State;
use crate::windows::{Managed, Under};

impl State {
    /// A client asks that a popup takes pointer and keys until it is dismissed.
    pub fn grab_popup(&mut self, popup: PopupKind, seat: &WlSeat, serial: Serial) {
        let Some(seat) = Seat::<Self>::from_resource(seat) else { return };
        let Ok(root) = find_popup_root_surface(&popup) else { return };
        let mut grab = match self.popups.grab_popup(root, popup, &seat, serial) {
            Ok(grab) => grab,
            Err(error) => {
                tracing::debug!(%error, "a popup may not grab");
                return;
            }
        };
        let previous = grab.previous_serial().unwrap_or(serial);
        let (keyboard, pointer) = (self.keyboard.clone(), self.pointer.clone());
        let taken = (keyboard.is_grabbed() && !(keyboard.has_grab(serial) || keyboard.has_grab(previous)))
            || (pointer.is_grabbed() && !(pointer.has_grab(serial) || pointer.has_grab(previous)));
        if taken {
            grab.ungrab(PopupUngrabStrategy::All);
            return;
        }
        keyboard.set_focus(self, grab.current_grab(), serial);
        keyboard.set_grab(self, PopupKeyboardGrab::new(&grab), serial);
        pointer.set_grab(self, PopupPointerGrab::new(&grab), serial, Focus::Keep);
        self.popup_grab = Some(grab);
    }

    /// Gives pointer and keys back once the last popup that had them is gone. smithay
    /// does so too, but late: the next motion would be spent on it, and the press after
    /// that would land where the pointer was before.
    pub fn drop_ended_grab(&mut self) {
        if self.popup_grab.is_none() {
            return;
        }
        // Only this makes smithay notice which popups are gone.
        self.popups.cleanup();
        if self.popup_grab.as_ref().is_some_and(PopupGrab::has_ended) {
            self.release_grab();
        }
    }

    /// A press outside of the client whose menu is open closes it, and then acts.
    pub fn press_beside_menu(&mut self, at: Point<f64, Logical>) {
        self.drop_ended_grab();
        let Some(root) = self.grabbing_root() else { return };
        let inside = match self.under(at) {
            Some(Under::Surface(surface, _)) => surface.id().same_client_as(&root.id()),
            _ => false,
        };
        if !inside {
            self.dismiss_menu();
        }
    }

    /// The keys are to go to this window: a menu of another one closes.
    pub fn focus_beside_menu(&mut self, surface: Option<&WlSurface>) {
        if self.grabbing_root().is_some_and(|root| surface != Some(&root)) {
            self.dismiss_menu();
        }
    }

    /// The window whose popup has pointer and keys.
    fn grabbing_root(&self) -> Option<WlSurface> {
        self.popup_grab.as_ref().and_then(|grab| grab.keyboard_grab_start_data().focus.clone())
    }

    /// Closes every menu that has pointer and keys.
    pub fn dismiss_menu(&mut self) {
        if let Some(grab) = &mut self.popup_grab {
            grab.ungrab(PopupUngrabStrategy::All);
            self.release_grab();
            self.damage();
        }
    }

    fn release_grab(&mut self) {
        self.popup_grab = None;
        let (keyboard, pointer) = (self.keyboard.clone(), self.pointer.clone());
        if keyboard.with_grab(|_, grab| grab.is::<PopupKeyboardGrab<Self>>()) == Some(true) {
            keyboard.unset_grab(self);
        }
        // The grab hands the pointer to what was last told to be under it, which is the
        // popup: tell what is there now.
        self.refresh_pointer();
        if pointer.with_grab(|_, grab| grab.is::<PopupPointerGrab<Self>>()) == Some(true) {
            let time = self.millis();
            pointer.unset_grab(self, SERIAL_COUNTER.next_serial(), time);
            pointer.frame(self);
        }
        let front = self.windows.front().and_then(Managed::surface).cloned();
        self.focus(front);
    }
}
