/**
 * The register of live spans, and what is proved under its root (specification, sections 12, 13).
 *
 * *Held*: this span is live, with this holder, and no neighbour on its line reaches into it.
 * *Free*: no live span overlaps this stretch of the line.  A path lists, from the root down, the
 * bit length of each node and the hash of the child that is not on the way; prefixes and
 * directions come from the key, never from the proof.
 */

import { concat, equal, fromHex, hash, toHex, toInteger, u16, u64 } from './bytes.js';
import { FOREVER } from './classes.js';
import { need } from './errors.js';
import { fields } from './json.js';

/** @typedef {import('./classes.js').Classes} Classes */
/** @typedef {{bits: number, sibling: Uint8Array}[]} Path */
/** @typedef {{start: bigint, end: bigint, holder: Uint8Array, path: Path}} Before */
/** @typedef {{start: bigint, value: Uint8Array, path: Path}} After */

/**
 * @typedef {object} Held
 * @property {Uint8Array} line
 * @property {bigint} start
 * @property {bigint} end
 * @property {Uint8Array} holder
 * @property {Path} path
 * @property {Before | null} before
 * @property {After | null} after
 */

/**
 * @typedef {object} Free
 * @property {Uint8Array} line
 * @property {bigint} start
 * @property {bigint} end
 * @property {{before: Before | null, after: After | null}} [present] the neighbours
 * @property {{path: Path, leaf?: OtherLeaf, inner?: Inner}} [absent] what stands where the line
 *   would be
 */

/** @typedef {{line: Uint8Array, start: bigint, value: Uint8Array}} OtherLeaf */
/** @typedef {{bits: number, prefix: Uint8Array, left: Uint8Array, right: Uint8Array}} Inner */

const LINE_BITS = 192;
const KEY_BITS = 256;
const EMPTY_ROOT = new Uint8Array(32);
const LEAF = Uint8Array.of(0x10);
const NODE = Uint8Array.of(0x11);

// --- hashes ---

/** The bit of a key at a position, counted from the most significant. */
const bit = (/** @type {Uint8Array} */ key, /** @type {number} */ position) =>
  (key[position >> 3] >> (7 - (position & 7))) & 1;

/** The first `bits` bits of a key, filled up with zeros to whole bytes. */
function prefixOf(/** @type {Uint8Array} */ key, /** @type {number} */ bits) {
  const prefix = key.slice(0, (bits + 7) >> 3);
  if (bits & 7) {
    prefix[prefix.length - 1] &= 0xff00 >> (bits & 7);
  }
  return prefix;
}

/** How many leading bits two keys share. */
function sharedBits(/** @type {Uint8Array} */ one, /** @type {Uint8Array} */ other) {
  const difference = toInteger(one) ^ toInteger(other);
  return KEY_BITS - (difference === 0n ? 0 : difference.toString(2).length);
}

/**
 * @param {Uint8Array} line
 * @param {bigint} start
 */
const keyOf = (line, start) => concat(line, u64(start));

/**
 * @param {Uint8Array} key
 * @param {Uint8Array} value
 */
const leafOf = (key, value) => hash(LEAF, key, value);

/**
 * @param {bigint} end
 * @param {Uint8Array} holder
 */
const valueOf = (end, holder) => hash(u64(end), holder);

/**
 * @param {number} bits
 * @param {Uint8Array} key
 * @param {Uint8Array} left
 * @param {Uint8Array} right
 */
const nodeOf = (bits, key, left, right) => hash(NODE, u16(bits), prefixOf(key, bits), left, right);

/**
 * The root of the register that holds these spans.
 *
 * @param {{line: Uint8Array, start: bigint, end: bigint, holder: Uint8Array}[]} spans
 */
export async function registerRoot(spans) {
  const leaves = spans.map((span) => ({ ...span, key: keyOf(span.line, span.start) }));
  leaves.sort((one, other) => (toInteger(one.key) < toInteger(other.key) ? -1 : 1));
  return leaves.length === 0 ? EMPTY_ROOT : top(leaves);
}

/**
 * The hash of the node above leaves in the order of their keys.
 *
 * @param {{key: Uint8Array, end: bigint, holder: Uint8Array}[]} leaves
 * @returns {Promise<Uint8Array>}
 */
