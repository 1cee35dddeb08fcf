//! One request over a Unix socket, by HTTP/1.1, and its answer as it comes. Only what our
//! own host sends is understood.

use std::io::{self, BufRead as _, BufReader, Read, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// Longest line of the head of an answer, bytes.
const MAX_LINE: u64 = 64 * 1024;
/// Lines of the head of an answer.
const MAX_LINES: usize = 200;

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli) struct Ask {
    /// `GET`, `POST` and so on.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// JSON, for what changes something.
    pub body: Option<String>,
}

/// What came back.
pub(in crate::cli) struct Answer {
    /// The status code.
    pub status: u16,
    /// As the header says it.
    pub content_type: String,
    /// To be read to its end.
    pub body: Box<dyn Read>,
}

/// Asks the host at this socket.
pub(super) fn ask(socket: &Path, call: &Ask) -> io::Result<Answer> {
    ask_within(socket, call, None)
}

/// The same, of a host that may be silent for that long.
pub(in crate::cli) fn ask_within(socket: &Path, call: &Ask, silence: Option<Duration>) -> io::Result<Answer> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(silence)?;
    stream.set_write_timeout(silence)?;
    let mut head =
        format!("{} {} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n", call.method, call.target);
    let body = call.body.as_deref().unwrap_or_default();
    if call.body.is_some() {
        head += &format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len());
    }
    head += "\r\n";
    stream.write_all(head.as_bytes())?;
    // A host that refuses the head does not read the body, and says why.
    let _ = stream.write_all(body.as_bytes());
    answer(BufReader::new(stream))
}

fn answer(mut reader: BufReader<UnixStream>) -> io::Result<Answer> {
    let odd = |what: &str| io::Error::new(io::ErrorKind::InvalidData, format!("its answer is odd: {what}"));
    let first = line(&mut reader)?;
    let status =
        first.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(|| odd("no status"))?;
    let (mut content_type, mut chunked, mut length) = (String::new(), false, None);
    for _ in 0..MAX_LINES {
        let line = line(&mut reader)?;
        if line.is_empty() {
            let body: Box<dyn Read> = match (chunked, length) {
                (true, _) => Box::new(Chunked { reader, left: 0, over: false }),
                (false, Some(length)) => Box::new(reader.take(length)),
                (false, None) => Box::new(reader),
            };
            return Ok(Answer { status, content_type, body });
        }
        let Some((name, value)) = line.split_once(':') else { return Err(odd("no header")) };
        let value = value.trim();
        match name.to_ascii_lowercase().as_str() {
            "content-type" => content_type = value.to_owned(),
            "content-length" => length = Some(value.parse().map_err(|_| odd("no length"))?),
            "transfer-encoding" => chunked = value.eq_ignore_ascii_case("chunked"),
            _ => {}
        }
    }
    Err(odd("too many headers"))
}

/// One line without its end.
fn line(reader: &mut BufReader<UnixStream>) -> io::Result<String> {
    let mut line = String::new();
    if reader.by_ref().take(MAX_LINE).read_line(&mut line)? == 0 {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the host ended while it was asked"));
    }
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

/// A body that comes in chunks (RFC 9112, section 7.1).
struct Chunked {
    reader: BufReader<UnixStream>,
    left: u64,
    over: bool,
}

impl Read for Chunked {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 && !self.over {
            let size = match line(&mut self.reader) {
                Ok(size) => size,
                // A host that ends closes without a last chunk.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    self.over = true;
                    return Ok(0);
                }
                Err(error) => return Err(error),
            };
            let digits = size.split(';').next().unwrap_or_default();
            self.left = u64::from_str_radix(digits.trim(), 16)
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
            self.over = self.left == 0;
        }
        if self.over {
            return Ok(0);
        }
        let read = (&mut self.reader).take(self.left).read(buffer)?;
        self.left -= read as u64;
        if self.left == 0 {
            // The empty line behind a chunk.
            line(&mut self.reader)?;
        }
        if read == 0 {
            self.over = true;
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(bytes: &[u8]) -> io::Result<(u16, Vec<u8>)> {
        let (ours, mut theirs) = UnixStream::pair()?;
        theirs.write_all(bytes)?;
        drop(theirs);
        let mut answer = answer(BufReader::new(ours))?;
        let mut body = Vec::new();
        answer.body.read_to_end(&mut body)?;
        Ok((answer.status, body))
    }

    #[test]
    fn bodies_come_whole_or_in_chunks() {
        let whole = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello and more";
        assert_eq!(of(whole).unwrap(), (200, b"hello".to_vec()));
        let chunks = b"HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n";
        assert_eq!(of(chunks).unwrap(), (404, b"abcde".to_vec()));
        let cut = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n";
        assert_eq!(of(cut).unwrap().1, b"abc", "a host that stops");
        assert_eq!(of(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap(), (204, Vec::new()));
    }

    proptest! {
        #[test]
        fn any_answer_is_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..400), start in any::<bool>()) {
            let head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
            let bytes = if start { [head, bytes].concat() } else { bytes };
            let _ = of(&bytes);
        }
    }
}
