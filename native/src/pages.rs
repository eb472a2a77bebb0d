//! The register's tree in pages (`chain/pages.py`, which has the format and the words).
//!
//! Pages are kept as columns, read where they are missing, and let go by when they were last used.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};
use std::io::Write;
use std::ops::Range;

use crate::digest::{Hash, sha256};
use crate::errors::{Error, Result};
use crate::multiproofs::Subtree;
use crate::spans::{
    EMPTY_ROOT, KEY_SIZE, Key, LINE_BITS, LINE_SIZE, Line, bit, comes_before, common_bits,
    is_below, key_of, last_below, leaf_hash, node_hash, prefix_key, uint,
};

pub const ROOT_PAGE: u64 = 1;
pub const ITEM_SIZE: usize = 40;
const ROW_SIZE: usize = KEY_SIZE + ITEM_SIZE + 1 + 32;
const NODE_TAG: u8 = 0x11;
const STUB: u8 = 0x80;
/// A column has room for a multiple of this: pages are many, and grow often.
const ROOM: usize = 8;
/// The numbers of pages in an archive begin here; what else they say stands in `chain/pages.py`.
const ARCHIVED: u64 = 1 << 47;
/// Bits increase from page to page, so a way down that is longer leads in a circle.
const DEPTH_MAX: u32 = 256;

pub type Item = [u8; ITEM_SIZE];
/// A span as a page has it.
pub type Row = (Key, Item);
/// A key with the span's item, or None where the span goes.
pub type Change = (Key, Option<Item>);
/// The bits of each inner node on the way down, and the hash of its other side.
pub type Steps = Vec<(u8, Hash)>;

struct Stub {
    bits: u8,
    page: u64,
}

fn stub(item: &Item) -> Option<Stub> {
    (item[0] & STUB != 0).then(|| Stub {
        bits: item[1],
        page: uint(&item[2..8]),
    })
}

fn make_stub(page: u64, bits: u8, hash: &Hash) -> Item {
    let mut item = [0; ITEM_SIZE];
    item[..2].copy_from_slice(&[STUB, bits]);
    item[2..8].copy_from_slice(&page.to_be_bytes()[2..]);
    item[8..].copy_from_slice(hash);
    item
}

fn item_hash(key: &Key, item: &Item) -> Hash {
    match stub(item) {
        Some(_) => tail(item),
        None => leaf_hash(key, &sha256(&[item])),
    }
}

fn tail(item: &Item) -> Hash {
    let mut hash = EMPTY_ROOT;
    hash.copy_from_slice(&item[8..]);
    hash
}

/// One page; `touched` marks the items below which hashes are stale.
#[derive(Clone, Default)]
pub struct Page {
    keys: Vec<Key>,
    items: Vec<Item>,
    commons: Vec<u8>,
    nodes: Vec<Hash>,
    touched: Vec<bool>,
    stale: bool,
    used: u64,
}

impl Page {
    fn len(&self) -> usize {
        self.keys.len()
    }

    /// Read a stored page: its items in order, each parted from the one before where it says.
    fn decode(data: &[u8]) -> Result<Page> {
        let count = data.len() / ROW_SIZE;
        let (keys, rest) = columns::<KEY_SIZE>(data, count);
        let (items, rest) = columns::<ITEM_SIZE>(rest, count);
        let commons = rest[..count].to_vec();
        let (nodes, rest) = columns::<32>(&rest[count..], count);
        let page = Page {
            touched: vec![false; count],
            keys,
            items,
            commons,
            nodes,
            ..Page::default()
        };
        if rest.is_empty() && page.is_sound() {
            Ok(page)
        } else {
            Err(Error::PageCorrupt)
        }
    }

    fn is_sound(&self) -> bool {
        let parted = |(pair, &common): (&[Key], &u8)| {
            pair[0] < pair[1] && common_bits(&pair[0], &pair[1]) == u16::from(common)
        };
        self.keys
            .windows(2)
            .zip(self.commons.iter().skip(1))
            .all(parted)
    }

    /// How many bytes the page has as it is stored.
    pub fn size(&self) -> usize {
        self.len() * ROW_SIZE
    }

    /// Write the page as it is stored.
    pub fn encode(&self, mut out: &mut [u8]) -> std::io::Result<()> {
        out.write_all(self.keys.as_flattened())?;
        out.write_all(self.items.as_flattened())?;
        out.write_all(&self.commons)?;
        out.write_all(self.nodes.as_flattened())
    }

