//! From a strip to its text.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::ctc::{self, Alphabet, Decoded, Output};
use super::ink::Ink;
use super::models::{ModelFile, Models};
use super::net::{self, Net};
use super::{
    Characters, Error, HEIGHT, ModelError, Pace, Recognised, Strip, Wanted, confidence, faces,
    spaces, words,
};
use crate::frame::Luma;
use crate::geometry::{Point, Quad};

/// Widths that networks are built for. A line costs what its bucket costs.
const WIDTHS: [usize; 5] = [160, 240, 320, 480, 640];
/// Columns of the strip that become one step of the output.
const STEP: usize = 8;
/// A line so much longer than a bucket, in percent, is squeezed into it: letters
/// that are a little narrow cost less than the next bucket.
const SQUEEZE: usize = 112;
/// With less confidence than this the line is read upside down as well.
const TURN: f32 = 0.5;
/// With less than this it is looked at smoothed as well, which joins dots and takes
/// away grain, and then sharpened. (0.97 cost more time and read no more, seed 78 of
/// the bench.)
const AGAIN: f32 = 0.9;
/// Less probable texts are not answered: nothing legible. (One letter in a strip
/// of noise has about this.)
const LEGIBLE: f32 = 0.02;

/// Reads strips. Networks are built when the first line of their width comes, or
/// by [`Recogniser::warm`].
pub struct Recogniser {
    full: Reading,
    ascii: Reading,
    /// Input planes and output of the line being read.
    planes: Vec<f32>,
    output: Vec<f32>,
}

/// A model at all widths.
struct Reading {
    file: Arc<ModelFile>,
    alphabet: Alphabet,
    nets: [Option<Net>; WIDTHS.len()],
    /// Time spent on building them.
    building: Duration,
}

impl Recogniser {
    /// Takes the models and builds the narrowest network of each, so that a model
    /// that cannot be run is told now.
    pub fn load(models: &Models) -> Result<Self, ModelError> {
        Ok(Self {
            full: Reading::load(&models.recognise)?,
            ascii: Reading::load(&models.recognise_ascii)?,
            planes: Vec::new(),
            output: Vec::new(),
        })
    }

    /// Builds the networks of all widths for `characters` now.
    pub fn warm(&mut self, characters: Characters) -> Result<(), ModelError> {
        let reading = match characters {
            Characters::Digits | Characters::Ascii => &mut self.ascii,
            Characters::Full => &mut self.full,
        };
        (0..WIDTHS.len()).try_for_each(|at| reading.net(at).map(|_| ()))
    }

    /// Time spent so far on building networks: what a first line takes longer.
    pub fn building(&self) -> Duration {
        self.full.building + self.ascii.building
    }

    /// Reads a line, upside down too where it is not clear upright. `None` if
    /// nothing in it is legible or, with a pattern, nothing has its form.
    pub fn read(
        &mut self,
        strip: &Strip,
        wanted: &Wanted,
        pace: &mut Pace,
    ) -> Result<Option<Recognised>, Error> {
        let upright = self.one_way(strip, Ink::of(strip), wanted, false, pace)?;
        let sure = |read: &Option<Recognised>| read.as_ref().map_or(0.0, |read| read.confidence);
        let mut best = upright;
        if sure(&best) < TURN {
            let turned = strip.turned();
            let turned = self.one_way(&turned, Ink::of(&turned), wanted, true, pace)?;
            if sure(&turned) > sure(&best) {
                best = turned;
            }
        }
        // What was taken for the text may have been glare beside it.
        if sure(&best) < TURN
            && let Some(ink) = Ink::weaker(strip)
        {
            let other = self.one_way(strip, Some(ink), wanted, false, pace)?;
            if sure(&other) > sure(&best) {
                best = other;
            }
        }
        if let Some(first) = best.take() {
            best = Some(self.again(strip, first, wanted, pace)?);
        }
        Ok(best.filter(|best| best.confidence >= LEGIBLE))
    }

    /// What is not sure is looked at in other ways as well: the surest look is
    /// answered, the first of equal ones.
    fn again(
        &mut self,
        strip: &Strip,
        first: Recognised,
        wanted: &Wanted,
        pace: &mut Pace,
    ) -> Result<Recognised, Error> {
        let upside_down = first.upside_down;
        let turned = upside_down.then(|| strip.turned());
        let strip = turned.as_ref().unwrap_or(strip);
        let mut best = first;
        // How sure another look was of another text.
        let mut against = 0.0f32;
        for look in [Strip::smooth, Strip::sharp] {
            if best.confidence >= AGAIN {
                break;
            }
            let other = look(strip);
            let Some(other) = self.one_way(&other, Ink::of(&other), wanted, upside_down, pace)?
            else {
                continue;
            };
            if other.text != best.text {
                against = against.max(other.confidence.min(best.confidence));
            }
            if other.confidence > best.confidence {
                best = other;
            }
        }
        best.confidence *= best.confidence / (best.confidence + against).max(f32::MIN_POSITIVE);
        Ok(best)
    }

