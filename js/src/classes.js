/**
 * The registry of classes, and lines (specification, sections 10 and 11).
 *
 * A line is 24 bytes, `day (2) ‖ class number (1) ‖ name hash (21)`.  Claims are spans on lines;
 * the class says which spans are possible.
 */

import { concat, hash, toInteger, u16 } from './bytes.js';
import { dumpCbor } from './cbor.js';
import { need } from './errors.js';
import { INTEGER_MAX, fields, parseJson } from './json.js';

/** @typedef {import('./calendar.js').Calendar} Calendar */

/**
 * @typedef {object} LineClass
 * @property {bigint} number
 * @property {string} name
 * @property {string} axis
 * @property {boolean} dated
 * @property {{name: string, grammar: string, normaliser: string}[]} parts
 * @property {bigint} longest
 * @property {string} claimedBy
 */

export const FOREVER = INTEGER_MAX;
export const PERIODS = ['day', 'month', 'year'];
const AXES = ['seconds', 'whole', 'seats', 'days', 'serials', 'ordinal', 'index'];
const DATED_AXES = ['seconds', 'seats'];
const NAME = /^[a-z0-9]+([-.][a-z0-9]+)*$/;

/** Whether `value` is a name. */
export function isName(/** @type {any} */ value) {
  return typeof value === 'string' && value.length <= 64 && NAME.test(value);
}

/** @type {[string, (text: string) => boolean][]} */
const GRAMMAR_LIST = [
  ['slug', isName],
  ['participant', isName],
  ['issuer', isName], // and on the list of the class
  ['pseudonym', (text) => /^[0-9a-f]{32}$/.test(text)],
  ['period', (text) => PERIODS.includes(text)],
  ['month', (text) => /^[0-9]{4}-(0[1-9]|1[0-2])$/.test(text)],
  ['text', (text) => /^[!-~]{1,64}$/.test(text)],
];
const GRAMMARS = new Map(GRAMMAR_LIST);

/** The day of a line; 0 if it is not dated. */
export const lineDay = (/** @type {Uint8Array} */ line) => toInteger(line.subarray(0, 2));

/** The registry of classes, with the calendar of its ledger. */
export class Classes {
  /**
   * @param {string | Uint8Array} document
   * @param {Calendar} calendar
   */
  constructor(document, calendar) {
    const given = fields(parseJson(document), 'classes', {
      format: 'integer',
      classes: 'list',
      issuers: 'object',
    });
    need(given.format === 1n, 'format-unknown', { where: 'classes', format: given.format });
    this.calendar = calendar;
    const all = given.classes.map(readClass);
    /** @type {Map<string, LineClass>} */
    this.byName = new Map(all.map((/** @type {LineClass} */ one) => [one.name, one]));
    /** @type {Map<bigint, LineClass>} */
    this.byNumber = new Map(all.map((/** @type {LineClass} */ one) => [one.number, one]));
    const isOnce = [this.byName, this.byNumber].every((map) => map.size === all.length);
    need(isOnce, 'class-twice');
    /** @type {Map<string, string[]>} */
    this.issuers = new Map(Object.entries(given.issuers));
    for (const [name, issuers] of this.issuers) {
      const hasIssuer = this.byName.get(name)?.parts.some(({ grammar }) => grammar === 'issuer');
      need(hasIssuer, 'class-unknown', { name });
      const areNames = Array.isArray(issuers) && issuers.every(isName);
      need(areNames, 'field-type', { where: 'issuers', field: name, expected: 'names' });
    }
  }

  /** The class called `name`. */
  named(/** @type {string} */ name) {
    const of = this.byName.get(name);
    need(of, 'class-unknown', { name });
    return of;
  }

  /** The class of a line. */
  of(/** @type {Uint8Array} */ line) {
    const of = this.byNumber.get(BigInt(line[2]));
    need(of, 'class-unknown', { name: line[2] });
    return of;
  }

  /**
   * The line that parts name, with a day exactly if it is dated.
   *
   * @param {string} name of the class
   * @param {string[]} parts
   * @param {bigint} [day]
   */
  async line(name, parts, day) {
    const of = this.named(name);
    need(parts.length === of.parts.length, 'line-parts', { name });
    for (const [place, { name: part, grammar }] of of.parts.entries()) {
      const value = parts[place];
      need(GRAMMARS.get(grammar)?.(value), 'line-part', { name, part, value });
      const isListed = grammar !== 'issuer' || this.issuers.get(name)?.includes(value);
      need(isListed, 'issuer-unknown', { name, issuer: value });
    }
    need(of.dated === (day !== undefined), 'line-day', { name });
    const stamp = day === undefined ? new Uint8Array() : u16(day);
    const named = await hash('tally/line/v1\n', dumpCbor(parts), stamp);
    return concat(u16(day ?? 0), Uint8Array.of(Number(of.number)), named.subarray(0, 21));
  }

  /**
   * Throw unless the span `[start, end)` is possible on the line at all.
   *
   * @param {Uint8Array} line
   * @param {bigint} start
   * @param {bigint} end
   */
  checkSpan(line, start, end) {
    const { name, axis, dated, longest } = this.of(line);
    const day = lineDay(line);
    need(dated || day === 0n, 'span-day', { name });
    const isSpan = 0n <= start && start < end && end <= FOREVER && end - start <= longest;
    let isOnAxis = true;
    if (axis === 'seconds') {
      isOnAxis = this.calendar.start(day) <= start && end <= this.calendar.start(day + 1n);
    } else if (axis === 'whole') {
      isOnAxis = start === 0n && end === FOREVER;
    } else if (axis === 'seats') {
      isOnAxis = end === start + 1n;
    }
    need(isSpan && isOnAxis, 'span-class', { name, start, end });
  }
}

/** @returns {LineClass} */
function readClass(/** @type {unknown} */ value) {
  const { number, name, axis, dated, parts, longest, claimed_by, stops } = fields(value, 'class', {
    number: 'integer',
    name: 'text',
    axis: 'text',
    dated: 'boolean',
    parts: 'list',
    longest: 'integer',
    claimed_by: 'text',
    stops: 'object',
  });
  const where = name;
  for (const part of parts) {
    fields(part, where, { name: 'text', grammar: 'text', normaliser: 'text' });
    need(GRAMMARS.has(part.grammar), 'field-type', { where, field: 'grammar' });
  }
  need(1n <= number && number <= 255n, 'field-type', { where, field: 'number' });
  need(isName(name), 'field-type', { where, field: 'name' });
  need(AXES.includes(axis), 'field-type', { where, field: 'axis' });
  need(dated === DATED_AXES.includes(axis), 'field-type', { where, field: 'dated' });
  const isPeriodic = axis !== 'seats' || parts[1]?.grammar === 'period';
  need(isPeriodic, 'field-type', { where, field: 'parts' });
  need(1n <= longest && longest <= FOREVER, 'field-type', { where, field: 'longest' });
  fields(stops, where, { en: 'text', zh: 'text' });
  return { number, name, axis, dated, parts, longest, claimedBy: claimed_by };
}
