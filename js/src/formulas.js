/**
 * Formulas and tables of methodologies (specification, section 15): declarative and exact.
 *
 * Every value is a fraction of two BigInts, the lower being a power of ten: sums, differences and
 * products of decimals are decimals again.  The result is rounded down, once, at the end.
 */

import { dumpDate } from './calendar.js';
import { need } from './errors.js';
import { fields } from './json.js';

/** @typedef {import('./activities.js').Activity} Activity */
/** @typedef {{over: bigint, under: bigint}} Fraction */
/** @typedef {{least: Fraction, most: Fraction}} Interval */
/** @typedef {{by: string[], rows: Map<string, Fraction>}} Table */
/** @typedef {{min: bigint, max: bigint}} Bounds */

const NODES_MAX = 64;
const DECIMAL = /^(0|[1-9][0-9]{0,17})(\.[0-9]{0,17}[1-9])?$/;

// --- fractions ---

/** @returns {Fraction} */
const integer = (/** @type {bigint} */ value) => ({ over: value, under: 1n });

/** A decimal text such as "204.2". */
export function decimal(/** @type {unknown} */ text) {
  need(typeof text === 'string' && DECIMAL.test(text), 'decimal-not-canonical', { value: text });
  const [whole, fraction = ''] = text.split('.');
  return { over: BigInt(whole + fraction), under: 10n ** BigInt(fraction.length) };
}

/** @type {(one: Fraction, other: Fraction) => Fraction} */
const add = (one, other) => ({
  over: one.over * other.under + other.over * one.under,
  under: one.under * other.under,
});

/** @type {(one: Fraction, other: Fraction) => Fraction} */
const multiply = (one, other) => ({
  over: one.over * other.over,
  under: one.under * other.under,
});

/** @type {(one: Fraction, other: Fraction) => Fraction} */
const subtract = (one, other) => add(one, { ...other, over: -other.over });

/** @type {(one: Fraction, other: Fraction) => boolean} */
const isLess = (one, other) => one.over * other.under < other.over * one.under;

/** @type {(values: Fraction[]) => Fraction} */
const least = (values) => values.reduce((one, other) => (isLess(other, one) ? other : one));

/** @type {(values: Fraction[]) => Fraction} */
const most = (values) => values.reduce((one, other) => (isLess(one, other) ? other : one));

/** The greatest integer that is not more. */
function floor(/** @type {Fraction} */ { over, under }) {
  return over / under - (over % under < 0n ? 1n : 0n);
}

// --- tables ---

/**
 * @param {string} name
 * @param {unknown} value
 * @returns {Table}
 */
export function readTable(name, value) {
  const { by, rows } = fields(value, `table ${name}`, { by: 'list', rows: 'list' });
  check(by.length > 0 && rows.length > 0 && by.every(isText), `the table ${name} is empty`);
  /** @type {Map<string, Fraction>} */
  const found = new Map();
  for (const row of rows) {
    const fits = Array.isArray(row) && row.length === by.length + 1 && row.every(isText);
    check(fits, `a row of ${name} does not fit`);
    const key = JSON.stringify(row.slice(0, -1));
    check(!found.has(key), `two rows of ${name} match alike`);
    found.set(key, decimal(row[row.length - 1]));
  }
  return { by, rows: found };
}

/**
 * The value of the row that an activity selects.
 *
 * @param {Table} table
 * @param {Activity} activity
 * @param {bigint} day
 */
function lookUp({ by, rows }, activity, day) {
  const key = by.map((field) => {
    if (field === 'tier') {
      return activity.evidence.tier;
    }
    return field === 'year' ? dumpDate(day).slice(0, 4) : (activity.attributes?.[field] ?? '');
  });
  const value = rows.get(JSON.stringify(key));
  need(value, 'table-row-missing', { fields: by, values: key });
  return value;
}

// --- formulas ---

