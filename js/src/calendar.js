/**
 * The ledger's days (specification, section 9): numbered from 1970-01-01 at one fixed offset from
 * UTC.  All numbers are BigInts.
 */

import { need } from './errors.js';

const DAY_SECONDS = 86_400n;
export const DAY_MAX = 65_535n;
const DATE = /^[0-9]{4}-[0-9]{2}-[0-9]{2}$/;

/** The day as a date "2026-01-31". */
export const dumpDate = (/** @type {bigint} */ day) => midnight(day).toISOString().slice(0, 10);

/** A date "2026-01-31" as its day, 0 to 65,535. */
export function parseDate(/** @type {unknown} */ text) {
  const time = typeof text === 'string' && DATE.test(text) ? Date.parse(`${text}T00:00:00Z`) : NaN;
  const day = Number.isNaN(time) ? -1n : BigInt(time) / (DAY_SECONDS * 1000n);
  need(0n <= day && day <= DAY_MAX && dumpDate(day) === text, 'date-invalid', { value: text });
  return day;
}

const midnight = (/** @type {bigint} */ day) => new Date(Number(day * DAY_SECONDS) * 1000);

/** Days at `offset` seconds east of UTC. */
export class Calendar {
  constructor(/** @type {bigint} */ offset) {
    this.offset = offset;
  }

  /** The day that holds a unix second, and the second of that day. */
  #split(/** @type {bigint} */ time) {
    const local = time + this.offset;
    const second = ((local % DAY_SECONDS) + DAY_SECONDS) % DAY_SECONDS;
    return { day: (local - second) / DAY_SECONDS, second };
  }

  /** The day that holds a unix second. */
  day(/** @type {bigint} */ time) {
    return this.#split(time).day;
  }

  /** The seconds since midnight at a unix second. */
  second(/** @type {bigint} */ time) {
    return this.#split(time).second;
  }

  /** The first unix second of a day. */
  start(/** @type {bigint} */ day) {
    return day * DAY_SECONDS - this.offset;
  }

  /**
   * `[start, end)` cut at midnight: a piece for each day that it touches.
   *
   * @param {bigint} start
   * @param {bigint} end
   */
  cut(start, end) {
    const pieces = [];
    for (let at = start; at < end; at = pieces[pieces.length - 1].end) {
      const day = this.day(at);
      const next = this.start(day + 1n);
      pieces.push({ day, start: at, end: next < end ? next : end });
    }
    return pieces;
  }

  /**
   * The last day of the day, month or year that holds `day`.
   *
   * @param {bigint} day
   * @param {string} period
   */
  periodEnd(day, period) {
    if (period === 'day') {
      return day;
    }
    const date = midnight(day);
    const month = period === 'month' ? date.getUTCMonth() + 1 : 12;
    return BigInt(Date.UTC(date.getUTCFullYear(), month, 0)) / (DAY_SECONDS * 1000n);
  }
}
