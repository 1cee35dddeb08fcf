//! Bodies of messages: `tag ‖ length ‖ value`, in ascending order of tags (page,
//! section 2).
//!
//! A parser asks for the tags it knows in ascending order; what lies between is
//! unknown to it and skipped. So a tag out of order, or twice where no list is meant,
//! cannot be missed, and nothing is allocated but what a message keeps.

use super::{Error, MAX_LIST, cut, varint};

/// Most bytes of a body whose type is unknown or has no limit of its own.
pub const MAX_BODY: u64 = 65_536;

/// Reads the fields of one body.
#[derive(Clone, Debug)]
pub struct Fields<'a> {
    rest: &'a [u8],
    /// The field that was read and not asked for yet.
    waiting: Option<(u64, &'a [u8])>,
    last: u64,
}

impl<'a> Fields<'a> {
    /// Reads `body`.
    pub const fn new(body: &'a [u8]) -> Self {
        Self { rest: body, waiting: None, last: 0 }
    }

    /// The value of `tag`, which must be larger than the tags asked for before.
    pub fn bytes(&mut self, tag: u64) -> Result<Option<&'a [u8]>, Error> {
        let Some(value) = self.entry(tag)? else { return Ok(None) };
        match self.peek()? {
            Some((next, _)) if next == tag => Err(Error::Repeated { tag }),
            _ => Ok(Some(value)),
        }
    }

    /// The next value of the list `tag`.
    pub fn entry(&mut self, tag: u64) -> Result<Option<&'a [u8]>, Error> {
        while let Some((next, value)) = self.peek()? {
            if next > tag {
                break;
            }
            self.waiting = None;
            if next == tag {
                return Ok(Some(value));
            }
        }
        Ok(None)
    }

    /// Exactly `N` bytes.
    pub fn array<const N: usize>(&mut self, tag: u64) -> Result<Option<[u8; N]>, Error> {
        let Some(value) = self.bytes(tag)? else { return Ok(None) };
        value.try_into().map(Some).map_err(|_| Error::Value { tag })
    }

    /// A number from `least` to `most`.
    pub fn number<T: TryFrom<u64>>(&mut self, tag: u64, least: u64, most: u64) -> Result<Option<T>, Error> {
        let Some(value) = self.bytes(tag)? else { return Ok(None) };
        let value = number(tag, value)?;
        if value < least || value > most {
            return Err(Error::Value { tag });
        }
        T::try_from(value).map(Some).map_err(|_| Error::Value { tag })
    }

    /// Any number that fits.
    pub fn any<T: TryFrom<u64>>(&mut self, tag: u64) -> Result<Option<T>, Error> {
        self.number(tag, 0, varint::MAX)
    }

    /// A signed number.
    pub fn signed(&mut self, tag: u64) -> Result<Option<i32>, Error> {
        let Some(value) = self.any::<u64>(tag)? else { return Ok(None) };
        varint::unzigzag(value).try_into().map(Some).map_err(|_| Error::Value { tag })
    }

    /// 0 or 1.
    pub fn flag(&mut self, tag: u64) -> Result<Option<bool>, Error> {
        Ok(self.number::<u8>(tag, 0, 1)?.map(|flag| flag == 1))
    }

    /// Text of at most `most` bytes.
    pub fn text(&mut self, tag: u64, most: usize) -> Result<Option<&'a str>, Error> {
        let Some(value) = self.bytes(tag)? else { return Ok(None) };
        if value.len() > most {
            return Err(Error::Value { tag });
        }
        std::str::from_utf8(value).map(Some).map_err(|_| Error::Value { tag })
    }

    /// A list of at most [`MAX_LIST`] numbers; `known` turns a number into what it
    /// stands for, and those that it does not know are left out: lists grow.
    pub fn list<T>(&mut self, tag: u64, known: impl Fn(u64) -> Option<T>) -> Result<Vec<T>, Error> {
        let mut list = Vec::new();
        let mut count = 0;
        while let Some(value) = self.entry(tag)? {
            count += 1;
            if count > MAX_LIST {
                return Err(Error::Value { tag });
            }
            list.extend(known(number(tag, value)?));
        }
        Ok(list)
    }

    /// Checks what is left: fields that nobody asked for have to be whole and in order.
    pub fn finish(mut self) -> Result<(), Error> {
        while self.peek()?.is_some() {
            self.waiting = None;
        }
        Ok(())
    }

    /// The field that comes next.
    fn peek(&mut self) -> Result<Option<(u64, &'a [u8])>, Error> {
        if self.waiting.is_none() && !self.rest.is_empty() {
            let tag = self.varint()?;
            let length = self.varint()?;
            let (value, rest) = usize::try_from(length)
                .ok()
                .and_then(|length| self.rest.split_at_checked(length))
                .ok_or(Error::Overrun { tag })?;
            if tag < self.last {
                return Err(Error::Order { tag });
            }
            self.rest = rest;
            self.last = tag;
            self.waiting = Some((tag, value));
        }
        Ok(self.waiting)
    }

    fn varint(&mut self) -> Result<u64, Error> {
        let (value, length) = varint::decode(self.rest).ok_or(Error::Truncated)?;
        self.rest = self.rest.get(length..).unwrap_or_default();
        Ok(value)
    }
}

