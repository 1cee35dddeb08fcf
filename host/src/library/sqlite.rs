//! One table of a SQLite file, read without SQLite (file format of sqlite.org, sections
//! 1 and 2): the header, the pages of a table, their rows.
//!
//! Enough for a file that another program wrote and closed. What stands in a write-ahead
//! log beside it is not seen. The bytes are foreign: rows or an error, never a panic.

use std::collections::HashSet;

/// Rows of a table that are read.
const MAX_ROWS: usize = 100_000;
/// Pages that are looked at for one table.
const MAX_PAGES: usize = 100_000;
/// Bytes of a row.
const MAX_ROW: usize = 4 << 20;

/// A value of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cell {
    Null,
    Integer(i64),
    Text(String),
    /// A real number or bytes, which nothing here asks for.
    Other,
}

/// A row; values by the name of their column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row<'a> {
    columns: &'a [String],
    cells: Vec<Cell>,
}

/// The rows of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Table {
    columns: Vec<String>,
    rows: Vec<Vec<Cell>>,
}

/// Why a file cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum SqliteError {
    #[error("it is no SQLite file")]
    NoDatabase,
    #[error("its text is not UTF-8")]
    Encoding,
    #[error("it holds no such table")]
    NoTable,
    #[error("it is damaged")]
    Damaged,
}

impl Row<'_> {
    /// The value of a column; none when there is no such column.
    pub fn cell(&self, column: &str) -> Option<&Cell> {
        let at = self.columns.iter().position(|name| name.eq_ignore_ascii_case(column))?;
        // A column that was added later is missing at the end of older rows.
        Some(self.cells.get(at).unwrap_or(&Cell::Null))
    }

    pub fn text(&self, column: &str) -> Option<&str> {
        match self.cell(column)? {
            Cell::Text(text) => Some(text),
            _ => None,
        }
    }

    pub fn integer(&self, column: &str) -> Option<i64> {
        match self.cell(column)? {
            Cell::Integer(number) => Some(*number),
            _ => None,
        }
    }
}

impl Table {
    /// Every row, by its number.
    pub fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        self.rows.iter().map(|cells| Row { columns: &self.columns, cells: cells.clone() })
    }

    /// Reads the table `name` of a whole file.
    pub fn read(file: &[u8], name: &str) -> Result<Self, SqliteError> {
        let pages = Pages::open(file)?;
        let schema = pages.rows(1)?;
        let table = schema.iter().find(|(_, cells)| {
            matches!(cells.as_slice(), [Cell::Text(kind), Cell::Text(found), ..]
                if kind == "table" && found.eq_ignore_ascii_case(name))
        });
        let (_, cells) = table.ok_or(SqliteError::NoTable)?;
        let [_, _, _, Cell::Integer(root), Cell::Text(sql), ..] = cells.as_slice() else {
            return Err(SqliteError::Damaged);
        };
        let (columns, row_id) = columns(sql);
        let root = usize::try_from(*root).map_err(|_| SqliteError::Damaged)?;
        let rows = pages.rows(root)?.into_iter().map(|(id, mut cells)| {
            // The number of the row is stored beside it, not in it.
            if let Some(cell) = row_id.and_then(|at| cells.get_mut(at)) {
                *cell = Cell::Integer(id);
            }
            cells
        });
        Ok(Self { columns, rows: rows.collect() })
    }
}

struct Pages<'a> {
    file: &'a [u8],
    size: usize,
    /// Bytes of a page that rows may use.
    usable: usize,
}

impl<'a> Pages<'a> {
    fn open(file: &'a [u8]) -> Result<Self, SqliteError> {
        let header: &[u8; 100] = file.first_chunk().ok_or(SqliteError::NoDatabase)?;
        if !header.starts_with(b"SQLite format 3\0") {
            return Err(SqliteError::NoDatabase);
        }
        let size = match u16::from_be_bytes([header[16], header[17]]) {
            1 => 65_536,
            size => usize::from(size),
        };
        let usable = size.checked_sub(usize::from(header[20])).filter(|usable| *usable >= 480);
        let usable = usable.filter(|_| size.is_power_of_two()).ok_or(SqliteError::Damaged)?;
        // 0 in a file that nothing was ever written to.
        if !matches!(header[59], 0 | 1) {
            return Err(SqliteError::Encoding);
        }
        Ok(Self { file, size, usable })
    }