async function top(leaves) {
  const [{ key, end, holder }] = leaves;
  if (leaves.length === 1) {
    return leafOf(key, await valueOf(end, holder));
  }
  const bits = sharedBits(key, leaves[leaves.length - 1].key);
  const right = leaves.findIndex((leaf) => bit(leaf.key, bits) === 1);
  return nodeOf(bits, key, await top(leaves.slice(0, right)), await top(leaves.slice(right)));
}

/**
 * The root to which a path leads from a hash at a key.
 *
 * @param {Uint8Array} key
 * @param {Uint8Array} digest
 * @param {Path} path
 */
async function pathRoot(key, digest, path) {
  let above = KEY_BITS;
  for (const { bits, sibling } of path.toReversed()) {
    need(0 <= bits && bits < above, 'path-not-descending');
    need(!equal(sibling, EMPTY_ROOT), 'path-sibling-invalid');
    const [left, right] = bit(key, bits) ? [sibling, digest] : [digest, sibling];
    digest = await nodeOf(bits, key, left, right);
    above = bits;
  }
  return digest;
}

// --- acceptance; the numbers are those of the rules in section 13 ---

/**
 * Throw unless the span is held under the root.
 *
 * @param {Uint8Array} root
 * @param {Held} held
 * @param {Classes} classes
 */
export async function checkHeld(root, { line, start, end, holder, path, before, after }, classes) {
  classes.checkSpan(line, start, end); // 1
  const key = keyOf(line, start);
  const top = await pathRoot(key, await leafOf(key, await valueOf(end, holder)), path);
  need(equal(top, root), 'held-root-differs'); // 2
  if (before) {
    const left = await checkBefore(root, line, before, start); // 3
    checkSideBySide(left, before.path, key, path);
  } else {
    checkFirst(key, path);
  }
  if (after) {
    const right = await checkAfter(root, line, after, end); // 4
    checkSideBySide(key, path, right, after.path);
  } else {
    checkLast(key, path);
  }
}

/**
 * Throw unless no span overlaps the stretch under the root.
 *
 * @param {Uint8Array} root
 * @param {Free} free
 * @param {Classes} classes
 */
export async function checkFree(root, free, classes) {
  classes.checkSpan(free.line, free.start, free.end);
  if (free.present) {
    await checkPresent(root, free, free.present); // 6
  } else if (free.absent) {
    const { line } = free;
    const { path } = free.absent;
    need(
      path.every(({ bits }) => bits < LINE_BITS),
      'absent-path-too-long',
    ); // 7
    const end = await absentEnd(line, free.absent);
    need(equal(await pathRoot(keyOf(line, 0n), end, path), root), 'free-root-differs');
  } else {
    need(equal(root, EMPTY_ROOT), 'free-root-differs'); // 5
  }
}

/**
 * @param {Uint8Array} root
 * @param {Free} free
 * @param {{before: Before | null, after: After | null}} neighbours
 */
async function checkPresent(root, { line, start, end }, { before, after }) {
  need(before || after, 'free-evidence-missing');
  const left = before && (await checkBefore(root, line, before, start));
  const right = after && (await checkAfter(root, line, after, end));
  if (left && right) {
    checkSideBySide(left, before.path, right, after.path);
  } else if (left) {
    checkLast(left, before.path);
  } else if (right) {
    checkFirst(right, after.path);
  }
}

/**
 * The hash of what stands where the line would be, if it shows that the line is not there.
 *
 * @param {Uint8Array} line
 * @param {{path: Path, leaf?: OtherLeaf, inner?: Inner}} absent
 */
function absentEnd(line, { path, leaf, inner }) {
  if (leaf) {
    need(!equal(leaf.line, line), 'absent-end-invalid');
    return leafOf(keyOf(leaf.line, leaf.start), leaf.value);
  }
  need(inner, 'absent-end-invalid');
  const { bits, prefix, left, right } = inner;
  const shown = concat(prefix, new Uint8Array(32 - prefix.length));
  const differs = sharedBits(shown, keyOf(line, 0n)) < Math.min(bits, LINE_BITS);
  const isBelow = path.length === 0 || path[path.length - 1].bits < bits;
  const isFilled = equal(prefixOf(shown, bits), prefix);
  const hasChildren = !equal(left, EMPTY_ROOT) && !equal(right, EMPTY_ROOT);
  need(differs && isBelow && isFilled && hasChildren, 'absent-end-invalid');
  return nodeOf(bits, shown, left, right);
}

