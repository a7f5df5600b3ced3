//! Components that take more than a compiler may use: which bound it was is told, and nothing else is touched.

use super::{Bounds, CompileError};
use crate::prepare::{PrepareError, Preparer};
use crate::testing::{Bench, compiler, get, guest, text};
use std::time::Duration;

/// A component of one function, which takes a compiler seconds and a gigabyte.
fn slow() -> Vec<u8> {
    let section = |id: u8, bytes: &[u8]| [&[id][..], &number(bytes.len()), bytes].concat();
    // Local 0 plus a constant becomes local 0.
    let step = [0x20, 0, 0x41, 7, 0x6a, 0x21, 0];
    let body = [&[1, 1, 0x7f][..], &step.repeat(1_000_000), &[0x0b]].concat();
    let code = [&[1][..], &number(body.len()), &body].concat();
    let module = [&b"\0asm\x01\0\0\0"[..], &section(1, &[1, 0x60, 0, 0]), &section(3, &[1, 0]), &section(10, &code)];
    [&b"\0asm\x0d\0\x01\0"[..], &section(1, &module.concat())].concat()
}

/// LEB128.
fn number(mut value: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value > 127 {
        bytes.push(value as u8 | 128);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

#[tokio::test]
async fn what_takes_too_much_to_compile_is_refused_with_the_bound_it_passed() {
    let bench = Bench::new();
    let hello = bench.start("hello", |_| {}).await;
    let artifacts = bench.runtime.artifacts();
    let partial = artifacts.partial();
    for (component, bounds, expected) in [
        (slow(), Bounds { memory_bytes: 512 << 20, ..Bounds::default() }, "512 MiB of memory"),
        (slow(), Bounds { cpu_seconds: 1, ..Bounds::default() }, "1 s of CPU time"),
        (guest("spin"), Bounds { output_bytes: 1_000, ..Bounds::default() }, "1000 bytes of compiled code"),
        (guest("spin"), Bounds { time: Duration::ZERO, ..Bounds::default() }, "0ns"),
    ] {
        let digest = artifacts.put_component("default/large", "v1", &component).unwrap();
        let preparer = Preparer::new(compiler().within(bounds));
        let error = preparer.compile(artifacts, bench.runtime.engine(), &digest).await.unwrap_err();
        assert!(matches!(error, PrepareError::Compile(CompileError::TooMuch(_))), "{error:?}");
        assert_eq!(error.to_string(), format!("the component does not compile within {expected}"));
        let left: Vec<_> = std::fs::read_dir(partial.parent().unwrap()).unwrap().collect();
        assert!(left.is_empty(), "{left:?}");
        assert_eq!(text(&hello, get("/")).await, "Hello, tests!\n");
    }
    bench.start("spin", |_| {}).await;
}

#[tokio::test]
async fn what_fails_for_another_reason_is_not_told_as_too_much() {
    let folder = tempfile::tempdir().unwrap();
    let component = folder.path().join("component");
    // A function that adds two values which are not there.
    let module =
        [&b"\0asm\x01\0\0\0"[..], b"\x01\x04\x01\x60\0\0", b"\x03\x02\x01\0", b"\x0a\x05\x01\x03\0\x6a\x0b"].concat();
    let invalid = [&b"\0asm\x0d\0\x01\0\x01"[..], &number(module.len()), &module].concat();
    std::fs::write(&component, invalid).unwrap();
    let error = compiler().compile(&component, &folder.path().join("output")).await.unwrap_err();
    assert!(matches!(&error, CompileError::Refused(why) if why.contains("type mismatch")), "{error:?}");

    std::fs::write(&component, guest("spin")).unwrap();
    let error = compiler().compile(&component, &folder.path().join("no folder/output")).await.unwrap_err();
    assert!(matches!(&error, CompileError::Failed(why) if why.contains("No such file")), "{error:?}");
}
