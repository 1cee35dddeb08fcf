//! Request targets: a path and percent-encoded arguments, bounded.

use super::Verb;

/// Longest request target that is read, bytes. Pairing phase 1 carries a whole
/// certificate as hex: 2.5–4 kB.
pub const MAX_TARGET: usize = 16 * 1024;
const MAX_ARGUMENTS: usize = 64;

/// A query could not be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum QueryError {
    /// Longer than [`MAX_TARGET`], or with too many arguments.
    #[error("the request is too long")]
    TooLong,
    /// A broken percent sequence, or bytes that are not UTF-8.
    #[error("the request is not properly encoded")]
    Encoding,
    /// One argument stands twice: which of the two counts would be a guess.
    #[error("the argument {0} stands twice")]
    Twice(String),
}

/// The arguments of a request, decoded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    arguments: Vec<(String, String)>,
}

impl Query {
    /// Reads what follows the `?`; an empty text has no arguments.
    pub fn parse(text: &str) -> Result<Self, QueryError> {
        if text.len() > MAX_TARGET {
            return Err(QueryError::TooLong);
        }
        let mut query = Self::default();
        for part in text.split('&').filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let (name, value) = (decode(name)?, decode(value)?);
            if query.value(&name).is_some() {
                return Err(QueryError::Twice(name.chars().take(32).collect()));
            }
            if query.arguments.len() >= MAX_ARGUMENTS {
                return Err(QueryError::TooLong);
            }
            query.arguments.push((name, value));
        }
        Ok(query)
    }

    /// The value of an argument.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.arguments.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// The arguments as they came.
    pub fn arguments(&self) -> impl Iterator<Item = (&str, &str)> {
        self.arguments.iter().map(|(n, v)| (n.as_str(), v.as_str()))
    }
}

/// `%xx` and `+` decoded.
fn decode(text: &str) -> Result<String, QueryError> {
    let mut bytes = text.bytes();
    let mut out = Vec::with_capacity(text.len());
    let digit = |b: Option<u8>| b.and_then(|b| char::from(b).to_digit(16)).ok_or(QueryError::Encoding);
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'+' => b' ',
            b'%' => (digit(bytes.next())? << 4 | digit(bytes.next())?) as u8,
            byte => byte,
        });
    }
    String::from_utf8(out).map_err(|_| QueryError::Encoding)
}

/// The target a client requests: `/verb?uniqueid=..&uuid=..&..`, encoded.
pub fn request_target(verb: Verb, unique_id: &str, uuid: &str, arguments: &[(&str, &str)]) -> String {
    let mut out = format!("/{}", verb.name());
    let fixed = [("uniqueid", unique_id), ("uuid", uuid)];
    for (index, (name, value)) in fixed.iter().chain(arguments).enumerate() {
        out.push(if index == 0 { '?' } else { '&' });
        encode(name, &mut out);
        out.push('=');
        encode(value, &mut out);
    }
    out
}

fn encode(text: &str, out: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn damaged_queries_are_errors() {
        assert_eq!(Query::parse("a=%4"), Err(QueryError::Encoding));
        assert_eq!(Query::parse("a=%zz"), Err(QueryError::Encoding));
        assert_eq!(Query::parse("a=%FF"), Err(QueryError::Encoding));
        assert_eq!(Query::parse("a=1&a=2"), Err(QueryError::Twice("a".to_owned())));
        assert_eq!(Query::parse(&"x".repeat(MAX_TARGET + 1)), Err(QueryError::TooLong));
        let many: String = (0..100).map(|n| format!("a{n}&")).collect();
        assert_eq!(Query::parse(&many), Err(QueryError::TooLong));
        assert_eq!(Query::parse("a&b=&&c=%20+").unwrap().value("c"), Some("  "));
    }

    proptest! {
        #[test]
        fn what_a_client_writes_the_host_reads(id: String, uuid: String, value: String) {
            let target = request_target(Verb::Pair, &id, &uuid, &[("devicename", &value)]);
            let (path, query) = target.split_once('?').unwrap();
            prop_assert_eq!(Verb::from_path(path), Some(Verb::Pair));
            let query = Query::parse(query).unwrap();
            prop_assert_eq!(query.value("uniqueid"), Some(id.as_str()));
            prop_assert_eq!(query.value("uuid"), Some(uuid.as_str()));
            prop_assert_eq!(query.value("devicename"), Some(value.as_str()));
        }

        #[test]
        fn reading_anything_never_panics(text: String) {
            let _ = Query::parse(&text);
        }
    }
}
