//! A file system in memory that loses power: seeded, so that each run can be repeated.
//!
//! What was not synced may be kept, lost or kept in part after [`Simulated::crash`], in blocks of 512 bytes and in any
//! order; the length of a file may be any that it had, or have grown in part; names that were made, changed or removed
//! without a directory sync may be as before. A sync that fails behaves as Linux does: the blocks count as clean, so
//! that a second sync succeeds and saves nothing. Single calls can be made to fail.

use super::{File, Lock, LockHold, Vfs};
use inode::{BLOCK, Inode};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

mod inode;

/// The file system. Clones share it.
#[derive(Clone, Debug)]
pub struct Simulated {
    world: Arc<Mutex<World>>,
}

/// What one call does instead of its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Fails with EIO; a write leaves a part, a sync saves nothing and says so only once.
    Eio,
    /// Fails with ENOSPC; a write leaves a part.
    NoSpace,
    /// A write writes half of its bytes, a read reads half.
    Short,
    /// The power goes while the call works: it and all later calls fail until [`Simulated::crash`].
    PowerCut,
}

#[derive(Debug)]
struct World {
    random: StdRng,
    inodes: BTreeMap<u64, Inode>,
    names: BTreeMap<PathBuf, u64>,
    durable_names: BTreeMap<PathBuf, u64>,
    unsynced_names: Vec<Renaming>,
    directories: BTreeSet<PathBuf>,
    /// Directories that were removed and whose directory above was not synced since.
    unsynced_directories: Vec<PathBuf>,
    locks: BTreeSet<PathBuf>,
    capacity: u64,
    /// What is said to be free, whatever is.
    claimed: Option<u64>,
    calls: u64,
    faults: BTreeMap<u64, Fault>,
    /// Handles of an earlier one are dead.
    generation: u64,
    powered: bool,
    next_inode: u64,
}

#[derive(Debug)]
struct Renaming {
    directory: PathBuf,
    gone: Option<PathBuf>,
    made: Option<(PathBuf, u64)>,
}

impl Simulated {
    /// An empty file system of 1 GiB.
    pub fn new(seed: u64) -> Self {
        let world = World {
            random: StdRng::seed_from_u64(seed),
            inodes: BTreeMap::new(),
            names: BTreeMap::new(),
            durable_names: BTreeMap::new(),
            unsynced_names: Vec::new(),
            directories: BTreeSet::new(),
            unsynced_directories: Vec::new(),
            locks: BTreeSet::new(),
            capacity: 1 << 30,
            claimed: None,
            calls: 0,
            faults: BTreeMap::new(),
            generation: 0,
            powered: true,
            next_inode: 0,
        };
        Self { world: Arc::new(Mutex::new(world)) }
    }

    /// The power goes and comes back: unsynced changes are kept or lost at random, handles and locks are dead.
    pub fn crash(&self) {
        let mut world = self.world();
        let world = &mut *world;
        let kept_share = [0.0, 0.1, 0.5, 0.9, 1.0][world.random.random_range(0..5)];
        for inode in world.inodes.values_mut() {
            inode.lose_power(&mut world.random, kept_share);
        }
        for renaming in std::mem::take(&mut world.unsynced_names) {
            if world.random.random_bool(kept_share) {
                renaming.apply(&mut world.durable_names);
            }
        }
        for directory in std::mem::take(&mut world.unsynced_directories) {
            if world.random.random_bool(1.0 - kept_share) {
                world.directories.insert(directory);
            }
        }
        world.names = world.durable_names.clone();
        let named: BTreeSet<u64> = world.names.values().copied().collect();
        world.inodes.retain(|inode, _| named.contains(inode));
        world.restart();
    }

    /// The process is killed: handles and locks are dead, the page cache stays.
    pub fn kill(&self) {
        self.world().restart();
    }

    /// Makes the call with this number fail, counted as [`Simulated::calls`] does.
    pub fn fail(&self, call: u64, fault: Fault) {
        self.world().faults.insert(call, fault);
    }

    /// No call fails any more.
    pub fn heal(&self) {
        self.world().faults.clear();
    }

    /// Calls made so far on files and names.
    pub fn calls(&self) -> u64 {
        self.world().calls
    }

    /// Sets how many bytes fit.
    pub fn set_capacity(&self, bytes: u64) {
        self.world().capacity = bytes;
    }

    /// From now on so many bytes are said to be free: as if somebody else took the room between question and write.
    pub fn claim_free(&self, bytes: u64) {
        self.world().claimed = Some(bytes);
    }

    /// The same files in a world of their own, as after a restart.
    pub fn copy(&self) -> Self {
        let world = self.world();
        let copy = Self::new(world.calls);
        {
            let mut copied = copy.world();
            copied.inodes.clone_from(&world.inodes);
            copied.names.clone_from(&world.names);
            copied.durable_names.clone_from(&world.durable_names);
            copied.directories.clone_from(&world.directories);
            copied.next_inode = world.next_inode;
            copied.capacity = world.capacity;
        }
        copy
    }

