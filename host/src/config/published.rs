//! What is generated from the schema: the table of the reference and the JSON Schema for
//! editors. `PUNKTFUNK_WRITE_DOCS=1 cargo test --profile ci -p punktfunk-host --lib schema`
//! writes both; without the variable the tests compare.

use serde_json::{Map, Value as Json, json};

use super::schema::{Form, Kind, Preset, Setting};
use super::table::{APP_KEYS, SETTINGS};

/// The table of `docs/configuration.md`.
pub fn reference() -> String {
    let mut text = "| Key | Values | Default | Takes effect | Meaning |\n|---|---|---|---|---|\n".to_owned();
    let mut rows = SETTINGS.iter().map(row).collect::<Vec<_>>();
    // After the other half of what can be started.
    let before = SETTINGS.iter().position(|setting| setting.group() == "keyboard").unwrap_or(rows.len());
    let app = |app: &super::table::AppKey| {
        format!("| `app.{}` | {} | {} | restart | {} |\n", app.key, app.values, app.preset, app.help)
    };
    rows.splice(before..before, APP_KEYS.iter().map(app));
    text.extend(rows);
    text
}

fn row(setting: &Setting) -> String {
    let preset = match (&setting.preset, setting.preset.value()) {
        (Preset::Nothing(what) | Preset::OfMachine(what), _) => (*what).to_owned(),
        (_, Some(value)) if value == super::Value::from("") => "none".to_owned(),
        (_, value) => value.map(|value| format!("`{}`", quoted(&value))).unwrap_or_default(),
    };
    let effect = if setting.needs_restart() { "restart" } else { "at once" };
    let help = setting.help.replace('|', "\\|");
    format!("| `{}` | {} | {preset} | {effect} | {help} |\n", setting.key, setting.kind)
}

fn quoted(value: &super::Value) -> String {
    match value {
        super::Value::Text(text) => format!("\"{text}\""),
        other => other.to_string(),
    }
}

/// The JSON Schema of `punktfunk.toml` (2020-12), for editors.
pub fn json_schema() -> Json {
    let mut root = table();
    for setting in SETTINGS {
        let (group, name) = match setting.key.split_once('.') {
            Some((group, name)) => (Some(group), name),
            None => (None, setting.key),
        };
        let place = match group {
            Some(group) => properties(&mut root).entry(group).or_insert_with(table),
            None => &mut root,
        };
        properties(place).insert(name.to_owned(), of_setting(setting));
    }
    properties(&mut root).insert("app".to_owned(), of_apps());
    let mut whole = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "punktfunk.toml",
        "description": "Settings of a punktfunk host. Every key is optional.",
    });
    if let (Json::Object(whole), Json::Object(root)) = (&mut whole, root) {
        whole.extend(root);
    }
    whole
}

fn table() -> Json {
    json!({ "type": "object", "additionalProperties": false, "properties": {} })
}

/// The properties of a schema that [`table`] made.
fn properties(table: &mut Json) -> &mut Map<String, Json> {
    if !table["properties"].is_object() {
        table["properties"] = Json::Object(Map::new());
    }
    match &mut table["properties"] {
        Json::Object(properties) => properties,
        _ => unreachable!("it was just made"),
    }
}

fn of_setting(setting: &Setting) -> Json {
    let mut schema = match setting.kind {
        Kind::Bool => json!({ "type": "boolean" }),
        Kind::Integer { min, max, .. } => json!({ "type": "integer", "minimum": min, "maximum": max }),
        Kind::Number { min, max, .. } => json!({ "type": "number", "minimum": min, "maximum": max }),
        Kind::Text(form) => of_text(&form),
        Kind::Choice(words) => {
            json!({ "type": "string", "enum": words.iter().map(|(word, _)| *word).collect::<Vec<_>>() })
        }
        Kind::List { max_items, item } => json!({
            "type": "array", "maxItems": max_items, "uniqueItems": true, "items": of_text(&item),
        }),
    };
    schema["title"] = setting.title.into();
    schema["description"] = setting.help.into();
    if let Some(preset) = setting.preset.value() {
        schema["default"] = json!(preset);
    }
    schema
}

fn of_text(form: &Form) -> Json {
    // In characters, of which there are never more than bytes.
    let mut schema = json!({ "type": "string", "maxLength": form.max_bytes });
    if form.min_bytes > 0 {
        schema["minLength"] = 1.into();
    }
    if let Some(pattern) = form.pattern {
        schema["pattern"] = pattern.into();
    }
    schema
}

fn of_apps() -> Json {
    let mut keys = json!({
        "name": { "type": "string", "minLength": 1, "pattern": r"^[^\x00-\x1f\x7f-\x9f]+$" },
        "command": { "anyOf": [
            { "type": "string", "minLength": 1 },
            { "type": "array", "minItems": 1, "items": { "type": "string" } },
        ] },
        "env": { "type": "object", "additionalProperties": { "type": "string" } },
        "id": { "type": "integer", "minimum": 1000, "maximum": 2_147_483_647 },
    });
    for app in APP_KEYS {
        keys[app.key]["description"] = app.help.into();
    }
    json!({
        "type": "array",
        "description": "What can be started besides the built-in applications, one `[[app]]` for each.",
        "items": {
            "type": "object",
            "additionalProperties": false,
            "required": ["name", "command"],
            "properties": keys,
        },
    })
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::*;

    const BEGIN: &str = "<!-- settings: generated -->\n";
    const END: &str = "<!-- settings: end -->\n";

    fn docs(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(name)
    }

    /// Compares, or writes when it was asked to.
    fn agrees(path: &Path, wanted: &str) {
        if std::env::var_os("PUNKTFUNK_WRITE_DOCS").is_some() {
            std::fs::write(path, wanted).unwrap();
        }
        let found = std::fs::read_to_string(path).unwrap_or_default();
        let how = "run `PUNKTFUNK_WRITE_DOCS=1 cargo test --profile ci -p punktfunk-host --lib schema`";
        assert!(found == wanted, "{} is not what the schema says: {how}", path.display());
    }

    #[test]
    fn the_schema_is_the_reference() {
        let path = docs("configuration.md");
        let page = std::fs::read_to_string(&path).unwrap();
        let (before, rest) = page.split_once(BEGIN).unwrap();
        let (_, after) = rest.split_once(END).unwrap();
        agrees(&path, &format!("{before}{BEGIN}\n{}\n{END}{after}", reference()));
    }

    #[test]
    fn the_schema_is_the_json_schema() {
        let text = serde_json::to_string_pretty(&json_schema()).unwrap();
        agrees(&docs("settings.schema.json"), &format!("{text}\n"));
    }
}
