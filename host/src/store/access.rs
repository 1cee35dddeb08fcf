//! What a paired client may do (punktfunk-1, section 7), and how people write it.

use std::fmt;
use std::str::FromStr;

/// What a client may do, as bits of punktfunk-1, section 7.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access(pub u16);

/// The bits with the words of the command line, in the order of the bits.
const NAMES: [(u16, &str); 9] = [
    (1, "view"),
    (2, "pointer"),
    (4, "keyboard"),
    (8, "pads"),
    (16, "clipboard"),
    (32, "microphone"),
    (64, "launch"),
    (128, "power"),
    (256, "manage"),
];

impl Access {
    /// Everything there is.
    pub const ALL: Self = Self(0x1ff);
    /// What a client gets when nobody says otherwise: everything that belongs to playing,
    /// nothing that belongs to the machine.
    pub const PLAY: Self = Self(0x7f);
    /// See and hear; without it there is no session.
    pub const VIEW: Self = Self(1);

    /// All of `other` is allowed.
    pub const fn allows(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl fmt::Display for Access {
    /// Words as [`FromStr`] reads them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::ALL => return f.write_str("all"),
            Self::PLAY => return f.write_str("play"),
            _ => {}
        }
        let mut words = NAMES.iter().filter(|(bit, _)| self.0 & bit != 0).map(|(_, word)| word);
        let Some(first) = words.next() else { return f.write_str("none") };
        f.write_str(first)?;
        words.try_for_each(|word| write!(f, ",{word}"))
    }
}

impl FromStr for Access {
    type Err = String;

    /// Reads `all`, `play` (all but power and manage), `none`, or words with commas
    /// between them. The error says which there are.
    fn from_str(text: &str) -> Result<Self, String> {
        let mut bits = 0;
        for word in text.split(',').map(str::trim) {
            bits |= match word {
                "all" => Self::ALL.0,
                "play" => Self::PLAY.0,
                "none" => 0,
                word => match NAMES.iter().find(|(_, name)| *name == word) {
                    Some((bit, _)) => *bit,
                    None => return Err(format!("{word:?} is none of {}", words())),
                },
            };
        }
        if bits != 0 && bits & Self::VIEW.0 == 0 {
            return Err("without `view` there is no session: add it, or say `none`".to_owned());
        }
        Ok(Self(bits))
    }
}

fn words() -> String {
    let words: Vec<&str> = ["all", "play", "none"].into_iter().chain(NAMES.map(|(_, word)| word)).collect();
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_access_that_can_be_written_is_read_back() {
        for bits in 0..=0x1ff {
            let access = Access(bits);
            let read = access.to_string().parse::<Access>();
            match bits != 0 && !access.allows(Access::VIEW) {
                true => assert!(read.is_err(), "{access}"),
                false => assert_eq!(read, Ok(access), "{access}"),
            }
        }
        assert_eq!("view, pads".parse(), Ok(Access(9)));
        assert_eq!("play,manage".parse(), Ok(Access(0x17f)));
        assert!("view,fly".parse::<Access>().unwrap_err().contains("pointer"));
        assert!("".parse::<Access>().is_err());
    }
}
