//! Whatever happens in whatever order: what boots is the old release or the new one.

use proptest::prelude::*;

use super::world::{Fake, Fault, Nature, World};
use crate::sysext::{
    Kept, Outcome, Skipped, SysextError, Version, Wish, install, remove, rollback, status, unmerge, update,
};

fn version(number: u64) -> Version {
    format!("1.{number}.0").parse().unwrap()
}

/// A machine on which 1.1.0 and then 1.2.0 were installed.
fn installed() -> Fake {
    let fake = Fake::default();
    for number in 1..=2 {
        offer(&fake, number, Nature::Good);
        install(&mut fake.clone(), &mut fake.clone(), &Wish::default(), &mut |_| {}).unwrap();
    }
    fake
}

fn offer(fake: &Fake, number: u64, nature: Nature) {
    fake.0.borrow_mut().offered.insert(version(number), nature);
}

fn updated(fake: &Fake, wish: Wish) -> Result<Outcome, SysextError> {
    update(&mut fake.clone(), &mut fake.clone(), &wish, &mut |_| {})
}

fn where_it_is(fake: &Fake) -> [Option<Version>; 3] {
    let status = status(fake).unwrap();
    [status.active, status.current, status.previous]
}

#[test]
fn a_newer_release_takes_the_place_and_the_one_before_is_kept() {
    let fake = installed();
    offer(&fake, 3, Nature::Good);
    offer(&fake, 4, Nature::Good);
    let changed = Outcome::Changed { from: Some(version(2)), to: version(4) };
    assert_eq!(updated(&fake, Wish::default()).unwrap(), changed);
    assert_eq!(where_it_is(&fake), [Some(version(4)), Some(version(4)), Some(version(2))]);
    assert_eq!(fake.0.borrow().images.len(), 2, "1.1.0 was thrown away");
    assert!(fake.0.borrow().awake);
    let up_to_date = Outcome::UpToDate { version: version(4) };
    assert_eq!(updated(&fake, Wish::default()).unwrap(), up_to_date);
}

#[test]
fn a_release_that_does_not_work_is_undone_and_not_tried_again() {
    for nature in [Nature::Unhealthy, Nature::Alien] {
        let fake = installed();
        offer(&fake, 3, nature);
        let error = updated(&fake, Wish::default()).unwrap_err();
        assert!(
            matches!(&error, SysextError::Undone { back: Some(back), .. } if *back == version(2)),
            "{error}"
        );
        assert_eq!(where_it_is(&fake), [Some(version(2)), Some(version(2)), Some(version(1))]);
        assert!(fake.0.borrow().awake);
        assert_eq!(updated(&fake, Wish::default()).unwrap(), Outcome::UpToDate { version: version(2) });
        assert_eq!(fake.0.borrow().tried[&version(3)], 1);
        // The owner may insist, and it may have been the machine's fault.
        offer(&fake, 3, Nature::Good);
        updated(&fake, Wish { retry: true, ..Wish::default() }).unwrap();
        assert_eq!(where_it_is(&fake)[0], Some(version(3)));
        assert!(fake.0.borrow().notes.skipped.is_empty());
    }
}

#[test]
fn going_back_swaps_the_two_and_is_not_undone_by_an_update() {
    let fake = installed();
    rollback(&mut fake.clone(), &mut |_| {}).unwrap();
    assert_eq!(where_it_is(&fake), [Some(version(1)), Some(version(1)), Some(version(2))]);
    assert_eq!(fake.0.borrow().notes.skipped[&version(2)], Skipped::RolledBack);
    assert_eq!(updated(&fake, Wish::default()).unwrap(), Outcome::UpToDate { version: version(1) });
    rollback(&mut fake.clone(), &mut |_| {}).unwrap();
    assert_eq!(where_it_is(&fake)[0], Some(version(2)));
}

#[test]
fn the_first_release_that_does_not_work_leaves_nothing() {
    let fake = Fake::default();
    offer(&fake, 1, Nature::Unhealthy);
    let error = install(&mut fake.clone(), &mut fake.clone(), &Wish::default(), &mut |_| {}).unwrap_err();
    assert!(matches!(error, SysextError::Undone { back: None, .. }));
    assert_eq!(where_it_is(&fake), [None, None, None]);
    assert!(matches!(updated(&fake, Wish::default()), Err(SysextError::NotInstalled)));
    assert!(matches!(rollback(&mut fake.clone(), &mut |_| {}), Err(SysextError::NotInstalled)));
}