/**
 * The key of the span before, if it ends by `start` and is under the root.
 *
 * @param {Uint8Array} root
 * @param {Uint8Array} line
 * @param {Before} before
 * @param {bigint} start
 */
async function checkBefore(root, line, before, start) {
  need(before.start < start && before.end <= start, 'neighbour-overlaps');
  const key = keyOf(line, before.start);
  const leaf = await leafOf(key, await valueOf(before.end, before.holder));
  need(equal(await pathRoot(key, leaf, before.path), root), 'neighbour-root-differs');
  return key;
}

/**
 * The key of the span after, if it starts at or after `end` and is under the root.
 *
 * @param {Uint8Array} root
 * @param {Uint8Array} line
 * @param {After} after
 * @param {bigint} end
 */
async function checkAfter(root, line, after, end) {
  need(end <= after.start, 'neighbour-overlaps');
  const key = keyOf(line, after.start);
  const leaf = await leafOf(key, after.value);
  need(equal(await pathRoot(key, leaf, after.path), root), 'neighbour-root-differs');
  return key;
}

/**
 * The places on a path, within the key's line, at which the key turns to a side.
 *
 * @param {Uint8Array} key
 * @param {Path} path
 * @param {0 | 1} side
 */
const turns = (key, path, side) =>
  [...path.keys()].filter((n) => path[n].bits >= LINE_BITS && bit(key, path[n].bits) === side);

/** Nothing stands before the key on its line. */
function checkFirst(/** @type {Uint8Array} */ key, /** @type {Path} */ path) {
  need(turns(key, path, 1).length === 0, 'neighbour-left-out');
}

/** Nothing stands after the key on its line. */
function checkLast(/** @type {Uint8Array} */ key, /** @type {Path} */ path) {
  need(turns(key, path, 0).length === 0, 'neighbour-left-out');
}

/**
 * Nothing stands between two keys of one line and one root.
 *
 * @param {Uint8Array} left
 * @param {Path} leftPath
 * @param {Uint8Array} right
 * @param {Path} rightPath
 */
function checkSideBySide(left, leftPath, right, rightPath) {
  const fork = turns(left, leftPath, 0).pop() ?? KEY_BITS;
  const forked = [leftPath, rightPath].every(
    (path) => path[fork]?.bits === sharedBits(left, right),
  );
  need(forked, 'neighbour-not-adjacent');
  const isShared = leftPath
    .slice(0, fork)
    .every(
      ({ bits, sibling }, n) => bits === rightPath[n].bits && equal(sibling, rightPath[n].sibling),
    );
  const goesLeft = rightPath.slice(fork + 1).every(({ bits }) => bit(right, bits) === 0);
  need(isShared && goesLeft, 'neighbour-not-adjacent');
}

/** The register under the seal's root, with the classes of its lines. */
export class Register {
  /**
   * @param {Uint8Array} root
   * @param {Classes} classes
   */
  constructor(root, classes) {
    this.root = root;
    this.classes = classes;
  }

  /**
   * Throw unless a span is held on this line and by this holder.
   *
   * @param {Held} held
   * @param {Uint8Array} line
   * @param {Uint8Array} holder
   */
  async check(held, line, holder) {
    need(equal(held.line, line), 'held-other-line');
    need(equal(held.holder, holder), 'held-other-holder');
    await checkHeld(this.root, held, this.classes);
  }

  /**
   * Throw unless a span that covers `point` is held on the line that is named, by this holder.
   *
   * @param {Held} held
   * @param {string} name of the class
   * @param {string[]} parts
   * @param {Uint8Array} holder
   * @param {bigint} point
   */
  async checkInForce(held, name, parts, holder, point) {
    await this.check(held, await this.classes.line(name, parts), holder);
    need(held.start <= point && point < held.end, 'not-in-force', { what: name, point });
  }