    fn page(&self, number: usize) -> Result<&'a [u8], SqliteError> {
        let at = number.checked_sub(1).and_then(|before| before.checked_mul(self.size));
        let page = at.and_then(|at| self.file.get(at..)?.get(..self.size));
        page.ok_or(SqliteError::Damaged)
    }

    /// Every row of the tree below a page, with its number.
    fn rows(&self, root: usize) -> Result<Vec<(i64, Vec<Cell>)>, SqliteError> {
        let mut rows = Vec::new();
        let mut waiting = vec![root];
        let mut seen = HashSet::new();
        while let Some(number) = waiting.pop() {
            // A page that is reached twice would be read for ever.
            if !seen.insert(number) || seen.len() > MAX_PAGES {
                return Err(SqliteError::Damaged);
            }
            let page = self.page(number)?;
            let head = if number == 1 { 100 } else { 0 };
            let kind = *page.get(head).ok_or(SqliteError::Damaged)?;
            let cells = usize::from(short(page, head + 3)?);
            let first = head + if kind == 5 { 12 } else { 8 };
            let starts = (0..cells).map(|cell| short(page, first + 2 * cell).map(usize::from));
            match kind {
                5 => {
                    let mut below = Vec::new();
                    for start in starts {
                        below.push(long(page, start?)?);
                    }
                    below.push(long(page, head + 8)?);
                    // The last on the stack is the next: rows come in order.
                    waiting.extend(below.into_iter().rev());
                }
                13 => {
                    for start in starts {
                        if rows.len() >= MAX_ROWS {
                            return Err(SqliteError::Damaged);
                        }
                        rows.push(self.row(page, start?)?);
                    }
                }
                _ => return Err(SqliteError::Damaged),
            }
        }
        Ok(rows)
    }

    fn row(&self, page: &'a [u8], start: usize) -> Result<(i64, Vec<Cell>), SqliteError> {
        let mut rest = page.get(start..self.usable).ok_or(SqliteError::Damaged)?;
        let length = usize::try_from(varint(&mut rest)?).map_err(|_| SqliteError::Damaged)?;
        let id = varint(&mut rest)?;
        if length > MAX_ROW {
            return Err(SqliteError::Damaged);
        }
        let here = self.local(length);
        let mut row = rest.get(..here).ok_or(SqliteError::Damaged)?.to_vec();
        let mut next = if here < length { long(rest, here)? } else { 0 };
        // Each page holds at least one byte more, so that this ends.
        while row.len() < length {
            let page = self.page(next)?;
            let part = (length - row.len()).min(self.usable - 4);
            row.extend_from_slice(page.get(4..4 + part).ok_or(SqliteError::Damaged)?);
            next = long(page, 0)?;
        }
        Ok((id, record(&row)?))
    }

    /// How many bytes of a row of this length stand in its own page.
    const fn local(&self, length: usize) -> usize {
        let most = self.usable - 35;
        if length <= most {
            return length;
        }
        let least = (self.usable - 12) * 32 / 255 - 23;
        let fits = least + (length - least) % (self.usable - 4);
        if fits <= most { fits } else { least }
    }
}

fn short(bytes: &[u8], at: usize) -> Result<u16, SqliteError> {
    let two = bytes.get(at..).and_then(|rest| rest.first_chunk::<2>());
    two.map(|two| u16::from_be_bytes(*two)).ok_or(SqliteError::Damaged)
}

fn long(bytes: &[u8], at: usize) -> Result<usize, SqliteError> {
    let four = bytes.get(at..).and_then(|rest| rest.first_chunk::<4>());
    let number = four.map(|four| u32::from_be_bytes(*four)).ok_or(SqliteError::Damaged)?;
    usize::try_from(number).map_err(|_| SqliteError::Damaged)
}

/// Seven bits a byte, eight in the ninth.
fn varint(rest: &mut &[u8]) -> Result<i64, SqliteError> {
    let mut number = 0_u64;
    for count in 1..=9 {
        let (byte, after) = rest.split_first().ok_or(SqliteError::Damaged)?;
        *rest = after;
        if count == 9 {
            number = (number << 8) | u64::from(*byte);
            break;
        }
        number = (number << 7) | u64::from(byte & 0x7F);
        if byte & 0x80 == 0 {
            break;
        }
    }
    Ok(number.cast_signed())
}

/// The values of a row: first what each is, then each.
fn record(row: &[u8]) -> Result<Vec<Cell>, SqliteError> {
    let mut rest = row;
    let head = usize::try_from(varint(&mut rest)?).map_err(|_| SqliteError::Damaged)?;
    let used = row.len() - rest.len();
    let mut kinds = row.get(used..head).ok_or(SqliteError::Damaged)?;
    let mut values = row.get(head..).ok_or(SqliteError::Damaged)?;
    let mut cells = Vec::new();
    while !kinds.is_empty() {
        let kind = varint(&mut kinds)?;
        let length = match kind {
            0 | 8 | 9 => 0,
            1..=4 => usize::try_from(kind).unwrap_or_default(),
            5 => 6,
            6 | 7 => 8,
            12.. => usize::try_from((kind - 12) / 2).map_err(|_| SqliteError::Damaged)?,
            _ => return Err(SqliteError::Damaged),
        };
        let (value, after) = values.split_at_checked(length).ok_or(SqliteError::Damaged)?;
        values = after;
        cells.push(match kind {
            0 => Cell::Null,
            1..=6 => Cell::Integer(integer(value)),
            8 => Cell::Integer(0),
            9 => Cell::Integer(1),
            13.. if kind % 2 == 1 => Cell::Text(String::from_utf8_lossy(value).into_owned()),
            _ => Cell::Other,
        });
    }
    Ok(cells)
}