    /// What the network says of a picture of 48 rows and at most 640 columns: for
    /// each step a row of probabilities, the blank's first. For comparing it with
    /// other runtimes.
    pub fn probabilities(
        &mut self,
        luma: Luma<'_>,
        characters: Characters,
    ) -> Result<Vec<f32>, Error> {
        let (right, bottom) = (luma.width() as f32, luma.height() as f32);
        let corners = [(0.0, 0.0), (right, 0.0), (right, bottom), (0.0, bottom)];
        let corners = Quad(corners.map(|(x, y)| Point::new(x, y)));
        let mut output = Vec::new();
        if let Some(strip) = Strip::cut(luma, &corners) {
            let reading = match characters {
                Characters::Digits | Characters::Ascii => &mut self.ascii,
                Characters::Full => &mut self.full,
            };
            let pace = &mut Pace::steady();
            reading.run(&strip, &mut self.planes, &mut output, pace)?;
        }
        Ok(output)
    }

    fn one_way(
        &mut self,
        strip: &Strip,
        ink: Option<Ink>,
        wanted: &Wanted,
        upside_down: bool,
        pace: &mut Pace,
    ) -> Result<Option<Recognised>, Error> {
        let Some(ink) = ink else {
            return Ok(None);
        };
        let Self {
            full,
            ascii,
            planes,
            output,
        } = self;
        let reading = match wanted.characters {
            Characters::Digits | Characters::Ascii => ascii,
            Characters::Full => full,
        };
        output.clear();
        // Column of the strip in the middle of each step.
        let mut columns = Vec::new();
        // What is blank beside the text is left out: it costs time.
        let (mut start, to) = ink.extent();
        for end in ends(&ink, start, to) {
            let squeezed = reading.run(&strip.part(start, end), planes, output, pace)?;
            let steps = output.len() / reading.alphabet.classes();
            let wide = (end - start) as f32 / squeezed as f32;
            columns.extend((0..steps - columns.len()).map(|step| {
                let column = (step as f32 + 0.5) * STEP as f32 * wide;
                (start + column as usize).min(end - 1)
            }));
            start = end;
        }
        let said = Output::new(output, &reading.alphabet);
        Ok(
            decode(said, &columns, &ink, wanted, strip).map(|(text, confidence)| Recognised {
                text,
                confidence,
                upside_down,
            }),
        )
    }
}

impl Reading {
    fn load(file: &Arc<ModelFile>) -> Result<Self, ModelError> {
        let characters = net::characters(file)?;
        let mut reading = Self {
            file: Arc::clone(file),
            alphabet: Alphabet::new(characters.into_iter().chain([' '])),
            nets: [const { None }; WIDTHS.len()],
            building: Duration::ZERO,
        };
        // A first run tells whether the output has the shape that is expected.
        reading.net(0)?;
        reading
            .infer(
                0,
                &vec![0.0; 3 * HEIGHT * WIDTHS[0]],
                &mut Pace::steady(),
                |_| (),
            )
            .map_err(|error| ModelError::new(&file.name, error.to_string()))?;
        Ok(reading)
    }

    fn net(&mut self, at: usize) -> Result<&Net, ModelError> {
        let slot = &mut self.nets[at];
        match slot {
            Some(net) => Ok(net),
            None => {
                let start = Instant::now();
                let net = Net::load(&self.file, HEIGHT, WIDTHS[at])?;
                self.building += start.elapsed();
                Ok(slot.insert(net))
            }
        }
    }

    fn infer(
        &mut self,
        at: usize,
        planes: &[f32],
        pace: &mut Pace,
        take: impl FnOnce(&[f32]),
    ) -> Result<(), Error> {
        let shape = [1, WIDTHS[at] / STEP, self.alphabet.classes()];
        let net = self.net(at).map_err(|error| Error(error.to_string()))?;
        net.run(planes, &shape, pace, take)
    }

