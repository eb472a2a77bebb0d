/**
 * Holders: what stands in the register for whatever claims a span (specification, section 4).
 */

import { hash, u64 } from './bytes.js';
import { dumpCbor } from './cbor.js';

/**
 * The holder of a document ("classes", "methodology", "scenario"), or of a reduction, by its leaf
 * hash.
 *
 * @param {string} kind
 * @param {Uint8Array | string} content
 */
export const holderOf = (kind, content) => hash(`tally/holder/${kind}/v1\n`, content);

/**
 * The holder of a role.
 *
 * @param {string} participant
 * @param {string} role
 */
export const roleHolder = (participant, role) => holderOf('role', dumpCbor([participant, role]));

/** The holder of a version of the rules. */
export const rulesHolder = (/** @type {bigint} */ version) => holderOf('rules', u64(version));

/** The holder of the closed books. */
export const booksHolder = () => holderOf('books', '');
