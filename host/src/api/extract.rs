//! What handlers take out of a request. Like axum's own, but everything that is wrong
//! becomes a [`Problem`], and what is wrong in a body has the name of its field.

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::Problem;

/// A JSON body, in or out.
#[derive(Clone, Copy, Debug)]
pub struct Json<T>(
    /// The value.
    pub T,
);

/// The variables of the path.
#[derive(Clone, Copy, Debug)]
pub struct Path<T>(
    /// The value.
    pub T,
);

/// The query. Not called so, because the macros that describe operations take that name
/// for axum's own; operations list their parameters.
#[derive(Clone, Copy, Debug)]
pub struct Search<T>(
    /// The value.
    pub T,
);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        // The guard has looked at type and size.
        let bytes = Bytes::from_request(request, state)
            .await
            .map_err(|error| Problem::bad_request(error.to_string()))?;
        read(&bytes).map(Json)
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match axum::extract::Path::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(value)) => Ok(Self(value)),
            Err(error) => Err(Problem::not_found(format!("there is nothing with this address ({error})"))),
        }
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Search<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match axum::extract::Query::from_request_parts(parts, state).await {
            Ok(axum::extract::Query(value)) => Ok(Self(value)),
            Err(error) => Err(Problem::bad_request(format!("the query is not understood: {error}"))),
        }
    }
}

/// Reads a body; a wrong value is named by its path.
fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = error.path().to_string();
        let inner = error.into_inner();
        let message = format!("the body is not understood: {inner}");
        match inner.classify() {
            serde_json::error::Category::Data if path != "." => Problem::invalid(path, message),
            serde_json::error::Category::Data => {
                Problem::new(axum::http::StatusCode::UNPROCESSABLE_ENTITY, "invalid", message)
            }
            _ => Problem::bad_request(message),
        }
    })?;
    reader.end().map_err(|error| Problem::bad_request(format!("the body is not understood: {error}")))?;
    Ok(value)
}

/// Tells a field that is `null` from one that is missing: use it as
/// `#[serde(default, deserialize_with = "double")]` on an `Option<Option<T>>`.
pub fn double<'de, T, D>(from: D) -> Result<Option<Option<T>>, D::Error>
where
    T: serde::Deserialize<'de>,
    D: serde::Deserializer<'de>,
{
    serde::Deserialize::deserialize(from).map(Some)
}
