//! `display-test` and `capture-test`: the Test card on a seat, looked at as the encoder
//! would.

use std::io::BufWriter;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use punktfunk_core::testcard::{Code, read_code};
use punktfunk_seat_ipc::AppKind;
use punktfunk_seat_ipc::host::Frame;

use super::bench::Bench;
use super::{Report, Wish, quantile};
use crate::session::stats::monotonic_us;

/// The longest wait for the first picture.
const FIRST: Duration = Duration::from_secs(10);
/// A machine that shows fewer of the pictures asked for cannot keep up.
const ENOUGH: f64 = 0.95;

/// Is the screen what was asked for, and does the picture on it move?
pub fn display(wish: &Wish) -> anyhow::Result<Report> {
    let mut report = Report::default();
    let bench = Bench::start(wish, AppKind::TestCard)?;
    let millis = |time: Duration| time.as_millis();
    report.add("seat", true, format!("up after {} ms, process {}", millis(bench.up), bench.seat.pid()));
    report.add("application", true, format!("Test card runs after {} ms", millis(bench.running)));
    let Some(first) = bench.frame(Instant::now() + FIRST)? else {
        report.add("picture", false, format!("none within {} s", FIRST.as_secs()));
        return Ok(report);
    };
    report.add("first picture", true, format!("after {} ms", millis(bench.started.elapsed())));
    let (width, height, fps) = wish.mode;
    let size = (first.width(), first.height());
    report.add(
        "screen",
        size == (width, height),
        format!("{}x{}, asked for {width}x{height}", size.0, size.1),
    );
    drop(first);
    let (begun, end) = (Instant::now(), Instant::now() + wish.time);
    let (mut pictures, mut codes, mut last) = (0_u64, Vec::new(), None);
    while let Some(frame) = bench.frame(end)? {
        pictures += 1;
        codes.extend(code(&frame));
        last = Some(frame);
    }
    let rate = pictures as f64 / begun.elapsed().as_secs_f64();
    let kept_up = rate >= f64::from(fps) * ENOUGH;
    report.add("rate", kept_up, format!("{rate:.1} pictures a second, asked for {fps}"));
    let readable = codes.len() as u64 == pictures && pictures > 0;
    report.add("card", readable, format!("the code was read in {} of {pictures} pictures", codes.len()));
    let forward = codes.windows(2).all(|pair| pair[0].frame < pair[1].frame);
    report.add(
        "order",
        forward,
        if forward { "every picture is newer than the one before" } else { "an old picture came back" },
    );
    if let (Some(file), Some(frame)) = (&wish.picture, &last) {
        save(frame, file)?;
        report.add("saved", true, file.display().to_string());
    }
    Ok(report)
}

/// When do frames arrive, how old are they, how much of them is new?
pub fn capture(wish: &Wish) -> anyhow::Result<Report> {
    let mut report = Report::default();
    let bench = Bench::start(wish, AppKind::TestCard)?;
    if bench.frame(Instant::now() + FIRST)?.is_none() {
        report.add("picture", false, format!("none within {} s", FIRST.as_secs()));
        return Ok(report);
    }
    let end = Instant::now() + wish.time;
    let (mut ages, mut gaps, mut damaged) = (Vec::new(), Vec::new(), Vec::new());
    let (mut skipped, mut before) = (0, None);
    while let Some(frame) = bench.frame(end)? {
        let (at, sequence) = (frame.timestamp_us(), frame.sequence());
        ages.push(monotonic_us().saturating_sub(at) as f64 / 1000.0);
        if let Some((before_at, before_sequence)) = before {
            gaps.push((at - before_at) as f64 / 1000.0);
            skipped += sequence - before_sequence - 1;
        }
        before = Some((at, sequence));
        let pixels: u64 =
            frame.damage().iter().map(|rect| u64::from(rect.width) * u64::from(rect.height)).sum();
        let whole = u64::from(frame.width()) * u64::from(frame.height());
        damaged.push(pixels.min(whole) as f64 / whole as f64 * 100.0);
    }
    let frames = ages.len() as u64;
    report.add("frames", frames > 0, format!("{frames}, {skipped} were replaced before they were read"));
    let interval = 1000.0 / f64::from(wish.mode.2);
    let (middle, late) = (quantile(&mut gaps, 0.5), quantile(&mut gaps, 0.99));
    let steady = (middle - interval).abs() < interval * 0.1;
    report.add("interval", steady, format!("{middle:.2} ms, 99 %: {late:.2} ms, asked for {interval:.2} ms"));
    let (age, old) = (quantile(&mut ages, 0.5), quantile(&mut ages, 0.99));
    report.add(
        "age",
        age < interval,
        format!("{age:.2} ms from the screen's clock to the reader, 99 %: {old:.2} ms"),
    );
    report.add("new", true, format!("{:.0} % of the picture in the middle", quantile(&mut damaged, 0.5)));
    Ok(report)
}

/// The number of the card in this frame.
fn code(frame: &Frame) -> Option<Code> {
    let (width, height) = (frame.width() as usize, frame.height() as usize);
    // The code is black and white: any channel is its brightness.
    let rows = frame.bytes().chunks(frame.stride()).take(height);
    let luma: Vec<u8> = rows.flat_map(|row| row.chunks_exact(4).take(width).map(|pixel| pixel[1])).collect();
    read_code(&luma, width, width, height)
}

fn save(frame: &Frame, file: &Path) -> anyhow::Result<()> {
    let out = std::fs::File::create(file).with_context(|| format!("{} cannot be written", file.display()))?;
    let mut png = png::Encoder::new(BufWriter::new(out), frame.width(), frame.height());
    png.set_color(png::ColorType::Rgb);
    let width = frame.width() as usize;
    let rows = frame.bytes().chunks(frame.stride()).take(frame.height() as usize);
    let pixels = rows.flat_map(|row| row.chunks_exact(4).take(width));
    let rgb: Vec<u8> = pixels.flat_map(|pixel| [pixel[2], pixel[1], pixel[0]]).collect();
    png.write_header()?.write_image_data(&rgb)?;
    Ok(())
}