    fn common(&self, place: usize) -> u8 {
        // Keys of a page differ, so that 256 does not occur.
        if place == 0 {
            0
        } else {
            common_bits(&self.keys[place - 1], &self.keys[place]) as u8
        }
    }

    /// Put rows before what stands at their places (ascending), then drop the items at `gone`.
    fn edit(&mut self, places: &[usize], rows: &[Row], gone: &[usize]) {
        insert_all(&mut self.keys, places, |n| rows[n].0);
        insert_all(&mut self.items, places, |n| rows[n].1);
        insert_all(&mut self.commons, places, |_| 0);
        insert_all(&mut self.nodes, places, |_| EMPTY_ROOT);
        insert_all(&mut self.touched, places, |_| true);
        let moved = |place: usize| place + places.partition_point(|&before| before <= place);
        let gone: Vec<usize> = gone.iter().map(|&place| moved(place)).collect();
        for &place in gone.iter().rev() {
            self.drop(place);
        }
        for (n, place) in places.iter().enumerate() {
            let place = place + n - gone.partition_point(|&before| before < place + n);
            for near in place..(place + 2).min(self.len()) {
                self.commons[near] = self.common(near);
            }
        }
    }

    /// Remove an item; its neighbours carry the mark that something changed.
    fn drop(&mut self, place: usize) {
        self.keys.remove(place);
        self.items.remove(place);
        self.commons.remove(place);
        self.nodes.remove(place);
        self.touched.remove(place);
        if place < self.len() {
            self.commons[place] = self.common(place);
            self.touched[place] = true;
        }
        if place > 0 {
            self.touched[place - 1] = true;
        }
    }

    /// Put the parts of a page below in the place of its stub.
    fn replace(&mut self, place: usize, mut parts: Page) {
        // They part from the items around where the stub did.
        parts.commons[0] = self.commons[place];
        parts.nodes[0] = self.nodes[place];
        let touched = vec![true; parts.len()];
        self.keys.splice(place..=place, parts.keys);
        self.items.splice(place..=place, parts.items);
        self.commons.splice(place..=place, parts.commons);
        self.nodes.splice(place..=place, parts.nodes);
        self.touched.splice(place..=place, touched);
    }

    /// The items from `low` to `high` as a page of their own; their hashes are not stale.
    fn part(&self, low: usize, high: usize) -> Page {
        let mut part = Page {
            keys: roomy(&self.keys[low..high]),
            items: roomy(&self.items[low..high]),
            commons: roomy(&self.commons[low..high]),
            nodes: roomy(&self.nodes[low..high]),
            touched: roomy(&vec![false; high - low]),
            used: self.used,
            stale: false,
        };
        part.commons[0] = 0;
        part
    }

    /// Cut items `low` to `high`, two or more, at their top nodes until each range fits a page.
    fn ranges(&self, low: usize, high: usize, most: usize, cut: &mut Vec<(usize, usize)>) {
        if high - low <= most {
            cut.push((low, high));
        } else {
            let place = self.split(low, high);
            self.ranges(low, place, most, cut);
            self.ranges(place, high, most, cut);
        }
    }

    /// Where the top node over items `low` to `high` parts them; two items at least.
    fn split(&self, low: usize, high: usize) -> usize {
        let mut place = low + 1;
        for other in low + 2..high {
            if self.commons[other] < self.commons[place] {
                place = other;
            }
        }
        place
    }

    /// The hash of the tree over items `low` to `high`, where nothing is stale.
    fn hash(&self, low: usize, high: usize) -> Hash {
        if high - low == 1 {
            item_hash(&self.keys[low], &self.items[low])
        } else {
            self.nodes[self.split(low, high)]
        }
    }

    /// Compute the hashes above all touched items; the hash of the whole page.
    fn rehash(&mut self) -> Hash {
        if self.keys.is_empty() {
            return EMPTY_ROOT;
        }
        let top = self.climb(0, self.len());
        self.touched.fill(false);
        top
    }

    fn climb(&mut self, low: usize, high: usize) -> Hash {
        if high - low == 1 {
            return item_hash(&self.keys[low], &self.items[low]);
        }
        let place = self.split(low, high);
        if self.touched[low..high].contains(&true) {
            let (left, right) = (self.climb(low, place), self.climb(place, high));
            let bits = self.commons[place];
            self.nodes[place] = node_hash(NODE_TAG, bits, &self.keys[low], &left, &right);
        }
        self.nodes[place]
    }

