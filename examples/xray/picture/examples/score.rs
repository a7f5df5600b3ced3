//! Says what the function would say of a file, and draws it: `score FILE OUT.png`.

use std::error::Error;
use xray_picture::anonymise::{Label, Settings, anonymise};
use xray_picture::{decode, draw, keyed, names, scorer, verdict};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [input, output] = arguments.as_slice() else { return Err("score FILE OUT.png".into()) };
    let file = std::fs::read(input)?;
    let decoded = decode::decode(&file, decode::PIXELS_MAX)?;
    let score = scorer::score(&decoded.picture);
    println!("{score:#?}");
    let settings =
        Settings { key: keyed::Key::parse(&"0".repeat(64))?, rules: Default::default(), label: Label::Number };
    let object = names::Object { bucket: String::new(), key: input.clone(), sequencer: String::new() };
    match anonymise(&decoded, &object, &settings) {
        Ok(copy) => println!("a copy without names has {} bytes", copy.bytes.len()),
        Err(refusal) => println!("no copy: {refusal}"),
    }
    std::fs::write(output, draw::processed(&decoded.picture, &score, &verdict::Limits::default()))?;
    Ok(())
}
