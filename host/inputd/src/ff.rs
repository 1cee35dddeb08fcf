//! Force feedback: what games store and play on a device, mixed down to two motors.
//!
//! The kernel's interface has effects that a game uploads and later starts by number.
//! Clients know only "rumble like this from now on", so the effects run here, in virtual
//! time, and whenever the mixture changes the host is told.

use std::time::Duration;

/// How many effects a device holds; what `UI_DEV_SETUP` says.
pub const EFFECTS: usize = 16;

/// How often a level that changes by itself is looked at again.
const STEP: Duration = Duration::from_millis(50);

/// What an effect feels like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Both motors, each 0 to 65535.
    Rumble {
        /// The heavy motor.
        strong: u16,
        /// The light motor.
        weak: u16,
    },
    /// A force (constant, periodic, ramp) on both motors, −32768 to 32767 from beginning
    /// to end; its direction cannot be felt.
    Force {
        /// At the beginning.
        start: i16,
        /// At the end.
        end: i16,
        /// How it comes and goes.
        envelope: Envelope,
    },
}

/// How a force comes and goes. All zero is at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Envelope {
    /// Milliseconds until the full force.
    pub attack_length: u16,
    /// Force at the beginning, 0 to 32767.
    pub attack_level: u16,
    /// Milliseconds from the full force to the end.
    pub fade_length: u16,
    /// Force at the end, 0 to 32767.
    pub fade_level: u16,
}

/// An effect as a game stores it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effect {
    /// Its number, below [`EFFECTS`].
    pub id: u8,
    /// What it feels like.
    pub shape: Shape,
    /// Milliseconds it lasts; 0 is until it is stopped.
    pub length: u16,
    /// Milliseconds before it begins.
    pub delay: u16,
}

/// What the motors do now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mix {
    /// The heavy motor.
    pub strong: u16,
    /// The light motor.
    pub weak: u16,
    /// When to ask again, if it can change by itself.
    pub next: Option<Duration>,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    effect: Effect,
    /// Since when, and how many times.
    playing: Option<(Duration, u32)>,
}

/// The effects of one device.
#[derive(Clone, Debug)]
pub struct Effects {
    slots: [Option<Slot>; EFFECTS],
    gain: u16,
}

impl Default for Effects {
    fn default() -> Self {
        Self { slots: [None; EFFECTS], gain: u16::MAX }
    }
}

impl Effects {
    /// Stores an effect. One that plays goes on with what is new.
    pub fn upload(&mut self, effect: Effect) {
        if let Some(slot) = self.slots.get_mut(usize::from(effect.id)) {
            let playing = slot.and_then(|slot| slot.playing);
            *slot = Some(Slot { effect, playing });
        }
    }

    /// Takes an effect away; it no longer plays.
    pub fn erase(&mut self, id: u8) {
        if let Some(slot) = self.slots.get_mut(usize::from(id)) {
            *slot = None;
        }
    }

    /// Plays an effect so many times from now on; 0 stops it.
    pub fn play(&mut self, now: Duration, id: u8, count: u32) {
        if let Some(Some(slot)) = self.slots.get_mut(usize::from(id)) {
            slot.playing = (count > 0).then_some((now, count));
        }
    }

    /// Sets the strength of everything.
    pub fn set_gain(&mut self, gain: u16) {
        self.gain = gain;
    }

    /// What the motors do at `now`, which never goes back.
    pub fn mix(&mut self, now: Duration) -> Mix {
        let (mut strong, mut weak) = (0_u32, 0_u32);
        let mut next: Option<Duration> = None;
        for slot in self.slots.iter_mut().flatten() {
            let Some((since, count)) = slot.playing else { continue };
            match slot.effect.at(now.saturating_sub(since), count) {
                None => slot.playing = None,
                Some(part) => {
                    strong += u32::from(part.strong);
                    weak += u32::from(part.weak);
                    let changes = part.next.map(|after| since + after);
                    next = [next, changes].into_iter().flatten().min();
                }
            }
        }
        let scale = |sum: u32| {
            let clamped = sum.min(u16::MAX.into());
            u16::try_from(clamped * u32::from(self.gain) / u32::from(u16::MAX)).unwrap_or(u16::MAX)
        };
        Mix { strong: scale(strong), weak: scale(weak), next }
    }
}

impl Effect {
    /// What it adds after `elapsed`, and (as time since its start) when that changes;
    /// `None` when it is over.
    fn at(&self, elapsed: Duration, count: u32) -> Option<Mix> {
        let millis = |value: u16| Duration::from_millis(value.into());
        let (delay, length) = (millis(self.delay), millis(self.length));
        let endless = self.length == 0;
        // One round is its delay and its length.
        let (round, start) = if endless {
            (0, Duration::ZERO)
        } else {
            let each = u64::from(self.delay) + u64::from(self.length);
            let round = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX) / each;
            (round, Duration::from_millis(round.saturating_mul(each)))
        };
        if round >= u64::from(count) {
            return None;
        }
        let begins = start + delay;
        if elapsed < begins {
            return Some(Mix { next: Some(begins), ..Mix::default() });
        }
        let ends = (!endless).then_some(begins + length);
        let (strong, weak, moving) = self.shape.level(elapsed - begins, self.length);
        let step = moving.then_some(elapsed + STEP);
        Some(Mix { strong, weak, next: [ends, step].into_iter().flatten().min() })
    }
}

