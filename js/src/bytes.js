/**
 * Bytes: joined, hashed, and written as text in the one spelling that is read again
 * (specification, section 1).
 */

import { TallyError, need } from './errors.js';

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The UTF-8 of a text. */
export const utf8 = (/** @type {string} */ text) => encoder.encode(text);

/**
 * The text that is UTF-8 in these bytes.
 *
 * @param {Uint8Array} data
 * @returns {string}
 */
export function fromUtf8(data) {
  try {
    return decoder.decode(data);
  } catch {
    throw new TallyError('text-not-utf8');
  }
}

/**
 * Bytes side by side; a text stands for its UTF-8.
 *
 * @param {...(Uint8Array | string)} parts
 * @returns {Uint8Array<ArrayBuffer>}
 */
export function concat(...parts) {
  const arrays = parts.map((part) => (typeof part === 'string' ? utf8(part) : part));
  const joined = new Uint8Array(arrays.reduce((size, array) => size + array.length, 0));
  let at = 0;
  for (const array of arrays) {
    joined.set(array, at);
    at += array.length;
  }
  return joined;
}

/**
 * SHA-256 over the parts side by side.
 *
 * @param {...(Uint8Array | string)} parts
 * @returns {Promise<Uint8Array<ArrayBuffer>>}
 */
export async function hash(...parts) {
  return new Uint8Array(await crypto.subtle.digest('SHA-256', concat(...parts)));
}

/**
 * @param {Uint8Array} one
 * @param {Uint8Array} other
 */
export function equal(one, other) {
  return one.length === other.length && one.every((byte, place) => byte === other[place]);
}

/** The integer in 2 bytes, big-endian. */
export function u16(/** @type {bigint | number} */ value) {
  const data = new Uint8Array(2);
  new DataView(data.buffer).setUint16(0, Number(value));
  return data;
}

/** The integer in 8 bytes, big-endian; a negative one in two's complement. */
export function u64(/** @type {bigint | number} */ value) {
  const data = new Uint8Array(8);
  new DataView(data.buffer).setBigInt64(0, BigInt(value));
  return data;
}

/** The unsigned integer that bytes hold, big-endian. */
export const toInteger = (/** @type {Uint8Array} */ data) => BigInt(`0x${toHex(data) || '0'}`);

/** Lower-case hexadecimal. */
export function toHex(/** @type {Uint8Array} */ data) {
  return Array.from(data, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/**
 * Lower-case hexadecimal of exactly `size` bytes.
 *
 * @param {unknown} text
 * @param {number} size
 */
export function fromHex(text, size) {
  need(
    typeof text === 'string' && text.length === 2 * size && /^[0-9a-f]*$/.test(text),
    'hex-not-canonical',
    { size },
  );
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

/** Base64 with padding (RFC 4648, section 4). */
export function toBase64(/** @type {Uint8Array} */ data) {
  return btoa(Array.from(data, (byte) => String.fromCharCode(byte)).join(''));
}

/**
 * Base64 with padding; what is decoded is encoded again and must be the same text.
 *
 * @param {unknown} text
 */
export function fromBase64(text) {
  need(typeof text === 'string', 'base64-not-canonical');
  let binary;
  try {
    binary = atob(text);
  } catch {
    throw new TallyError('base64-not-canonical');
  }
  need(btoa(binary) === text, 'base64-not-canonical');
  return Uint8Array.from(binary, (char) => char.charCodeAt(0));
}
