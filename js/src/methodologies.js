/**
 * Methodologies (specification, section 15): how an activity becomes grams and claims.  They are
 * data; the templates say what is claimed.  `reduce` goes from an activity to its reduction,
 * `check` says of a reduction alone whether the methodology can give it.
 */

import { OPTIONAL, activityDigest, parseActivity } from './activities.js';
import { DAY_MAX } from './calendar.js';
import { FOREVER, PERIODS, isName, lineDay } from './classes.js';
import { need } from './errors.js';
import { Formula, readTable } from './formulas.js';
import { fields, parseJson } from './json.js';
import { CLAIMS_MAX, GRAMS_MAX, makeReduction } from './reductions.js';

/** @typedef {import('./activities.js').Activity} Activity */
/** @typedef {import('./classes.js').Classes} Classes */
/** @typedef {import('./classes.js').LineClass} LineClass */
/** @typedef {import('./formulas.js').Bounds} Bounds */
/** @typedef {import('./reductions.js').Claim} Claim */
/** @typedef {import('./reductions.js').Reduction} Reduction */

/**
 * One claim that a methodology demands.
 *
 * @typedef {object} Template
 * @property {LineClass} of its class
 * @property {string[]} parts
 * @property {bigint | undefined} seconds the length of its span; undefined: that of the activity
 * @property {bigint} guard
 * @property {bigint | undefined} seats
 * @property {string | undefined} optional
 */

const BYTES_MAX = 32_768;
const GUARD_SECONDS_MAX = 3_600n;
const FIELD = /\{([a-z]+(?:\.[a-z]+)?)\}/g;
const CLOCK = /^(?:([01][0-9]|2[0-3]):([0-5][0-9])|24:00)$/;

