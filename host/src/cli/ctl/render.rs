//! JSON for people: a table where all rows are flat, else indented lines.

use serde_json::{Map, Value};

/// Widest a column may make a table; longer values make it lines.
const WIDEST: usize = 60;

/// What came, for people. A list alone in an object is shown as the list.
pub(super) fn text(value: &Value) -> String {
    let mut out = String::new();
    match value {
        Value::Object(fields) => match (fields.len(), fields.values().next()) {
            (1, Some(Value::Array(list))) => push_list(&mut out, list, 0),
            _ => push_fields(&mut out, fields, 0),
        },
        Value::Array(list) => push_list(&mut out, list, 0),
        other => out = plain(other) + "\n",
    }
    out
}

fn push_fields(out: &mut String, fields: &Map<String, Value>, depth: usize) {
    let pad = "  ".repeat(depth);
    for (name, value) in fields {
        match value {
            Value::Object(inner) if !inner.is_empty() => {
                *out += &format!("{pad}{name}:\n");
                push_fields(out, inner, depth + 1);
            }
            Value::Array(list) if !list.is_empty() && !is_flat(value) => {
                *out += &format!("{pad}{name}:\n");
                push_list(out, list, depth + 1);
            }
            other => *out += &format!("{pad}{name}: {}\n", plain(other)),
        }
    }
}

fn push_list(out: &mut String, list: &[Value], depth: usize) {
    let pad = "  ".repeat(depth);
    if list.is_empty() {
        *out += &format!("{pad}(none)\n");
        return;
    }
    if let Some(rows) = table(list) {
        for row in rows {
            *out += &format!("{pad}{row}\n");
        }
        return;
    }
    for value in list {
        match value {
            Value::Object(fields) => {
                let mut inner = String::new();
                push_fields(&mut inner, fields, depth + 1);
                // The first line carries the mark of the item.
                let marked = inner.replacen(&"  ".repeat(depth + 1), &format!("{pad}- "), 1);
                *out += &marked;
            }
            other => *out += &format!("{pad}- {}\n", plain(other)),
        }
    }
}

/// Rows of equal columns; none when a value is too long or has parts.
fn table(list: &[Value]) -> Option<Vec<String>> {
    let rows: Vec<&Map<String, Value>> = list.iter().map(Value::as_object).collect::<Option<_>>()?;
    let mut names: Vec<&String> = Vec::new();
    for name in rows.iter().flat_map(|row| row.keys()) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let cell = |row: &Map<String, Value>, name: &String| row.get(name).map(plain).unwrap_or_default();
    let fits = |row: &&Map<String, Value>| {
        row.values().all(is_flat) && names.iter().all(|name| cell(row, name).chars().count() <= WIDEST)
    };
    if !rows.iter().all(fits) || names.len() > 8 {
        return None;
    }
    let widths: Vec<usize> = names
        .iter()
        .map(|name| {
            let cells = rows.iter().map(|row| cell(row, name).chars().count());
            cells.chain([name.len()]).max().unwrap_or(0)
        })
        .collect();
    let line = |cells: Vec<String>| {
        let padded: Vec<String> =
            cells.into_iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        padded.join("  ").trim_end().to_owned()
    };
    let head = line(names.iter().map(|name| name.to_uppercase()).collect());
    let body = rows.iter().map(|row| line(names.iter().map(|name| cell(row, name)).collect()));
    Some([head].into_iter().chain(body).collect())
}

/// It fits in one line.
fn is_flat(value: &Value) -> bool {
    match value {
        Value::Array(list) => list.iter().all(|one| !one.is_array() && !one.is_object()),
        Value::Object(fields) => fields.is_empty(),
        _ => true,
    }
}

/// In one line; control characters are shown as escapes, so that no name moves the cursor.
fn plain(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text
            .chars()
            .flat_map(|c| if c.is_control() { c.escape_default().collect::<Vec<_>>() } else { vec![c] })
            .collect(),
        Value::Array(list) => list.iter().map(plain).collect::<Vec<_>>().join(", "),
        Value::Object(fields) if fields.is_empty() => "-".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn flat_rows_are_a_table_and_the_rest_is_indented() {
        let value =
            json!({ "tokens": [{ "id": "1", "name": "panel" }, { "id": "22", "name": "x", "expires": 7 }] });
        assert_eq!(text(&value), "ID  NAME   EXPIRES\n1   panel\n22  x      7\n");
        let value = json!({ "name": "den", "health": { "state": "ok", "findings": [] }, "caps": ["a", "b"] });
        assert_eq!(text(&value), "caps: a, b\nhealth:\n  findings: \n  state: ok\nname: den\n");
        let value = json!({ "sessions": [{ "app": { "id": "1" }, "state": "playing" }] });
        assert_eq!(text(&value), "- app:\n    id: 1\n  state: playing\n");
        assert_eq!(text(&json!({ "tokens": [] })), "(none)\n");
        assert_eq!(text(&json!({ "name": "a\u{1b}[2Jb" })), "name: a\\u{1b}[2Jb\n");
    }

    proptest! {
        #[test]
        fn nothing_moves_the_cursor(name in ".{0,40}", other in ".{0,90}") {
            for value in [json!({ "a": &name }), json!([{ "a": &name, "b": { "c": &other } }]), json!([[&name]])] {
                prop_assert!(text(&value).chars().all(|c| c == '\n' || !c.is_control()));
            }
        }
    }
}
