//! The caller's memory: the one place where it is read and written.
//!
//! A struct that crosses the border begins with its size as its owner knows it. A caller
//! of an older version has a shorter one: fields that it lacks have their defaults, or are
//! not told. A caller of a newer version has a longer one: what is beyond ours must be
//! zero on the way in, and is made zero on the way out.

use std::borrow::Cow;
use std::ffi::{CStr, CString, c_char};
use std::marker::PhantomData;
use std::ptr;

use crate::error::{
    Failure, PUNKTFUNK_BUFFER, PUNKTFUNK_NEWER, PUNKTFUNK_NULL, PUNKTFUNK_SIZE, PUNKTFUNK_TEXT,
    PUNKTFUNK_VALUE,
};

/// No struct is larger than this in any version; a larger size was never set.
const MOST_SIZE: usize = 16 << 10;

/// Numbers, for which all bytes mean something.
///
/// # Safety
/// Every pattern of bits is a value, and none of them is padding.
pub(crate) unsafe trait Bits: Copy {}

// SAFETY: numbers.
unsafe impl Bits for u8 {}
// SAFETY: numbers.
unsafe impl Bits for i16 {}
// SAFETY: numbers.
unsafe impl Bits for u16 {}
// SAFETY: numbers.
unsafe impl Bits for u32 {}
// SAFETY: numbers.
unsafe impl Bits for u64 {}
// SAFETY: numbers.
unsafe impl Bits for i64 {}
// SAFETY: numbers.
unsafe impl Bits for usize {}
// SAFETY: numbers.
unsafe impl Bits for f32 {}
// SAFETY: numbers.
unsafe impl Bits for f64 {}
// SAFETY: a number, on every platform that there is.
unsafe impl Bits for i8 {}
// SAFETY: any address may stand in a pointer that nobody follows.
unsafe impl<T> Bits for *const T {}
// SAFETY: numbers one after another.
unsafe impl<T: Bits, const N: usize> Bits for [T; N] {}

/// A struct that crosses the border: see [`plain`].
///
/// # Safety
/// `repr(C)`, all fields [`Bits`], no padding, the first is the `u32` `struct_size`, and
/// `ENDS` has for each field the offset of its end.
pub(crate) unsafe trait Plain: Copy {
    /// Where each field ends.
    const ENDS: &'static [usize];
    /// What stands in fields that the caller does not know.
    fn defaults() -> Self;
}

/// The size of a field, for [`plain`].
pub(crate) const fn size_of_field<T, F: Bits>(_: fn(&T) -> &F) -> usize {
    size_of::<F>()
}

/// Makes a `repr(C)` struct [`Plain`]; all fields are listed, and their defaults given.
macro_rules! plain {
    ($name:ident { $($field:ident),+ $(,)? } = $defaults:expr) => {
        const _: () = {
            use $crate::abi::size_of_field;
            let sizes = 0 $(+ size_of_field(|it: &$name| &it.$field))+;
            assert!(sizes == size_of::<$name>(), "a field is missing, or there is padding");
            assert!(std::mem::offset_of!($name, struct_size) == 0);
        };
        // SAFETY: all fields are `Bits`, as `size_of_field` asks for it, and the sum of
        // their sizes above leaves no padding.
        unsafe impl $crate::abi::Plain for $name {
            const ENDS: &'static [usize] = &[$(
                std::mem::offset_of!($name, $field)
                    + $crate::abi::size_of_field(|it: &$name| &it.$field)
            ),+];
            fn defaults() -> Self {
                $defaults
            }
        }
    };
    // Defaults of zero.
    ($name:ident { $($field:ident),+ $(,)? }) => {
        // SAFETY: all fields are `Bits`, for which zero is a value.
        $crate::abi::plain!($name { $($field),+ } = unsafe { std::mem::zeroed() });
    };
}
pub(crate) use plain;

/// How many bytes of a struct of `declared` bytes are whole fields of ours.
fn whole<T: Plain>(declared: usize) -> usize {
    T::ENDS.iter().copied().filter(|&end| end <= declared).max().unwrap_or(0)
}

/// The size that the caller's struct says it has.
///
/// # Safety
/// `at`: NULL, or a struct that begins with its size.
unsafe fn declared<T: Plain>(at: *const T) -> Result<usize, Failure> {
    if at.is_null() {
        return Err(Failure::new(PUNKTFUNK_NULL, "a struct is NULL"));
    }
    // SAFETY: it begins with its size, at whatever alignment.
    let size = unsafe { ptr::read_unaligned(at.cast::<u32>()) } as usize;
    if size < size_of::<u32>() || size > MOST_SIZE {
        return Err(Failure::new(PUNKTFUNK_SIZE, "struct_size is not the size of a struct"));
    }
    Ok(size)
}

