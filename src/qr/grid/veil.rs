//! The light that a highlight adds to the modules around what it saturates.
//!
//! A dark module under so much of it looks like a light one, and nothing about the
//! module itself tells. But the light falls off smoothly, and further out it is
//! measured: there dark modules are lifted and still are no light ones. The root of
//! the light added is fitted by a polynomial of second degree (an oval highlight
//! with any fall-off), which says what dark and what light would look like further
//! in, and which saturated modules cannot have been dark.

use super::solve::solve;
use crate::qr::budget::Deadline;

/// Coefficients of the polynomial.
const TERMS: usize = 6;
/// From this grey value on a module tells only that there was much light.
pub const SATURATED: f32 = 252.0;
/// Modules from a saturated one in which the light is measured.
const REACH: u8 = 4;
/// Least light added that is measured, and least share of the contrast that must be
/// left for a dark module to be known, grey levels and share.
const LEAST_LIGHT: f32 = 8.0;
const CLEARLY: f32 = 0.3;
/// Least number of modules that measure it.
const LEAST_MEASURED: usize = 8;
/// Rounds of fitting and taking modules for dark or light by what was fitted.
const ROUNDS: usize = 5;
/// Most root mean square error of the fit, in roots of grey levels.
const MOST_OFF: f32 = 2.0;
/// What a bound that is not kept weighs beside a measured module, and what keeps
/// terms that nothing tells at nothing.
const BOUND: f32 = 0.3;
const RIDGE: f32 = 1e-2;
/// By errors of the fit at three kinds of fall-off (tests): uncertainty of a module's
/// grey level, …
const NOISE: f32 = 8.0;
/// … and of the root of the light: no less than the first, and by the second more
/// than where it was measured.
const LEAST_NOISE: f32 = 0.8;
const FURTHER: f32 = 1.5;
/// Module confidence that stands for odds of e to one.
const ODDS: f32 = 16.0;

/// What is known of one module.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    pub grey: f32,
    /// Grey levels of dark and light modules without the highlight.
    pub dark: f32,
    pub light: f32,
    /// How many modules away the next saturated one is, at most 255.
    pub away: u8,
    /// Are all those around it saturated too?
    pub deep: bool,
}

impl Seen {
    fn saturated(&self) -> bool {
        self.grey >= SATURATED
    }
}

/// The light added, as a function of the place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Veil {
    terms: [f32; TERMS],
    centre: [f32; 2],
    scale: f32,
    /// Uncertainty of the root of the light.
    noise: f32,
}

impl Veil {
    /// Fits the light to `modules`, row by row, of a symbol of `side` modules a row.
    /// `None` if too little is seen of it, it is no single smooth highlight, or the
    /// time is over.
    pub fn fit(side: usize, modules: &[Seen], deadline: Deadline) -> Option<Veil> {
        let places = || modules.iter().enumerate();
        let place = |index: usize| [(index % side) as f32, (index / side) as f32];
        let (mut centre, mut lit) = ([0.0; 2], 0.0);
        for (index, _) in places().filter(|(_, module)| module.saturated()) {
            let at = place(index);
            centre = [centre[0] + at[0], centre[1] + at[1]];
            lit += 1.0;
        }
        if lit < 1.0 {
            return None;
        }
        let mut veil = Veil {
            terms: [0.0; TERMS],
            centre: centre.map(|sum| sum / lit),
            scale: lit.sqrt(),
            noise: 0.0,
        };
        for round in 0..=ROUNDS {
            if deadline.is_over() {
                return None;
            }
            let mut normal = [[0.0; TERMS]; TERMS];
            let mut right = [0.0; TERMS];
            let (mut measured, mut off) = (0, 0.0);
            for (index, module) in places().filter(|(_, module)| module.away <= REACH) {
                let at = veil.powers(place(index));
                let said = (round > 0).then(|| veil.sum(&at));
                let Some((target, exact)) = root(module, said) else {
                    continue;
                };
                if exact {
                    measured += 1;
                    off += said.map_or(0.0, |said| (said - target) * (said - target));
                }
                let weight = if exact { 1.0 } else { BOUND };
                for row in 0..TERMS {
                    for column in 0..=row {
                        normal[row][column] += weight * at[row] * at[column];
                    }
                    right[row] += weight * at[row] * target;
                }
            }
            if measured < LEAST_MEASURED {
                return None;
            }
            if round == ROUNDS {
                let off = (off / measured as f32).sqrt();
                veil.noise = LEAST_NOISE.max(FURTHER * off);
                return (off <= MOST_OFF).then_some(veil);
            }
            for (row, terms) in normal.iter_mut().enumerate() {
                terms[row] += RIDGE;
            }
            veil.terms = solve(normal, right)?;
        }
        None
    }