impl Shape {
    /// Both motors so long after the beginning, and whether that changes before the end.
    fn level(&self, elapsed: Duration, length: u16) -> (u16, u16, bool) {
        match *self {
            Self::Rumble { strong, weak } => (strong, weak, false),
            Self::Force { start, end, envelope } => {
                let at = u32::try_from(elapsed.as_millis()).unwrap_or(u32::MAX);
                let force = if length == 0 { start.into() } else { between(start, end, at, length) };
                let full = force.unsigned_abs().min(32_767);
                let (level, fading) = envelope.apply(full, at, length);
                let motor = u16::try_from(level * 65_535 / 32_767).unwrap_or(u16::MAX);
                (motor, motor, fading || (length > 0 && start != end))
            }
        }
    }
}

impl Envelope {
    /// The level of a force of `full` (up to 32767) after `at` ms, and whether it changes.
    fn apply(&self, full: u32, at: u32, length: u16) -> (u32, bool) {
        let toward = |level: u16, done: u32, whole: u16| {
            let edge = i64::from(level.min(32_767));
            let way = (i64::from(full) - edge) * i64::from(done) / i64::from(whole.max(1));
            u32::try_from(edge + way).unwrap_or_default()
        };
        if at < self.attack_length.into() {
            return (toward(self.attack_level, at, self.attack_length), true);
        }
        let left = u32::from(length).saturating_sub(at);
        if length > 0 && left < self.fade_length.into() {
            return (toward(self.fade_level, left, self.fade_length), true);
        }
        // It has to be looked at again when it begins to fade.
        (full, length > 0 && self.fade_length > 0)
    }
}

fn between(start: i16, end: i16, at: u32, length: u16) -> i32 {
    let (start, end) = (i64::from(start), i64::from(end));
    let done = i64::from(at.min(length.into()));
    i32::try_from(start + (end - start) * done / i64::from(length.max(1))).unwrap_or_default()
}