/// Reads a struct of the caller.
///
/// # Safety
/// `from`: NULL, or a struct of as many readable bytes as its `struct_size` says.
pub(crate) unsafe fn read<T: Plain>(from: *const T) -> Result<T, Failure> {
    // SAFETY: as above.
    let size = unsafe { declared(from)? };
    let mut value = T::defaults();
    // SAFETY: so many bytes are readable there, and in `value`; any bytes are a value.
    unsafe {
        ptr::copy_nonoverlapping(from.cast::<u8>(), (&raw mut value).cast::<u8>(), whole::<T>(size));
    }
    for at in size_of::<T>()..size {
        // SAFETY: within the caller's struct.
        if unsafe { from.cast::<u8>().add(at).read() } != 0 {
            return Err(Failure::new(
                PUNKTFUNK_NEWER,
                "a field is set that this version of the library does not know",
            ));
        }
    }
    Ok(value)
}

/// Where the caller wants a struct.
pub(crate) struct Out<'a, T> {
    to: *mut T,
    size: usize,
    caller: PhantomData<&'a mut T>,
}

impl<T: Plain> Out<'_, T> {
    /// # Safety
    /// `to`: NULL, or a struct of as many writable bytes as its `struct_size` says, for as
    /// long as this lives.
    pub unsafe fn new(to: *mut T) -> Result<Self, Failure> {
        // SAFETY: as above.
        let size = unsafe { declared(to.cast_const())? };
        Ok(Self { to, size, caller: PhantomData })
    }

    /// Fills it as far as the caller knows it.
    pub fn write(self, value: &T) {
        // SAFETY: `new` was promised so many bytes, and no field of `value` is padding.
        unsafe { fill(self.to.cast(), self.size, value) }
    }
}

/// Writes `value` as a struct of `size` bytes.
///
/// # Safety
/// `to` has `size` writable bytes, at least four.
unsafe fn fill<T: Plain>(to: *mut u8, size: usize, value: &T) {
    let known = whole::<T>(size);
    // SAFETY: `known` is neither more than `size` nor than what `value` has.
    unsafe {
        ptr::write_bytes(to, 0, size);
        ptr::copy_nonoverlapping(ptr::from_ref(value).cast::<u8>(), to, known);
        // At most MOST_SIZE.
        ptr::write_unaligned(to.cast::<u32>(), size as u32);
    }
}

/// Where the caller wants a list of structs; the first says how large each of them is.
pub(crate) struct OutList<'a, T> {
    to: *mut T,
    size: usize,
    room: usize,
    count: *mut usize,
    caller: PhantomData<&'a mut T>,
}

impl<T: Plain> OutList<'_, T> {
    /// # Safety
    /// `count`: NULL, or the number of structs at `to`, writable. `to`: NULL, or so many
    /// structs, each of as many writable bytes as the `struct_size` of the first says,
    /// for as long as this lives.
    pub unsafe fn new(to: *mut T, count: *mut usize) -> Result<Self, Failure> {
        if count.is_null() {
            return Err(Failure::new(PUNKTFUNK_NULL, "the number of structs is NULL"));
        }
        // SAFETY: it is readable.
        let room = unsafe { count.read_unaligned() };
        // SAFETY: there is a first one.
        let size = if room == 0 { 0 } else { unsafe { declared(to.cast_const())? } };
        Ok(Self { to, size, room, count, caller: PhantomData })
    }

    /// Fills in as many as there is room for, and how many there are.
    ///
    /// # Errors
    /// `PUNKTFUNK_BUFFER` when those are more.
    pub fn write(self, values: impl ExactSizeIterator<Item = T>) -> Result<(), Failure> {
        let all = values.len();
        for (at, value) in values.take(self.room).enumerate() {
            // SAFETY: `new` was promised room for more than `at` of this size.
            unsafe { fill(self.to.cast::<u8>().add(at * self.size), self.size, &value) };
        }
        // SAFETY: it is writable.
        unsafe { self.count.write_unaligned(all) };
        fits(all, self.room)
    }
}

fn fits(needed: usize, room: usize) -> Result<(), Failure> {
    if needed > room {
        return Err(Failure::new(PUNKTFUNK_BUFFER, format!("there is room for {room} of {needed}")));
    }
    Ok(())
}

/// Where the caller wants one value.
pub(crate) struct Place<'a, T> {
    to: *mut T,
    caller: PhantomData<&'a mut T>,
}

