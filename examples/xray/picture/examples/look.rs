//! Writes a phantom and its results into a folder, to look at: `look FOLDER SEED KIND SIZE`.

use std::error::Error;
use xray_picture::phantom::{Kind, Patient, Phantom};
use xray_picture::{draw, scorer, verdict};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, seed, kind, size] = arguments.as_slice() else { return Err("look FOLDER SEED KIND SIZE".into()) };
    let kind_of = Kind::parse(kind).ok_or("KIND is healthy, borderline or sick")?;
    let patient = Patient::of_seed(seed.parse()?);
    let phantom = Phantom::draw(seed.parse()?, kind_of, size.parse()?).with_text(&patient);
    let score = scorer::score(&phantom.picture);
    let path = |ending: &str| format!("{folder}/{seed}-{kind}-{size}{ending}");
    std::fs::write(path(".dcm"), phantom.to_dicom(&patient))?;
    std::fs::write(path(".png"), draw::encode_grey(&phantom.picture))?;
    std::fs::write(path("-processed.png"), draw::processed(&phantom.picture, &score, &verdict::Limits::default()))?;
    let samples: Vec<u8> = phantom.picture.samples().iter().flat_map(|sample| sample.to_le_bytes()).collect();
    std::fs::write(path(".raw"), samples)?;
    println!("{score:?}");
    Ok(())
}
