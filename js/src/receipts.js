/**
 * Receipts (RFC 9942; specification, section 22): the log's word that an entry stands in it.
 */

import { equal } from './bytes.js';
import { dumpCbor, dumpSign1, mapOf, parseCbor, parseSign1, sigStructure } from './cbor.js';
import { need } from './errors.js';
import { leafHash, rootFromInclusion } from './merkle.js';

/** @typedef {import('./suites.js').PublicKey} PublicKey */

const BYTES_MAX = 65_535;
const [ALG, KID, CLAIMS, VDS, PROOFS] = [1n, 4n, 15n, 395n, 396n];
const [ISS, SUB] = [1n, 2n];
const RFC9162_SHA256 = 1n;
const INCLUSION = -1n;

/**
 * Check that the log of this origin and key has signed a tree with the entry in it.
 *
 * @param {Uint8Array} data the receipt
 * @param {Uint8Array} entry the statement
 * @param {PublicKey} key
 * @param {string} origin
 */
export async function checkReceipt(data, entry, key, origin) {
  check(data.length <= BYTES_MAX);
  const [, unprotected, , signature] = parseSign1(data) ?? [];
  check(unprotected instanceof Map && signature instanceof Uint8Array);
  const proof = unprotected.get(PROOFS)?.get?.(INCLUSION)?.[0];
  check(proof instanceof Uint8Array);
  const [size, index, path] = list(parseCbor(proof));
  check(typeof size === 'bigint' && typeof index === 'bigint');
  check(list(path).every((hash) => hash instanceof Uint8Array && hash.length === 32));
  // What was taken out settles the receipt: written again, it is the same bytes.
  const protectedHeader = dumpCbor(
    mapOf(
      [ALG, key.suite.alg],
      [KID, await key.kid()],
      [CLAIMS, mapOf([ISS, origin], [SUB, `tree/${size}`])],
      [VDS, RFC9162_SHA256],
    ),
  );
  const proofs = mapOf([PROOFS, mapOf([INCLUSION, [dumpCbor([size, index, path])]])]);
  check(equal(dumpSign1(protectedHeader, proofs, null, signature), data));
  const root = await rootFromInclusion(await leafHash(entry), index, size, path);
  const isSigned = await key.verify(signature, sigStructure(protectedHeader, root));
  need(isSigned, 'receipt-unsigned');
  return { size, index, root };
}

/** @returns {any[]} */
const list = (/** @type {unknown} */ value) => (Array.isArray(value) ? value : []);

/** @returns {asserts condition} */
function check(/** @type {unknown} */ condition) {
  need(condition, 'receipt-malformed');
}
