/**
 * Pseudonyms (specification, sections 4, 10 and 38): how identifiers of people, vehicles and tickets
 * enter, and the one spelling that they have before.
 */

import { concat, toHex } from './bytes.js';
import { dumpCbor } from './cbor.js';
import { need } from './errors.js';
import { checkText } from './json.js';

const SPACE =
  /[\u0009-\u000d\u001c-\u0020\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/g;
const HYPHENS_AND_DOTS = /[-\u2010-\u2015.\u00b7\u2022]/g;

const plate = (/** @type {string} */ text) =>
  text.replace(SPACE, '').replace(HYPHENS_AND_DOTS, '').toUpperCase();

/** @type {Map<string, (text: string) => string>} */
const NORMALISERS = new Map([
  ['none', (/** @type {string} */ text) => text],
  ['code', (/** @type {string} */ text) => text.replace(SPACE, '')],
  ['plate', plate],
  ['identity', plate],
]);

/**
 * An identifier, as people write it, in its one spelling.
 *
 * @param {string} normaliser that the class of the line names
 * @param {string} identifier
 */
export function normalise(normaliser, identifier) {
  const step = NORMALISERS.get(normaliser);
  need(step, 'normaliser-unknown', { normaliser });
  const normal = step(identifier.normalize('NFKC')).normalize('NFC');
  need(normal !== '', 'identifier-empty');
  return checkText(normal);
}

/**
 * What the pseudonym of an identifier is computed from: the input of the oblivious function
 * (section 38), which an implementation of RFC 9497 blinds and finalizes.
 *
 * @param {string} className
 * @param {string} identifier in its one spelling
 */
export function pseudonymMessage(className, identifier) {
  return concat('tally/pseudonym/v1\n', dumpCbor([className, checkText(identifier)]));
}

/**
 * The pseudonym that the output of the oblivious function begins with.
 *
 * @param {Uint8Array} output
 */
export function pseudonymOf(output) {
  return toHex(output.subarray(0, 16));
}

/**
 * The pseudonym of an identifier of a class by the keyed hash, 32 hexadecimal digits.
 *
 * @param {Uint8Array} secret
 * @param {string} className
 * @param {string} identifier in its one spelling
 */
export async function pseudonym(secret, className, identifier) {
  const algorithm = { name: 'HMAC', hash: 'SHA-256' };
  const key = await crypto.subtle.importKey('raw', concat(secret), algorithm, false, ['sign']);
  const message = pseudonymMessage(className, identifier);
  return pseudonymOf(new Uint8Array(await crypto.subtle.sign('HMAC', key, message)));
}
