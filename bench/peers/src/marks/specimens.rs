//! The codes of the cells and of the tracks, each a function of its seed alone,
//! and drawing them by the hundred.

use beltscan::camera::belt::degrade::{Degradation, Print};
use fastrand::Rng;

/// Pictures that are drawn before they are read.
const AT_ONCE: u64 = 16;

/// A random code: 10 to 60 characters at any level, M twice as often as others.
/// Versions 1 to 8.
pub fn print(seed: u64) -> Print {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789abcdefghijklmnopqrstuvwxyz-:/";
    let mut rng = Rng::with_seed(seed);
    let length = rng.usize(10..=60);
    let text: String = (0..length)
        .map(|_| char::from(LETTERS[rng.usize(..LETTERS.len())]))
        .collect();
    let level = ['L', 'M', 'M', 'Q', 'H'][rng.usize(..5)];
    Print::new(&text, level).expect("sixty characters fit")
}

/// Modules of 4 pixels, turned and tilted at random, noise of 3 grey levels: what
/// every cell starts from. `blur_deg` is set, `blur_px` is not.
pub fn start(seed: u64) -> Degradation {
    let mut rng = Rng::with_seed(seed ^ 0x5EED);
    Degradation {
        seed,
        module_px: 4.0,
        turn_deg: 360.0 * rng.f32(),
        perspective: 0.05 * rng.f32(),
        blur_deg: 360.0 * rng.f32(),
        noise: 3.0,
        ..Degradation::default()
    }
}

/// Draws 0 to `count` by `draw`, some at a time on all processors, and gives them
/// to `take` in order while nothing else runs.
pub fn each<T: Send>(
    count: u64,
    draw: impl Fn(u64) -> T + Sync,
    mut take: impl FnMut(u64, T) -> Result<(), String>,
) -> Result<(), String> {
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get() as u64);
    let mut next = 0;
    while next < count {
        let end = (next + AT_ONCE).min(count);
        let mut drawn: Vec<(u64, T)> = std::thread::scope(|scope| {
            let draw = &draw;
            let share = |thread: u64| {
                let mine = (next + thread..end).step_by(threads as usize);
                move || mine.map(|index| (index, draw(index))).collect::<Vec<_>>()
            };
            let handles: Vec<_> = (0..threads).map(|n| scope.spawn(share(n))).collect();
            let done = handles.into_iter().map(|handle| handle.join());
            done.flat_map(|drawn| drawn.unwrap_or_default()).collect()
        });
        if drawn.len() as u64 != end - next {
            return Err("a picture could not be drawn".into());
        }
        drawn.sort_by_key(|(index, _)| *index);
        for (index, picture) in drawn {
            take(index, picture)?;
        }
        next = end;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_drawn_once_and_taken_in_order() {
        let mut taken = Vec::new();
        each(
            37,
            |index| index * 2,
            |index, drawn| {
                taken.push((index, drawn));
                Ok(())
            },
        )
        .expect("nothing fails");
        let expected: Vec<(u64, u64)> = (0..37).map(|n| (n, 2 * n)).collect();
        assert_eq!(taken, expected);
    }

    #[test]
    fn the_same_seed_is_the_same_code() {
        let (one, other) = (print(3).specimen(&start(3)), print(3).specimen(&start(3)));
        assert_eq!(one.pixels, other.pixels);
        assert_ne!(one.text, print(4).specimen(&start(4)).text);
    }
}
