use super::*;
use std::collections::BTreeSet;

/// The bytes 0 to 31.
fn key() -> Key {
    Key::parse("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f").unwrap()
}

// All names here were computed by Python's hmac, hashlib and base64: copies that exist stay linked to those made later.

#[test]
fn numbers_are_base32_of_forty_bits() {
    for (parts, number) in [(["", "ZZ-0001"], "JZCE35N7"), (["ward", "7"], "AAUEZQLZ"), (["", ""], "TVHJIYAP")] {
        assert_eq!(key().number(&parts), number, "{parts:?}");
    }
    assert_eq!(key().number(&["object", "in", "a b"]), "VS7JICYS");
}

#[test]
fn each_use_has_names_of_its_own() {
    let parts = ["in", "a b", "0A"];
    for (purpose, name) in [
        (Use::Result, "111cee8b113bbd945c84d2c8cdeb2a6ea13aea3526159932def4b0d9f03607e3"),
        (Use::Event, "bffd663a6d20db7e62159ad1b0513cf7db2a7d93e950dd536ecefbbe7f9f23ef"),
        (Use::Research, "d62dbe8990c6738869c79761038c6faf1613a098ff6f6adceb9e10479891227e"),
        (Use::Study, "f0f0c0e91bc13e7eadab701d38a02990e60ba5dd15fe6d5d840584f0ea0028a3"),
    ] {
        assert_eq!(key().hex(purpose, &parts, 64), name, "{purpose:?}");
        assert_eq!(key().hex(purpose, &parts, 16), name[..16], "{purpose:?}");
    }
    assert_ne!(key().number(&["a", "b"]), key().number(&["ab", ""]), "where a part ends counts");
}

#[test]
fn uids_are_uuids_of_version_8_as_numbers() {
    for (original, uid) in [
        ("1.2.3", "2.25.323208961630152450876443539203389659764"),
        ("", "2.25.32234573534691277423511658593199811883"),
        ("2.25.1", "2.25.331022514444956425701780051932144709149"),
    ] {
        assert_eq!(key().uid(original), uid, "{original}");
    }
    for original in 0..100 {
        let uuid: u128 = key().uid(&original.to_string())["2.25.".len()..].parse().unwrap();
        assert_eq!((uuid >> 76 & 0xf, uuid >> 62 & 0b11), (8, 0b10), "version and variant");
    }
}

#[test]
fn dates_go_back_one_day_to_a_year() {
    for (id, days) in [("ZZ-0001", 137), ("834", 1), ("129", 365)] {
        assert_eq!(key().days(&["", id]), days, "{id}");
    }
    let days: BTreeSet<i64> = (0..5_000).map(|id| key().days(&["", &id.to_string()])).collect();
    assert_eq!(days, (1..=365).collect(), "each of them occurs");
}

#[test]
fn keys_are_read_in_either_case() {
    let upper = Key::parse("000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F").unwrap();
    assert_eq!(upper.uid("1.2.3"), key().uid("1.2.3"));
    assert_eq!(BadKey.to_string(), "the key must be 32 bytes, written as 64 hexadecimal digits");
}