    /// Whether there is no page below but those of an archive.
    fn is_last(&self) -> bool {
        let mut stubs = self.items.iter().filter_map(stub);
        stubs.all(|stub| stub.page >= ARCHIVED)
    }

    fn row(&self, place: usize) -> Row {
        (self.keys[place], self.items[place])
    }
}

/// A column with some room to grow.
fn roomy<T: Copy>(column: &[T]) -> Vec<T> {
    let mut made = Vec::with_capacity(column.len().next_multiple_of(ROOM));
    made.extend_from_slice(column);
    made
}

/// A column of `count` fields of N bytes, and what comes after it.
fn columns<const N: usize>(data: &[u8], count: usize) -> (Vec<[u8; N]>, &[u8]) {
    let (column, rest) = data.split_at(N * count);
    (roomy(column.as_chunks::<N>().0), rest)
}

/// Put `value(n)` before what stands at `places[n]`; places ascend, and several may be the same.
fn insert_all<T: Copy>(column: &mut Vec<T>, places: &[usize], value: impl Fn(usize) -> T) {
    if places.is_empty() {
        return;
    }
    let mut end = column.len();
    if end + places.len() > column.capacity() {
        column.reserve_exact((end + places.len()).next_multiple_of(ROOM) - end);
    }
    column.resize(end + places.len(), value(0));
    for (n, &place) in places.iter().enumerate().rev() {
        column.copy_within(place..end, place + n + 1);
        column[place + n] = value(n);
        end = place;
    }
}

/// Gives the stored bytes of pages by number, those that exist.
pub type Read = Box<dyn Fn(&[u64]) -> Result<Vec<(u64, Vec<u8>)>> + Send + Sync>;

/// What stands at the end of a way down.
pub enum End {
    Leaf(Row),
    /// The bits of an inner node, a key below it, and its two children.
    Inner(u8, Key, Hash, Hash),
}

type Numbers = BuildHasherDefault<NumberHasher>;

/// Spreads the numbers of pages, which nobody chooses who could gain by collisions.
#[derive(Default)]
struct NumberHasher(u64);

impl Hasher for NumberHasher {
    fn write(&mut self, bytes: &[u8]) {
        bytes.chunks(8).for_each(|part| self.write_u64(uint(part)));
    }