    fn powers(&self, at: [f32; 2]) -> [f32; TERMS] {
        let x = (at[0] - self.centre[0]) / self.scale;
        let y = (at[1] - self.centre[1]) / self.scale;
        [1.0, x, y, x * x, x * y, y * y]
    }

    fn sum(&self, powers: &[f32; TERMS]) -> f32 {
        powers.iter().zip(&self.terms).map(|(a, b)| a * b).sum()
    }

    /// Root of the light added to the module in column `x`, row `y`.
    fn root(&self, x: usize, y: usize) -> f32 {
        self.sum(&self.powers([x as f32, y as f32]))
    }

    /// Confidence that the module in column `x`, row `y` is dark; 0 if nothing is
    /// known.
    pub fn dark(&self, x: usize, y: usize, module: &Seen) -> i8 {
        // In the midst of it the fit is held by nothing.
        if module.deep && module.saturated() {
            return 0;
        }
        let root = self.root(x, y).max(0.0);
        let added = root * root;
        let noise = NOISE + 2.0 * root * self.noise;
        let odds = if module.saturated() {
            // Would it be saturated?
            let chance = |grey: f32| {
                let above = (grey + added - SATURATED) / noise;
                1.0 / (1.0 + (-1.7 * above.clamp(-20.0, 20.0)).exp()) + 1e-4
            };
            (chance(module.dark) / chance(module.light)).ln()
        } else {
            let off = |grey: f32| (module.grey - (grey + added).min(SATURATED)) / noise;
            let (dark, light) = (off(module.dark), off(module.light));
            (light * light - dark * dark) / 2.0
        };
        (odds * ODDS).clamp(-127.0, 127.0) as i8
    }
}

