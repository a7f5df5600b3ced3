use super::{ArtifactError, Artifacts, Reference, ReferenceError, Target, digest_of};
use crate::testing::guest;
use std::fs;

#[test]
fn references_are_a_table() {
    let digest = "a".repeat(64);
    let tag = |name: &str, tag: &str| Ok(Reference { name: name.to_owned(), target: Target::Tag(tag.to_owned()) });
    let remote =
        |image: &str, host: &str| Err(ReferenceError::Remote { image: image.to_owned(), host: host.to_owned() });
    for (image, expected) in [
        ("fnctl.local/default/hello", tag("default/hello", "latest")),
        ("fnctl.local/default/hello:v1.2", tag("default/hello", "v1.2")),
        ("ghcr.io/a/b:1", remote("ghcr.io/a/b:1", "ghcr.io")),
        ("localhost:5000/a", remote("localhost:5000/a", "localhost:5000")),
        ("nginx", remote("nginx", "docker.io")),
        ("./hello.wasm", Err(ReferenceError::File("./hello.wasm".to_owned()))),
        ("fnctl.local/Default/hello", Err(ReferenceError::Invalid("fnctl.local/Default/hello".to_owned()))),
        ("fnctl.local/a/..", Err(ReferenceError::Invalid("fnctl.local/a/..".to_owned()))),
        ("fnctl.local/a:", Err(ReferenceError::Invalid("fnctl.local/a:".to_owned()))),
        ("fnctl.local/a@sha256:12", Err(ReferenceError::Invalid("fnctl.local/a@sha256:12".to_owned()))),
    ] {
        assert_eq!(Reference::parse(image), expected, "{image}");
    }
    let pinned = Reference::parse(&format!("fnctl.local/a/b:v1@sha256:{digest}")).unwrap();
    assert_eq!(pinned, Reference { name: "a/b".to_owned(), target: Target::Digest(digest) });
}

#[test]
fn names_tags_and_digests_lead_to_the_component() {
    let folder = tempfile::tempdir().unwrap();
    let component = guest("spin");
    let store = Artifacts::open(folder.path()).unwrap();
    let digest = store.put_component("default/spin", "v1", &component).unwrap();
    assert_eq!(digest, digest_of(&component));
    let (manifest, _) = store.manifest("default/spin", &Target::Tag("v1".to_owned())).unwrap();
    store.put_component("default/spin", "v1", &guest("hog")).unwrap();

    let again = Artifacts::open(folder.path()).unwrap(); // as after a restart
    for image in [format!("fnctl.local/default/spin@sha256:{manifest}"), format!("fnctl.local/x@sha256:{digest}")] {
        assert_eq!(again.resolve(&image).unwrap(), digest, "{image}");
    }
    assert_eq!(again.resolve("fnctl.local/default/spin:v1").unwrap(), digest_of(&guest("hog")), "a tag moves");
    assert!(matches!(again.resolve("fnctl.local/default/other"), Err(ArtifactError::Missing(_))));
    again.embed(&[("examples/spin", &component)]).unwrap();
    again.embed(&[("examples/spin", &component)]).unwrap();
    assert_eq!(again.resolve("fnctl.local/examples/spin").unwrap(), digest);
}

#[test]
fn a_crash_leaves_the_old_or_the_new() {
    let folder = tempfile::tempdir().unwrap();
    let store = Artifacts::open(folder.path()).unwrap();
    let digest = store.put_component("a", "v1", &guest("spin")).unwrap();
    let partial = store.partial();
    fs::write(&partial, "half of a file").unwrap();
    let again = Artifacts::open(folder.path()).unwrap();
    assert!(!partial.try_exists().unwrap(), "half-written files go at the start");
    assert_eq!(again.resolve("fnctl.local/a:v1").unwrap(), digest);
}

#[test]
fn damage_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let store = Artifacts::open(folder.path()).unwrap();
    let digest = store.put_blob(b"bytes").unwrap();
    fs::write(store.blob_path(&digest), "other").unwrap();
    assert!(matches!(store.blob(&digest), Err(ArtifactError::Damaged { .. })));
    fs::write(folder.path().join("index.json"), "{").unwrap();
    assert!(matches!(Artifacts::open(folder.path()), Err(ArtifactError::Damaged { .. })));
}

#[test]
fn the_folder_is_ours_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("artifacts");
    Artifacts::open(&root).unwrap();
    for path in [root.clone(), root.join("compiled"), root.join("partial")] {
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700, "{}", path.display());
    }
}
