use super::disk::Disk;
use super::simulated::{Fault, Simulated};
use super::*;
use std::path::PathBuf;

/// What every adapter must do while nothing fails.
fn check(vfs: &dyn Vfs, directory: &Path) {
    let path = |name: &str| directory.join(name);
    vfs.create_directory(&path("a")).unwrap();
    vfs.create_directory(&path("a")).unwrap();
    assert_eq!(vfs.open(&path("a/x")).unwrap_err().kind(), io::ErrorKind::NotFound);
    let file = vfs.create(&path("a/x")).unwrap();
    assert_eq!(vfs.create(&path("a/x")).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
    file.write_all_at(3, b"abc").unwrap();
    let mut buffer = [9; 8];
    assert_eq!(file.read_at(0, &mut buffer).unwrap(), 6);
    assert_eq!(&buffer, b"\0\0\0abc\x09\x09");
    assert_eq!(file.read_at(6, &mut buffer).unwrap(), 0);
    assert_eq!(file.read_exact_at(4, &mut buffer).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    file.set_length(4).unwrap();
    file.set_length(6).unwrap();
    assert_eq!(file.read_at(0, &mut buffer).unwrap(), 6);
    assert_eq!(&buffer[..6], b"\0\0\0a\0\0");
    file.sync_data().unwrap();
    vfs.create(&path("a/w")).unwrap().write_all_at(0, b"w").unwrap();
    vfs.rename(&path("a/x"), &path("a/w")).unwrap();
    vfs.sync_directory(&path("a")).unwrap();
    assert_eq!(vfs.list(&path("a")).unwrap(), ["w"]);
    assert_eq!(vfs.open(&path("a/w")).unwrap().length().unwrap(), 6);
    vfs.remove(&path("a/w")).unwrap();
    assert_eq!(vfs.remove(&path("a/w")).unwrap_err().kind(), io::ErrorKind::NotFound);
    assert_eq!(file.length().unwrap(), 6, "an open handle outlives the name");
    vfs.create_directory(&path("a/b/c")).unwrap();
    for name in ["a/b/c/deep", "a/b/flat", "a/bc"] {
        vfs.create(&path(name)).unwrap();
    }
    let deep = vfs.open(&path("a/b/c/deep")).unwrap();
    assert_eq!(vfs.list(&path("a")).unwrap(), ["b", "bc"]);
    assert_eq!(vfs.list(&path("a/b")).unwrap(), ["c", "flat"]);
    vfs.remove_directory(&path("a/b")).unwrap();
    assert_eq!(vfs.list(&path("a")).unwrap(), ["bc"]);
    assert_eq!(vfs.open(&path("a/b/c/deep")).unwrap_err().kind(), io::ErrorKind::NotFound);
    assert_eq!(vfs.remove_directory(&path("a/b")).unwrap_err().kind(), io::ErrorKind::NotFound);
    assert_eq!(deep.length().unwrap(), 0, "as that of a directory");
    let lock = vfs.lock(&path("a/lock")).unwrap();
    assert_eq!(vfs.lock(&path("a/lock")).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    drop(lock);
    vfs.lock(&path("a/lock")).unwrap();
    assert!(vfs.free_bytes(directory).unwrap() > 0);
}

#[test]
fn adapters_agree() {
    let directory = tempfile::tempdir().unwrap();
    check(&Disk, directory.path());
    check(&Simulated::new(1), Path::new("/data"));
}

#[test]
fn files_on_disk_are_private() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    Disk.create_directory(&directory.path().join("a/b")).unwrap();
    Disk.create(&directory.path().join("a/b/c")).unwrap();
    let mode = |name: &str| std::fs::metadata(directory.path().join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("a"), mode("a/b"), mode("a/b/c")), (0o700, 0o700, 0o600));
}

#[test]
fn a_power_cut_keeps_what_was_synced_and_any_part_of_the_rest() {
    let (mut kept, mut lost, mut torn, mut named) = (0, 0, 0, 0);
    for seed in 0..300 {
        let vfs = Simulated::new(seed);
        let path = PathBuf::from("/d/x");
        let file = vfs.create(&path).unwrap();
        vfs.sync_directory(Path::new("/d")).unwrap();
        file.write_all_at(0, &[1; 2_000]).unwrap();
        file.sync_data().unwrap();
        file.write_all_at(2_000, &[2; 4_000]).unwrap();
        vfs.create(Path::new("/d/y")).unwrap();
        vfs.crash();
        assert!(file.length().is_err(), "handles die with the power");
        let file = vfs.open(&path).unwrap();
        let mut content = vec![0; usize::try_from(file.length().unwrap()).unwrap()];
        file.read_exact_at(0, &mut content).unwrap();
        assert_eq!(content[..2_000], [1; 2_000], "seed {seed}");
        let rest = &content[2_000..];
        match (rest.len() == 4_000 && rest.iter().all(|&b| b == 2), rest.contains(&2)) {
            (true, _) => kept += 1,
            (_, false) => lost += 1,
            (false, true) => torn += 1,
        }
        named += usize::from(vfs.open(Path::new("/d/y")).is_ok());
    }
    assert!(kept > 10 && lost > 10 && torn > 100, "kept {kept}, lost {lost}, torn {torn}");
    assert!((50..250).contains(&named), "{named} of 300 unsynced names were kept");
}

#[test]
fn a_removed_directory_may_come_back_in_part_until_the_one_above_is_synced() {
    let (mut whole, mut part, mut none) = (0, 0, 0);
    for seed in 0..300 {
        let vfs = Simulated::new(seed);
        vfs.create_directory(Path::new("/d/x")).unwrap();
        for name in 0..8 {
            vfs.create(&PathBuf::from(format!("/d/x/{name}"))).unwrap();
        }
        vfs.sync_directory(Path::new("/d/x")).unwrap();
        vfs.remove_directory(Path::new("/d/x")).unwrap();
        if seed % 2 == 0 {
            vfs.sync_directory(Path::new("/d")).unwrap();
        }
        vfs.crash();
        let left = vfs.list(Path::new("/d/x")).unwrap().len();
        match (seed % 2, left) {
            (0, left) => assert_eq!((left, vfs.list(Path::new("/d")).unwrap().len()), (0, 0), "seed {seed}"),
            (_, 0) => none += 1,
            (_, 8) => whole += 1,
            (_, _) => part += 1,
        }
    }
    assert!(whole > 10 && part > 10 && none > 10, "whole {whole}, in part {part}, none {none}");
}

#[test]
fn a_failed_sync_is_reported_once_and_saves_nothing() {
    let lost = |seed| {
        let vfs = Simulated::new(seed);
        let file = vfs.create(Path::new("/d/x")).unwrap();
        vfs.sync_directory(Path::new("/d")).unwrap();
        file.write_all_at(0, &[1; 512 * 64]).unwrap();
        vfs.fail(vfs.calls() + 1, Fault::Eio);
        assert!(file.sync_data().is_err());
        file.sync_data().unwrap();
        vfs.crash();
        let mut content = vec![0; 512 * 64];
        vfs.open(Path::new("/d/x")).unwrap().read_exact_at(0, &mut content).unwrap();
        content.contains(&0)
    };
    assert!((0..20).filter(|&seed| lost(seed)).count() > 10, "the second sync does not save what the first one lost");
}

#[test]
fn faults_strike_the_call_they_name() {
    let vfs = Simulated::new(3);
    let file = vfs.create(Path::new("/x")).unwrap();
    vfs.fail(vfs.calls() + 1, Fault::Short);
    assert_eq!(file.write_at(0, &[1; 10]).unwrap(), 5);
    vfs.fail(vfs.calls() + 1, Fault::Short);
    file.write_all_at(0, &[1; 10]).unwrap();
    vfs.fail(vfs.calls() + 1, Fault::NoSpace);
    assert_eq!(file.write_at(0, &[1; 10]).unwrap_err().kind(), io::ErrorKind::StorageFull);
    vfs.set_capacity(15);
    assert_eq!(file.write_at(10, &[1; 10]).unwrap(), 5);
    assert_eq!(file.write_at(15, &[1; 10]).unwrap_err().kind(), io::ErrorKind::StorageFull);
    vfs.fail(vfs.calls() + 1, Fault::PowerCut);
    assert!(file.write_at(0, &[1; 10]).is_err());
    assert!(file.length().is_err() && vfs.open(Path::new("/x")).is_err());
    vfs.kill();
    assert!(vfs.open(Path::new("/x")).is_ok() && file.length().is_err());
}
