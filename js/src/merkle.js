/**
 * The tree of the log and of a submission: RFC 9162, section 2.1, with SHA-256
 * (specification, section 18).  Hashes are 32 bytes; sizes and indices are BigInts.
 */

import { equal, hash } from './bytes.js';
import { need } from './errors.js';
import { INTEGER_MAX } from './json.js';

const LEAF = Uint8Array.of(0);
const NODE = Uint8Array.of(1);

/** The hash of the leaf that holds `data`. */
export const leafHash = (/** @type {Uint8Array} */ data) => hash(LEAF, data);

/**
 * @param {Uint8Array} left
 * @param {Uint8Array} right
 */
const nodeHash = (left, right) => hash(NODE, left, right);

const areHashes = (/** @type {Uint8Array[]} */ ...values) =>
  values.every(({ length }) => length === 32);

/**
 * The root over leaf hashes.  Nodes pair up from the left; a last one without a partner moves up.
 *
 * @param {Uint8Array[]} leaves
 */
export async function treeRoot(leaves) {
  let nodes = leaves;
  while (nodes.length > 1) {
    const pairs = nodes.filter((_, place) => place % 2 === 0 && place + 1 < nodes.length);
    const above = await Promise.all(pairs.map((left, n) => nodeHash(left, nodes[2 * n + 1])));
    nodes = nodes.length % 2 ? [...above, nodes[nodes.length - 1]] : above;
  }
  return nodes[0] ?? hash();
}

/**
 * The root that follows from a leaf hash and its path (RFC 9162, section 2.1.3.2); throws
 * "inclusion-invalid" if the path is not one of this index and size.
 *
 * @param {Uint8Array} leaf
 * @param {bigint} index
 * @param {bigint} size
 * @param {Uint8Array[]} path from the leaf to the root
 */
export async function rootFromInclusion(leaf, index, size, path) {
  need(0n <= index && index < size && size <= INTEGER_MAX, 'inclusion-invalid');
  need(areHashes(leaf, ...path), 'inclusion-invalid');
  let node = leaf;
  let [at, last] = [index, size - 1n];
  for (const sibling of path) {
    need(last > 0n, 'inclusion-invalid');
    if (at % 2n === 1n || at === last) {
      node = await nodeHash(sibling, node);
      while (at > 0n && at % 2n === 0n) {
        [at, last] = [at >> 1n, last >> 1n];
      }
    } else {
      node = await nodeHash(node, sibling);
    }
    [at, last] = [at >> 1n, last >> 1n];
  }
  need(last === 0n, 'inclusion-invalid');
  return node;
}

/**
 * Throw "consistency-invalid" unless the second tree begins with the first (RFC 9162, section
 * 2.1.4.2).  Equal trees and the empty first tree take the empty path.
 *
 * @param {bigint} size1
 * @param {Uint8Array} root1
 * @param {bigint} size2
 * @param {Uint8Array} root2
 * @param {Uint8Array[]} path
 */
export async function checkConsistency(size1, root1, size2, root2, path) {
  const demand = (/** @type {boolean} */ condition) => need(condition, 'consistency-invalid');
  demand(0n <= size1 && size1 <= size2 && size2 <= INTEGER_MAX);
  demand(areHashes(root1, root2, ...path));
  if (size1 === 0n || size1 === size2) {
    demand(path.length === 0 && equal(root1, size1 === 0n ? await hash() : root2));
    return;
  }
  // A perfect first tree is a node of the second: its root is not sent again.
  const isPerfect = (size1 & (size1 - 1n)) === 0n;
  const [first, ...rest] = isPerfect ? [root1, ...path] : path;
  demand(path.length > 0);
  let [node1, node2] = [first, first];
  let [at, last] = [size1 - 1n, size2 - 1n];
  while (at % 2n === 1n) {
    [at, last] = [at >> 1n, last >> 1n];
  }
  for (const sibling of rest) {
    demand(last > 0n);
    if (at % 2n === 1n || at === last) {
      node1 = await nodeHash(sibling, node1);
      node2 = await nodeHash(sibling, node2);
      while (at > 0n && at % 2n === 0n) {
        [at, last] = [at >> 1n, last >> 1n];
      }
    } else {
      node2 = await nodeHash(node2, sibling);
    }
    [at, last] = [at >> 1n, last >> 1n];
  }
  demand(last === 0n && equal(node1, root1) && equal(node2, root2));
}

/**
 * Throw "inclusion-invalid" unless the leaf hash stands at `index` of the tree of `size`.
 *
 * @param {Uint8Array} leaf
 * @param {bigint} index
 * @param {bigint} size
 * @param {Uint8Array[]} path
 * @param {Uint8Array} root
 */
export async function checkInclusion(leaf, index, size, path, root) {
  need(equal(await rootFromInclusion(leaf, index, size, path), root), 'inclusion-invalid');
}