/// A value that is one number and nothing else.
fn number(tag: u64, value: &[u8]) -> Result<u64, Error> {
    match varint::decode(value) {
        Some((number, length)) if length == value.len() => Ok(number),
        _ => Err(Error::Value { tag }),
    }
}

/// What a required field is, or [`Error::Missing`].
pub fn required<T>(tag: u64, value: Option<T>) -> Result<T, Error> {
    value.ok_or(Error::Missing { tag })
}

/// Appends the fields of one body, in ascending order of tags.
#[derive(Debug)]
pub struct Writer<'a> {
    out: &'a mut Vec<u8>,
}

impl<'a> Writer<'a> {
    /// Appends to `out`.
    pub const fn new(out: &'a mut Vec<u8>) -> Self {
        Self { out }
    }

    /// A field of bytes.
    pub fn bytes(&mut self, tag: u64, value: &[u8]) -> &mut Self {
        varint::encode(tag, self.out);
        varint::encode(value.len() as u64, self.out);
        self.out.extend_from_slice(value);
        self
    }

    /// A field of bytes that `value` appends: nothing is allocated for it.
    pub fn appended(&mut self, tag: u64, value: impl FnOnce(&mut Vec<u8>)) -> &mut Self {
        prefixed(tag, self.out, value);
        self
    }

    /// A field that is a number.
    pub fn number(&mut self, tag: u64, value: impl Into<u64>) -> &mut Self {
        let value = value.into();
        varint::encode(tag, self.out);
        varint::encode(varint::len(value) as u64, self.out);
        varint::encode(value, self.out);
        self
    }

    /// A field that is a number, left out when there is none.
    pub fn optional(&mut self, tag: u64, value: Option<impl Into<u64>>) -> &mut Self {
        match value {
            Some(value) => self.number(tag, value),
            None => self,
        }
    }

    /// A signed number.
    pub fn signed(&mut self, tag: u64, value: i32) -> &mut Self {
        self.number(tag, varint::zigzag(value.into()))
    }

    /// A name, cut to `most` bytes.
    pub fn name(&mut self, tag: u64, value: &str, most: usize) -> &mut Self {
        self.bytes(tag, cut(value, most).as_bytes())
    }

    /// A list of numbers.
    pub fn list(&mut self, tag: u64, values: impl IntoIterator<Item = impl Into<u64>>) -> &mut Self {
        for value in values.into_iter().take(MAX_LIST) {
            self.number(tag, value);
        }
        self
    }

