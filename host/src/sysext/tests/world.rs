//! A machine and a shop of releases in memory. Any call can fail, or be the last one
//! before the power goes: before its effect or after it.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use crate::sysext::{Kept, Notes, Progress, Releases, SysextError, System, Version};

/// What becomes of a release when it is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nature {
    Good,
    /// Its own check says that it does not work.
    Unhealthy,
    /// systemd does not take it as an extension of this machine.
    Alien,
}

/// When a call does not do what it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Half calls from now: even ones come before the effect, odd ones after it.
    pub after: usize,
    /// The power goes; otherwise only this call fails.
    pub power: bool,
}

#[derive(Debug, Default)]
pub struct World {
    // What outlives a restart.
    pub images: BTreeSet<Version>,
    pub kept: BTreeMap<Kept, Version>,
    pub notes: Notes,
    pub settled: bool,
    // What does not.
    pub laid: Option<Version>,
    pub merged: Option<Version>,
    pub awake: bool,
    /// Somebody asked that the hosts end, which may have failed.
    pub hushed: bool,
    // The world around it.
    pub offered: BTreeMap<Version, Nature>,
    pub off: bool,
    pub playing: bool,
    pub fault: Option<Fault>,
    pub dead: bool,
    /// How often something was laid over `/usr`, and how often each release was tried.
    pub refreshed: usize,
    pub tried: BTreeMap<Version, usize>,
}

impl World {
    pub fn is_good(&self, version: &Version) -> bool {
        self.offered.get(version) == Some(&Nature::Good)
    }

    fn takes(&self, version: Option<&Version>) -> Option<Version> {
        let here = version.filter(|version| self.images.contains(*version));
        here.filter(|version| self.offered.get(*version) != Some(&Nature::Alien)).cloned()
    }

    pub fn boot(&mut self) {
        self.dead = false;
        self.fault = None;
        let current = self.kept.get(&Kept::Current).filter(|current| self.images.contains(*current));
        self.laid = current.filter(|_| self.settled && !self.off).cloned();
        self.merged = self.takes(self.laid.as_ref());
        self.awake = self.merged.is_some();
        self.hushed = false;
    }

    fn half(&mut self) -> Result<(), SysextError> {
        let broken = |why: &str| SysextError::System { what: "this".to_owned(), why: why.to_owned() };
        if self.dead {
            return Err(broken("there is no power"));
        }
        match &mut self.fault {
            None => Ok(()),
            Some(Fault { after: 0, power }) => {
                self.dead = *power;
                self.fault = None;
                Err(broken("it failed"))
            }
            Some(fault) => {
                fault.after -= 1;
                Ok(())
            }
        }
    }
}

/// Both the machine and the shop.
#[derive(Clone, Default)]
pub struct Fake(pub Rc<RefCell<World>>);

impl Fake {
    fn does(&self, effect: impl FnOnce(&mut World)) -> Result<(), SysextError> {
        let mut world = self.0.borrow_mut();
        world.half()?;
        effect(&mut world);
        world.half()
    }
}

impl System for Fake {
    fn images(&self) -> Result<Vec<Version>, SysextError> {
        Ok(self.0.borrow().images.iter().cloned().collect())
    }

    fn discard(&mut self, version: &Version) -> Result<(), SysextError> {
        self.does(|world| {
            assert_ne!(world.merged.as_ref(), Some(version), "what is used is not thrown away");
            world.images.remove(version);
        })
    }

    fn kept(&self, which: Kept) -> Result<Option<Version>, SysextError> {
        let world = self.0.borrow();
        Ok(world.kept.get(&which).filter(|kept| world.images.contains(*kept)).cloned())
    }

    fn keep(&mut self, which: Kept, version: Option<&Version>) -> Result<(), SysextError> {
        self.does(|world| match version {
            Some(version) => drop(world.kept.insert(which, version.clone())),
            None => drop(world.kept.remove(&which)),
        })
    }

    fn notes(&self) -> Result<Notes, SysextError> {
        Ok(self.0.borrow().notes.clone())
    }

    fn note(&mut self, notes: &Notes) -> Result<(), SysextError> {
        self.does(|world| world.notes = notes.clone())
    }

    fn switched_off(&self) -> Option<String> {
        self.0.borrow().off.then(|| "a switch".to_owned())
    }

    fn streaming(&self) -> Option<String> {
        self.0.borrow().playing.then(|| "somebody plays".to_owned())
    }

    fn laid(&self) -> Option<Version> {
        self.0.borrow().laid.clone()
    }

    fn lay(&mut self, version: Option<&Version>) -> Result<(), SysextError> {
        self.does(|world| world.laid = version.cloned())
    }

    fn refresh(&mut self) -> Result<(), SysextError> {
        self.does(|world| {
            assert!(world.hushed || !world.awake, "hosts are ended before /usr changes below them");
            world.refreshed += 1;
            world.merged = world.takes(world.laid.clone().as_ref());
            if let Some(version) = world.laid.clone() {
                *world.tried.entry(version).or_default() += 1;
            }
        })
    }

    fn active(&self) -> Option<Version> {
        self.0.borrow().merged.clone()
    }

    fn quiet(&mut self, _until_boot: bool) -> Result<(), SysextError> {
        self.0.borrow_mut().hushed = true;
        self.does(|world| world.awake = false)
    }

    fn wake(&mut self) -> Result<(), SysextError> {
        self.does(|world| {
            world.awake = world.merged.is_some();
            world.hushed = false;
        })
    }

    fn check(&mut self, version: &Version) -> Result<(), String> {
        self.does(|_| {}).map_err(|error| error.to_string())?;
        let world = self.0.borrow();
        assert_eq!(world.merged.as_ref(), Some(version));
        if world.is_good(version) { Ok(()) } else { Err("it does not work".to_owned()) }
    }

    fn settle(&mut self) -> Result<(), SysextError> {
        self.does(|world| world.settled = true)
    }

    fn leave(&mut self) -> Result<(), SysextError> {
        self.does(|world| {
            world.settled = false;
            world.notes = Notes::default();
        })
    }
}

impl Releases for Fake {
    fn list(&mut self) -> Result<Vec<Version>, SysextError> {
        Ok(self.0.borrow().offered.keys().cloned().collect())
    }

    fn bring(&mut self, version: &Version, _say: &mut dyn FnMut(Progress)) -> Result<(), SysextError> {
        self.does(|world| {
            world.images.insert(version.clone());
        })
    }
}