    fn write_u64(&mut self, number: u64) {
        // The golden ratio's fraction; the table takes its place from the lowest bits.
        self.0 = (self.0 ^ number)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .rotate_left(32);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// The pages of a register.
pub struct Pages {
    read: Read,
    items_max: usize,
    pub next_page: u64,
    cached_max: usize,
    pages: HashMap<u64, Box<Page>, Numbers>,
    /// The numbers of pages that are to be stored, or, if they are not there, deleted.
    changed: HashSet<u64, Numbers>,
    /// Counts the batches: pages that were used in the last ones are kept.
    now: u64,
}

impl Pages {
    pub fn new(read: Read, items_max: usize, next_page: u64, cached_max: usize) -> Pages {
        Pages {
            read,
            items_max,
            next_page,
            cached_max,
            pages: HashMap::default(),
            changed: HashSet::default(),
            now: 0,
        }
    }

    // --- pages ---

    /// Read the pages that are not here, all at once.
    fn fetch(&mut self, numbers: impl Iterator<Item = u64>) -> Result<()> {
        let mut missing: Vec<u64> = numbers
            .filter(|page| !self.pages.contains_key(page))
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        missing.sort_unstable();
        missing.dedup();
        for (number, data) in (self.read)(&missing)? {
            let page = Page::decode(&data)?;
            if page.keys.is_empty() && number != ROOT_PAGE {
                return Err(Error::PageCorrupt);
            }
            self.pages.entry(number).or_insert(Box::new(page));
        }
        for number in missing {
            if number == ROOT_PAGE {
                self.pages.entry(number).or_default();
            } else if !self.pages.contains_key(&number) {
                return Err(Error::PageMissing(number));
            }
        }
        Ok(())
    }

    fn page(&mut self, number: u64) -> Result<&mut Page> {
        self.fetch([number].into_iter())?;
        let page = self
            .pages
            .get_mut(&number)
            .ok_or(Error::PageMissing(number))?;
        page.used = self.now;
        Ok(page)
    }

    fn take(&mut self, number: u64) -> Result<Box<Page>> {
        self.page(number)?;
        self.pages.remove(&number).ok_or(Error::PageMissing(number))
    }

    /// The numbers of the pages changed since the last call; those that are gone are to be deleted.
    pub fn changed(&mut self) -> Result<Vec<u64>> {
        self.root()?;
        Ok(self.changed.drain().collect())
    }

    /// A page that is here.
    pub fn get(&self, number: u64) -> Option<&Page> {
        self.pages.get(&number).map(Box::as_ref)
    }

    /// A batch is done: let pages go that were not used in the last ones, if there are too many.
    pub fn shrink(&mut self) {
        if self.pages.len() > self.cached_max {
            let mut ages: Vec<u64> = self.pages.values().map(|page| page.used).collect();
            // An eighth more than must go, so that not every batch looks for the oldest.
            let kept = self.cached_max - self.cached_max / 8;
            let gone = ages.len() - kept;
            let (_, &mut newest, _) = ages.select_nth_unstable(gone - 1);
            self.pages.retain(|_, page| page.used > newest);
        }
        self.now += 1;
    }

    // --- search ---

    /// For each (line, start, end), the live spans on that line that overlap, last one first, at
    /// most so many.
    pub fn overlapping(
        &mut self,
        wanted: &[(Line, u64, u64)],
        most: usize,
    ) -> Result<Vec<Vec<Row>>> {
        let mut found = vec![Vec::new(); wanted.len()];
        // In the order of their ends, those that lead to one page stand side by side.
        let mut ends: Vec<(Key, usize)> = Vec::with_capacity(wanted.len());
        ends.extend(
            wanted
                .iter()
                .enumerate()
                .map(|(n, (line, _, end))| (key_of(line, *end), n)),
        );
        ends.sort_unstable();
        let mut reached: Vec<(u64, usize)> = Vec::new();
        let mut level = vec![(ROOT_PAGE, 0, ends.len())];
        for _ in 0..DEPTH_MAX {
            if level.is_empty() {
                break;
            }
            self.fetch(level.iter().map(|&(number, ..)| number))?;
            let mut below = Vec::new();
            for (number, low, high) in level {
                let page = self.page(number)?;
                let mut at = low;
                while at < high {
                    let (end, query) = &ends[at];
                    let after = page.keys.partition_point(|key| comes_before(key, end));
                    at += 1;
                    let Some(place) = after.checked_sub(1) else {
                        continue;
                    };
                    let key = &page.keys[place];
                    // A stub within one line is searched from its page up.
                    match stub(&page.items[place]).filter(|stub| stub.bits < LINE_BITS) {
                        Some(stub) if is_below(end, stub.bits, key) => {
                            let last = last_below(stub.bits, key);
                            let until =
                                at + ends[at..high].partition_point(|e| !comes_before(&last, &e.0));
                            below.push((stub.page, at - 1, until));
                            at = until;
                        }
                        None if key[..LINE_SIZE] == end[..LINE_SIZE] => {
                            reached.push((number, *query));
                        }
                        _ => {}
                    }
                }
            }
            level = below;
        }
        for (number, query) in reached {
            let (line, start, end) = &wanted[query];
            let rows = &mut found[query];
            self.descend(number, Some(&key_of(line, *end)), DEPTH_MAX, &mut |row| {
                let reaches = row.0[..LINE_SIZE] == line[..] && uint(&row.1[..8]) > *start;
                if reaches {
                    rows.push(row);
                }
                reaches && rows.len() < most
            })?;
        }
        Ok(found)
    }

    /// Visit the spans with keys below `key` (or all), in descending order, until `visit` says no.
    fn descend(
        &mut self,
        number: u64,
        key: Option<&Key>,
        depth: u32,
        visit: &mut dyn FnMut(Row) -> bool,
    ) -> Result<bool> {
        let depth = depth.checked_sub(1).ok_or(Error::PageCorrupt)?;
        let page = self.page(number)?;
        let last = key.map_or(page.len(), |key| page.keys.partition_point(|one| one < key));
        for place in (0..last).rev() {
            let row = self.page(number)?.row(place);
            let goes_on = match stub(&row.1) {
                Some(stub) => {
                    let within = key.filter(|_| place + 1 == last);
                    self.descend(stub.page, within, depth, visit)?
                }
                None => visit(row),
            };
            if !goes_on {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Visit the spans with keys at or above `key`, in ascending order, until `visit` says no.
    fn ascend(
        &mut self,
        number: u64,
        key: &Key,
        depth: u32,
        visit: &mut dyn FnMut(Row) -> bool,
    ) -> Result<bool> {
        let depth = depth.checked_sub(1).ok_or(Error::PageCorrupt)?;
        let page = self.page(number)?;
        let count = page.len();
        // The item before may be a stub that reaches past the key.
        let first = page
            .keys
            .partition_point(|one| one <= key)
            .saturating_sub(1);
        for place in first..count {
            let row = self.page(number)?.row(place);
            let goes_on = match stub(&row.1) {
                Some(stub) => self.ascend(stub.page, key, depth, visit)?,
                None => row.0 < *key || visit(row),
            };
            if !goes_on {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The last span with a key below `key`.
    pub fn before(&mut self, key: &Key) -> Result<Option<Row>> {
        let mut found = None;
        self.descend(ROOT_PAGE, Some(key), DEPTH_MAX, &mut |row| {
            found = Some(row);
            false
        })?;
        Ok(found)
    }

    /// The first spans with keys at or above `key`, at most so many.
    pub fn following(&mut self, key: &Key, most: usize) -> Result<Vec<Row>> {
        let mut found = Vec::new();
        self.ascend(ROOT_PAGE, key, DEPTH_MAX, &mut |row| {
            found.push(row);
            found.len() < most
        })?;
        Ok(found)
    }

    // --- change ---

    /// Enter and remove spans: changes in the order of their keys, each key once.
    pub fn change(&mut self, changes: &[Change]) -> Result<()> {
        let mut level = vec![(ROOT_PAGE, 0, changes.len())];
        for _ in 0..DEPTH_MAX {
            if level.is_empty() {
                return Ok(());
            }
            self.fetch(level.iter().map(|&(number, ..)| number))?;
            let mut below = Vec::new();
            for (number, low, high) in level {
                let page = self.page(number)?;
                page.stale = true;
                page.enter(changes, low..high, &mut below)?;
                self.changed.insert(number);
            }
            level = below;
        }
        Err(Error::PageCorrupt)
    }

    /// The root of the register as it stands.
    pub fn root(&mut self) -> Result<Hash> {
        let mut page = self.take(ROOT_PAGE)?;
        let settled = if page.stale {
            self.settle_root(&mut page)
        } else {
            Ok(())
        };
        let root = if page.keys.is_empty() {
            EMPTY_ROOT
        } else {
            page.hash(0, page.len())
        };
        self.pages.insert(ROOT_PAGE, page);
        settled.map(|()| root)
    }

    fn settle_root(&mut self, page: &mut Page) -> Result<()> {
        self.settle(page, DEPTH_MAX)?;
        while page.len() > self.items_max {
            *page = self.parts(page, None);
            page.used = self.now;
        }
        Ok(())
    }

    /// Bring a page up to date and give its hash; it may be too long afterwards.
    fn settle(&mut self, page: &mut Page, depth: u32) -> Result<Hash> {
        let depth = depth.checked_sub(1).ok_or(Error::PageCorrupt)?;
        let mut place = page.len();
        while let Some(touched) = page.touched[..place].iter().rposition(|&touched| touched) {
            place = touched;
            if let Some(stub) = stub(&page.items[place]) {
                self.settle_stub(page, place, stub.page, depth)?;
            }
        }
        page.stale = false;
        Ok(page.rehash())
    }

    fn settle_stub(
        &mut self,
        page: &mut Page,
        place: usize,
        number: u64,
        depth: u32,
    ) -> Result<()> {
        if !self.pages.get(&number).is_some_and(|page| page.stale) {
            return Ok(());
        }
        let mut child = self.take(number)?;
        let hash = self.settle(&mut child, depth)?;
        let mut number = number;
        if number >= ARCHIVED {
            // What is archived stays as it is.
            self.changed.remove(&number);
            number = self.new_number();
            self.changed.insert(number);
        }
        match child.len() {
            0 => page.drop(place),
            1 => (page.keys[place], page.items[place]) = child.row(0),
            count if count <= self.items_max => {
                // After a removal the prefix may be longer; the shorter one still covers the page.
                page.items[place] = make_stub(number, page.items[place][1], &hash);
                self.pages.insert(number, child);
            }
            _ => {
                let parts = self.parts(&child, Some(number));
                page.replace(place, parts);
            }
        }
        Ok(())
    }

    fn new_number(&mut self) -> u64 {
        self.next_page += 1;
        self.next_page - 1
    }

    /// Move pages to a file of the archive, at most so many; its bytes.
    ///
    /// Those below which all keys that there can ever be are `first` to `last`.
    pub fn archive(&mut self, first: &Key, last: &Key, file: u64, most: usize) -> Result<Vec<u8>> {
        self.root()?;
        let mut archive = Archive {
            first: *first,
            last: *last,
            file,
            most,
            data: Vec::new(),
        };
        self.move_below(ROOT_PAGE, &mut archive, DEPTH_MAX)?;
        Ok(archive.data)
    }

    /// Move the pages below a page.
    fn move_below(&mut self, number: u64, archive: &mut Archive, depth: u32) -> Result<()> {
        let depth = depth.checked_sub(1).ok_or(Error::PageCorrupt)?;
        let page = self.page(number)?;
        let meeting: Vec<(usize, Key, Stub)> = (0..page.len())
            .filter_map(|place| Some((place, page.keys[place], stub(&page.items[place])?)))
            .filter(|(_, key, stub)| stub.page < ARCHIVED && archive.meets(key, stub.bits))
            .collect();
        self.fetch(meeting.iter().take(archive.most).map(|of| of.2.page))?;
        for (place, key, stub) in meeting {
            if archive.most == 0 {
                break;
            }
            self.move_below(stub.page, archive, depth)?;
            let goes = archive.most > 0
                && archive.holds(&key, stub.bits)
                && self.page(stub.page)?.is_last();
            if goes {
                let child = self.take(stub.page)?;
                let archived = archive.enter(&child)?;
                let page = self.page(number)?;
                page.items[place] = make_stub(archived, stub.bits, &tail(&page.items[place]));
                self.changed.extend([number, stub.page]);
            }
        }
        Ok(())
    }

    /// Move a page that is too long to pages of their own, the first one to `number`; the items
    /// that stand for them.
    fn parts(&mut self, page: &Page, mut number: Option<u64>) -> Page {
        let mut made = Page {
            used: page.used,
            ..Page::default()
        };
        let mut cut = Vec::new();
        page.ranges(0, page.len(), self.items_max, &mut cut);
        for (low, high) in cut {
            let (key, item) = if high - low == 1 {
                page.row(low)
            } else {
                let number = number.take().unwrap_or_else(|| self.new_number());
                let part = page.part(low, high);
                let place = part.split(0, part.len());
                let (bits, hash) = (part.commons[place], part.nodes[place]);
                let key = prefix_key(bits, &part.keys[0]);
                self.pages.insert(number, Box::new(part));
                self.changed.insert(number);
                (key, make_stub(number, bits, &hash))
            };
            made.keys.push(key);
            made.items.push(item);
            made.commons.push(page.commons[low]);
            made.nodes.push(page.nodes[low]);
            made.touched.push(false);
        }
        made
    }

    // --- proofs ---

    /// Follow `key` down, to where a node's prefix leaves its first `bits_max` bits; there must be
    /// a span at all.
    pub fn walk(&mut self, key: &Key, bits_max: u16) -> Result<(Steps, End)> {
        self.root()?;
        let mut steps = Steps::new();
        let mut number = ROOT_PAGE;
        for _ in 0..DEPTH_MAX {
            let page = self.page(number)?;
            let (mut low, mut high) = (0, page.len());
            while high - low > 1 {
                let place = page.split(low, high);
                let bits = page.commons[place];
                if u16::from(bits) >= bits_max || !is_below(key, bits, &page.keys[low]) {
                    let (left, right) = (page.hash(low, place), page.hash(place, high));
                    return Ok((steps, End::Inner(bits, page.keys[low], left, right)));
                }
                if bit(key, bits) {
                    steps.push((bits, page.hash(low, place)));
                    low = place;
                } else {
                    steps.push((bits, page.hash(place, high)));
                    high = place;
                }
            }
            if high == low {
                break;
            }
            match stub(&page.items[low]) {
                Some(stub) => number = stub.page,
                None => return Ok((steps, End::Leaf(page.row(low)))),
            }
        }
        Err(Error::PageCorrupt)
    }

    /// The whole tree, as multiproofs are made of it; there must be a span at all.
    pub fn top(&mut self) -> Result<Part> {
        self.root()?;
        let high = self.page(ROOT_PAGE)?.len();
        if high == 0 {
            return Err(Error::PageMissing(ROOT_PAGE));
        }
        Ok(Part {
            number: ROOT_PAGE,
            low: 0,
            high,
            depth: DEPTH_MAX,
        })
    }
}

impl Page {
    /// Take in the changes of a range; those that go below a stub are left to `below`: the page,
    /// and the range of its changes.
    fn enter(
        &mut self,
        changes: &[Change],
        range: Range<usize>,
        below: &mut Vec<(u64, usize, usize)>,
    ) -> Result<()> {
        let (mut places, mut rows, mut gone) = (Vec::new(), Vec::new(), Vec::new());
        let (mut at, mut after) = (range.start, 0);
        while at < range.end {
            let (key, item) = &changes[at];
            after += self.keys[after..].partition_point(|one| !comes_before(key, one));
            let here = after.checked_sub(1);
            let above = here.and_then(|place| {
                let stub = stub(&self.items[place])?;
                is_below(key, stub.bits, &self.keys[place]).then_some((place, stub))
            });
            if let Some((place, stub)) = above {
                let last = last_below(stub.bits, &self.keys[place]);
                let rest = &changes[at + 1..range.end];
                let until = at + 1 + rest.partition_point(|one| !comes_before(&last, &one.0));
                below.push((stub.page, at, until));
                self.touched[place] = true;
                at = until;
                continue;
            }
            match (here.filter(|place| self.keys[*place] == *key), item) {
                (Some(place), None) => gone.push(place),
                (Some(place), Some(item)) => {
                    self.items[place] = *item;
                    self.touched[place] = true;
                }
                (None, Some(item)) => {
                    places.push(after);
                    rows.push((*key, *item));
                }
                (None, None) => return Err(Error::SpanNotThere(key.to_vec())),
            }
            at += 1;
        }
        self.edit(&places, &rows, &gone);
        Ok(())
    }
}

/// A file of the archive in the making: of which keys, its number, how many pages more, its bytes.
struct Archive {
    first: Key,
    last: Key,
    file: u64,
    most: usize,
    data: Vec<u8>,
}

impl Archive {
    /// Whether keys that begin with the first `bits` bits of `key` can be among its own.
    fn meets(&self, key: &Key, bits: u8) -> bool {
        *key <= self.last && self.first <= last_below(bits, key)
    }

    /// Whether all of them are.
    fn holds(&self, key: &Key, bits: u8) -> bool {
        self.first <= *key && last_below(bits, key) <= self.last
    }

    /// Take in a page; its number.
    fn enter(&mut self, page: &Page) -> Result<u64> {
        let start = self.data.len();
        self.data.resize(start + page.size(), 0);
        page.encode(&mut self.data[start..])
            .map_err(|_| Error::PageCorrupt)?;
        self.most -= 1;
        let place = (start / ROW_SIZE) as u64;
        Ok(ARCHIVED | self.file << 23 | place << 6 | page.len() as u64)
    }
}

/// The items from `low` to `high` of a page, all that are below one node.
pub struct Part {
    number: u64,
    low: usize,
    high: usize,
    depth: u32,
}

impl Subtree for Part {
    type Whole = Pages;

    fn first(&self, pages: &mut Pages) -> Result<Key> {
        pages
            .page(self.number)?
            .keys
            .get(self.low)
            .copied()
            .ok_or(Error::PageCorrupt)
    }

    fn child(&self, pages: &mut Pages) -> Result<Vec<u8>> {
        Ok(pages.page(self.number)?.hash(self.low, self.high).to_vec())
    }

    fn parts(&self, pages: &mut Pages) -> Result<Option<(u8, Part, Part)>> {
        let &Part {
            mut number,
            mut low,
            mut high,
            mut depth,
        } = self;
        let mut page = pages.page(number)?;
        if high - low == 1 {
            let Some(stub) = stub(&page.items[low]) else {
                return Ok(None);
            };
            depth = depth.checked_sub(1).ok_or(Error::PageCorrupt)?;
            number = stub.page;
            page = pages.page(number)?;
            (low, high) = (0, page.len());
        }
        if high - low < 2 {
            return Err(Error::PageCorrupt);
        }
        let place = page.split(low, high);
        let left = Part {
            number,
            low,
            high: place,
            depth,
        };
        let right = Part {
            number,
            low: place,
            high,
            depth,
        };
        Ok(Some((page.commons[place], left, right)))
    }
}