    /// Turns one bit of a file over, on disk and in the page cache. Answers whether the file has it.
    pub fn flip_bit(&self, path: &Path, bit: u64) -> bool {
        let mut world = self.world();
        let Some(inode) = world.names.get(path).copied().and_then(|number| world.inodes.get_mut(&number)) else {
            return false;
        };
        let (byte, mask) = (usize::try_from(bit / 8).unwrap_or(usize::MAX), 1u8 << (bit % 8));
        for copy in [&mut inode.content, &mut inode.durable] {
            if let Some(byte) = copy.get_mut(byte) {
                *byte ^= mask;
            }
        }
        byte < inode.content.len()
    }

    /// Every file and its length.
    pub fn files(&self) -> Vec<(PathBuf, u64)> {
        let world = self.world();
        let length = |inode: &u64| world.inodes.get(inode).map_or(0, |inode| inode.content.len() as u64);
        world.names.iter().map(|(path, inode)| (path.clone(), length(inode))).collect()
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a call and gives its fault, if it has one that leaves something to do.
    fn call(&self) -> io::Result<(MutexGuard<'_, World>, Option<Fault>)> {
        let mut world = self.world();
        let fault = world.enter()?;
        Ok((world, fault))
    }

    /// As `call`, for calls that do nothing in part.
    fn whole_call(&self) -> io::Result<MutexGuard<'_, World>> {
        let (world, fault) = self.call()?;
        fail(fault)?;
        Ok(world)
    }

    fn handle(&self, world: &World, inode: u64) -> Arc<dyn File> {
        Arc::new(Handle { system: self.clone(), inode, generation: world.generation })
    }
}

impl World {
    fn enter(&mut self) -> io::Result<Option<Fault>> {
        if !self.powered {
            return Err(io::Error::other("the power is gone"));
        }
        self.calls += 1;
        let fault = self.faults.remove(&self.calls);
        if fault == Some(Fault::PowerCut) {
            self.powered = false;
        }
        Ok(fault)
    }

    fn restart(&mut self) {
        self.generation += 1;
        self.powered = true;
        self.locks.clear();
        self.faults.clear();
    }

    fn used(&self) -> u64 {
        self.names.values().filter_map(|inode| self.inodes.get(inode)).map(|inode| inode.content.len() as u64).sum()
    }

    fn change_names(&mut self, directory: &Path, gone: Option<&Path>, made: Option<(&Path, u64)>) {
        let made = made.map(|(path, inode)| (path.to_owned(), inode));
        let renaming = Renaming { directory: directory.to_owned(), gone: gone.map(Path::to_owned), made };
        renaming.apply(&mut self.names);
        self.unsynced_names.push(renaming);
    }
}

impl Renaming {
    fn apply(&self, names: &mut BTreeMap<PathBuf, u64>) {
        let moved = self.gone.as_ref().and_then(|gone| names.remove(gone));
        if let Some((path, inode)) = &self.made {
            names.insert(path.clone(), moved.unwrap_or(*inode));
        }
    }
}

