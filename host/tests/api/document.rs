//! The description is what is committed, and says everything a client needs.

use std::collections::BTreeSet;
use std::path::Path;

use punktfunk_host::api::openapi;
use serde_json::Value;

#[test]
fn the_committed_description_is_the_one_of_this_code() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../web/openapi.json");
    let committed = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        committed == openapi::text(),
        "web/openapi.json is not what the code says: run `cargo run --profile ci -p punktfunk-host -- openapi > web/openapi.json`"
    );
}

#[test]
fn every_operation_has_a_name_a_scope_and_a_word_of_explanation() {
    let document: Value = serde_json::from_str(&openapi::text()).unwrap();
    let mut names = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let id = operation["operationId"].as_str().unwrap();
            assert!(names.insert(id.to_owned()), "{id} twice");
            let (tag, _) = id.split_once('.').unwrap();
            assert_eq!(operation["tags"][0], tag, "{method} {path}");
            assert!(operation["x-scope"].is_string(), "{id}");
            assert!(!operation["summary"].as_str().unwrap_or_default().is_empty(), "{id} has no summary");
            assert!(operation["responses"]["default"].is_object(), "{id}");
        }
    }
    assert!(document["components"]["schemas"]["Problem"].is_object());
}
