use super::{resident_kib, ticks};

#[test]
fn cpu_time_is_read_behind_any_name() {
    let fields = "S 1 7 7 0 -1 4194560 900 0 0 0 125 75 0 0 20 0 4 0 100 200 300";
    assert_eq!(ticks(&format!("42 (fnctl) {fields}")), Some(200));
    assert_eq!(ticks(&format!("42 (a) b (c) 1 2 3) {fields}")), Some(200));
    assert_eq!(ticks("42 (fnctl) S 1"), None);
    assert_eq!(ticks(""), None);
}

#[test]
fn resident_memory_is_read() {
    assert_eq!(resident_kib("Name:\tfnctl\nVmHWM:\t   99 kB\nVmRSS:\t   12345 kB\nThreads:\t4\n"), Some(12_345));
    assert_eq!(resident_kib("Name:\tgone\n"), None);
}

#[test]
fn this_process_is_as_on_linux() {
    assert!(ticks(&std::fs::read_to_string("/proc/self/stat").unwrap()).is_some());
    assert!(resident_kib(&std::fs::read_to_string("/proc/self/status").unwrap()).is_some_and(|kib| kib > 0));
}
