//! A set of sequence numbers that tells how many of them lie below one: the position of a place in line.
//!
//! One bit a number and a Fenwick tree over words of 64, so insertion, removal and rank take O(log n), and a million
//! people in line take 0.2 MB. Numbers come at the end and go at the front; the drained front is cut off once it is
//! half of all. After a recovery numbers come back below the front, so the set grows downwards too.

/// The widest distance of two numbers in one set: 2^28 bits and their tree take 48 MB. A line that wide means a bug.
pub(crate) const SPAN_MAX: u64 = 1 << 28;

/// Drained words that are worth a rebuild.
const DRAINED_MIN: usize = 1024;

/// A number too far from the others of its set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("sequence number {0} is too far from those in line")]
pub struct TooFar(pub u64);

/// The set.
#[derive(Debug, Default)]
pub(crate) struct Positions {
    /// Number of the first word: bit 0 of `words[0]` stands for sequence number `64 * base`.
    base: u64,
    words: Vec<u64>,
    /// Fenwick tree: `tree[i]` counts the bits of the `lowbit(i + 1)` words that end with word `i`.
    tree: Vec<u32>,
    /// All words before this one are 0.
    front: usize,
    len: u64,
}

impl Positions {
    /// How many numbers there are.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// Whether `seq` is one of them.
    pub(crate) fn contains(&self, seq: u64) -> bool {
        self.place(seq).is_some_and(|(word, bit)| self.words[word] & bit != 0)
    }

    /// How many numbers are below `seq`.
    pub(crate) fn below(&self, seq: u64) -> u64 {
        if seq / 64 < self.base {
            return 0;
        }
        let Some((word, bit)) = self.place(seq) else {
            return self.len;
        };
        let mut count = u64::from((self.words[word] & (bit - 1)).count_ones());
        let mut end = word;
        while end > 0 {
            count += u64::from(self.tree[end - 1]);
            end &= end - 1;
        }
        count
    }

    /// Puts `seq` in; nothing changes if it is there.
    pub(crate) fn insert(&mut self, seq: u64) -> Result<(), TooFar> {
        self.reach(seq)?;
        let (word, bit) = self.place(seq).expect("reach made room for it");
        if self.words[word] & bit == 0 {
            self.words[word] |= bit;
            self.front = self.front.min(word);
            self.len += 1;
            self.add(word, true);
        }
        Ok(())
    }

    /// Takes `seq` out; nothing changes if it is not there.
    pub(crate) fn remove(&mut self, seq: u64) {
        let Some((word, bit)) = self.place(seq) else {
            return;
        };
        if self.words[word] & bit == 0 {
            return;
        }
        self.words[word] &= !bit;
        self.len -= 1;
        self.add(word, false);
        self.cut_front();
    }

    fn place(&self, seq: u64) -> Option<(usize, u64)> {
        let word = usize::try_from((seq / 64).checked_sub(self.base)?).ok()?;
        (word < self.words.len()).then_some((word, 1 << (seq % 64)))
    }

    fn add(&mut self, word: usize, more: bool) {
        let mut node = word + 1;
        while node <= self.tree.len() {
            let count = &mut self.tree[node - 1];
            *count = if more { *count + 1 } else { *count - 1 };
            node += node & node.wrapping_neg();
        }
    }

    /// Grows the set until it has a bit for `seq`.
    fn reach(&mut self, seq: u64) -> Result<(), TooFar> {
        let word = seq / 64;
        if self.len == 0 {
            *self = Self { base: word, ..Self::default() };
        }
        let last = self.base + self.words.len() as u64;
        let first = self.base + self.front as u64;
        if word.max(last) - word.min(first) > SPAN_MAX / 64 {
            return Err(TooFar(seq));
        }
        if let Some(missing) = self.base.checked_sub(word).filter(|&missing| missing > 0) {
            // Room for as many again: after a recovery numbers may come back in falling order.
            let missing = (missing + self.words.len() as u64).min(self.base);
            let missing = usize::try_from(missing).expect("bounded by the span");
            self.base -= missing as u64;
            self.words.splice(0..0, std::iter::repeat_n(0, missing));
            self.front = missing;
            self.rebuild();
        }
        while self.base + self.words.len() as u64 <= word {
            self.words.push(0);
            self.push_node();
        }
        Ok(())
    }

    /// Adds the tree node of the last word, which is 0.
    fn push_node(&mut self) {
        let node = self.words.len();
        let first = node & (node - 1);
        let (mut child, mut count) = (node - 1, 0);
        while child > first {
            count += self.tree[child - 1];
            child &= child - 1;
        }
        self.tree.push(count);
    }

    fn cut_front(&mut self) {
        while self.words.get(self.front) == Some(&0) {
            self.front += 1;
        }
        if self.front < DRAINED_MIN || self.front * 2 < self.words.len() {
            return;
        }
        self.words.drain(..self.front);
        self.base += self.front as u64;
        self.front = 0;
        self.rebuild();
    }

    fn rebuild(&mut self) {
        self.tree = self.words.iter().map(|word| word.count_ones()).collect();
        for node in 1..=self.tree.len() {
            let parent = node + (node & node.wrapping_neg());
            if parent <= self.tree.len() {
                self.tree[parent - 1] += self.tree[node - 1];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::rngs::SmallRng;
    use rand::{RngExt, SeedableRng};

    #[test]
    fn agrees_with_a_sorted_list_under_random_changes() {
        let seed = rand::random::<u64>();
        println!("seed {seed}");
        let mut random = SmallRng::seed_from_u64(seed);
        for start in [1, 1_000_000] {
            let (mut set, mut model, mut next) = (Positions::default(), Vec::new(), start);
            for _ in 0..20_000 {
                match random.random_range(0..10) {
                    0..5 => {
                        next += random.random_range(1..40);
                        set.insert(next).unwrap();
                        model.push(next);
                    }
                    5..8 if !model.is_empty() => set.remove(model.remove(0)),
                    8 if !model.is_empty() => {
                        let gone = model.remove(random.random_range(0..model.len()));
                        set.remove(gone);
                        set.remove(gone);
                    }
                    _ => {
                        let back = random.random_range(1..=next);
                        set.insert(back).unwrap();
                        if let Err(at) = model.binary_search(&back) {
                            model.insert(at, back);
                        }
                    }
                }
                let asked = random.random_range(0..next + 200);
                let below = model.partition_point(|&seq| seq < asked) as u64;
                assert_eq!(set.below(asked), below, "below {asked}");
                assert_eq!(set.contains(asked), model.binary_search(&asked).is_ok());
                assert_eq!(set.len(), model.len() as u64);
            }
        }
    }

    #[test]
    fn a_million_in_line_stay_small_while_the_front_drains() {
        let mut set = Positions::default();
        for seq in 1..=3_000_000 {
            set.insert(seq).unwrap();
            if seq > 1_000_000 {
                set.remove(seq - 1_000_000);
            }
        }
        assert_eq!((set.len(), set.below(2_500_001)), (1_000_000, 500_000));
        let bytes = set.words.capacity() * 8 + set.tree.capacity() * 4;
        assert!(bytes < 2_000_000, "{bytes} bytes");
    }

    #[test]
    fn a_number_far_off_is_refused_instead_of_filling_the_memory() {
        let mut set = Positions::default();
        set.insert(7).unwrap();
        assert_eq!(set.insert(1 << 60), Err(TooFar(1 << 60)));
        assert_eq!((set.len(), set.contains(7)), (1, true));
    }
}
