//! What is said to a producer of pictures: which formats and which buffers are taken.

use std::io::Cursor;

use pipewire as pw;
use punktfunk_seat_ipc::{MAX_DAMAGE, MAX_SIDE};
use pw::spa::param::ParamType;
use pw::spa::param::format::{FormatProperties, MediaSubtype, MediaType};
use pw::spa::param::video::VideoFormat;
use pw::spa::pod::serialize::PodSerializer;
use pw::spa::pod::{ChoiceValue, Object, Property, PropertyFlags, Value};
use pw::spa::utils::{Choice, ChoiceEnum, ChoiceFlags, Fraction, Id, Rectangle, SpaTypes};

// Keys of `spa/param/buffers.h` and `spa/buffer/meta.h`, with the sizes of their structs.
const BUFFERS_BUFFERS: u32 = 1;
const BUFFERS_BLOCKS: u32 = 2;
const BUFFERS_DATA_TYPE: u32 = 6;
const META_TYPE: u32 = 1;
const META_SIZE: u32 = 2;
const META_HEADER: (u32, i32) = (1, 32);
const META_VIDEO_DAMAGE: (u32, i32) = (3, 16);
/// Bits of the kinds of memory.
const MEM_PTR: i32 = 1 << 1;
const MEM_FD: i32 = 1 << 2;
const DMA_BUF: i32 = 1 << 3;
/// `DRM_FORMAT_MOD_LINEAR`.
const LINEAR: i64 = 0;

/// A format that is taken: in DMA-BUFs or in shared memory.
pub fn format(dma_buf: bool) -> Vec<u8> {
    let id = |key: FormatProperties, value: u32| Property::new(key.as_raw(), Value::Id(Id(value)));
    let mut properties = vec![
        id(FormatProperties::MediaType, MediaType::Video.as_raw()),
        id(FormatProperties::MediaSubtype, MediaSubtype::Raw.as_raw()),
        id(FormatProperties::VideoFormat, VideoFormat::BGRx.as_raw()),
    ];
    if dma_buf {
        properties.push(Property {
            key: FormatProperties::VideoModifier.as_raw(),
            flags: PropertyFlags::MANDATORY,
            value: Value::Long(LINEAR),
        });
    }
    let size = ChoiceEnum::Range {
        default: Rectangle { width: 1920, height: 1080 },
        min: Rectangle { width: 1, height: 1 },
        max: Rectangle { width: MAX_SIDE, height: MAX_SIDE },
    };
    let size = ChoiceValue::Rectangle(Choice(ChoiceFlags::empty(), size));
    properties.push(Property::new(FormatProperties::VideoSize.as_raw(), Value::Choice(size)));
    let rate = ChoiceEnum::Range {
        default: Fraction { num: 0, denom: 1 },
        min: Fraction { num: 0, denom: 1 },
        max: Fraction { num: 1000, denom: 1 },
    };
    let rate = ChoiceValue::Fraction(Choice(ChoiceFlags::empty(), rate));
    properties.push(Property::new(FormatProperties::VideoFramerate.as_raw(), Value::Choice(rate)));
    bytes(SpaTypes::ObjectParamFormat, ParamType::EnumFormat, properties)
}

/// The buffers and what comes along with them, for the format that was agreed on.
pub fn buffers(dma_buf: bool) -> Vec<Vec<u8>> {
    let count = ChoiceEnum::Range { default: 4, min: 2, max: 16 };
    let kinds = if dma_buf { DMA_BUF } else { MEM_FD | MEM_PTR };
    let kinds = ChoiceEnum::Flags { default: kinds, flags: vec![kinds] };
    let int = |choice| Value::Choice(ChoiceValue::Int(Choice(ChoiceFlags::empty(), choice)));
    let parts = vec![
        Property::new(BUFFERS_BUFFERS, int(count)),
        Property::new(BUFFERS_BLOCKS, Value::Int(1)),
        Property::new(BUFFERS_DATA_TYPE, int(kinds)),
    ];
    let meta = |(kind, size): (u32, Value)| {
        let parts = vec![Property::new(META_TYPE, Value::Id(Id(kind))), Property::new(META_SIZE, size)];
        bytes(SpaTypes::ObjectParamMeta, ParamType::Meta, parts)
    };
    let most = i32::try_from(MAX_DAMAGE).unwrap_or(1);
    let one = META_VIDEO_DAMAGE.1;
    let regions = ChoiceEnum::Range { default: one * most, min: one, max: one * most };
    vec![
        bytes(SpaTypes::ObjectParamBuffers, ParamType::Buffers, parts),
        meta((META_HEADER.0, Value::Int(META_HEADER.1))),
        meta((META_VIDEO_DAMAGE.0, int(regions))),
    ]
}

fn bytes(kind: SpaTypes, id: ParamType, properties: Vec<Property>) -> Vec<u8> {
    let object = Value::Object(Object { type_: kind.as_raw(), id: id.as_raw(), properties });
    // Writing into memory cannot fail; an empty one would be refused in turn.
    PodSerializer::serialize(Cursor::new(Vec::new()), &object)
        .map(|(cursor, _)| cursor.into_inner())
        .unwrap_or_default()
}
