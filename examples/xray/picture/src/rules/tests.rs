use super::*;
use crate::picture::Polarity;

fn rules(text: &str) -> Result<Rules, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}

fn picture(width: usize, height: usize) -> Picture {
    Picture::new((width, height), 8, Polarity::Monochrome2, vec![0; width * height]).unwrap()
}

fn area(x0: usize, y0: usize, x1: usize, y1: usize) -> Rectangle {
    Rectangle { x0, y0, x1, y1 }
}

#[test]
fn the_first_rule_that_is_for_a_picture_counts() {
    let rules = rules(
        r#"[
            {"format": "dicom", "manufacturer": "A", "columns": 10, "rows": 20, "rectangles": [[0, 0, 0.1, 1]]},
            {"format": "dicom", "manufacturer": "A", "columns": 10, "rectangles": [[0, 0, 0.2, 1]]},
            {"format": "dicom", "manufacturer": "A", "rows": 20, "rectangles": [[0, 0, 0.3, 1]]},
            {"format": "dicom", "manufacturer": "A", "rectangles": [[0, 0, 0.4, 1]]},
            {"format": "dicom", "columns": 10, "rectangles": []},
            {"format": "png", "rectangles": [[0, 0, 0.5, 1], [0.5, 0.5, 1, 1]]}
        ]"#,
    )
    .unwrap();
    let (dicom, png) = (Format::Dicom, Format::Png);
    for (size, format, manufacturer, areas) in [
        ((10, 20), dicom, Some("A"), Some(vec![area(0, 0, 1, 20)])),
        ((10, 30), dicom, Some("A"), Some(vec![area(0, 0, 2, 30)])),
        ((20, 20), dicom, Some("A"), Some(vec![area(0, 0, 6, 20)])),
        ((20, 30), dicom, Some("A"), Some(vec![area(0, 0, 8, 30)])),
        ((10, 20), dicom, Some("B"), Some(vec![])),
        ((10, 20), dicom, None, Some(vec![])),
        ((20, 20), dicom, Some("AB"), None),
        ((10, 20), png, None, Some(vec![area(0, 0, 5, 20), area(5, 10, 10, 20)])),
        ((10, 20), Format::Jpeg, None, None),
    ] {
        assert_eq!(rules.areas(&picture(size.0, size.1), format, manufacturer), areas, "{size:?} {manufacturer:?}");
    }
    assert_eq!(Rules::default().areas(&picture(1, 1), png, None), None);
}

#[test]
fn rectangles_are_rounded_outwards() {
    let rules = rules(r#"[{"format": "png", "rectangles": [[0.15, 0.25, 0.51, 0.76]]}]"#).unwrap();
    assert_eq!(rules.areas(&picture(10, 10), Format::Png, None), Some(vec![area(1, 2, 6, 8)]));
    assert_eq!(rules.areas(&picture(100, 200), Format::Png, None), Some(vec![area(15, 50, 51, 152)]));
}

#[test]
fn rules_that_cannot_be_meant_are_refused() {
    for (rectangle, is_meant) in [
        ("[0, 0, 1, 1]", true),
        ("[0.5, 0, 0.5, 1]", false),
        ("[0, 0.5, 1, 0.5]", false),
        ("[0.6, 0, 0.5, 1]", false),
        ("[-0.1, 0, 1, 1]", false),
        ("[0, -0.1, 1, 1]", false),
        ("[0, 0, 1.1, 1]", false),
        ("[0, 0, 1, 1.1]", false),
        ("[0, 0, 1]", false),
    ] {
        let text = format!(r#"[{{"format": "png", "rectangles": [[0, 0, 1, 1], {rectangle}]}}]"#);
        assert_eq!(rules(&text).is_ok(), is_meant, "{rectangle}");
    }
    let rectangle = rules(r#"[{"format": "png", "rectangles": []}, {"format": "png", "rectangles": [[0, 0, 2, 1]]}]"#);
    assert!(rectangle.unwrap_err().starts_with("rule 1: [0.0, 0.0, 2.0, 1.0] is not left, top, right, bottom"));
    let manufacturer = rules(r#"[{"format": "png", "manufacturer": "A", "rectangles": []}]"#);
    assert_eq!(manufacturer.unwrap_err(), "rule 0: only DICOM files have a manufacturer");
}
