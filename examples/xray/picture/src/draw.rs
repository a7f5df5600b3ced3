//! The processed picture: the film, with nothing drawn over it but the outline of what was found, and a panel beneath it
//! that says what moved the risk. The verdict is a word and a colour, never a colour alone.

mod canvas;

use crate::NOTICE;
use crate::picture::{Picture, Polarity, Rectangle};
use crate::resample::resample;
use crate::scorer::{Degenerate, MODEL, Reading};
use crate::text;
use crate::verdict::{Limits, Verdict};
use canvas::{Canvas, Colour};

/// The film's width on the processed picture; a film narrower than this is magnified.
const WIDTH: usize = 1024;
/// The film's largest height there: a taller one is fitted to it, which bounds the picture's memory.
const HEIGHT_MAX: usize = 2048;
const PANEL: usize = 232;
const DARK: Colour = [18, 20, 24];
const RULE: Colour = [60, 64, 72];
const BRIGHT: Colour = [235, 235, 235];
const PLAIN: Colour = [210, 214, 220];
const QUIET: Colour = [170, 175, 185];
/// Shares of the samples that are shown black and white at least.
const WINDOW: (f64, f64) = (0.005, 0.995);
/// Smallest addition to the logit that is mentioned, and how many of them.
const MENTIONED_MIN: f64 = 0.05;
const MENTIONED_MAX: usize = 4;

/// Draws the processed picture, as a PNG.
pub fn processed(picture: &Picture, score: &Result<Reading, Degenerate>, limits: &Limits) -> Vec<u8> {
    let scale = (WIDTH as f64 / picture.width() as f64).min(HEIGHT_MAX as f64 / picture.height() as f64);
    let scaled = |pixels: usize| ((pixels as f64 * scale).round() as usize).max(1);
    let film = Film { left: (WIDTH - scaled(picture.width())) / 2, height: scaled(picture.height()), scale };
    let mut canvas = Canvas::new(WIDTH, film.height + PANEL, DARK);
    draw_film(&mut canvas, &film, picture);
    let verdict = limits.judge(score.as_ref().ok().map(|reading| reading.risk));
    let patch = score.as_ref().ok().and_then(|reading| reading.patch);
    if let Some((patch, zone)) = patch.filter(|_| verdict != Verdict::Normal) {
        draw_outline(&mut canvas, &film, patch, &format!("largest dense patch, {zone} zone"), colour(verdict));
    }
    let mut panel = Panel { canvas: &mut canvas, top: film.height, colour: colour(verdict) };
    panel.verdict(verdict, score);
    panel.bar(score.as_ref().ok().map(|reading| reading.risk), limits);
    panel.reasons(score);
    panel.footer();
    canvas.encode()
}

/// A grey picture as a PNG of 8 or 16 bits, with no other chunk than the pixels need.
pub fn encode_grey(picture: &Picture) -> Vec<u8> {
    let size = (picture.width(), picture.height());
    let flip = |sample: u16| match picture.polarity() {
        Polarity::Monochrome2 => sample,
        Polarity::Monochrome1 => picture.black() - sample,
    };
    if picture.bits() <= 8 {
        let shift = 8 - picture.bits();
        let bytes: Vec<u8> = picture.samples().iter().map(|sample| (flip(*sample) << shift) as u8).collect();
        canvas::png(size, png::ColorType::Grayscale, png::BitDepth::Eight, &bytes)
    } else {
        let shift = 16 - picture.bits();
        let bytes: Vec<u8> =
            picture.samples().iter().flat_map(|sample| (flip(*sample) << shift).to_be_bytes()).collect();
        canvas::png(size, png::ColorType::Grayscale, png::BitDepth::Sixteen, &bytes)
    }
}

fn colour(verdict: Verdict) -> Colour {
    match verdict {
        Verdict::Pneumonia => [214, 84, 66],
        Verdict::Unsure => [222, 165, 54],
        Verdict::Normal => [86, 170, 112],
    }
}

/// Where the film lies on the canvas.
struct Film {
    left: usize,
    height: usize,
    scale: f64,
}

fn draw_film(canvas: &mut Canvas, film: &Film, picture: &Picture) {
    let width = WIDTH - 2 * film.left;
    let samples = resample(picture.samples(), (picture.width(), picture.height()), (width, film.height));
    let (dark, bright) = window(picture);
    for (at, sample) in samples.into_iter().enumerate() {
        // An inverted film has its dark end above its bright end: the same division turns it round.
        let level = ((sample - dark) / (bright - dark) * 255.0 + 0.5).clamp(0.0, 255.0) as u8;
        canvas.set(film.left + at % width, at / width, [level; 3]);
    }
}

/// The samples that are shown black and white.
fn window(picture: &Picture) -> (f32, f32) {
    let mut counts = vec![0_usize; 1 << 16];
    picture.samples().iter().for_each(|sample| counts[usize::from(*sample)] += 1);
    let quantile = |share: f64| {
        let rank = (share * (picture.samples().len() - 1) as f64) as usize;
        let mut seen = 0;
        let reached = |count: &usize| {
            seen += count;
            seen > rank
        };
        counts.iter().position(reached).unwrap_or(0) as f32
    };
    let (low, high) = (quantile(WINDOW.0), quantile(WINDOW.1));
    // Of a blank film all is black but what stands out of it.
    let contrast = (high - low).max(1.0);
    match picture.polarity() {
        Polarity::Monochrome2 => (low, low + contrast),
        Polarity::Monochrome1 => (high, high - contrast),
    }
}