/** A methodology, read against the registry of classes in force. */
export class Methodology {
  /**
   * @param {string | Uint8Array} document
   * @param {Classes} classes
   */
  constructor(document, classes) {
    const given = fields(parseJson(document, { bytesMax: BYTES_MAX }), 'methodology', {
      format: 'integer',
      id: 'text',
      version: 'integer',
      title: 'object',
      source: 'object',
      points: 'integer|text|object',
      tiers: 'list',
      duration: 'object',
      quantities: 'object',
      tables: 'object?',
      grams: 'text|object',
      slots: 'object?',
      claims: 'list',
    });
    need(given.format === 1n, 'format-unknown', { where: 'methodology', format: given.format });
    this.classes = classes;
    this.calendar = classes.calendar;
    /** @type {string} */
    this.id = given.id;
    /** @type {bigint} */
    this.version = given.version;
    check(isName(this.id) && this.version >= 1n, 'id or version');
    fields(given.title, 'title', { en: 'text', zh: 'text' });
    this.source = fields(given.source, 'source', { standard: 'text', table: 'text', date: 'text' });
    /** @type {string[]} */
    this.tiers = given.tiers;
    check(
      this.tiers.every((tier) => typeof tier === 'string'),
      'tiers',
    );
    this.duration = readBounds('duration', given.duration);
    this.quantities = readMap(given.quantities, readBounds);
    this.tables = readMap(given.tables ?? {}, readTable);
    this.grams = this.#readFormula(given.grams);
    /** A number, or the formula as the document has it. */
    this.points = given.points;
    this.pointsFormula = typeof this.points === 'bigint' ? null : this.#readFormula(this.points);
    check(this.pointsFormula || this.points >= 0n, 'points');
    this.slots = given.slots === undefined ? null : readSlots(given.slots);
    /** @type {Template[]} */
    this.templates = given.claims.map((/** @type {unknown} */ item) => this.#readTemplate(item));
    const pinsDown = this.templates.some(({ of, optional }) => isActivityClass(of) && !optional);
    need(pinsDown, 'methodology-claims-nothing', { id: this.id });
    const { least, most } = this.grams.bounds;
    check(1n <= most && most <= GRAMS_MAX, 'grams');
    /** The least and the most grams that one reduction can have. */
    this.gramsBounds = { min: least < 1n ? 1n : least, max: most };
  }

  // --- from an activity ---

  /**
   * The reduction of an activity; throws `TallyError` if it earns none.
   *
   * @param {Uint8Array} line the activity, without its line feed
   * @param {string} platform that reports it
   */
  async reduce(line, platform) {
    const activity = parseActivity(line);
    const { start, end, scenario, evidence, quantities = {} } = activity;
    need(this.tiers.includes(evidence.tier), 'tier-not-counted', { tier: evidence.tier });
    need(isWithin(end - start, this.duration), 'duration-out-of-bounds', { seconds: end - start });
    for (const [name, bounds] of this.quantities) {
      need(isWithin(quantities[name] ?? -1n, bounds), 'quantity-out-of-bounds', { name });
    }
    const day = this.calendar.day(start);
    need(0n <= day && day <= DAY_MAX, 'span-beyond-calendar');
    const grams = this.grams.floor(activity, day);
    need(grams >= 1n, 'no-reduction', { grams });
    /** @type {Claim[]} */
    const claims = [];
    for (const template of this.templates) {
      if (!template.optional || template.optional in activity) {
        claims.push(...(await this.#claim(template, activity, day)));
      }
    }
    need(claims.length <= CLAIMS_MAX, 'too-many-claims', { count: claims.length });
    const digest = await activityDigest(line);
    return makeReduction({ platform, scenario, version: this.version, day, grams, claims, digest });
  }

  /**
   * The points that an activity earns beside its reduction.
   *
   * @param {Uint8Array} line
   */
  pointsOf(line) {
    const activity = parseActivity(line);
    const day = this.calendar.day(activity.start);
    const points = this.pointsFormula?.floor(activity, day) ?? this.points;
    return points < 0n ? 0n : points;
  }

  /**
   * The claims that a template makes on an activity.
   *
   * @param {Template} template
   * @param {Activity} activity
   * @param {bigint} day
   * @returns {Promise<Claim[]>}
   */
  async #claim({ of, parts, seconds, guard }, activity, day) {
    const filled = parts.map((part) => this.#fill(part, activity));
    if (of.axis === 'whole') {
      return [{ line: await this.classes.line(of.name, filled), start: 0n, end: FOREVER }];
    }
    if (of.axis === 'seats') {
      const last = this.calendar.periodEnd(day, parts[1]);
      need(last <= DAY_MAX, 'span-beyond-calendar');
      return [{ line: await this.classes.line(of.name, filled, last), start: null, end: null }];
    }
    const first = activity.start - guard;
    const last = (seconds === undefined ? activity.end : activity.start + seconds) + guard;
    const isSpan = 0n <= first && first < last && last - first <= of.longest;
    need(isSpan, 'span-too-long', { name: of.name, seconds: last - first });
    const isInCalendar = this.calendar.day(first) >= 0n && this.calendar.day(last - 1n) <= DAY_MAX;
    need(isInCalendar, 'span-beyond-calendar');
    const pieces = this.calendar.cut(first, last);
    return Promise.all(
      pieces.map(async (piece) => ({
        line: await this.classes.line(of.name, filled, piece.day),
        start: piece.start,
        end: piece.end,
      })),
    );
  }

  /**
   * A part of a line's name, with what the activity gives.
   *
   * @param {string} part
   * @param {Activity} activity
   */
  #fill(part, activity) {
    return part.replace(FIELD, (_, /** @type {string} */ field) => {
      if (field === this.slots?.field) {
        return this.#slot(activity.start);
      }
      const [whole, member] = field.split('.');
      const found = member ? activity[whole]?.[member] : activity[whole];
      need(typeof found === 'string', 'activity-field-missing', { field });
      return found;
    });
  }

  #slot(/** @type {bigint} */ start) {
    const second = this.calendar.second(start);
    const row = this.slots?.rows.find(({ from, to }) => from <= second && second < to);
    need(row, 'outside-slots', { id: this.id });
    return row.name;
  }

  // --- from a reduction alone ---

  /**
   * Throw unless a reduction is one that this methodology can give.
   *
   * @param {Reduction} reduction
   * @returns {(bigint | null)[]} for each claim the seats of its cap, or null
   */
  check({ version, grams, day, claims }) {
    need(version === this.version, 'reduction-version', { version });
    need(isWithin(grams, this.gramsBounds), 'reduction-grams', { grams });
    /** @type {(bigint | null)[]} */
    const seats = [];
    /** What the spans speak of: one event. @type {{start?: bigint, end?: bigint}} */
    const event = {};
    for (const template of this.templates) {
      const taken = this.#take(template, claims.slice(seats.length), day, event);
      const { of, optional } = template;
      need(taken > 0 || optional, 'reduction-class-missing', { name: of.name });
      seats.push(...Array(taken).fill(template.seats ?? null));
    }
    need(seats.length === claims.length, 'reduction-claim-extra');
    const lines = new Set(claims.map(({ line }) => line.join()));
    need(lines.size === claims.length, 'reduction-claim-twice');
    return seats;
  }

  /**
   * How many claims from the front a template takes.
   *
   * @param {Template} template
   * @param {Claim[]} claims
   * @param {bigint} day of the reduction
   * @param {{start?: bigint, end?: bigint}} event
   */
  #take({ of, parts, seconds, guard }, claims, day, event) {
    const isOfClass = (/** @type {Claim} */ { line }) => BigInt(line[2]) === of.number;
    if (claims.length === 0 || !isOfClass(claims[0])) {
      return 0;
    }
    if (of.axis === 'seats') {
      const isLast = lineDay(claims[0].line) === this.calendar.periodEnd(day, parts[1]);
      need(claims[0].start === null && isLast, 'reduction-claim', { name: of.name });
      return 1;
    }
    const first = this.#span(claims[0], of);
    if (of.axis === 'whole') {
      return 1;
    }
    let last = first.end;
    let taken = 1;
    for (const claim of claims.slice(1)) {
      // A following piece begins where the one before ended, at the midnight of its day.
      const isNext = claim.start === last && last === this.calendar.start(lineDay(claim.line));
      if (!isOfClass(claim) || !isNext) {
        break;
      }
      last = this.#span(claim, of).end;
      taken += 1;
    }
    const start = first.start + guard;
    const end = last - guard;
    event.start ??= start;
    event.end ??= seconds === undefined ? end : undefined;
    const length = seconds === undefined ? this.duration : { min: seconds, max: seconds };
    const isOneEvent = event.start === start && (seconds !== undefined || event.end === end);
    const isInForm =
      isWithin(end - start, length) &&
      last - first.start <= of.longest &&
      this.calendar.day(start) === day;
    need(isOneEvent && isInForm, 'reduction-claim', { name: of.name });
    return taken;
  }