    /// A field that holds fields of its own.
    pub fn nested(&mut self, tag: u64, body: impl FnOnce(&mut Writer<'_>)) -> &mut Self {
        self.appended(tag, |out| body(&mut Writer::new(out)))
    }
}

/// Appends `number ‖ length ‖ what body appends` and returns the length of the last.
pub(super) fn prefixed(number: u64, out: &mut Vec<u8>, body: impl FnOnce(&mut Vec<u8>)) -> u64 {
    varint::encode(number, out);
    let start = out.len();
    body(out);
    let end = out.len();
    let length = end.saturating_sub(start) as u64;
    // The length goes before what it measures: appended, then turned to the front.
    varint::encode(length, out);
    let added = out.len().saturating_sub(end);
    if let Some(moved) = out.get_mut(start..) {
        moved.rotate_right(added);
    }
    length
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn body(write: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
        let mut out = Vec::new();
        write(&mut Writer::new(&mut out));
        out
    }

    #[test]
    fn unknown_fields_are_skipped_and_known_ones_found() {
        let bytes = body(|w| {
            w.number(1, 7u64).number(2, 9u64).number(2, 9u64).bytes(70, b"x").number(71, 1u64).bytes(90, b"");
        });
        let mut fields = Fields::new(&bytes);
        assert_eq!(fields.any::<u8>(1), Ok(Some(7)));
        assert_eq!(fields.any::<u8>(3), Ok(None));
        assert_eq!(fields.flag(71), Ok(Some(true)));
        assert_eq!(fields.finish(), Ok(()));
    }

    #[test]
    fn what_breaks_the_rules_is_named() {
        let order = body(|w| {
            w.number(2, 1u64).number(1, 1u64);
        });
        assert_eq!(Fields::new(&order).any::<u8>(2), Err(Error::Order { tag: 1 }));
        assert_eq!(Fields::new(&order).finish(), Err(Error::Order { tag: 1 }));
        let twice = body(|w| {
            w.number(2, 1u64).number(2, 1u64);
        });
        assert_eq!(Fields::new(&twice).any::<u8>(2), Err(Error::Repeated { tag: 2 }));
        assert_eq!(Fields::new(&[1, 5, 0]).any::<u8>(1), Err(Error::Overrun { tag: 1 }));
        assert_eq!(Fields::new(&[1]).any::<u8>(1), Err(Error::Truncated));
        assert_eq!(Fields::new(&[1, 2, 0, 0]).any::<u8>(1), Err(Error::Value { tag: 1 }), "two bytes");
        assert_eq!(Fields::new(&[1, 0]).any::<u8>(1), Err(Error::Value { tag: 1 }), "no byte");
        assert_eq!(Fields::new(&[1, 1, 2]).flag(1), Err(Error::Value { tag: 1 }));
        assert_eq!(Fields::new(&[1, 1, 0xFF]).text(1, 9), Err(Error::Value { tag: 1 }));
        assert_eq!(Fields::new(&[1, 2, b'a', b'b']).text(1, 1), Err(Error::Value { tag: 1 }));
        assert_eq!(required(4, None::<u8>), Err(Error::Missing { tag: 4 }));
    }

    #[test]
    fn a_list_holds_what_is_known_and_is_not_endless() {
        let known = |n| (n < 3).then_some(n);
        let bytes = body(|w| {
            w.list(1, [2u64, 77, 0]);
        });
        assert_eq!(Fields::new(&bytes).list(1, known), Ok(vec![2, 0]));
        let endless = body(|w| {
            w.list(1, [77u64; MAX_LIST]).number(1, 77u64);
        });
        assert_eq!(Fields::new(&endless).list(1, known), Err(Error::Value { tag: 1 }));
    }

    proptest! {
        #[test]
        fn lengths_go_before_what_they_measure(number in 0u64..100_000, body: Vec<u8>, before: Vec<u8>) {
            let mut out = before.clone();
            let length = prefixed(number, &mut out, |out| out.extend_from_slice(&body));
            prop_assert_eq!(length, body.len() as u64);
            let mut wanted = before;
            varint::encode(number, &mut wanted);
            varint::encode(length, &mut wanted);
            wanted.extend(body);
            prop_assert_eq!(out, wanted);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>, tags in proptest::collection::btree_set(0u64..80, 0..6)) {
            let mut fields = Fields::new(&bytes);
            for tag in tags {
                let _ = fields.clone().list(tag, Some);
                let _ = fields.text(tag, 9);
            }
            let _ = fields.finish();
        }
    }
}
