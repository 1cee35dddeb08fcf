//! What a caller may do. Each operation declares its scope beside itself, as `x-scope` in
//! its OpenAPI; the table that is enforced is read from that very document.
//!
//! What has no scope there is no operation: a host with such a route does not start.

use std::collections::HashMap;
use std::fmt;

use axum::http::Method;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa::openapi::OpenApi;
use utoipa::openapi::path::{HttpMethod, Operation as Described};

/// Largest body of an operation that declares none, bytes.
const MAX_BODY: usize = 1 << 20;

/// What a caller may do; each contains those before it, but for `metrics`, which is alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Read the figures for monitoring and nothing else.
    Metrics,
    /// What everybody who reaches the host may do.
    Public,
    /// Look at everything that is no secret.
    View,
    /// Start and quit applications.
    Play,
    /// Change devices, applications and settings.
    Manage,
    /// Everything: tokens, password, backups.
    Owner,
}

impl Scope {
    /// Whether somebody with this scope may do what needs `needed`.
    pub fn allows(self, needed: Self) -> bool {
        match (self, needed) {
            (_, Self::Public) => true,
            (Self::Metrics, needed) => needed == Self::Metrics,
            (own, Self::Metrics) => own == Self::Owner,
            (own, needed) => own >= needed,
        }
    }

    fn parse(word: &str) -> Option<Self> {
        serde_json::from_value(serde_json::Value::from(word)).ok()
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Metrics => "metrics",
            Self::Public => "public",
            Self::View => "view",
            Self::Play => "play",
            Self::Manage => "manage",
            Self::Owner => "owner",
        })
    }
}

/// What is enforced for one operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// Its name, such as `devices.revoke`.
    pub id: String,
    /// What a caller needs.
    pub scope: Scope,
    /// Largest body, bytes.
    pub max_body: usize,
}

/// Every operation by method and path template.
#[derive(Debug, Default)]
pub struct Table(HashMap<String, Vec<(Method, Operation)>>);

/// An operation that nobody said anything about.
#[derive(Debug, thiserror::Error)]
#[error("{method} {path} declares no valid `{what}`: write it beside the operation")]
pub struct Undeclared {
    method: Method,
    path: String,
    what: &'static str,
}

impl Table {
    /// Reads the table out of the document that describes the operations.
    pub fn read(document: &OpenApi) -> Result<Self, Undeclared> {
        let mut table = Self::default();
        for (path, item) in &document.paths.paths {
            for (kind, described) in operations(item) {
                let method = method(kind);
                let fail = |what| Undeclared { method: method.clone(), path: path.clone(), what };
                let scope =
                    text(described, "x-scope").and_then(Scope::parse).ok_or_else(|| fail("x-scope"))?;
                let id = described.operation_id.clone().ok_or_else(|| fail("operation_id"))?;
                let max_body = number(described, "x-max-body").unwrap_or(MAX_BODY);
                let operation = Operation { id, scope, max_body };
                table.0.entry(path.clone()).or_default().push((method, operation));
            }
        }
        Ok(table)
    }

    /// The operation at this path template. A question for the head of an answer is one for
    /// the answer.
    pub fn find(&self, method: &Method, template: &str) -> Option<&Operation> {
        let method = if method == Method::HEAD { &Method::GET } else { method };
        let here = self.0.get(template)?;
        here.iter().find(|(known, _)| known == method).map(|(_, operation)| operation)
    }
}

/// The operations of a path.
pub(super) fn operations(item: &utoipa::openapi::PathItem) -> impl Iterator<Item = (HttpMethod, &Described)> {
    [
        (HttpMethod::Get, &item.get),
        (HttpMethod::Put, &item.put),
        (HttpMethod::Post, &item.post),
        (HttpMethod::Delete, &item.delete),
        (HttpMethod::Patch, &item.patch),
        (HttpMethod::Head, &item.head),
        (HttpMethod::Options, &item.options),
        (HttpMethod::Trace, &item.trace),
    ]
    .into_iter()
    .filter_map(|(method, operation)| operation.as_ref().map(|operation| (method, operation)))
}

fn method(kind: HttpMethod) -> Method {
    match kind {
        HttpMethod::Get => Method::GET,
        HttpMethod::Put => Method::PUT,
        HttpMethod::Post => Method::POST,
        HttpMethod::Delete => Method::DELETE,
        HttpMethod::Patch => Method::PATCH,
        HttpMethod::Head => Method::HEAD,
        HttpMethod::Options => Method::OPTIONS,
        HttpMethod::Trace => Method::TRACE,
    }
}

fn text<'a>(described: &'a Described, key: &str) -> Option<&'a str> {
    described.extensions.as_ref()?.get(key)?.as_str()
}

fn number(described: &Described, key: &str) -> Option<usize> {
    described.extensions.as_ref()?.get(key)?.as_u64().and_then(|number| usize::try_from(number).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_scope_contains_those_before_it_and_metrics_is_alone() {
        let ladder = [Scope::Public, Scope::View, Scope::Play, Scope::Manage, Scope::Owner];
        for (own_rank, own) in ladder.into_iter().enumerate() {
            for (rank, needed) in ladder.into_iter().enumerate() {
                assert_eq!(own.allows(needed), own_rank >= rank, "{own} {needed}");
            }
            assert_eq!(own.allows(Scope::Metrics), own == Scope::Owner, "{own}");
            assert_eq!(Scope::Metrics.allows(own), own == Scope::Public, "{own}");
        }
        assert!(Scope::Metrics.allows(Scope::Metrics));
    }

    #[test]
    fn a_route_without_a_scope_is_refused() {
        #[utoipa::path(get, path = "/bare", operation_id = "bare.show", responses((status = 200)))]
        async fn bare() {}
        #[utoipa::path(get, path = "/odd", operation_id = "odd.show", responses((status = 200)),
            extensions(("x-scope" = json!("everybody"))))]
        async fn odd() {}
        let bare: utoipa_axum::router::OpenApiRouter =
            utoipa_axum::router::OpenApiRouter::new().routes(utoipa_axum::routes!(bare));
        let error = Table::read(bare.get_openapi()).unwrap_err().to_string();
        assert!(error.contains("GET /bare") && error.contains("x-scope"), "{error}");
        let odd: utoipa_axum::router::OpenApiRouter =
            utoipa_axum::router::OpenApiRouter::new().routes(utoipa_axum::routes!(odd));
        assert!(Table::read(odd.get_openapi()).is_err());
    }
}
