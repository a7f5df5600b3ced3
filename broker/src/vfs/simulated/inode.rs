//! A file's content: what is in the page cache, what is on disk, and what a power cut makes of them.

use rand::Rng;
use rand::rngs::StdRng;
use std::collections::BTreeSet;
use std::ops::RangeInclusive;

/// What is kept or lost as a whole.
pub(super) const BLOCK: usize = 512;

#[derive(Clone, Debug, Default)]
pub(super) struct Inode {
    pub(super) content: Vec<u8>,
    pub(super) durable: Vec<u8>,
    /// Blocks to be written by the next sync.
    pub(super) dirty: BTreeSet<usize>,
    /// Lengths that the file may have after a power cut, beside the durable one: a length that was set is taken whole,
    /// one that grew by a write may have grown in part.
    pub(super) lengths: Vec<RangeInclusive<usize>>,
    /// Blocks that a failed sync left: only the page cache has them.
    pub(super) lost: BTreeSet<usize>,
}

impl Inode {
    pub(super) fn lose_power(&mut self, random: &mut StdRng, kept_share: f64) {
        let durable = self.durable.len()..=self.durable.len();
        let choice = random.random_range(0..=self.lengths.len());
        let length = random.random_range(self.lengths.get(choice).unwrap_or(&durable).clone());
        for block in self.dirty.union(&self.lost) {
            if random.random_bool(kept_share) {
                save(&self.content, &mut self.durable, *block);
            }
        }
        self.durable.resize(length, 0);
        self.content = self.durable.clone();
        self.dirty.clear();
        self.lengths.clear();
        self.lost.clear();
    }

    pub(super) fn write(&mut self, offset: u64, bytes: &[u8]) {
        let begin = usize::try_from(offset).unwrap_or(usize::MAX);
        let end = begin.saturating_add(bytes.len());
        if self.content.len() < end {
            self.lengths.extend([self.content.len()..=end, end..=end]);
            self.content.resize(end, 0);
        }
        self.content[begin..end].copy_from_slice(bytes);
        for block in begin / BLOCK..end.div_ceil(BLOCK) {
            self.lost.remove(&block);
            self.dirty.insert(block);
        }
    }

    pub(super) fn sync(&mut self) {
        for block in std::mem::take(&mut self.dirty) {
            save(&self.content, &mut self.durable, block);
        }
        self.durable.resize(self.content.len(), 0);
        self.lengths.clear();
    }
}

/// Copies one block, or what there is of it.
fn save(content: &[u8], durable: &mut Vec<u8>, block: usize) {
    let begin = block * BLOCK;
    let end = content.len().min(begin + BLOCK);
    if begin < end {
        if durable.len() < end {
            durable.resize(end, 0);
        }
        durable[begin..end].copy_from_slice(&content[begin..end]);
    }
}
