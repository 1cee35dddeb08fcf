//! The operations, as the description says, and how words of the command line become a
//! request.

use punktfunk_core::bytes::to_hex;
use serde::Serialize;
use serde_json::{Map, Value};

use super::http::Ask;
use crate::api::openapi;

/// One operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Operation {
    pub id: String,
    /// One line.
    pub title: String,
    scope: String,
    method: String,
    path: String,
    /// Variables of path and query: name, where, and whether it must be there.
    parameters: Vec<(String, Place, bool)>,
    /// Fields of the body.
    fields: Vec<Field>,
    has_body: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Path,
    Query,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Field {
    name: String,
    is_text: bool,
    required: bool,
}

/// What is wrong with the command line.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Usage(pub String);

/// For `--json`.
#[derive(Serialize)]
pub(super) struct Summary<'a> {
    id: &'a str,
    title: &'a str,
    scope: &'a str,
    values: Vec<&'a str>,
}

/// All of them, by name.
pub(super) fn all() -> Vec<Operation> {
    let document: Value = serde_json::from_str(&openapi::text()).unwrap_or_default();
    let mut all = Vec::new();
    let paths = document["paths"].as_object().into_iter().flatten();
    for (path, method, described) in paths.flat_map(|(path, item)| {
        item.as_object().into_iter().flatten().map(move |(method, described)| (path, method, described))
    }) {
        all.push(Operation::read(&document, path, method, described));
    }
    all.sort_by(|a, b| a.id.cmp(&b.id));
    all
}

impl Operation {
    fn read(document: &Value, path: &str, method: &str, described: &Value) -> Self {
        let text = |key: &str| described[key].as_str().unwrap_or_default().to_owned();
        let parameters = described["parameters"].as_array().into_iter().flatten().filter_map(|parameter| {
            let place = match parameter["in"].as_str()? {
                "path" => Place::Path,
                "query" => Place::Query,
                _ => return None,
            };
            let required = parameter["required"].as_bool().unwrap_or(false);
            Some((parameter["name"].as_str()?.to_owned(), place, required))
        });
        let schema = resolve(document, &described["requestBody"]["content"]["application/json"]["schema"]);
        let required: Vec<&str> =
            schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let fields = schema["properties"].as_object().into_iter().flatten().map(|(name, property)| Field {
            name: name.clone(),
            is_text: is_text(document, property, 0),
            required: required.contains(&name.as_str()),
        });
        Self {
            id: text("operationId"),
            title: text("summary"),
            scope: text("x-scope"),
            method: method.to_uppercase(),
            path: path.to_owned(),
            parameters: parameters.collect(),
            fields: fields.collect(),
            has_body: !matches!(method, "get" | "delete"),
        }
    }

    pub fn summary(&self) -> Summary<'_> {
        let names = self.parameters.iter().map(|(name, _, _)| name.as_str());
        Summary {
            id: &self.id,
            title: &self.title,
            scope: &self.scope,
            values: names.chain(self.fields.iter().map(|field| field.name.as_str())).collect(),
        }
    }

    /// What it takes, for people.
    pub fn values(&self) -> String {
        let shown = |name: &str, required: bool| {
            if required { format!("{name}=…") } else { format!("[{name}=…]") }
        };
        let parameters = self.parameters.iter().map(|(name, _, required)| shown(name, *required));
        let fields = self.fields.iter().map(|field| shown(&field.name, field.required));
        parameters.chain(fields).collect::<Vec<_>>().join(" ")
    }

    /// The request that `key=value` words and a whole body mean.
    pub fn ask(&self, words: &[String], body: Option<&str>) -> Result<Ask, Usage> {
        let mut fields = match body {
            None => Map::new(),
            Some(_) if !self.has_body => return Err(Usage(format!("{} takes no body", self.id))),
            Some(text) => match serde_json::from_str(text) {
                Ok(Value::Object(fields)) => fields,
                Ok(_) => return Err(Usage("the body is a JSON object: {…}".to_owned())),
                Err(error) => return Err(Usage(format!("the body is not JSON: {error}"))),
            },
        };
        let mut path = self.path.clone();
        let mut query = Vec::new();
        for word in words {
            let Some((key, value)) = word.split_once('=') else {
                return Err(Usage(format!("{word:?} is not key=value; {} takes {}", self.id, self.takes())));
            };
            if let Some((name, place, _)) = self.parameters.iter().find(|(name, _, _)| name == key) {
                match place {
                    Place::Path => path = path.replace(&format!("{{{name}}}"), &encoded(value)),
                    Place::Query => query.push(format!("{name}={}", encoded(value))),
                }
            } else if let Some(field) = self.fields.iter().find(|field| field.name == key) {
                fields.insert(key.to_owned(), field.value(value)?);
            } else {
                return Err(Usage(format!("{} knows no {key:?}; it takes {}", self.id, self.takes())));
            }
        }
        if let Some((_, rest)) = path.split_once('{') {
            let name = rest.split('}').next().unwrap_or_default();
            return Err(Usage(format!("{} needs {name}=…", self.id)));
        }
        if let Some(field) =
            self.fields.iter().find(|field| field.required && !fields.contains_key(&field.name))
        {
            return Err(Usage(format!("{} needs {}=…", self.id, field.name)));
        }
        let query = if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) };
        let body = self.has_body.then(|| Value::Object(fields).to_string());
        Ok(Ask { method: self.method.clone(), target: path + &query, body })
    }

    fn takes(&self) -> String {
        let values = self.values();
        if values.is_empty() { "nothing".to_owned() } else { values }
    }
}

