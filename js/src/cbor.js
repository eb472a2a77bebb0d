/**
 * Deterministic CBOR (specification, section 3), on cborg.
 *
 * cborg refuses longer forms, indefinite lengths, floats that are no number, keys that stand twice
 * and tags that nobody named.  What it lets pass, the order of keys among it, shows when what was
 * read is written again.  An integer is a BigInt, a map a Map.
 */

import { Tagged, Token, Tokenizer, Type, decode, encode } from 'cborg';

import { equal, fromUtf8 } from './bytes.js';
import { need } from './errors.js';

const DEPTH_MAX = 16;
export const COSE_SIGN1 = 18;
const OPTIONS = {
  strict: true,
  allowIndefinite: false,
  allowUndefined: false,
  allowBigInt: true,
  rejectDuplicateMapKeys: true,
  retainStringBytes: true,
  useMaps: true,
  tags: Tagged.preserve(COSE_SIGN1),
};

/** Reads every integer as a BigInt and every text as strict UTF-8; refuses floats. */
class StrictTokenizer extends Tokenizer {
  next() {
    const token = super.next();
    need(!Type.equals(token.type, Type.float), 'cbor-not-canonical');
    if (Type.equals(token.type, Type.uint) || Type.equals(token.type, Type.negint)) {
      return new Token(token.type, BigInt(token.value), token.encodedLength);
    }
    if (Type.equals(token.type, Type.string) && token.byteValue) {
      return new Token(token.type, fromUtf8(token.byteValue), token.encodedLength);
    }
    return token;
  }
}

/**
 * Read one item of deterministic CBOR; throws `TallyError` if it would be written differently.
 *
 * @param {Uint8Array} data
 * @returns {any}
 */
export function parseCbor(data) {
  let value;
  let same = false;
  try {
    value = decode(data, { ...OPTIONS, tokenizer: new StrictTokenizer(data, OPTIONS) });
    same = depth(value) <= DEPTH_MAX && equal(dumpCbor(value), data);
  } catch {
    // cborg throws many kinds of errors, and each means that these bytes are not ours.
  }
  need(same, 'cbor-not-canonical');
  return value;
}

/**
 * How deep arrays, maps and tags stand in one another.
 *
 * @param {any} value
 * @returns {number}
 */
function depth(value) {
  /** @type {any[] | undefined} */
  let inner;
  if (Array.isArray(value)) {
    inner = value;
  } else if (value instanceof Map) {
    inner = [...value].flat();
  } else if (value instanceof Tagged) {
    inner = [value.value];
  }
  return inner ? 1 + Math.max(0, ...inner.map(depth)) : 0;
}

/**
 * Deterministic CBOR.
 *
 * @param {any} value
 * @returns {Uint8Array}
 */
export const dumpCbor = (value) => encode(value, { mapSorter: inOrder });

/**
 * The order of entries in a map: shorter keys first, then bytewise (RFC 8949, section 4.2.3).
 *
 * @param {any} one
 * @param {any} other
 */
function inOrder([one], [other]) {
  const [a, b] = [encode(one.value), encode(other.value)];
  const differs = a.findIndex((byte, place) => byte !== b[place]);
  return a.length - b.length || a[differs] - b[differs];
}

/** A map with these entries. */
export const mapOf = (/** @type {[bigint, any][]} */ ...entries) => new Map(entries);

/**
 * The parts of a COSE_Sign1 (RFC 9052, section 4.2): protected, unprotected, payload, signature.
 *
 * @param {Uint8Array} data
 * @returns {any[] | undefined} undefined if it is something else
 */
export function parseSign1(data) {
  const value = parseCbor(data);
  const isSign1 = value instanceof Tagged && Array.isArray(value.value) && value.value.length === 4;
  return isSign1 ? value.value : undefined;
}

/**
 * @param {any} protectedHeader
 * @param {any} unprotected
 * @param {any} payload
 * @param {any} signature
 */
export function dumpSign1(protectedHeader, unprotected, payload, signature) {
  return dumpCbor(new Tagged(COSE_SIGN1, [protectedHeader, unprotected, payload, signature]));
}

/**
 * What a COSE_Sign1 signs: the Sig_structure (RFC 9052, section 4.4).
 *
 * @param {Uint8Array} protectedHeader
 * @param {Uint8Array} payload
 */
export function sigStructure(protectedHeader, payload) {
  return dumpCbor(['Signature1', protectedHeader, new Uint8Array(), payload]);
}