  /**
   * The span of a claim, which its class allows.
   *
   * @param {Claim} claim
   * @param {LineClass} of
   */
  #span({ line, start, end }, of) {
    need(start !== null && end !== null, 'reduction-claim', { name: of.name });
    this.classes.checkSpan(line, start, end);
    return { start, end };
  }

  // --- reading ---

  #readFormula(/** @type {unknown} */ source) {
    return new Formula(source, this.tables, this.quantities, this.duration);
  }

  /** @returns {Template} */
  #readTemplate(/** @type {unknown} */ value) {
    const given = fields(value, 'claim', {
      class: 'text',
      parts: 'list',
      span: 'object?',
      guard: 'integer?',
      seats: 'integer?',
      optional: 'text?',
    });
    const { parts, span, seats, optional } = given;
    const of = this.classes.named(given.class);
    const { axis, longest } = of;
    const what = `claim on ${of.name}`;
    const isClaimed = of.claimedBy === 'reduction' && ['seconds', 'whole', 'seats'].includes(axis);
    check(isClaimed && parts.length === of.parts.length, what);
    check(optional === undefined || Object.hasOwn(OPTIONAL, optional), what);
    for (const part of parts) {
      check(typeof part === 'string' && !part.replace(FIELD, '').includes('{'), what);
    }
    const guard = given.guard ?? 0n;
    const seconds = span && fields(span, 'span', { seconds: 'integer' }).seconds;
    if (axis === 'seconds') {
      check(seats === undefined && 0n <= guard && guard <= GUARD_SECONDS_MAX, what);
      const isSpan = seconds === undefined || (1n <= seconds && seconds <= longest);
      check(isSpan && (span || this.duration.min + 2n * guard >= 1n), what);
    } else {
      check(span === undefined && given.guard === undefined, what);
      const isCap = axis === 'seats';
      check(isCap === (seats !== undefined), what);
      check(!isCap || (PERIODS.includes(parts[1]) && 1n <= seats && seats <= longest), what);
    }
    return { of, parts, seconds, guard, seats, optional };
  }
}

/** Whether a claim on the class pins down one event; a seat under a cap does not. */
function isActivityClass(/** @type {LineClass} */ { claimedBy, axis }) {
  return claimedBy === 'reduction' && ['seconds', 'whole'].includes(axis);
}

/**
 * @param {bigint} value
 * @param {Bounds} bounds
 */
const isWithin = (value, { min, max }) => min <= value && value <= max;

/**
 * @param {string} name
 * @param {unknown} value
 * @returns {Bounds}
 */
function readBounds(name, value) {
  const { min, max } = fields(value, name, { min: 'integer', max: 'integer' });
  check(0n <= min && min <= max, name);
  return { min, max };
}

/**
 * @template T
 * @param {Record<string, unknown>} object
 * @param {(name: string, value: unknown) => T} read
 */
function readMap(object, read) {
  return new Map(Object.entries(object).map(([name, value]) => [name, read(name, value)]));
}

function readSlots(/** @type {unknown} */ value) {
  const { field, rows } = fields(value, 'slots', { field: 'text', rows: 'list' });
  /** @type {{from: bigint, to: bigint, name: string}[]} */
  const read = rows.map((/** @type {any} */ row) => {
    check(Array.isArray(row) && row.length === 3 && row.every(isText), 'slots');
    const [from, to, name] = [readClock(row[0]), readClock(row[1]), row[2]];
    check(from < to && isName(name), 'slots');
    return { from, to, name };
  });
  for (const [place, { from }] of read.entries()) {
    check(place === 0 || read[place - 1].to <= from, 'slots');
  }
  return { field: /** @type {string} */ (field), rows: read };
}

const isText = (/** @type {unknown} */ value) => typeof value === 'string';

/** The seconds since midnight. */
function readClock(/** @type {string} */ text) {
  const match = CLOCK.exec(text);
  check(match, 'slots');
  const [, hours = '24', minutes = '0'] = match;
  return BigInt(hours) * 3_600n + BigInt(minutes) * 60n;
}

/**
 * @param {unknown} condition
 * @param {string} what
 * @returns {asserts condition}
 */
function check(condition, what) {
  need(condition, 'methodology-invalid', { what });
}
