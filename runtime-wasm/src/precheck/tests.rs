use super::{Contents, PrecheckError, precheck};
use crate::testing::guest;
use fnctl_config::limits;

#[test]
fn guests_pass() {
    let Contents { functions, modules, memories } = precheck(&guest("hello-bench")).unwrap();
    assert!(functions > 10 && modules >= 1 && memories == 1);
}

#[test]
fn what_is_no_component_is_named() {
    let large = vec![0; limits::COMPONENT_BYTES_MAX + 1];
    for (bytes, expected) in [
        (&b""[..], "the file is empty"),
        (&large, "the component has 20971521 bytes"),
        (b"\x7fELF\x02", "looks like a native program"),
        (b"\x1f\x8b\x08", "looks like a gzip archive"),
        (b"(module)", "looks like wasm in text form"),
        (b"hello\n", "looks like text"),
        (b"\0asm\x01\0\0\0", "a core wasm module and not a component: build for wasm32-wasip2"),
        (b"\0asm\x0d\0\x01\0\x01\x7f", "is damaged"),
        (b"\0asm\x0d", "is damaged"),
    ] {
        let error = precheck(bytes).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn a_preview1_module_gets_its_own_hint() {
    let mut module = b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x02".to_vec();
    let import = b"\x01\x16wasi_snapshot_preview1\x01f\0\0";
    module.push(u8::try_from(import.len()).unwrap());
    module.extend_from_slice(import);
    assert!(matches!(precheck(&module), Err(PrecheckError::CoreModule { hint }) if hint.contains("wasip1")));
}

#[test]
fn a_truncated_component_never_has_more_than_the_whole() {
    let whole = guest("spin");
    let contents = precheck(&whole).unwrap();
    let mut refused = 0;
    for end in (1..whole.len()).step_by(97) {
        // A cut between two sections leaves a valid component; every other one is refused.
        match precheck(&whole[..end]) {
            Ok(cut) => assert!(cut.functions <= contents.functions && cut.modules <= contents.modules),
            Err(_) => refused += 1,
        }
    }
    assert!(refused > whole.len() / 97 / 2);
}
