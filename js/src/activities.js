/**
 * Activities (specification, section 14): what happened, as a platform reports it.  One JSON object
 * in one line, whose bytes are kept as they are.
 */

import { hash, utf8 } from './bytes.js';
import { FOREVER } from './classes.js';
import { need } from './errors.js';
import { fields, parseJson } from './json.js';

/** @typedef {Record<string, any> & {start: bigint, end: bigint}} Activity */

const BYTES_MAX = 8_192;
const DEPTH_MAX = 4;
const REQUIRED = {
  format: 'integer',
  id: 'text',
  scenario: 'text',
  start: 'integer',
  end: 'integer',
  evidence: 'object',
  authorisation: 'text',
  nonce: 'text',
};
/** @type {Record<string, string[]>} */
const LINES = {
  ticket: ['issuer', 'number'],
  order: ['issuer', 'number'],
  parcel: ['carrier', 'number'],
  bill: ['issuer', 'account', 'month'],
};
/** The fields that an activity may leave out, with their types. */
export const OPTIONAL = {
  subject: 'text?',
  vehicle: 'text?',
  meter: 'text?',
  attributes: 'object?',
  quantities: 'object?',
  ticket: 'object?',
  order: 'object?',
  parcel: 'object?',
  bill: 'object?',
};

/**
 * Read an activity.
 *
 * @param {Uint8Array} data the line, without its line feed
 * @returns {Activity}
 */
export function parseActivity(data) {
  const where = 'activity';
  /** @type {any} */
  const given = parseJson(data, { bytesMax: BYTES_MAX, depthMax: DEPTH_MAX });
  fields(given, where, { ...REQUIRED, ...OPTIONAL });
  need(!data.includes(0x0a) && !data.includes(0x0d), 'activity-line-feed');
  need(given.format === 1n, 'format-unknown', { where, format: given.format });
  const { id, start, end, evidence, authorisation, nonce } = given;
  const isInOrder = 0n <= start && start <= end && end <= FOREVER;
  need(isInOrder, 'field-type', { where, field: 'end' });
  const { length } = [...id];
  need(1 <= length && length <= 128, 'field-type', { where, field: 'id' });
  fields(evidence, 'evidence', { tier: 'text', digest: 'text' });
  need(isHex(evidence.digest, 64, 64), 'field-type', { where, field: 'evidence' });
  need(isHex(authorisation, 64, 64), 'field-type', { where, field: 'authorisation' });
  need(isHex(nonce, 32, 128), 'field-type', { where, field: 'nonce' });
  for (const [field, value] of Object.entries(given.quantities ?? {})) {
    need(typeof value === 'bigint' && value >= 0n, 'field-type', { where, field });
  }
  for (const [field, value] of Object.entries(given.attributes ?? {})) {
    need(typeof value === 'string', 'field-type', { where, field });
  }
  for (const [field, parts] of Object.entries(LINES)) {
    if (field in given) {
      fields(given[field], field, Object.fromEntries(parts.map((part) => [part, 'text'])));
    }
  }
  return given;
}

/**
 * The 32 bytes by which a reduction names its activity.
 *
 * @param {Uint8Array} data the line, without its line feed
 */
export const activityDigest = (data) => hash('tally/activity/v1\n', data);

/** The lines of an NDJSON file, each as bytes; the last line feed is optional. */
export function splitLines(/** @type {string} */ text) {
  return text.replace(/\n$/, '').split('\n').map(utf8);
}

/**
 * @param {string} text
 * @param {number} least
 * @param {number} most
 */
function isHex(text, least, most) {
  return /^([0-9a-f]{2})*$/.test(text) && least <= text.length && text.length <= most;
}