impl Vfs for Simulated {
    fn create(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        let mut world = self.whole_call()?;
        if world.names.contains_key(path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let inode = world.next_inode;
        world.next_inode += 1;
        world.inodes.insert(inode, Inode::default());
        world.change_names(super::parent(path), None, Some((path, inode)));
        Ok(self.handle(&world, inode))
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        let world = self.whole_call()?;
        let inode = *world.names.get(path).ok_or(io::ErrorKind::NotFound)?;
        Ok(self.handle(&world, inode))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut world = self.whole_call()?;
        let inode = *world.names.get(from).ok_or(io::ErrorKind::NotFound)?;
        world.change_names(super::parent(to), Some(from), Some((to, inode)));
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut world = self.whole_call()?;
        if !world.names.contains_key(path) {
            return Err(io::ErrorKind::NotFound.into());
        }
        world.change_names(super::parent(path), Some(path), None);
        Ok(())
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<String>> {
        let world = self.whole_call()?;
        let inside = world.names.keys().chain(&world.directories).filter_map(|path| path.strip_prefix(directory).ok());
        let names: BTreeSet<_> = inside.filter_map(|path| path.iter().next()?.to_str()).collect();
        Ok(names.into_iter().map(str::to_owned).collect())
    }

    fn create_directory(&self, directory: &Path) -> io::Result<()> {
        self.whole_call()?.directories.insert(directory.to_owned());
        Ok(())
    }

    fn remove_directory(&self, directory: &Path) -> io::Result<()> {
        let mut world = self.whole_call()?;
        let is_inside = |path: &&PathBuf| path.starts_with(directory);
        let files: Vec<_> = world.names.keys().filter(is_inside).cloned().collect();
        let directories: Vec<_> = world.directories.iter().filter(is_inside).cloned().collect();
        if files.is_empty() && directories.is_empty() {
            return Err(io::ErrorKind::NotFound.into());
        }
        for file in files {
            world.change_names(super::parent(&file), Some(&file), None);
        }
        for directory in directories {
            world.directories.remove(&directory);
            world.unsynced_directories.push(directory);
        }
        Ok(())
    }

    fn sync_directory(&self, directory: &Path) -> io::Result<()> {
        let mut world = self.whole_call()?;
        let world = &mut *world;
        let here = |gone: &&PathBuf| super::parent(gone) == directory;
        let removed: Vec<PathBuf> = world.unsynced_directories.iter().filter(here).cloned().collect();
        // What was in a directory that is gone for good is gone with it.
        let is_gone = |path: &Path| removed.iter().any(|gone| path.starts_with(gone));
        world.unsynced_directories.retain(|directory| !is_gone(directory));
        world.unsynced_names.retain(|renaming| {
            let here = renaming.directory == directory || renaming.made.is_none() && is_gone(&renaming.directory);
            if here {
                renaming.apply(&mut world.durable_names);
            }
            !here
        });
        Ok(())
    }

    fn free_bytes(&self, _directory: &Path) -> io::Result<u64> {
        let world = self.world();
        Ok(world.claimed.unwrap_or_else(|| world.capacity.saturating_sub(world.used())))
    }

    fn lock(&self, path: &Path) -> io::Result<Lock> {
        let mut world = self.whole_call()?;
        if !world.locks.insert(path.to_owned()) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let generation = world.generation;
        Ok(Lock::new(Held { system: self.clone(), path: path.to_owned(), generation }))
    }
}

#[derive(Debug)]
struct Held {
    system: Simulated,
    path: PathBuf,
    generation: u64,
}

impl LockHold for Held {}

impl Drop for Held {
    fn drop(&mut self) {
        let mut world = self.system.world();
        if world.generation == self.generation {
            world.locks.remove(&self.path);
        }
    }
}

#[derive(Debug)]
struct Handle {
    system: Simulated,
    inode: u64,
    generation: u64,
}

impl Handle {
    fn with<T>(&self, work: impl FnOnce(&mut Inode, Option<Fault>, u64) -> io::Result<T>) -> io::Result<T> {
        let mut world = self.system.world();
        if world.generation != self.generation {
            return Err(io::Error::other("the handle is of before the restart"));
        }
        let fault = world.enter()?;
        let free = world.capacity.saturating_sub(world.used());
        let inode = world.inodes.get_mut(&self.inode).ok_or(io::ErrorKind::NotFound)?;
        work(inode, fault, free)
    }
}

impl File for Handle {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.with(|inode, fault, _| {
            fail(fault)?;
            let rest = inode.content.get(usize::try_from(offset).unwrap_or(usize::MAX)..).unwrap_or_default();
            let asked = if fault == Some(Fault::Short) { buffer.len().div_ceil(2) } else { buffer.len() };
            let count = rest.len().min(asked);
            buffer[..count].copy_from_slice(&rest[..count]);
            Ok(count)
        })
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<usize> {
        self.with(|inode, fault, free| {
            let room = free.saturating_add((inode.content.len() as u64).saturating_sub(offset));
            let fitting = bytes.len().min(usize::try_from(room).unwrap_or(usize::MAX));
            let count = match fault {
                None | Some(Fault::PowerCut) => fitting,
                Some(Fault::Short) => fitting.div_ceil(2),
                Some(Fault::Eio | Fault::NoSpace) => fitting / 2,
            };
            inode.write(offset, &bytes[..count]);
            fail(fault)?;
            if count == 0 && !bytes.is_empty() { Err(io::ErrorKind::StorageFull.into()) } else { Ok(count) }
        })
    }

    fn length(&self) -> io::Result<u64> {
        self.with(|inode, fault, _| fail(fault).map(|()| inode.content.len() as u64))
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        self.with(|inode, fault, free| {
            fail(fault)?;
            if length.saturating_sub(inode.content.len() as u64) > free {
                return Err(io::ErrorKind::StorageFull.into());
            }
            let length = usize::try_from(length).map_err(io::Error::other)?;
            inode.content.resize(length, 0);
            inode.lengths.push(length..=length);
            // The cut part of the last block is zero on disk too, once it is written.
            inode.dirty.retain(|block| block * BLOCK < length);
            if inode.durable.len() > length {
                inode.dirty.insert(length / BLOCK);
            }
            Ok(())
        })
    }

    fn sync_data(&self) -> io::Result<()> {
        self.with(|inode, fault, _| {
            match fault {
                None | Some(Fault::Short) => inode.sync(),
                Some(Fault::Eio | Fault::NoSpace) => inode.lost.append(&mut inode.dirty),
                Some(Fault::PowerCut) => {}
            }
            fail(fault)
        })
    }

    fn sync_all(&self) -> io::Result<()> {
        self.sync_data()
    }
}

fn fail(fault: Option<Fault>) -> io::Result<()> {
    match fault {
        None | Some(Fault::Short) => Ok(()),
        Some(Fault::Eio) => Err(io::Error::other("EIO, as the test asked for")),
        Some(Fault::NoSpace) => Err(io::ErrorKind::StorageFull.into()),
        Some(Fault::PowerCut) => Err(io::Error::other("the power is gone")),
    }
}