/** A formula, with the tables and the bounds of what it may use. */
export class Formula {
  /**
   * @param {unknown} source
   * @param {Map<string, Table>} tables
   * @param {Map<string, Bounds>} quantities
   * @param {Bounds} duration
   */
  constructor(source, tables, quantities, duration) {
    this.source = source;
    this.tables = tables;
    this.quantities = quantities;
    this.duration = duration;
    this.nodes = 0;
    const bounds = this.#bounds(source);
    /** The least and the most that it can give, rounded down. */
    this.bounds = { least: floor(bounds.least), most: floor(bounds.most) };
  }

  /**
   * The value for an activity, rounded down.
   *
   * @param {Activity} activity
   * @param {bigint} day
   */
  floor(activity, day) {
    return floor(this.#value(this.source, activity, day));
  }

  /**
   * @param {any} node
   * @param {Activity} activity
   * @param {bigint} day
   * @returns {Fraction}
   */
  #value(node, activity, day) {
    if (isText(node)) {
      return decimal(node);
    }
    const [[operation, argument]] = Object.entries(node);
    switch (operation) {
      case 'quantity':
        return integer(activity.quantities[argument]);
      case 'duration':
        return integer(activity.end - activity.start);
      case 'lookup':
        return lookUp(/** @type {Table} */ (this.tables.get(argument)), activity, day);
      default: {
        const values = argument.map((/** @type {any} */ item) => this.#value(item, activity, day));
        return values.reduce(APPLY[operation]);
      }
    }
  }

  /**
   * The interval of a node's values; throws for anything that is no formula.
   *
   * @param {any} node
   * @returns {Interval}
   */
  #bounds(node) {
    this.nodes += 1;
    check(this.nodes <= NODES_MAX, 'it is too long');
    if (isText(node)) {
      return { least: decimal(node), most: decimal(node) };
    }
    const entries = Object.entries(node ?? {});
    check(entries.length === 1 && !Array.isArray(node), 'a node is no decimal and no formula');
    const [[operation, argument]] = entries;
    switch (operation) {
      case 'quantity':
        return interval(this.quantities.get(argument));
      case 'duration':
        check(argument === 'seconds', 'a duration is in seconds');
        return interval(this.duration);
      case 'lookup': {
        const values = [...(this.tables.get(argument)?.rows.values() ?? [])];
        check(values.length > 0, 'the table is unknown');
        return { least: least(values), most: most(values) };
      }
    }
    const isKnown = ['sum', 'product', 'difference'].includes(operation);
    check(isKnown && Array.isArray(argument) && argument.length > 0, `${operation} is unknown`);
    check(operation !== 'difference' || argument.length === 2, 'a difference is of two');
    return argument.map((item) => this.#bounds(item)).reduce(COMBINE[operation]);
  }
}

/** @type {Record<string, (one: Fraction, other: Fraction) => Fraction>} */
const APPLY = { sum: add, product: multiply, difference: subtract };

/** @type {Record<string, (one: Interval, other: Interval) => Interval>} */
const COMBINE = {
  sum: (one, other) => ({
    least: add(one.least, other.least),
    most: add(one.most, other.most),
  }),
  difference: (one, other) => ({
    least: subtract(one.least, other.most),
    most: subtract(one.most, other.least),
  }),
  product: (one, other) => {
    const corners = [one.least, one.most].flatMap((value) => [
      multiply(value, other.least),
      multiply(value, other.most),
    ]);
    return { least: least(corners), most: most(corners) };
  },
};

/** @returns {Interval} */
function interval(/** @type {Bounds | undefined} */ bounds) {
  check(bounds, 'the quantity is unknown');
  return { least: integer(bounds.min), most: integer(bounds.max) };
}

const isText = (/** @type {unknown} */ value) => typeof value === 'string';

/**
 * @param {unknown} condition
 * @param {string} reason
 * @returns {asserts condition}
 */
function check(condition, reason) {
  need(condition, 'formula-invalid', { reason });
}
