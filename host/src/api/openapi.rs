//! The document that describes the API: collected from the operations, committed as
//! `web/openapi.json`, printed by `punktfunk-host openapi`.

use serde_json::Value;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{Content, InfoBuilder, OpenApi, OpenApiBuilder, Ref, RefOr, ResponseBuilder};
use utoipa::{PartialSchema as _, ToSchema as _};

use super::error::{Body, Detail};
use super::login::COOKIE;
use super::resources;

/// The document.
pub fn document() -> OpenApi {
    let router = resources::routes();
    let mut document = router.into_openapi();
    finish(&mut document);
    document
}

/// The document as it is committed: with sorted keys, so that a change is a small one.
pub fn text() -> String {
    // A tree of strings and numbers can be written.
    let value = serde_json::to_value(document()).unwrap_or(Value::Null);
    let mut text = serde_json::to_string_pretty(&sorted(value)).unwrap_or_default();
    text.push('\n');
    text
}

fn sorted(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut pairs: Vec<(String, Value)> =
                map.into_iter().map(|(key, value)| (key, sorted(value))).collect();
            pairs.sort_by(|(a, _), (b, _)| a.cmp(b));
            Value::Object(pairs.into_iter().collect())
        }
        Value::Array(list) => Value::Array(list.into_iter().map(sorted).collect()),
        other => other,
    }
}

/// What the operations are added to.
pub(super) fn base() -> OpenApi {
    let info = InfoBuilder::new()
        .title("punktfunk host")
        .version("1")
        .description(Some(
            "Everything the owner of a host does. HTTPS on the port base + 1; docs/api.md says how to log in.",
        ))
        .build();
    OpenApiBuilder::new().info(info).build()
}

/// Adds what all operations share: how a caller is known, and how errors look.
pub(super) fn finish(document: &mut OpenApi) {
    let components = document.components.get_or_insert_default();
    for (name, schema) in [(Body::name(), Body::schema()), (Detail::name(), Detail::schema())] {
        components.schemas.insert(name.into_owned(), schema);
    }
    let cookie = SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::new(COOKIE)));
    components.add_security_scheme("cookie", cookie);
    components.add_security_scheme("token", SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)));
    for item in document.paths.paths.values_mut() {
        let all = [&mut item.get, &mut item.put, &mut item.post, &mut item.delete, &mut item.patch];
        for operation in all.into_iter().flatten() {
            let schema = Ref::from_schema_name(Body::name());
            let problem = ResponseBuilder::new()
                .description("Refused; `error.code` is stable and `error.message` says what to do")
                .content("application/json", Content::new(Some(schema)))
                .build();
            operation.responses.responses.insert("default".to_owned(), RefOr::T(problem));
        }
    }
}