impl<T> Place<'_, T> {
    /// Puts `first` there at once, so that it is never undefined.
    ///
    /// # Safety
    /// `to`: NULL, or a writable `T` for as long as this lives.
    pub unsafe fn new(to: *mut T, first: T) -> Result<Self, Failure> {
        if to.is_null() {
            return Err(Failure::new(PUNKTFUNK_NULL, "the place for a result is NULL"));
        }
        // SAFETY: it is writable.
        unsafe { to.write_unaligned(first) };
        Ok(Self { to, caller: PhantomData })
    }

    pub fn write(self, value: T) {
        // SAFETY: `new` was promised that it is writable.
        unsafe { self.to.write_unaligned(value) }
    }
}

/// Bytes of the caller; none of none may be NULL.
///
/// # Safety
/// `from`: NULL, or `len` bytes that nobody changes while the result is used.
pub(crate) unsafe fn bytes<'a>(from: *const u8, len: usize) -> Result<&'a [u8], Failure> {
    if len == 0 {
        return Ok(&[]);
    }
    if from.is_null() {
        return Err(Failure::new(PUNKTFUNK_NULL, "bytes are NULL"));
    }
    if isize::try_from(len).is_err() {
        return Err(Failure::new(PUNKTFUNK_VALUE, "no buffer is so long"));
    }
    // SAFETY: not null, and so many are readable.
    Ok(unsafe { std::slice::from_raw_parts(from, len) })
}

/// So many bytes of the caller, or `None` where there are none.
///
/// # Safety
/// `from`: NULL, or `N` readable bytes.
pub(crate) unsafe fn array<const N: usize>(from: *const u8) -> Option<[u8; N]> {
    // SAFETY: so many are readable, and they need no alignment.
    if from.is_null() { None } else { Some(unsafe { from.cast::<[u8; N]>().read() }) }
}

/// Text of the caller.
///
/// # Safety
/// `from`: NULL, or text that ends with a NUL and that nobody changes while the result is
/// used.
pub(crate) unsafe fn text<'a>(from: *const c_char) -> Result<&'a str, Failure> {
    if from.is_null() {
        return Err(Failure::new(PUNKTFUNK_NULL, "a text is NULL"));
    }
    // SAFETY: it ends with a NUL.
    let text = unsafe { CStr::from_ptr(from) };
    text.to_str().map_err(|_| Failure::new(PUNKTFUNK_TEXT, "a text is not UTF-8"))
}

/// Puts bytes into a buffer of the caller, and how many there are into `len`, which says
/// how many there is room for. Nothing is put there when that is too little.
///
/// # Safety
/// `len`: NULL, or the size of the buffer, writable. `to`: NULL, or so many writable bytes.
pub(crate) unsafe fn put_bytes(to: *mut u8, len: *mut usize, from: &[u8]) -> Result<(), Failure> {
    if len.is_null() {
        return Err(Failure::new(PUNKTFUNK_NULL, "the size of the buffer is NULL"));
    }
    // SAFETY: it is readable.
    let room = unsafe { len.read_unaligned() };
    // SAFETY: as above.
    unsafe { len.write_unaligned(from.len()) };
    fits(from.len(), room)?;
    if to.is_null() {
        return Err(Failure::new(PUNKTFUNK_NULL, "the buffer is NULL"));
    }
    // SAFETY: there is room for them.
    unsafe { ptr::copy_nonoverlapping(from.as_ptr(), to, from.len()) };
    Ok(())
}

/// Puts text and a NUL into a buffer of the caller, cut between two characters where it is
/// too small. How many bytes all of it takes.
///
/// # Safety
/// `to`: NULL, or `room` writable bytes.
pub(crate) unsafe fn put_text(to: *mut c_char, room: usize, from: &str) -> usize {
    if !to.is_null() && room > 0 {
        let part = punktfunk_core::native::wire::cut(from, room - 1);
        // SAFETY: the text and its NUL are no more than `room`.
        unsafe {
            ptr::copy_nonoverlapping(part.as_ptr(), to.cast::<u8>(), part.len());
            to.add(part.len()).write(0);
        }
    }
    from.len() + 1
}

/// Text in an array of a struct: cut between two characters, the rest zeros.
pub(crate) fn fixed<const N: usize>(from: &str) -> [c_char; N] {
    let mut out = [0; N];
    let part = punktfunk_core::native::wire::cut(&clean(from), N.saturating_sub(1)).to_owned();
    for (to, byte) in out.iter_mut().zip(part.bytes()) {
        *to = c_char::from_ne_bytes([byte]);
    }
    out
}

