//! The DESCRIBE payload under foreign bytes: what the fuzzer and the corpus tests drive.

use super::{Layout, Offer};

/// Reads `text` as an offer, and as one Opus layout; writes them and reads them again.
/// Every layout that a client would decode with can be decoded with.
///
/// # Panics
///
/// When what was read is something else after writing, or an Opus decoder would be asked
/// for what does not exist: both are defects.
pub fn exercise(text: &str) {
    let offer = Offer::parse(text);
    assert_eq!(Offer::parse(&offer.to_text()), offer);
    let layout = Layout::parse(text);
    if let Some(layout) = layout {
        assert_eq!(Layout::parse(&layout.to_string()), Some(layout));
    }
    let channels = 0..=9;
    let decoded = channels.flat_map(|count| [false, true].map(|high| offer.decoded_layout(count, high)));
    for layout in decoded.flatten().chain(layout) {
        let mapping = layout.mapping.get(..usize::from(layout.channels));
        let sources = layout.streams + layout.coupled;
        assert!((1..=8).contains(&layout.channels) && layout.coupled <= layout.streams, "{layout:?}");
        assert!(mapping.is_some_and(|mapping| mapping.iter().all(|from| *from < sources)), "{layout:?}");
    }
}
