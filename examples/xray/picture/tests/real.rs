//! Real pictures, fetched by `pictures.sh`: `XRAY_PICTURES=FOLDER cargo test -p xray-picture --test real -- --nocapture`.
//! Prints what the scorer says of them. They are too few to say anything about medicine.

use std::path::PathBuf;
use xray_picture::decode::{Decoded, PIXELS_MAX, decode};
use xray_picture::scorer::score;
use xray_picture::verdict::Limits;

fn folder() -> Option<PathBuf> {
    let folder = std::env::var_os("XRAY_PICTURES").map(PathBuf::from);
    if folder.is_none() {
        println!("skipped: the pictures are not fetched (pictures.sh FOLDER; XRAY_PICTURES=FOLDER)");
    }
    folder
}

fn say(name: &str, decoded: &Decoded<'_>) -> (String, Option<f64>) {
    let reading = score(&decoded.picture);
    let risk = reading.as_ref().ok().map(|reading| reading.risk);
    let verdict = Limits::default().judge(risk).word().to_owned();
    let size = (decoded.picture.width(), decoded.picture.height());
    match &reading {
        Ok(reading) => println!(
            "{name}: {size:?} {verdict} {:.3} {:?}",
            reading.risk,
            reading.patch.map(|(_, zone)| zone.to_string())
        ),
        Err(reason) => println!("{name}: {size:?} {verdict}: {reason}"),
    }
    (verdict, risk)
}

#[test]
fn three_encodings_of_one_radiograph_agree() {
    let Some(folder) = folder() else { return };
    let read = |name: &str| std::fs::read(folder.join(name)).unwrap();
    let files = ["RG1_UNCR.dcm", "RG1_J2KR.dcm", "RG1_J2KI.dcm"].map(|name| (name, read(name)));
    let decoded = files.each_ref().map(|(_, file)| decode(file, PIXELS_MAX).unwrap());
    let [plain, lossless, lossy] = &decoded;
    assert_eq!(plain.picture.samples(), lossless.picture.samples(), "lossless is the same picture");
    let samples = plain.picture.samples();
    let mean = samples.iter().map(|sample| f64::from(*sample)).sum::<f64>() / samples.len() as f64;
    assert_eq!((samples.iter().min(), samples.iter().max()), (Some(&874), Some(&26_479)));
    assert!((mean - 7391.4572).abs() < 1e-4, "{mean}");
    let risks = [plain, lossless, lossy].map(|decoded| say("RG1", decoded).1.unwrap());
    assert!((risks[0] - risks[2]).abs() < 0.01, "lossy agrees: {risks:?}");
    assert!((risks[0] - 0.97).abs() < 0.01, "as the prototype measured");
}

#[test]
fn sixteen_jpegs_are_reported_honestly() {
    let Some(folder) = folder() else { return };
    let mut names: Vec<_> =
        std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| name.ends_with(".jpeg"));
    names.sort();
    let (mut right, mut unsure, mut wrong) = (0, 0, 0);
    for name in &names {
        let file = std::fs::read(folder.join(name)).unwrap();
        let (verdict, _) = say(name, &decode(&file, PIXELS_MAX).unwrap());
        let truth = if name.starts_with("NORMAL") { "normal" } else { "pneumonia" };
        match verdict.as_str() {
            "unsure" => unsure += 1,
            said if said == truth => right += 1,
            _ => wrong += 1,
        }
    }
    println!("{right} of {} right, {unsure} unsure, {wrong} wrong; demonstration, not for clinical use", names.len());
    assert_eq!(names.len(), 16);
    for name in names {
        let file = std::fs::read(folder.join(name)).unwrap();
        assert!(decode(&file[..file.len() / 2], PIXELS_MAX).is_err(), "half a JPEG is refused");
    }
}
