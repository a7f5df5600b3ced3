//! The table of 300 phantoms, and that they are the same pictures everywhere.
//!
//! The proof is circular by design: the phantoms' opacities were chosen so that the verdicts come out. It proves the plumbing.

use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use xray_picture::phantom::{Kind, Patient, Phantom, text_area};
use xray_picture::scorer;
use xray_picture::verdict::{Limits, Verdict};

const SEEDS: std::ops::Range<u64> = 20_000..20_300;

fn risks() -> Vec<(Kind, f64)> {
    let score = |seed: u64| {
        let kind = Kind::of_index(seed);
        let phantom = Phantom::draw(seed, kind, 512).with_text(&Patient::of_seed(seed));
        (kind, scorer::score(&phantom.picture).expect("a phantom has lungs").risk)
    };
    let halves = [SEEDS.step_by(2), (SEEDS.start + 1..SEEDS.end).step_by(2)];
    std::thread::scope(|scope| {
        let threads = halves.map(|half| scope.spawn(move || half.map(score).collect::<Vec<_>>()));
        threads.into_iter().flat_map(|thread| thread.join().expect("no phantom fails")).collect()
    })
}

#[test]
fn the_table_of_300_phantoms_comes_out_as_measured() {
    let mut table: BTreeMap<&str, (BTreeMap<&str, usize>, Vec<f64>)> = BTreeMap::new();
    for (kind, risk) in risks() {
        let (verdicts, all) = table.entry(kind.name()).or_default();
        *verdicts.entry(Limits::default().judge(Some(risk)).word()).or_default() += 1;
        all.push(risk);
    }
    for (kind, (verdicts, all)) in &mut table {
        all.sort_by(f64::total_cmp);
        let at = |share: f64| all[(share * (all.len() - 1) as f64) as usize];
        let spread = [0.0, 0.03, 0.5, 0.97, 1.0].map(|share| format!("{:.3}", at(share)));
        println!(
            "{kind:<10} {:>3}  {verdicts:?}  risk min / 3 % / median / 97 % / max {}",
            all.len(),
            spread.join(" / ")
        );
    }
    let count = |kind: Kind, verdict: Verdict| table[kind.name()].0.get(verdict.word()).copied().unwrap_or(0);
    assert_eq!(count(Kind::Healthy, Verdict::Normal), 210);
    assert_eq!(count(Kind::Borderline, Verdict::Unsure), 29);
    assert_eq!(count(Kind::Borderline, Verdict::Normal), 1);
    assert_eq!(count(Kind::Sick, Verdict::Pneumonia), 59);
    assert_eq!(count(Kind::Sick, Verdict::Unsure), 1);
}

#[test]
fn a_seed_is_the_same_file_everywhere() {
    let hash = |seed, kind, size| {
        let patient = Patient::of_seed(seed);
        let file = Phantom::draw(seed, kind, size).with_text(&patient).to_dicom(&patient);
        Sha256::digest(&file).iter().take(8).map(|byte| format!("{byte:02x}")).collect::<String>()
    };
    let hashes = [
        hash(20_000, Kind::Healthy, 512),
        hash(20_007, Kind::Sick, 512),
        hash(20_009, Kind::Borderline, 512),
        hash(2, Kind::Sick, 1024),
        hash(3, Kind::Sick, 1300),
    ];
    assert_eq!(
        hashes,
        ["46d11c67c8c6c675", "62a1611a21e1dea0", "1a36c28f1369e710", "25bcb64663bf621e", "3a7a6841c90ca826"]
    );
}

#[test]
fn text_stays_in_its_area_at_every_size() {
    for size in [512, 513, 777, 1024, 2048] {
        // The longest name there is.
        let patient = Patient { name: "HOLLOWAY-TEST^MAREN".into(), ..Patient::of_seed(1) };
        let bare = Phantom::draw(1, Kind::Healthy, size);
        let with_text = bare.clone().with_text(&patient);
        let area = text_area(size, size);
        let differ = bare.picture.samples().iter().zip(with_text.picture.samples()).enumerate();
        let changed: Vec<usize> = differ.filter(|(_, (a, b))| a != b).map(|(at, _)| at).collect();
        assert!(changed.len() > size, "text is there at {size}");
        assert!(changed.iter().all(|at| at % size < area.x1 && at / size >= area.y0), "and nowhere else at {size}");
    }
}

#[test]
fn opacities_are_where_the_truth_says() {
    let phantom = Phantom::draw(20_009, Kind::Borderline, 512);
    let healthy = Phantom::draw(20_000, Kind::Healthy, 512);
    assert!(healthy.opacities.is_empty());
    let [opacity] = phantom.opacities.as_slice() else { panic!("one opacity") };
    let (area, _) = scorer::score(&phantom.picture).unwrap().patch.expect("it is seen");
    let (x, y) = (opacity.centre.0 * 512.0, opacity.centre.1 * 512.0);
    assert!((area.x0 as f64..area.x1 as f64).contains(&x) && (area.y0 as f64..area.y1 as f64).contains(&y));
}