/// Plays `script` to the effects of one device, eight bytes at a time: what to do, to
/// which effect, and three numbers. It is what the fuzzer and the corpus test drive.
///
/// # Panics
///
/// When the mixture wants to be asked again at once or earlier, which would keep a
/// processor busy for ever: a defect.
pub fn exercise(script: &[u8]) {
    let mut effects = Effects::default();
    let mut now = Duration::ZERO;
    for &[what, id, a, b, c, d, e, f] in script.as_chunks::<8>().0 {
        let [first, second, third] = [[a, b], [c, d], [e, f]].map(u16::from_le_bytes);
        let (start, end) = (first.cast_signed(), second.cast_signed());
        let envelope = Envelope {
            attack_length: third,
            attack_level: first,
            fade_length: second.wrapping_sub(third),
            fade_level: second,
        };
        let stored = |shape| Effect { id, shape, length: second, delay: third };
        match what % 7 {
            0 => effects.upload(stored(Shape::Rumble { strong: first, weak: second })),
            1 => effects.upload(stored(Shape::Force { start, end: start, envelope: Envelope::default() })),
            2 => effects.upload(stored(Shape::Force { start, end, envelope })),
            3 => effects.erase(id),
            4 => effects.play(now, id, u32::from(first) << (second % 17)),
            5 => effects.set_gain(first),
            // Up to eleven years, in big and small steps.
            _ => now += Duration::from_micros(u64::from(first) << (second % 33)),
        }
        let mix = effects.mix(now);
        assert!(mix.next.is_none_or(|next| next > now), "{mix:?} at {now:?}");
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn rumble(id: u8, strong: u16, weak: u16, length: u16, delay: u16) -> Effect {
        Effect { id, shape: Shape::Rumble { strong, weak }, length, delay }
    }

    fn levels(effects: &mut Effects, now: u64) -> (u16, u16) {
        let mix = effects.mix(ms(now));
        (mix.strong, mix.weak)
    }

    #[test]
    fn an_effect_begins_after_its_delay_and_ends_after_its_length() {
        let mut effects = Effects::default();
        effects.upload(rumble(3, 1_000, 2_000, 500, 100));
        assert_eq!(levels(&mut effects, 0), (0, 0), "stored is not played");
        effects.play(ms(1_000), 3, 2);
        assert_eq!(effects.mix(ms(1_000)).next, Some(ms(1_100)));
        assert_eq!(levels(&mut effects, 1_099), (0, 0));
        let mix = effects.mix(ms(1_100));
        assert_eq!(mix, Mix { strong: 1_000, weak: 2_000, next: Some(ms(1_600)) });
        // Two rounds of 600 ms.
        assert_eq!(levels(&mut effects, 1_650), (0, 0));
        assert_eq!(levels(&mut effects, 1_750), (1_000, 2_000));
        assert_eq!(effects.mix(ms(2_200)), Mix::default());
    }

    #[test]
    fn without_a_length_it_lasts_until_it_is_stopped_or_erased() {
        let mut effects = Effects::default();
        effects.upload(rumble(0, 7, 8, 0, 0));
        effects.play(ms(0), 0, 1);
        assert_eq!(effects.mix(ms(86_400_000)), Mix { strong: 7, weak: 8, next: None });
        effects.play(ms(86_400_001), 0, 0);
        assert_eq!(levels(&mut effects, 86_400_001), (0, 0));
        effects.play(ms(86_400_002), 0, 1);
        effects.erase(0);
        assert_eq!(levels(&mut effects, 86_400_002), (0, 0));
        effects.play(ms(86_400_003), 0, 1);
        assert_eq!(levels(&mut effects, 86_400_003), (0, 0), "it is gone");
    }

    #[test]
    fn what_plays_together_adds_up_and_gain_scales_it() {
        let mut effects = Effects::default();
        effects.upload(rumble(0, 40_000, 100, 1_000, 0));
        effects.upload(rumble(1, 40_000, 100, 2_000, 0));
        effects.play(ms(0), 0, 1);
        effects.play(ms(0), 1, 1);
        assert_eq!(levels(&mut effects, 1), (65_535, 200));
        effects.set_gain(0x8000);
        assert_eq!(levels(&mut effects, 2), (32_768, 100));
        assert_eq!(levels(&mut effects, 1_000), (20_000, 50));
        // An update while it plays counts at once.
        effects.upload(rumble(1, 0, 0xffff, 2_000, 0));
        assert_eq!(levels(&mut effects, 1_001), (0, 32_768));
    }

    #[test]
    fn forces_become_rumble_of_both_motors() {
        let mut effects = Effects::default();
        let envelope = Envelope { attack_length: 100, attack_level: 0, fade_length: 100, fade_level: 0 };
        let shape = Shape::Force { start: -32_768, end: -32_768, envelope };
        effects.upload(Effect { id: 0, shape, length: 400, delay: 0 });
        effects.play(ms(0), 0, 1);
        assert_eq!(effects.mix(ms(0)), Mix { strong: 0, weak: 0, next: Some(ms(50)) });
        assert_eq!(levels(&mut effects, 50).0, 32_766);
        assert_eq!(levels(&mut effects, 200), (65_535, 65_535));
        assert_eq!(levels(&mut effects, 350).1, 32_766);
        assert_eq!(levels(&mut effects, 400), (0, 0));

        let shape = Shape::Force { start: 0, end: 32_767, envelope: Envelope::default() };
        effects.upload(Effect { id: 0, shape, length: 1_000, delay: 0 });
        effects.play(ms(1_000), 0, 1);
        assert_eq!(levels(&mut effects, 1_500).0, 32_766);
    }

    proptest! {
        /// Whatever games store and play: asking again when the mixture says so finds
        /// every change, and it comes to an end when nothing is endless.
        #[test]
        fn the_mixture_changes_only_when_it_said_so(
            stored in proptest::collection::vec(
                (0_u8..20, any::<u16>(), any::<u16>(), 1_u16..300, 0_u16..300, 0_u32..3), 1..6),
            later in 0_u64..2_000,
        ) {
            let mut effects = Effects::default();
            for (id, strong, weak, length, delay, count) in stored {
                effects.upload(rumble(id, strong, weak, length, delay));
                effects.play(ms(0), id, count);
            }
            let mix = effects.mix(ms(later));
            match mix.next {
                None => prop_assert_eq!((mix.strong, mix.weak), (0, 0)),
                Some(next) => {
                    prop_assert!(next > ms(later));
                    let before = effects.clone().mix(next - Duration::from_nanos(1));
                    prop_assert_eq!((mix.strong, mix.weak), (before.strong, before.weak));
                }
            }
            prop_assert_eq!(effects.mix(ms(5_000)), Mix::default());
        }

        #[test]
        fn any_force_stays_in_range(start: i16, end: i16, edges: [u16; 4], length: u16, at in 0_u64..70_000) {
            let [attack_length, attack_level, fade_length, fade_level] = edges;
            let envelope = Envelope { attack_length, attack_level, fade_length, fade_level };
            let mut effects = Effects::default();
            effects.upload(Effect { id: 1, shape: Shape::Force { start, end, envelope }, length, delay: 0 });
            effects.play(ms(0), 1, 1);
            let mix = effects.mix(ms(at));
            prop_assert_eq!(mix.strong, mix.weak);
            prop_assert!(mix.next.is_none_or(|next| next > ms(at)));
        }
    }
}
