//! Rounds, medians and quartiles.

use std::hint::black_box;
use std::time::{Duration, Instant};

/// How much is measured.
pub struct Effort {
    /// Rounds of each operation.
    pub rounds: usize,
    /// Least duration of a round.
    pub round: Duration,
    /// Runs over loopback at each degree of parallelism.
    pub runs: usize,
    /// Flows of each run.
    pub flows: usize,
    /// How many flows at once.
    pub parallel: &'static [usize],
}

impl Effort {
    /// Rounds shorter than a time slice: on a busy machine most of them are not interrupted.
    pub const FULL: Self = Self {
        rounds: 401,
        round: Duration::from_millis(1),
        runs: 5,
        flows: 100,
        parallel: &[1, 8],
    };
    pub const QUICK: Self = Self {
        rounds: 21,
        round: Duration::from_micros(500),
        runs: 1,
        flows: 30,
        parallel: &[3],
    };
}

/// A median with its quartiles, in the unit of the samples.
#[derive(Debug, Clone, Copy)]
pub struct Spread {
    pub median: f64,
    pub quartiles: (f64, f64),
}

impl Spread {
    pub fn of(mut samples: Vec<f64>) -> Self {
        samples.sort_by(f64::total_cmp);
        let at = |part: f64| samples[((samples.len() - 1) as f64 * part).round() as usize];
        Self {
            median: at(0.5),
            quartiles: (at(0.25), at(0.75)),
        }
    }
}

/// Microseconds of one call of `operation`.
pub fn time<T>(effort: &Effort, mut operation: impl FnMut() -> T) -> Spread {
    black_box(operation());
    let round = |_| {
        let (started, mut calls) = (Instant::now(), 0u32);
        while started.elapsed() < effort.round {
            black_box(operation());
            calls += 1;
        }
        micros(started.elapsed()) / f64::from(calls)
    };
    Spread::of((0..effort.rounds).map(round).collect())
}

/// Likewise, with something fresh, whose making is not timed, for each call.
pub fn time_with<I, T>(
    effort: &Effort,
    mut make: impl FnMut() -> I,
    mut operation: impl FnMut(I) -> T,
) -> Spread {
    let mut once = || {
        let input = make();
        let started = Instant::now();
        let output = operation(input);
        let elapsed = started.elapsed();
        drop(black_box(output));
        elapsed
    };
    once();
    let mut round = |_| {
        let (mut spent, mut calls) = (Duration::ZERO, 0u32);
        while spent < effort.round {
            spent += once();
            calls += 1;
        }
        micros(spent) / f64::from(calls)
    };
    Spread::of((0..effort.rounds).map(&mut round).collect())
}

pub fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}
