//! Which of several windows of one application is the game: a pure order.
//!
//! The order is the one SteamOS settled on: helpers that an engine or a launcher opens
//! (1×1 windows, menus, windows that want no keys) must never take the screen.

use smithay::xwayland::xwm::WmWindowType;

/// What is known of a window. Fields in order of weight, `true` wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank {
    /// The window manager manages it.
    pub managed: bool,
    /// It is larger than 1×1.
    pub sized: bool,
    /// It is no menu, tooltip or notification.
    pub lasting: bool,
    /// It wants the keys.
    pub takes_keys: bool,
    /// It does not hide from taskbar and pager.
    pub listed: bool,
}

impl Rank {
    /// The rank of a window of Wayland: those come without helpers.
    pub const BEST: Self = Self { managed: true, sized: true, lasting: true, takes_keys: true, listed: true };

    /// True when a window of this rank that was just mapped takes the screen from `front`.
    pub fn takes_over(self, front: Option<Self>) -> bool {
        // The newer of two equals wins.
        front.is_none_or(|front| self >= front)
    }
}

/// True for what is gone after a moment.
pub fn is_passing(kind: Option<WmWindowType>) -> bool {
    use WmWindowType as T;
    matches!(kind, Some(T::DropdownMenu | T::PopupMenu | T::Menu | T::Tooltip | T::Notification))
}

/// True for what belongs above the window it came from.
pub fn is_dialog(kind: Option<WmWindowType>) -> bool {
    use WmWindowType as T;
    matches!(kind, Some(T::Dialog | T::Utility | T::Toolbar | T::Splash))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn helpers_never_take_the_screen() {
        let game = Rank::BEST;
        assert!(game.takes_over(None) && game.takes_over(Some(game)));
        let helpers = [
            Rank { managed: false, ..game },
            Rank { sized: false, ..game },
            Rank { lasting: false, ..game },
            Rank { takes_keys: false, ..game },
            Rank { listed: false, ..game },
        ];
        for (weight, helper) in helpers.into_iter().enumerate() {
            assert!(!helper.takes_over(Some(game)), "{helper:?}");
            assert!(game.takes_over(Some(helper)), "{helper:?}");
            // What weighs more decides against all that weighs less.
            for lighter in helpers.into_iter().skip(weight + 1) {
                assert!(!helper.takes_over(Some(lighter)), "{helper:?} over {lighter:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn of_two_windows_one_gives_way(a: [bool; 5], b: [bool; 5]) {
            let rank = |[managed, sized, lasting, takes_keys, listed]: [bool; 5]| {
                Rank { managed, sized, lasting, takes_keys, listed }
            };
            let (a, b) = (rank(a), rank(b));
            prop_assert!(a.takes_over(Some(b)) || b.takes_over(Some(a)));
            prop_assert_eq!(a == b, a.takes_over(Some(b)) && b.takes_over(Some(a)));
        }
    }
}
