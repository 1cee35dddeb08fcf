//! The Test card on its own: in the Wayland session of the environment, or one
//! picture as a PNG file (`testcard picture.png 1280 720`).

#[path = "../src/testcard/mod.rs"]
mod testcard;

use std::fs::File;
use std::io::BufWriter;

use punktfunk_core::testcard::Code;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [path, width, height] = &arguments[..] else {
        return Ok(testcard::run(testcard::Options { mute: false, pictures: None })?);
    };
    let (width, height) = (width.parse()?, height.parse()?);
    let mut card = testcard::picture::Card::new(width, height);
    card.draw(Code { frame: 1_234, micros: 20_566_666 });
    let rgb: Vec<u8> =
        card.pixels().chunks_exact(4).flat_map(|pixel| [pixel[2], pixel[1], pixel[0]]).collect();
    let size = (u32::try_from(width)?, u32::try_from(height)?);
    let mut encoder = png::Encoder::new(BufWriter::new(File::create(path)?), size.0, size.1);
    encoder.set_color(png::ColorType::Rgb);
    encoder.write_header()?.write_image_data(&rgb)?;
    Ok(())
}