impl Field {
    /// Text is taken as it is; everything else is JSON, and so is `null`.
    fn value(&self, word: &str) -> Result<Value, Usage> {
        if self.is_text && word != "null" {
            return Ok(Value::from(word));
        }
        serde_json::from_str(word).map_err(|error| {
            Usage(format!("{}={word} is not JSON ({error}); lists are written as [\"a\", \"b\"]", self.name))
        })
    }
}

/// Follows a reference to the schema itself.
fn resolve<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    match schema["$ref"].as_str().and_then(|reference| reference.strip_prefix('#')) {
        Some(pointer) => document.pointer(pointer).unwrap_or(&Value::Null),
        None => schema,
    }
}

fn is_text(document: &Value, schema: &Value, depth: u8) -> bool {
    let schema = resolve(document, schema);
    match &schema["type"] {
        Value::String(kind) => kind == "string",
        Value::Array(kinds) => kinds.iter().any(|kind| kind == "string"),
        // Optional ones: either null or a reference.
        _ if depth < 4 => {
            let either = schema["oneOf"].as_array().or(schema["anyOf"].as_array());
            either.into_iter().flatten().any(|one| is_text(document, one, depth + 1))
        }
        _ => false,
    }
}

/// Percent-encoded for a part of a path or of a query (RFC 3986).
fn encoded(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            other => out += &format!("%{}", to_hex(&[other]).to_uppercase()),
        }
    }
    // A whole part of dots would climb.
    if out.bytes().all(|byte| byte == b'.') { out.replace('.', "%2E") } else { out }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(id: &str, words: &[&str], body: Option<&str>) -> Result<Ask, Usage> {
        let words: Vec<String> = words.iter().map(ToString::to_string).collect();
        all().iter().find(|operation| operation.id == id).unwrap().ask(&words, body)
    }

    #[test]
    fn words_become_path_query_and_body() {
        let call = ask("tokens.revoke", &["id=a/../b c"], None).unwrap();
        assert_eq!((call.method.as_str(), call.target.as_str()), ("DELETE", "/api/v1/tokens/a%2F..%2Fb%20c"));
        assert_eq!(call.body, None);
        let call = ask("tokens.create", &["name=7", "scope=view", "expires=12"], None).unwrap();
        assert_eq!(call.body.unwrap(), r#"{"expires":12,"name":"7","scope":"view"}"#);
        let call = ask("tokens.create", &["name=x"], Some(r#"{"scope":"play","name":"y"}"#)).unwrap();
        assert_eq!(call.body.unwrap(), r#"{"name":"x","scope":"play"}"#, "words win");
        let call = ask("events.listen", &["topics=devices,host", "after=7"], None).unwrap();
        assert_eq!(call.target, "/api/v1/events?topics=devices%2Chost&after=7");
        assert_eq!(ask("host.restart", &[], None).unwrap().body.unwrap(), "{}");
    }

    #[test]
    fn what_is_not_understood_says_what_is() {
        for (id, words, body, says) in [
            ("tokens.revoke", &[][..], None, "needs id="),
            ("tokens.create", &["name=x"][..], None, "needs scope="),
            ("tokens.create", &["colour=red"], None, "name=…"),
            ("tokens.create", &["name"], None, "key=value"),
            ("tokens.create", &["expires=soon"], None, "not JSON"),
            ("tokens.create", &[], Some("[]"), "object"),
            ("tokens.create", &[], Some("{"), "not JSON"),
            ("host.show", &[], Some("{}"), "no body"),
        ] {
            let Usage(message) = ask(id, words, body).unwrap_err();
            assert!(message.contains(says), "{message}");
        }
    }
}