#[test]
fn while_somebody_plays_only_the_download_happens() {
    let fake = installed();
    offer(&fake, 3, Nature::Good);
    fake.0.borrow_mut().playing = true;
    let before = fake.0.borrow().refreshed;
    assert!(matches!(updated(&fake, Wish::default()), Err(SysextError::Streaming(_))));
    assert!(matches!(rollback(&mut fake.clone(), &mut |_| {}), Err(SysextError::Streaming(_))));
    assert!(matches!(remove(&mut fake.clone(), &mut |_| {}), Err(SysextError::Streaming(_))));
    assert_eq!(fake.0.borrow().refreshed, before);
    assert!(fake.0.borrow().awake && fake.0.borrow().images.contains(&version(3)));
}

#[test]
fn a_machine_that_is_switched_off_is_left_alone() {
    let fake = installed();
    offer(&fake, 3, Nature::Good);
    fake.0.borrow_mut().off = true;
    fake.0.borrow_mut().boot();
    assert!(matches!(updated(&fake, Wish::default()), Err(SysextError::SwitchedOff(_))));
    assert_eq!(where_it_is(&fake), [None, Some(version(2)), Some(version(1))]);
    fake.0.borrow_mut().off = false;
    fake.0.borrow_mut().boot();
    assert_eq!(where_it_is(&fake)[0], Some(version(2)));
}

#[test]
fn the_system_below_is_updated_without_it_and_the_next_boot_has_it_again() {
    let fake = installed();
    fake.0.borrow_mut().playing = true;
    unmerge(&mut fake.clone(), &mut |_| {}).unwrap();
    assert_eq!(where_it_is(&fake), [None, Some(version(2)), Some(version(1))]);
    assert!(!fake.0.borrow().awake);
    fake.0.borrow_mut().boot();
    assert_eq!(where_it_is(&fake)[0], Some(version(2)));
}

#[test]
fn a_wished_release_may_be_older_and_must_exist() {
    let fake = installed();
    let wish = |number| Wish { version: Some(version(number)), ..Wish::default() };
    assert!(matches!(updated(&fake, wish(9)), Err(SysextError::NoSuchRelease(_))));
    updated(&fake, wish(1)).unwrap();
    assert_eq!(where_it_is(&fake)[0], Some(version(1)));
    let look = Wish { look: true, ..Wish::default() };
    let there = Outcome::Available { from: Some(version(1)), to: version(2) };
    assert_eq!(updated(&fake, look).unwrap(), there);
    assert_eq!(where_it_is(&fake)[0], Some(version(1)));
}

#[test]
fn a_release_that_takes_the_machine_down_twice_is_left_alone() {
    let fake = installed();
    offer(&fake, 3, Nature::Good);
    for _ in 0..2 {
        // Image, notes, end of hosts, link, refresh: it stops the machine.
        fake.0.borrow_mut().fault = Some(Fault { after: 9, power: true });
        assert!(updated(&fake, Wish::default()).is_err());
        assert!(fake.0.borrow().dead);
        fake.0.borrow_mut().boot();
        assert_eq!(where_it_is(&fake)[0], Some(version(2)));
    }
    assert_eq!(updated(&fake, Wish::default()).unwrap(), Outcome::UpToDate { version: version(2) });
}

#[test]
fn nothing_is_left_when_it_is_removed() {
    let fake = installed();
    assert_eq!(remove(&mut fake.clone(), &mut |_| {}).unwrap(), Outcome::Removed);
    let world = fake.0.borrow();
    assert!(world.images.is_empty() && world.kept.is_empty() && !world.settled && world.merged.is_none());
}

#[derive(Clone, Debug)]
enum Op {
    Offer(u64, Nature),
    Install,
    Update { version: Option<u64>, retry: bool },
    Rollback,
    Remove,
    Unmerge,
    Boot,
    Off(bool),
    Play(bool),
}

