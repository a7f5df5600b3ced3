use super::*;
use crate::vfs::Vfs;
use crate::vfs::simulated::Simulated;
use std::path::Path;
use std::sync::Arc;

#[test]
fn credentials_are_made_once_and_kept() {
    let disk = Simulated::new(1);
    let vfs: Arc<dyn Vfs> = Arc::new(disk.clone());
    let path = Path::new("/node/s3.json");
    let made = Credentials::load_or_create(&vfs, path).unwrap();
    assert_eq!((made.access_key.len(), made.secret_key.len()), (20, 40));
    disk.crash();
    assert_eq!(Credentials::load_or_create(&vfs, path).unwrap(), made);
    assert!(!format!("{made:?}").contains(&made.secret_key));
    let file = vfs.open(path).unwrap();
    file.set_length(3).unwrap();
    assert!(matches!(Credentials::load_or_create(&vfs, path), Err(CredentialsError::Invalid { .. })));
}
