//! The value of one setting, as TOML, JSON and people write it.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The value of one setting. On the wire it is plain JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum Value {
    /// Yes or no.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// Any number.
    Number(f64),
    /// A text, or the word of a choice.
    Text(String),
    /// Several texts.
    List(Vec<String>),
}

impl Value {
    /// From TOML; `None` for what no setting has: a time, a table, a list of other things.
    pub fn from_toml(value: toml::Value) -> Option<Self> {
        Some(match value {
            toml::Value::Boolean(value) => Self::Bool(value),
            toml::Value::Integer(value) => Self::Integer(value),
            toml::Value::Float(value) => Self::Number(value),
            toml::Value::String(value) => Self::Text(value),
            toml::Value::Array(list) => Self::List(
                list.into_iter()
                    .map(|item| match item {
                        toml::Value::String(text) => Some(text),
                        _ => None,
                    })
                    .collect::<Option<_>>()?,
            ),
            toml::Value::Datetime(_) | toml::Value::Table(_) => return None,
        })
    }

    /// From JSON; `None` for what no setting has: null, an object, a list of other things,
    /// a number beyond 64 bits.
    pub fn from_json(value: &serde_json::Value) -> Option<Self> {
        Some(match value {
            serde_json::Value::Bool(value) => Self::Bool(*value),
            serde_json::Value::Number(number) => match number.as_i64() {
                Some(whole) => Self::Integer(whole),
                None => Self::Number(number.as_f64()?),
            },
            serde_json::Value::String(text) => Self::Text(text.clone()),
            serde_json::Value::Array(list) => {
                Self::List(list.iter().map(|item| item.as_str().map(str::to_owned)).collect::<Option<_>>()?)
            }
            serde_json::Value::Null | serde_json::Value::Object(_) => return None,
        })
    }

    /// As TOML has it.
    pub fn to_toml(&self) -> toml::Value {
        match self {
            Self::Bool(value) => toml::Value::Boolean(*value),
            Self::Integer(value) => toml::Value::Integer(*value),
            Self::Number(value) => toml::Value::Float(*value),
            Self::Text(text) => toml::Value::String(text.clone()),
            Self::List(list) => {
                toml::Value::Array(list.iter().map(|text| toml::Value::String(text.clone())).collect())
            }
        }
    }
}

/// As it is written in a file.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // A number of people's: 20, not 20.0.
            Self::Number(value) => write!(f, "{value}"),
            other => write!(f, "{}", other.to_toml()),
        }
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<u8> for Value {
    fn from(value: u8) -> Self {
        Self::Integer(value.into())
    }
}

impl From<u16> for Value {
    fn from(value: u16) -> Self {
        Self::Integer(value.into())
    }
}

impl From<u32> for Value {
    fn from(value: u32) -> Self {
        Self::Integer(value.into())
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Number(value)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_shown_as_it_is_written() {
        assert_eq!(Value::from("a \"b\"").to_string(), r#"'a "b"'"#);
        assert_eq!(Value::from(20.0).to_string(), "20");
        assert_eq!(Value::List(vec!["a".into(), "b".into()]).to_string(), r#"["a", "b"]"#);
        assert_eq!(Value::from(true).to_string(), "true");
    }

    #[test]
    fn what_no_setting_has_is_no_value() {
        for json in ["null", "{}", "[1]", "[[]]", "[null]"] {
            assert_eq!(Value::from_json(&serde_json::from_str(json).unwrap()), None, "{json}");
        }
        let table: toml::Table = "a = 1979-05-27\nb = [1]\nc = {}".parse().unwrap();
        for (key, value) in table {
            assert_eq!(Value::from_toml(value), None, "{key}");
        }
    }
}