/// Text as C has it: a NUL would end it early.
pub(crate) fn c_text(from: &str) -> CString {
    CString::new(clean(from).as_bytes()).unwrap_or_default()
}

fn clean(from: &str) -> Cow<'_, str> {
    if from.contains('\0') { from.replace('\0', " ").into() } else { from.into() }
}

/// A number that is 0 or 1.
pub(crate) fn flag(number: u32, what: &str) -> Result<bool, Failure> {
    match number {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(Failure::new(PUNKTFUNK_VALUE, format!("{what} is neither 0 nor 1"))),
    }
}

/// A number that has to fit into a smaller one.
pub(crate) fn small<T: TryFrom<u32>>(number: u32, what: &str) -> Result<T, Failure> {
    T::try_from(number).map_err(|_| Failure::new(PUNKTFUNK_VALUE, format!("{what} is out of range")))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Version 2 of a struct whose version 1 ended with `old`.
    #[repr(C)]
    #[derive(Clone, Copy, Debug, PartialEq)]
    struct Two {
        struct_size: u32,
        old: u32,
        new: u64,
    }
    plain!(Two { struct_size, old, new } = Two { struct_size: 0, old: 1, new: 2 });

    #[test]
    fn of_a_shorter_struct_the_rest_is_the_default() {
        // Sizes that end within a field do not have it.
        for (size, old, new) in [(4, 1, 2), (7, 1, 2), (8, 10, 2), (15, 10, 2), (16, 10, 20)] {
            let caller = Two { struct_size: size, old: 10, new: 20 };
            // SAFETY: it has at least so many bytes.
            let read = unsafe { read(&raw const caller) }.expect("read");
            assert_eq!((read.old, read.new), (old, new), "{size}");
        }
        for size in [0, 3, 1 << 20] {
            let caller = Two { struct_size: size, old: 10, new: 20 };
            // SAFETY: of such a struct nothing but the size is read.
            assert!(unsafe { read(&raw const caller) }.is_err(), "{size}");
        }
    }

    #[test]
    fn a_longer_struct_may_hold_nothing_that_is_not_known() {
        let mut caller = [0_u32; 6];
        caller[0] = 24;
        // SAFETY: it has 24 bytes.
        let known = unsafe { read(caller.as_ptr().cast::<Two>()) };
        assert_eq!(known.expect("read").new, 0);
        caller[5] = 1 << 31;
        // SAFETY: as above.
        assert!(unsafe { read(caller.as_ptr().cast::<Two>()) }.is_err());
    }

    #[test]
    fn nothing_is_written_behind_what_the_caller_has() {
        for (size, expected) in [
            (4, [4, 9, 9, 9, 9, 9]),
            (8, [8, 5, 9, 9, 9, 9]),
            (12, [12, 5, 0, 9, 9, 9]),
            (16, [16, 5, 6, 0, 9, 9]),
            (20, [20, 5, 6, 0, 0, 9]),
        ] {
            let mut caller = [9_u32; 6];
            caller[0] = size;
            // SAFETY: it has at least so many bytes.
            let out = unsafe { Out::new(caller.as_mut_ptr().cast::<Two>()) };
            out.expect("out").write(&Two { struct_size: 77, old: 5, new: 6 });
            // The lower half of `new` comes first on every machine that there is a host for.
            assert_eq!(caller, expected, "{size}");
        }
    }

    #[test]
    fn a_list_has_the_steps_of_its_caller_and_says_how_many_there_are() {
        let mut caller = [0_u32; 4];
        caller[0] = 8;
        let mut count = 2;
        let values = [3, 4, 5].map(|old| Two { struct_size: 0, old, new: 0 });
        // SAFETY: there is room for two of eight bytes.
        let list = unsafe { OutList::new(caller.as_mut_ptr().cast::<Two>(), &raw mut count) };
        assert!(list.expect("list").write(values.into_iter()).is_err(), "one is left out");
        assert_eq!((caller, count), ([8, 3, 8, 4], 3));
    }

    #[test]
    fn text_ends_between_characters_and_with_a_nul() {
        let mut room = [1; 8];
        // SAFETY: it has so many bytes.
        let whole = unsafe { put_text(room.as_mut_ptr(), 4, "aäöü") };
        assert_eq!((whole, room.map(|byte| byte.to_ne_bytes()[0])), (8, [b'a', 0xc3, 0xa4, 0, 1, 1, 1, 1]));
        assert_eq!(c_text("a\0b").to_bytes(), b"a b");
        assert_eq!(fixed::<4>("aäö").map(|byte| byte.to_ne_bytes()[0]), [b'a', 0xc3, 0xa4, 0]);
    }
}