  /**
   * The facts about a stretch of a line.
   *
   * @param {{line: Uint8Array, start: bigint, end: bigint}} stretch
   */
  facts({ line, start, end }) {
    return { class: this.classes.of(line).name, line: toHex(line), start, end };
  }
}

// --- reading ---

/**
 * Read a proof that a span is held.
 *
 * @param {unknown} value
 * @returns {Held}
 */
export function readHeld(value) {
  const given = fields(value, 'held', {
    line: 'text',
    start: 'integer',
    end: 'integer',
    holder: 'text',
    path: 'list',
    before: 'object|null',
    after: 'object|null',
  });
  return {
    line: fromHex(given.line, 24),
    start: readNumber(given.start),
    end: readNumber(given.end),
    holder: fromHex(given.holder, 32),
    path: readPath(given.path),
    before: readBefore(given.before),
    after: readAfter(given.after),
  };
}

/**
 * Read a proof that a stretch is free.
 *
 * @param {unknown} value
 * @returns {Free}
 */
export function readFree(value) {
  const given = fields(value, 'free', {
    line: 'text',
    start: 'integer',
    end: 'integer',
    present: 'object?',
    absent: 'object?',
  });
  const { present, absent } = given;
  need(!(present && absent), 'field-unknown', { where: 'free', field: 'absent' });
  return {
    line: fromHex(given.line, 24),
    start: readNumber(given.start),
    end: readNumber(given.end),
    present: present && readPresent(present),
    absent: absent && readAbsent(absent),
  };
}

function readPresent(/** @type {unknown} */ value) {
  const given = fields(value, 'present', { before: 'object|null', after: 'object|null' });
  return { before: readBefore(given.before), after: readAfter(given.after) };
}

function readAbsent(/** @type {unknown} */ value) {
  const given = fields(value, 'absent', { path: 'list', leaf: 'object?', inner: 'object?' });
  const path = readPath(given.path);
  need(Boolean(given.leaf) !== Boolean(given.inner), 'field-missing', { where: 'absent' });
  if (given.leaf) {
    const { line, start, value } = fields(given.leaf, 'leaf', {
      line: 'text',
      start: 'integer',
      value: 'text',
    });
    const leaf = { line: fromHex(line, 24), start: readNumber(start), value: fromHex(value, 32) };
    return { path, leaf };
  }
  const { bits, prefix, left, right } = fields(given.inner, 'inner', {
    bits: 'integer',
    prefix: 'text',
    left: 'text',
    right: 'text',
  });
  need(0n <= bits && bits < KEY_BITS, 'field-type', { where: 'inner', field: 'bits' });
  const inner = {
    bits: Number(bits),
    prefix: fromHex(prefix, (Number(bits) + 7) >> 3),
    left: fromHex(left, 32),
    right: fromHex(right, 32),
  };
  return { path, inner };
}

/** @returns {Before | null} */
function readBefore(/** @type {unknown} */ value) {
  if (value === null) {
    return null;
  }
  const { start, end, holder, path } = fields(value, 'before', {
    start: 'integer',
    end: 'integer',
    holder: 'text',
    path: 'list',
  });
  return {
    start: readNumber(start),
    end: readNumber(end),
    holder: fromHex(holder, 32),
    path: readPath(path),
  };
}

/** @returns {After | null} */
function readAfter(/** @type {unknown} */ value) {
  if (value === null) {
    return null;
  }
  const given = fields(value, 'after', { start: 'integer', value: 'text', path: 'list' });
  return {
    start: readNumber(given.start),
    value: fromHex(given.value, 32),
    path: readPath(given.path),
  };
}

/** @returns {Path} */
function readPath(/** @type {any[]} */ value) {
  need(value.length <= KEY_BITS, 'field-type', { where: 'path', field: 'steps' });
  return value.map((step) => {
    const isPair = Array.isArray(step) && step.length === 2 && typeof step[0] === 'bigint';
    need(isPair, 'field-type', { where: 'path', field: 'step', expected: '[bits, hash]' });
    return { bits: Number(step[0]), sibling: fromHex(step[1], 32) };
  });
}

function readNumber(/** @type {bigint} */ value) {
  need(0n <= value && value <= FOREVER, 'json-integer-range');
  return value;
}
