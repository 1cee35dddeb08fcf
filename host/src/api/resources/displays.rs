//! Where pictures come from and what codes them: what there is, what is taken, and why.

use axum::extract::State;
use punktfunk_core::gamestream::http::codec_mode;
use punktfunk_core::gamestream::sdp::Codec;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::abilities::{self, Tried};
use crate::api::{Api, Json, Problem};
use crate::platform;

/// The operations of this file.
pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(list))
}

/// Whether something is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ChoiceState {
    /// It is what streams get.
    Chosen,
    /// It works, and something else comes before it.
    Available,
    /// It does not work here.
    Unavailable,
}

/// A place that pictures come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DisplayChoice {
    /// Names it.
    pub id: String,
    /// For people.
    pub title: String,
    /// Whether it is taken.
    pub state: ChoiceState,
    /// Why.
    pub reason: String,
}

/// Something that codes a kind of picture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EncoderChoice {
    /// Names it.
    pub id: String,
    /// For people.
    pub title: String,
    /// Whether it is taken.
    pub state: ChoiceState,
    /// Why.
    pub reason: String,
    /// `H.264`, `HEVC` or `AV1`.
    pub codec: String,
    /// 8 or 10.
    pub bit_depth: u8,
    /// `4:2:0` or `4:4:4`.
    pub chroma: String,
    /// Done by the graphics card.
    pub hardware: bool,
    /// What a picture of 320x180 took when it was tried, milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ms_per_frame: Option<f64>,
}

/// All of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Choices {
    /// Where pictures come from.
    pub displays: Vec<DisplayChoice>,
    /// What codes them.
    pub encoders: Vec<EncoderChoice>,
}

fn display() -> DisplayChoice {
    let (state, reason) = match platform::program_beside("punktfunk-seat") {
        Ok(_) => (
            ChoiceState::Chosen,
            "every device gets a screen of its own, in the size and rate it asks for".to_owned(),
        ),
        Err(error) => (ChoiceState::Unavailable, error.to_string()),
    };
    DisplayChoice { id: "seat".to_owned(), title: "A screen for each device".to_owned(), state, reason }
}

fn encoder(kind: (Codec, bool, bool, u32), works: bool, tried: Option<&Tried>) -> EncoderChoice {
    let (codec, ten_bit, full, bit) = kind;
    let name = match codec {
        Codec::H264 => "H.264",
        Codec::Hevc => "HEVC",
        Codec::Av1 => "AV1",
    };
    let (bit_depth, chroma) = (if ten_bit { 10 } else { 8 }, if full { "4:4:4" } else { "4:2:0" });
    let encoder = tried.map(|tried| tried.encoder.as_str()).filter(|encoder| !encoder.is_empty());
    let (state, reason) = match (works, encoder, tried) {
        (true, Some(encoder), _) => {
            (ChoiceState::Chosen, format!("{encoder} coded it when it was tried; it is the first that does"))
        }
        (true, None, _) => (ChoiceState::Chosen, "it is built in".to_owned()),
        (false, _, Some(tried)) if !tried.why.is_empty() => (ChoiceState::Unavailable, tried.why.clone()),
        (false, _, Some(_)) => {
            (ChoiceState::Unavailable, "the encoder crashed or hung when it was tried".to_owned())
        }
        (false, _, None) => {
            (ChoiceState::Unavailable, "it was not tried yet: look again in some seconds".to_owned())
        }
    };
    EncoderChoice {
        id: format!("{}-{bit}", encoder.unwrap_or("none")),
        title: format!("{name}, {bit_depth} bit, {chroma}"),
        state,
        reason,
        codec: name.to_owned(),
        bit_depth,
        chroma: chroma.to_owned(),
        hardware: false,
        ms_per_frame: tried.and_then(|tried| tried.ms_per_frame),
    }
}

/// Where pictures come from and what codes them.
#[utoipa::path(get, path = "/api/v1/displays", operation_id = "displays.list", tag = "displays",
    responses((status = 200, body = Choices)), extensions(("x-scope" = json!("view"))))]
async fn list(State(api): State<Api>) -> Result<Json<Choices>, Problem> {
    let tried = api.blocking(|api| abilities::tried(api.inside().context.store.dir())).await?;
    let modes = api.inside().supervisor.codec_modes();
    let encoders = codec_mode::ALL.into_iter().map(|kind| {
        let known = tried.iter().find(|tried| tried.bit == kind.3);
        encoder(kind, modes & kind.3 != 0, known)
    });
    Ok(Json(Choices { displays: vec![display()], encoders: encoders.collect() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_says_why_it_is_there_or_not() {
        let tried = Tried { bit: 1, encoder: "x264".into(), ms_per_frame: Some(0.8), why: String::new() };
        let works = encoder((Codec::H264, false, false, 1), true, Some(&tried));
        assert_eq!((works.state, works.ms_per_frame), (ChoiceState::Chosen, Some(0.8)));
        assert!(works.reason.contains("x264") && works.title == "H.264, 8 bit, 4:2:0");
        let none = encoder((Codec::Av1, true, true, 2), false, None);
        assert_eq!(
            (none.state, none.bit_depth, none.chroma.as_str()),
            (ChoiceState::Unavailable, 10, "4:4:4")
        );
        let why = Tried { bit: 2, encoder: String::new(), ms_per_frame: None, why: "no libaom".into() };
        assert_eq!(encoder((Codec::Av1, true, true, 2), false, Some(&why)).reason, "no libaom");
    }
}