fn integer(bytes: &[u8]) -> i64 {
    let negative = bytes.first().is_some_and(|byte| byte & 0x80 != 0);
    bytes.iter().fold(if negative { -1 } else { 0 }, |number, byte| (number << 8) | i64::from(*byte))
}

/// The names of the columns of `CREATE TABLE`, and which of them is the row's number.
fn columns(sql: &str) -> (Vec<String>, Option<usize>) {
    let body = sql.split_once('(').map_or("", |(_, body)| body);
    let (mut parts, mut depth) = (vec![String::new()], 0_u32);
    for character in body.chars() {
        match character {
            ')' if depth == 0 => break,
            ',' if depth == 0 => {
                parts.push(String::new());
                continue;
            }
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        if let Some(part) = parts.last_mut() {
            part.push(character);
        }
    }
    let (mut names, mut row_id) = (Vec::new(), None);
    for part in parts {
        let words: Vec<_> = part.split_whitespace().collect();
        let Some(name) = words.first() else { continue };
        let upper = part.to_uppercase();
        if ["PRIMARY", "UNIQUE", "CHECK", "FOREIGN", "CONSTRAINT"].contains(&&*name.to_uppercase()) {
            continue;
        }
        if upper.contains("INTEGER") && upper.contains("PRIMARY KEY") {
            row_id = Some(names.len());
        }
        names.push(name.trim_matches(['"', '`', '[', ']', '\'']).to_owned());
    }
    (names, row_id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn fixture() -> Vec<u8> {
        let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/library/pga.db");
        std::fs::read(file).unwrap()
    }

    #[test]
    fn rows_of_several_pages_and_of_more_than_a_page_are_read() {
        let file = fixture();
        let table = Table::read(&file, "many").unwrap();
        assert_eq!(table.rows().count(), 60);
        for (number, row) in (1..).zip(table.rows()) {
            assert_eq!(row.integer("id"), Some(number));
            assert_eq!(row.integer("value"), Some((number - 30) * 1_000_003));
            let long = "x".repeat(usize::try_from(number).unwrap() * 18);
            assert_eq!(row.text("TEXT"), Some(long.as_str()));
            assert_eq!(row.cell("real"), Some(&Cell::Other));
            assert_eq!(row.cell("none"), None);
        }
    }

    #[test]
    fn columns_are_found_in_what_made_the_table() {
        let sql = "CREATE TABLE \"a\" (id INTEGER PRIMARY KEY, [b c] DECIMAL(4,2), `d` TEXT CHECK(x IN (1,2)),\n\
            e, PRIMARY KEY (id))";
        let (names, row_id) = columns(sql);
        assert_eq!(names, ["id", "[b", "d", "e"].map(|name| name.trim_matches('[').to_owned()));
        assert_eq!(row_id, Some(0));
        assert_eq!(columns("nonsense").0, Vec::<String>::new());
    }

    #[test]
    fn numbers_of_every_length_are_read() {
        assert_eq!(integer(&[0xFF]), -1);
        assert_eq!(integer(&[0x7F, 0xFF]), 32_767);
        assert_eq!(integer(&[0x80, 0, 0]), -8_388_608);
        assert_eq!(varint(&mut &[0x81, 0x00][..]), Ok(128));
        assert_eq!(varint(&mut &[0xFF; 9][..]), Ok(-1));
        assert_eq!(varint(&mut &[0x80][..]), Err(SqliteError::Damaged));
    }

    #[test]
    fn what_is_no_database_is_an_error() {
        let file = fixture();
        assert_eq!(Table::read(b"", "games"), Err(SqliteError::NoDatabase));
        assert_eq!(Table::read(&[b'x'; 200], "games"), Err(SqliteError::NoDatabase));
        assert_eq!(Table::read(&file, "none"), Err(SqliteError::NoTable));
        assert_eq!(Table::read(&file[..600], "many"), Err(SqliteError::Damaged));
        let mut other = file;
        other[59] = 2;
        assert_eq!(Table::read(&other, "many"), Err(SqliteError::Encoding));
    }

    proptest! {
        #[test]
        fn any_bytes_are_refused_or_survive(bytes: Vec<u8>) {
            let _ = Table::read(&bytes, "games");
            let _ = record(&bytes);
        }

        #[test]
        fn a_damaged_file_is_refused_or_survives(
            changes in proptest::collection::vec((0_usize..20_000, any::<u8>()), 1..30), cut in 0_usize..40_000)
        {
            let mut file = fixture();
            for (at, byte) in changes {
                let length = file.len();
                file[at % length] = byte;
            }
            file.truncate(cut.max(100));
            for table in ["games", "many"] {
                let _ = Table::read(&file, table);
            }
        }
    }
}