/// The root of the light that `module` was given, and whether it is measured, or
/// only a bound that what was `said` of it does not keep. `None`: it tells nothing.
fn root(module: &Seen, said: Option<f32>) -> Option<(f32, bool)> {
    let half = (module.light - module.dark) / 2.0;
    let hidden = (SATURATED - module.dark).max(1.0).sqrt();
    let lit = (SATURATED - module.light).max(1.0).sqrt();
    let bound = |least: f32| match said {
        Some(said) if said >= least => None,
        _ => Some((least, false)),
    };
    if module.saturated() {
        return bound(if module.deep { hidden } else { lit });
    }
    let as_dark = module.grey - module.dark;
    if as_dark < LEAST_LIGHT {
        // Hardly any.
        return match said {
            Some(said) if said <= LEAST_LIGHT.sqrt() => None,
            _ => Some((0.0, false)),
        };
    }
    if module.grey < module.light - CLEARLY * 2.0 * half {
        return Some((as_dark.sqrt(), true));
    }
    // It may be either: what was said decides.
    let said = said?.max(0.0);
    let as_light = (module.grey - module.light).max(0.0);
    let root = |light: f32| light.max(0.0).sqrt();
    if (said - root(as_dark)).abs() < (said - root(as_light)).abs() {
        Some((root(as_dark), true))
    } else if as_light < LEAST_LIGHT {
        (said > LEAST_LIGHT.sqrt()).then_some((0.0, false))
    } else {
        Some((root(as_light), true))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIDE: usize = 33;
    const DARK: f32 = 40.0;
    const LIGHT: f32 = 210.0;

    /// Random modules under light that is added, and which of them are dark.
    fn lit(seed: u64, added: impl Fn(f32, f32) -> f32) -> (Vec<Seen>, Vec<bool>) {
        let mut random = fastrand::Rng::with_seed(seed);
        let dark: Vec<bool> = (0..SIDE * SIDE).map(|_| random.bool()).collect();
        let greys: Vec<f32> = (0..SIDE * SIDE)
            .map(|i| {
                let noise = 6.0 * (random.f32() - 0.5);
                let light = added((i % SIDE) as f32, (i / SIDE) as f32);
                ((if dark[i] { DARK } else { LIGHT }) + light + noise).clamp(0.0, 255.0)
            })
            .collect();
        let saturated = |x: usize, y: usize| greys[y * SIDE + x] >= SATURATED;
        let modules = (0..SIDE * SIDE).map(|i| {
            let (x, y) = (i % SIDE, i / SIDE);
            let mut away = u8::MAX;
            let mut deep = true;
            for v in 0..SIDE {
                for u in 0..SIDE {
                    let far = u.abs_diff(x).max(v.abs_diff(y)) as u8;
                    if saturated(u, v) {
                        away = away.min(far);
                    } else {
                        deep &= far > 1;
                    }
                }
            }
            Seen {
                grey: greys[i],
                dark: DARK,
                light: LIGHT,
                away,
                deep,
            }
        });
        (modules.collect(), dark)
    }

    /// Highlights that fall off in different ways, oval and turned.
    #[test]
    fn dark_and_light_are_told_where_both_are_lifted() {
        let oval = |x: f32, y: f32| {
            let (x, y) = (x - 18.0, y - 14.0);
            let (x, y) = (0.8 * x + 0.6 * y, 0.8 * y - 0.6 * x);
            ((x / 8.0) * (x / 8.0) + (y / 5.0) * (y / 5.0)).sqrt()
        };
        let soft = |far: f32| 255.0 * ((1.4 - far) / 0.4).clamp(0.0, 2.0).powi(2);
        let falls: [(&str, &dyn Fn(f32) -> f32); 3] = [
            ("soft", &soft),
            ("normal", &|far| 1200.0 * (-1.5 * far * far).exp()),
            ("power", &|far| 255.0 / (far * far * far * far).max(0.1)),
        ];
        for (name, fall) in falls {
            for seed in 1..6 {
                let (modules, dark) = lit(seed, |x, y| fall(oval(x, y)));
                let veil = Veil::fit(SIDE, &modules, Deadline::default())
                    .unwrap_or_else(|| panic!("{name} {seed}"));
                let (mut lifted, mut wrong, mut hidden) = (0, 0, 0);
                for (i, module) in modules.iter().enumerate().filter(|(_, m)| m.away <= 2) {
                    let (x, y) = (i % SIDE, i / SIDE);
                    let said = veil.dark(x, y, module);
                    let light = fall(oval(x as f32, y as f32));
                    if light + DARK > SATURATED - 30.0 {
                        hidden += u32::from(said.unsigned_abs() > 64 && (said > 0) != dark[i]);
                    } else if light > 20.0 {
                        lifted += 1;
                        wrong += u32::from((said > 0) != dark[i]);
                    }
                }
                assert!(lifted > 30, "{name}: {lifted}");
                assert!(wrong * 20 <= lifted, "{name}: {wrong} of {lifted}");
                assert!(hidden <= 2, "{name}: {hidden} sure and wrong");
            }
        }
    }

    #[test]
    fn saturated_modules_that_are_no_highlight_are_not_explained() {
        let mut random = fastrand::Rng::with_seed(9);
        for _ in 0..20 {
            let lights: Vec<f32> = (0..SIDE * SIDE)
                .map(|_| {
                    if random.u8(..4) == 0 {
                        255.0 * random.f32()
                    } else {
                        0.0
                    }
                })
                .collect();
            let (modules, _) = lit(1, |x, y| lights[y as usize * SIDE + x as usize]);
            assert_eq!(Veil::fit(SIDE, &modules, Deadline::default()), None);
        }
        let (modules, _) = lit(1, |_, _| 0.0);
        assert_eq!(Veil::fit(SIDE, &modules, Deadline::default()), None);
    }

    #[test]
    fn odd_values_never_panic() {
        let mut random = fastrand::Rng::with_seed(10);
        for _ in 0..200 {
            let side = random.usize(1..40);
            let modules: Vec<Seen> = (0..side * side)
                .map(|_| Seen {
                    grey: 255.0 * random.f32(),
                    dark: 255.0 * random.f32(),
                    light: 255.0 * random.f32(),
                    away: random.u8(..6),
                    deep: random.bool(),
                })
                .collect();
            if let Some(veil) = Veil::fit(side, &modules, Deadline::default()) {
                for (i, module) in modules.iter().enumerate() {
                    veil.dark(i % side, i / side, module);
                }
            }
        }
    }
}