fn op() -> impl Strategy<Value = (Op, Option<Fault>)> {
    let nature = prop_oneof![3 => Just(Nature::Good), 1 => Just(Nature::Unhealthy), 1 => Just(Nature::Alien)];
    let one = prop_oneof![
        4 => (1..12u64, nature).prop_map(|(number, nature)| Op::Offer(number, nature)),
        2 => Just(Op::Install),
        6 => (proptest::option::weighted(0.2, 1..12u64), any::<bool>())
            .prop_map(|(version, retry)| Op::Update { version, retry }),
        2 => Just(Op::Rollback),
        1 => Just(Op::Remove),
        1 => Just(Op::Unmerge),
        1 => Just(Op::Boot),
        1 => any::<bool>().prop_map(Op::Off),
        1 => any::<bool>().prop_map(Op::Play),
    ];
    let fault = (0..50usize, any::<bool>()).prop_map(|(after, power)| Fault { after, power });
    (one, proptest::option::weighted(0.4, fault))
}

fn carry_out(fake: &Fake, op: &Op) -> Result<(), SysextError> {
    let (mut machine, mut shop) = (fake.clone(), fake.clone());
    let say = &mut |_| {};
    match op {
        Op::Offer(number, nature) => {
            // What a release is does not change once it is there.
            fake.0.borrow_mut().offered.entry(version(*number)).or_insert(*nature);
        }
        Op::Install => drop(install(&mut machine, &mut shop, &Wish::default(), say)?),
        Op::Update { version: number, retry } => {
            let wish = Wish { version: number.map(version), retry: *retry, look: false };
            update(&mut machine, &mut shop, &wish, say)?;
        }
        Op::Rollback => drop(rollback(&mut machine, say)?),
        Op::Remove => drop(remove(&mut machine, say)?),
        Op::Unmerge => unmerge(&mut machine, say)?,
        Op::Boot => fake.0.borrow_mut().boot(),
        Op::Off(off) => fake.0.borrow_mut().off = *off,
        Op::Play(playing) => fake.0.borrow_mut().playing = *playing,
    }
    Ok(())
}

/// What the machine would have after a restart.
fn after_boot(world: &World) -> Option<Version> {
    let mut copy = World {
        images: world.images.clone(),
        kept: world.kept.clone(),
        settled: world.settled,
        offered: world.offered.clone(),
        ..World::default()
    };
    copy.boot();
    copy.merged
}

fn look_at(world: &World, op: &Op, before: Option<&Version>, played: bool, refreshed: usize, done: bool) {
    let now = after_boot(world);
    if let Some(now) = &now {
        assert!(world.is_good(now), "only what worked is started at boot");
    }
    if !matches!(op, Op::Remove) && before.is_some() {
        assert!(now.is_some(), "the old one or the new one is started at boot");
    }
    if played && !matches!(op, Op::Unmerge) {
        assert_eq!(world.refreshed, refreshed, "nothing changes below somebody who plays");
    }
    if done && matches!(op, Op::Install | Op::Update { .. } | Op::Rollback) {
        assert!(world.images.len() <= 3, "two are kept, and one may wait until nobody plays");
    }
    if done && !world.off && matches!(op, Op::Rollback | Op::Install) {
        assert_eq!(world.merged.as_ref(), world.kept.get(&Kept::Current));
        assert!(world.awake || matches!(op, Op::Install));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn whatever_happens_the_old_or_the_new_release_boots(ops in proptest::collection::vec(op(), 1..40)) {
        let fake = Fake::default();
        for (op, fault) in &ops {
            let before = after_boot(&fake.0.borrow());
            let (played, refreshed) = (fake.0.borrow().playing, fake.0.borrow().refreshed);
            fake.0.borrow_mut().fault = *fault;
            let outcome = carry_out(&fake, op);
            let died = fake.0.borrow().dead;
            fake.0.borrow_mut().fault = None;
            look_at(&fake.0.borrow(), op, before.as_ref(), played, refreshed, outcome.is_ok());
            if let Err(SysextError::Undone { version, back, .. }) = &outcome {
                let world = fake.0.borrow();
                prop_assert_eq!(&world.merged, back);
                prop_assert!(Some(version) != back.as_ref() || world.is_good(version));
            }
            if died {
                fake.0.borrow_mut().boot();
            }
        }
    }
}