fn draw_outline(canvas: &mut Canvas, film: &Film, patch: Rectangle, label: &str, colour: Colour) {
    const MARGIN: usize = 8;
    const LINE: usize = 3;
    const TEXT: usize = 24;
    let scaled = |pixels: usize| (pixels as f64 * film.scale).round() as usize;
    let (right, bottom) = (WIDTH - film.left - LINE, film.height - LINE);
    let outline = Rectangle {
        x0: (film.left + scaled(patch.x0)).saturating_sub(MARGIN).max(film.left + LINE),
        y0: scaled(patch.y0).saturating_sub(MARGIN).max(LINE),
        x1: (film.left + scaled(patch.x1) + MARGIN).min(right),
        y1: (scaled(patch.y1) + MARGIN).min(bottom),
    };
    canvas.frame(outline, LINE, colour);
    let width = text::width(label, TEXT) + 12;
    let left = outline.x0.max(4).min(WIDTH.saturating_sub(width + 4));
    let top = if outline.y0 > 40 { outline.y0 - 36 } else { (outline.y1 + 6).min(film.height.saturating_sub(32)) };
    canvas.fill(Rectangle { x0: left, y0: top, x1: left + width, y1: top + 30 }, DARK);
    canvas.text((left + 6, top + 3), TEXT, label, colour);
}

struct Panel<'a> {
    canvas: &'a mut Canvas,
    top: usize,
    colour: Colour,
}

impl Panel<'_> {
    const LEFT: usize = 24;
    const BLOCK: usize = 300;
    const WORDS: usize = 356;

    fn verdict(&mut self, verdict: Verdict, score: &Result<Reading, Degenerate>) {
        let y = self.top;
        self.canvas.fill(Rectangle { x0: 0, y0: y, x1: WIDTH, y1: y + 5 }, self.colour);
        self.canvas
            .fill(Rectangle { x0: Self::LEFT, y0: y + 26, x1: Self::LEFT + Self::BLOCK, y1: y + 130 }, self.colour);
        self.canvas.text((40, y + 34), 46, &verdict.word().to_uppercase(), DARK);
        let risk = match score {
            Ok(reading) => format!("risk {:.0} %", 100.0 * reading.risk),
            Err(_) => "no risk given".into(),
        };
        self.canvas.text((40, y + 84), 38, &risk, DARK);
    }

    /// The risk as a bar, with marks at the two limits.
    fn bar(&mut self, risk: Option<f64>, limits: &Limits) {
        let y = self.top + 146;
        let at = |risk: f64| Self::LEFT + (Self::BLOCK as f64 * risk).round() as usize;
        self.canvas.fill(Rectangle { x0: Self::LEFT, y0: y, x1: at(1.0), y1: y + 12 }, RULE);
        if let Some(risk) = risk {
            self.canvas.fill(Rectangle { x0: Self::LEFT, y0: y, x1: at(risk), y1: y + 12 }, self.colour);
        }
        for limit in [limits.normal_below(), limits.pneumonia_above()] {
            self.canvas.fill(Rectangle { x0: at(limit) - 1, y0: y - 4, x1: at(limit) + 2, y1: y + 17 }, BRIGHT);
            let words = format!("{:.0}", 100.0 * limit);
            self.canvas.text((at(limit) - text::width(&words, 20) / 2, y + 19), 20, &words, QUIET);
        }
    }

    fn reasons(&mut self, score: &Result<Reading, Degenerate>) {
        self.canvas.text((Self::WORDS, self.top + 20), 28, "What moved the risk", BRIGHT);
        let mut y = self.top + 54;
        let measures = score.iter().flat_map(|reading| &reading.measures);
        let mut mentioned = 0;
        for measure in measures.filter(|measure| measure.adds > MENTIONED_MIN).take(MENTIONED_MAX) {
            self.canvas.text((Self::WORDS, y), 24, &format!("{:+.1}", measure.adds), self.colour);
            self.canvas.text((Self::WORDS + 64, y), 24, &measure.name.describe(measure.value), PLAIN);
            (mentioned, y) = (mentioned + 1, y + 28);
        }
        let last = match score {
            Err(degenerate) => Some(degenerate.to_string()),
            Ok(Reading { note: Some(note), .. }) => Some(format!("note: {note}")),
            Ok(_) if mentioned == 0 => Some("nothing above its limit".into()),
            Ok(_) => None,
        };
        if let Some(words) = last {
            self.canvas.text((Self::WORDS, y), 24, &words, PLAIN);
        }
    }

    fn footer(&mut self) {
        let y = self.top + 200;
        self.canvas.fill(Rectangle { x0: Self::LEFT, y0: y, x1: WIDTH - Self::LEFT, y1: y + 1 }, RULE);
        self.canvas.text((Self::LEFT, y + 5), 22, &NOTICE.to_uppercase(), BRIGHT);
        let model = format!("model {MODEL}");
        let left = WIDTH - Self::LEFT - text::width(&model, 22);
        self.canvas.text((left, y + 5), 22, &model, QUIET);
    }
}
