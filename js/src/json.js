/**
 * Strict JSON (specification, section 2): one value has one reading in every language.
 *
 * `JSON.parse` takes the last of two equal keys, rounds large integers and reads fractions, so
 * there is a reader of our own.  An integer is a BigInt whatever its size; an object has no
 * prototype: what a stranger calls `__proto__` is a key like others.
 */

import { fromUtf8, utf8 } from './bytes.js';
import { TallyError, need } from './errors.js';

const BYTES_MAX = 65_536;
const DEPTH_MAX = 16;
export const INTEGER_MAX = 2n ** 63n - 1n;
export const INTEGER_MIN = -(2n ** 63n);
const SPACE = ' \t\n\r';
const NUMBER = /-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?/y;
const WORDS = /** @type {const} */ ([
  ['true', true],
  ['false', false],
  ['null', null],
]);

/**
 * Read one JSON value; throws `TallyError` for anything but the strict form.
 *
 * @param {Uint8Array | string} data
 * @param {{bytesMax?: number, depthMax?: number}} [limits]
 * @returns {any}
 */
export function parseJson(data, { bytesMax = BYTES_MAX, depthMax = DEPTH_MAX } = {}) {
  const bytes = typeof data === 'string' ? utf8(data) : data;
  need(bytes.length <= bytesMax, 'json-size', { limit: bytesMax });
  const source = checkText(fromUtf8(bytes));
  /** @type {Reader} */
  const reader = new Reader(source, depthMax);
  const value = reader.value(0);
  reader.skipSpace();
  reader.need(reader.at === source.length);
  return value;
}

/** `text` if it is in normal form C and has no lone surrogate. */
export function checkText(/** @type {string} */ text) {
  need(text.isWellFormed(), 'text-not-utf8');
  need(text.normalize('NFC') === text, 'text-not-nfc');
  return text;
}

class Reader {
  at = 0;

  /**
   * @param {string} source
   * @param {number} depthMax
   */
  constructor(source, depthMax) {
    this.source = source;
    this.depthMax = depthMax;
  }

  need(/** @type {unknown} */ condition) {
    need(condition, 'json-invalid', { at: this.at });
  }

  skipSpace() {
    while (this.at < this.source.length && SPACE.includes(this.source[this.at])) {
      this.at += 1;
    }
  }

  /** Whether `text` comes next; if so it is taken. */
  takes(/** @type {string} */ text) {
    const found = this.source.startsWith(text, this.at);
    this.at += found ? text.length : 0;
    return found;
  }

  /** @returns {any} */
  value(/** @type {number} */ depth) {
    this.skipSpace();
    const first = this.source[this.at];
    if (first === '{' || first === '[') {
      need(depth < this.depthMax, 'json-depth', { limit: this.depthMax });
      return first === '{' ? this.object(depth + 1) : this.list(depth + 1);
    }
    if (first === '"') {
      return this.string();
    }
    for (const [word, value] of WORDS) {
      if (this.takes(word)) {
        return value;
      }
    }
    return this.number();
  }

  object(/** @type {number} */ depth) {
    /** @type {Record<string, any>} */
    const made = Object.create(null);
    this.items('{', '}', () => {
      const key = this.string();
      need(!(key in made), 'json-duplicate-key', { key });
      this.skipSpace();
      this.need(this.takes(':'));
      made[key] = this.value(depth);
    });
    return made;
  }

  list(/** @type {number} */ depth) {
    /** @type {any[]} */
    const made = [];
    this.items('[', ']', () => made.push(this.value(depth)));
    return made;
  }

  /**
   * What stands between two brackets, parted by commas.
   *
   * @param {string} open
   * @param {string} close
   * @param {() => void} readItem
   */
  items(open, close, readItem) {
    this.takes(open);
    this.skipSpace();
    if (this.takes(close)) {
      return;
    }
    do {
      this.skipSpace();
      readItem();
      this.skipSpace();
    } while (this.takes(','));
    this.need(this.takes(close));
  }

  /** A string, its escapes resolved by `JSON.parse`, which reads strings strictly. */
  string() {
    this.need(this.source[this.at] === '"');
    let end = this.at + 1;
    while (this.source[end] !== '"') {
      this.need(end < this.source.length);
      end += this.source[end] === '\\' ? 2 : 1;
    }
    const written = this.source.slice(this.at, end + 1);
    /** @type {string} */
    let text;
    try {
      text = JSON.parse(written);
    } catch {
      throw new TallyError('json-invalid', { at: this.at });
    }
    this.at = end + 1;
    return written.includes('\\') ? checkText(text) : text;
  }

  number() {
    NUMBER.lastIndex = this.at;
    const match = NUMBER.exec(this.source);
    const [written, fraction, exponent] = match ?? [];
    need(written, 'json-invalid', { at: this.at });
    need(!fraction && !exponent, 'json-float', { value: written.slice(0, 40) });
    // 20 characters hold every integer of 64 bits; longer ones are refused unread.
    const value = written.length <= 20 ? BigInt(written) : INTEGER_MAX + 1n;
    need(INTEGER_MIN <= value && value <= INTEGER_MAX, 'json-integer-range');
    this.at += written.length;
    return value;
  }
}

/**
 * JSON as this project writes it: no spaces, keys in order, without those of no value.  For new
 * documents only.
 *
 * @param {unknown} value
 * @returns {string}
 */
export function dumpJson(value) {
  if (typeof value === 'bigint') {
    return String(value);
  }
  if (Array.isArray(value)) {
    return `[${value.map(dumpJson)}]`;
  }
  if (typeof value === 'object' && value !== null) {
    const given = Object.entries(value).filter(([, item]) => item !== undefined);
    const entries = given.sort(([one], [other]) => (one < other ? -1 : 1));
    return `{${entries.map(([key, item]) => `${JSON.stringify(key)}:${dumpJson(item)}`)}}`;
  }
  return JSON.stringify(value);
}

/** @type {Record<string, (value: any) => boolean>} */
const IS = {
  integer: (value) => typeof value === 'bigint',
  text: (value) => typeof value === 'string',
  boolean: (value) => typeof value === 'boolean',
  null: (value) => value === null,
  list: Array.isArray,
  object: (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
};

/**
 * `value` if it is an object with exactly the fields of `schema`, each of its type: "integer",
 * "text", "boolean", "list", "object"; "object|null" may be null, "object?" absent.
 *
 * @param {any} value
 * @param {string} where
 * @param {Record<string, string>} schema
 * @returns {Record<string, any>}
 */
export function fields(value, where, schema) {
  need(IS.object(value), 'field-type', { where, field: '.', expected: 'object' });
  for (const [field, type] of Object.entries(schema)) {
    need(field in value || type.endsWith('?'), 'field-missing', { where, field });
  }
  for (const [field, item] of Object.entries(value)) {
    need(Object.hasOwn(schema, field), 'field-unknown', { where, field });
    const expected = schema[field].replace('?', '');
    const fits = expected.split('|').some((type) => IS[type](item));
    need(fits, 'field-type', { where, field, expected });
  }
  return value;
}