    /// Runs the network on a strip of at most the widest bucket. Adds the
    /// probabilities of the steps that lie in it to `output`; how many columns the
    /// strip had in the network.
    fn run(
        &mut self,
        strip: &Strip,
        planes: &mut Vec<f32>,
        output: &mut Vec<f32>,
        pace: &mut Pace,
    ) -> Result<usize, Error> {
        let width = strip.width();
        let at = WIDTHS
            .iter()
            .position(|bucket| width * 100 <= bucket * SQUEEZE)
            .unwrap_or(WIDTHS.len() - 1);
        let bucket = WIDTHS[at];
        let squeezed = width.clamp(1, bucket);
        fill(planes, strip, squeezed, bucket);
        // One more than the text has: the network may tell its last letter late.
        let steps = (squeezed.div_ceil(STEP) + 1).min(bucket / STEP);
        let used = steps * self.alphabet.classes();
        self.infer(at, planes, pace, |said| {
            output.extend_from_slice(&said[..used]);
        })?;
        Ok(squeezed)
    }
}

/// Where the parts end that the columns `from` to `to` are read in: at gaps, each
/// part at most as wide as the widest bucket.
fn ends(ink: &Ink, from: usize, to: usize) -> Vec<usize> {
    let most = WIDTHS[WIDTHS.len() - 1] * SQUEEZE / 100;
    let parts = (to - from).div_ceil(most).max(1);
    let mut ends: Vec<usize> = (1..parts)
        .map(|part| {
            let aim = from + (to - from) * part / parts;
            // As far as the parts stay below the bucket.
            let slack = (most - (to - from).div_ceil(parts)) / 2;
            let slack = slack.min(most / 4);
            ink.widest_gap(aim - slack, aim + slack).0
        })
        .collect();
    ends.push(to);
    ends
}

/// The strip as the network takes it: `squeezed` columns of it, and grey behind.
fn fill(planes: &mut Vec<f32>, strip: &Strip, squeezed: usize, bucket: usize) {
    let plane = HEIGHT * bucket;
    planes.clear();
    planes.resize(3 * plane, 0.0);
    let luma = strip.luma();
    let width = strip.width();
    for y in 0..luma.height() {
        let row = luma.row(y);
        let to = &mut planes[y * bucket..][..squeezed];
        if squeezed == width {
            for (to, &grey) in to.iter_mut().zip(row) {
                *to = f32::from(grey) / 127.5 - 1.0;
            }
            continue;
        }
        let scale = width as f32 / squeezed as f32;
        for (x, to) in to.iter_mut().enumerate() {
            let at = ((x as f32 + 0.5) * scale - 0.5).clamp(0.0, (width - 1) as f32);
            let (left, part) = (at as usize, at.fract());
            let right = (left + 1).min(width - 1);
            let (a, b) = (f32::from(row[left]), f32::from(row[right]));
            *to = (a + (b - a) * part) / 127.5 - 1.0;
        }
    }
    let (first, others) = planes.split_at_mut(plane);
    for other in others.chunks_exact_mut(plane) {
        other.copy_from_slice(first);
    }
}

/// The text and its confidence.
fn decode(
    said: Output<'_>,
    columns: &[usize],
    ink: &Ink,
    wanted: &Wanted,
    strip: &Strip,
) -> Option<(String, f32)> {
    let Decoded {
        mut signs,
        mut share,
    } = match &wanted.pattern {
        None => ctc::greedy(said, wanted.characters),
        Some(pattern) => ctc::constrained(said, wanted.characters, &pattern.spaceless)?,
    };
    if signs.is_empty() {
        return None;
    }
    let aligned = ctc::align(said, &signs)?;
    let places: Vec<usize> = aligned.peaks.iter().map(|&step| columns[step]).collect();
    let mut ln = aligned.ln;
    if let (Some(pattern), Some(share)) = (&wanted.pattern, &mut share) {
        let form = &pattern.spaceless;
        let gain = faces::weigh(said, &mut signs, &aligned.peaks, &places, ink, form, strip);
        ln = (ln + gain).min(0.0);
        *share = (*share * gain.exp() as f32).min(1.0);
    }
    let mut text: Vec<char> = signs.iter().map(|sign| sign.character).collect();
    let word: Vec<f32> = aligned
        .peaks
        .windows(2)
        .map(|pair| said.space(pair[0], pair[1]))
        .collect();
    let odds = spaces::odds(ink, &text, &places, &word);
    let spaced = match &wanted.pattern {
        Some(pattern) => spaces::fitted(&text, &odds, &pattern.whole)?,
        None => {
            let said = |at: usize, c| said.at(c, aligned.peaks[at]);
            words::mend(&mut text, &odds, said);
            spaces::spaced(&text, &odds)
        }
    };
    Some((spaced, confidence::of(ln, share)))
}
