//! How long verifications took, as `/metrics` tells it: measured, and in the right bucket.

use std::time::Instant;

use crate::campus::{SAMPLE, get};
use crate::monitoring::{samples, watched};

/// Of one server: how many there were, their seconds together, and the buckets in their order.
struct Durations {
    count: f64,
    sum: f64,
    /// Each with its upper bound.
    buckets: Vec<(f64, f64)>,
}

impl Durations {
    fn of(server: &str, address: &str) -> Self {
        let numbers = samples(&get(address, "/metrics").1);
        let name = format!("{server}_verification_duration_seconds");
        let start = format!("{name}_bucket{{le=\"");
        let bound = |name: &String| {
            let bound = name.strip_prefix(&start)?.strip_suffix("\"}")?;
            Some(bound.replace("+Inf", "inf").parse::<f64>().unwrap())
        };
        let buckets = numbers.iter().map(|(name, value)| (bound(name), *value));
        let buckets = buckets.filter_map(|(bound, value)| Some((bound?, value)));
        let mut buckets: Vec<(f64, f64)> = buckets.collect();
        buckets.sort_by(|one, other| one.0.total_cmp(&other.0));
        Self {
            count: numbers[&format!("{name}_count")],
            sum: numbers[&format!("{name}_sum")],
            buckets,
        }
    }

    /// The least and the most that the sum can be, by the buckets.
    fn bounds(&self) -> (f64, f64) {
        let (mut least, mut most, mut below, mut counted) = (0.0, 0.0, 0.0, 0.0);
        for (bound, upto) in &self.buckets {
            let here = upto - counted;
            assert!(here >= 0.0, "{:?}", self.buckets);
            if here > 0.0 {
                (least, most) = (least + here * below, most + here * bound);
            }
            (below, counted) = (*bound, *upto);
        }
        (least, most)
    }

    fn add_up(&self, elapsed: f64) {
        assert!(self.sum > 0.0 && self.sum < elapsed, "{}", self.sum);
        assert!(self.buckets.len() > 3, "{:?}", self.buckets);
        let last = self.buckets.last().unwrap();
        assert_eq!((last.0, last.1), (f64::INFINITY, self.count));
        let (least, most) = self.bounds();
        assert!(
            least <= self.sum && self.sum <= most,
            "{} {:?}",
            self.sum,
            self.buckets
        );
    }
}

#[test]
fn how_long_verifications_take_is_measured_and_falls_into_the_right_buckets() {
    let watched = watched();
    let began = Instant::now();
    for server in [("cuhk", &watched.cuhk), ("blackboard", &watched.blackboard)] {
        let before = Durations::of(server.0, server.1);
        assert_eq!((before.count, before.sum), (0.0, 0.0), "{server:?}");
    }
    let submit = ["submit", "--ids", SAMPLE];
    watched.campus.student(&submit).succeeded();
    let elapsed = began.elapsed().as_secs_f64();
    let cuhk = Durations::of("cuhk", &watched.cuhk);
    assert_eq!(cuhk.count, 3.0);
    cuhk.add_up(elapsed);
    // Blackboard's are as many as it had asked for, each with the way to CUHK and back.
    let blackboard = Durations::of("blackboard", &watched.blackboard);
    assert!(blackboard.count > 0.0);
    blackboard.add_up(elapsed);
    assert!(
        blackboard.sum / blackboard.count > cuhk.sum / cuhk.count,
        "{} {}, {} {}",
        blackboard.sum,
        blackboard.count,
        cuhk.sum,
        cuhk.count
    );
}
