/**
 * Reductions (specification, section 17): what an activity becomes under its methodology.
 */

import { concat, u16 } from './bytes.js';
import { DAY_MAX } from './calendar.js';
import { dumpCbor, parseCbor } from './cbor.js';
import { FOREVER, isName, lineDay } from './classes.js';
import { need } from './errors.js';
import { holderOf } from './holders.js';
import { leafHash } from './merkle.js';

/**
 * A claim of a reduction: a span on a line; both null on a cap, where the rules choose a seat.
 *
 * @typedef {{line: Uint8Array, start: bigint | null, end: bigint | null}} Claim
 */

/**
 * @typedef {object} Reduction
 * @property {string} platform
 * @property {string} scenario
 * @property {bigint} version of the methodology
 * @property {bigint} day of the activity's start
 * @property {bigint} grams
 * @property {Claim[]} claims
 * @property {Uint8Array} digest of the activity
 * @property {Uint8Array} data
 * @property {Uint8Array} leaf
 */

const BYTES_MAX = 65_535;
export const GRAMS_MAX = 2n ** 53n - 1n;
export const CLAIMS_MAX = 128;

/**
 * A reduction from its parts.
 *
 * @param {Omit<Reduction, 'data' | 'leaf'>} parts
 * @returns {Promise<Reduction>}
 */
export async function makeReduction(parts) {
  const { platform, scenario, version, day, grams, claims, digest } = parts;
  const rows = claims.map(({ line, start, end }) => [
    lineDay(line),
    line.subarray(2),
    ...(start === null ? [] : [start, end]),
  ]);
  const data = dumpCbor([1n, platform, scenario, version, day, grams, rows, digest]);
  return { ...parts, data, leaf: await leafHash(data) };
}

/**
 * Read a reduction; throws `TallyError` for any bytes but the one form.
 *
 * @param {Uint8Array} data
 * @returns {Promise<Reduction>}
 */
export async function parseReduction(data) {
  check(data.length <= BYTES_MAX, 'it is too long');
  const value = parseCbor(data);
  check(Array.isArray(value) && value.length === 8 && value[0] === 1n, 'it is no list of eight');
  const [, platform, scenario, version, day, grams, rows, digest] = value;
  check(isName(platform) && isName(scenario), 'its platform or scenario is no name');
  check(isWithin(version, 1n, FOREVER), 'its version is out of range');
  check(isWithin(day, 0n, DAY_MAX), 'its day is out of range');
  check(isWithin(grams, 1n, GRAMS_MAX), 'its grams are out of range');
  check(isBytes(digest, 32), 'its activity digest is not 32 bytes');
  const isList = Array.isArray(rows) && 1 <= rows.length && rows.length <= CLAIMS_MAX;
  check(isList, `it has not 1 to ${CLAIMS_MAX} claims`);
  const claims = rows.map(readClaim);
  return {
    platform,
    scenario,
    version,
    day,
    grams,
    claims,
    digest,
    data,
    leaf: await leafHash(data),
  };
}

/** What holds the spans of a reduction in the register, from its leaf hash. */
export const reductionHolder = (/** @type {Uint8Array} */ leaf) => holderOf('reduction', leaf);

/** @returns {Claim} */
function readClaim(/** @type {any} */ row) {
  check(Array.isArray(row) && [2, 4].includes(row.length), 'a claim is no list of 2 or 4');
  const [day, id, start = null, end = null] = row;
  check(isWithin(day, 0n, DAY_MAX) && isBytes(id, 22), 'a claim has no line');
  const isSpan = isWithin(start, 0n, FOREVER) && isWithin(end, 0n, FOREVER) && start < end;
  check(row.length === 2 || isSpan, 'a claim has no span');
  return { line: concat(u16(day), id), start, end };
}

/**
 * @param {unknown} value
 * @param {bigint} least
 * @param {bigint} most
 */
const isWithin = (value, least, most) =>
  typeof value === 'bigint' && least <= value && value <= most;

/**
 * @param {unknown} value
 * @param {number} size
 */
const isBytes = (value, size) => value instanceof Uint8Array && value.length === size;

/**
 * @param {unknown} condition
 * @param {string} reason
 * @returns {asserts condition}
 */
function check(condition, reason) {
  need(condition, 'reduction-malformed', { reason });
}
