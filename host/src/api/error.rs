//! What a request is refused with: a status, a code that programs may rely on, and a
//! message that says what to do.
//!
//! Codes are part of the contract (`docs/api.md`); messages are not and may change.

use std::borrow::Cow;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::serve::FrontError;

/// A refused request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Problem {
    status: StatusCode,
    code: Cow<'static, str>,
    message: String,
    field: Option<String>,
    retry_after: Option<u64>,
}

/// How a [`Problem`] travels.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct Body {
    /// What went wrong.
    error: Detail,
}

/// What went wrong.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ProblemDetail)]
pub struct Detail {
    /// Stable; for programs.
    code: String,
    /// Says what to do; for people.
    message: String,
    /// The field of the request that is wrong, as a path such as `prep[0].do`.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
}

impl Problem {
    /// Any status and code; the constructors below are the usual ones.
    pub fn new(status: StatusCode, code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self { status, code: code.into(), message: message.into(), field: None, retry_after: None }
    }

    /// 400: the request itself is malformed.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", message)
    }

    /// 401: nobody is logged in.
    pub fn unauthenticated() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthenticated", "log in, or send a token that is valid")
    }

    /// 403 with a code of its own.
    pub fn forbidden(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, code, message)
    }

    /// 404: there is no such thing.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", message)
    }

    /// 409: not in this state.
    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "conflict", message)
    }

    /// 422: a field has a value that cannot be.
    pub fn invalid(field: impl Into<String>, message: impl Into<String>) -> Self {
        let problem = Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", message);
        Self { field: Some(field.into()), ..problem }
    }

    /// 429: again in so many seconds.
    pub fn too_many(seconds: u64) -> Self {
        let message = format!("too many attempts: try again in {seconds} s");
        let problem = Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many", message);
        Self { retry_after: Some(seconds), ..problem }
    }

    /// 500: the host failed.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", message)
    }

    /// 503: not now.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", message)
    }

    /// The same with another code.
    #[must_use]
    pub fn with_code(self, code: &'static str) -> Self {
        Self { code: code.into(), ..self }
    }

    /// The same, naming a field of the request.
    #[must_use]
    pub fn with_field(self, field: impl Into<String>) -> Self {
        Self { field: Some(field.into()), ..self }
    }

    /// For an answer that something else made, such as a library: what its status means.
    pub(super) fn of_status(status: StatusCode) -> Self {
        match status {
            StatusCode::NOT_FOUND => Self::not_found("there is nothing here; docs/api.md lists what is"),
            StatusCode::METHOD_NOT_ALLOWED => Self::method_not_allowed(),
            StatusCode::UNAUTHORIZED => Self::unauthenticated(),
            StatusCode::PAYLOAD_TOO_LARGE => Self::too_large(0),
            StatusCode::UNSUPPORTED_MEDIA_TYPE => Self::wrong_type(),
            status if status.is_server_error() => Self::internal("the host failed; its log says why"),
            status => Self::new(status, "bad_request", "the request is not understood"),
        }
    }

    pub(super) fn method_not_allowed() -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method_not_allowed",
            "this address is not for that method; `punktfunk-host openapi` lists what is",
        )
    }

    pub(super) fn too_large(limit: usize) -> Self {
        let message = format!("the body is too large: send at most {limit} bytes");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", message)
    }

    pub(super) fn wrong_type() -> Self {
        Self::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "wrong_type",
            "send JSON with the header `Content-Type: application/json`",
        )
    }
}

impl From<crate::store::StoreError> for Problem {
    fn from(error: crate::store::StoreError) -> Self {
        tracing::error!(%error, "the state could not be changed");
        Self::internal(error.to_string())
    }
}

impl From<FrontError> for Problem {
    fn from(error: FrontError) -> Self {
        match error {
            FrontError::NotFound(message) => Self::not_found(message),
            FrontError::Conflict(message) => Self::conflict(message),
            FrontError::Invalid { field, message } => Self::invalid(field, message),
            FrontError::WrongPin(message) => Self::invalid("pin", message).with_code("wrong_pin"),
            FrontError::Failed(message) => Self::internal(message),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let detail = Detail { code: self.code.into_owned(), message: self.message, field: self.field };
        let mut response = (self.status, Json(Body { error: detail })).into_response();
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
