/**
 * Bundle files (specification, section 20): one JSON document from which one fact is checked
 * offline.  Reading settles the form; `check.js` makes the checks.
 */

import { fromBase64, fromHex, utf8 } from './bytes.js';
import { need } from './errors.js';
import { fields, parseJson } from './json.js';
import { parseNote } from './notes.js';
import { readFree, readHeld } from './register.js';
import { Statement } from './statements.js';
import { PublicKey } from './suites.js';

/** @typedef {import('./register.js').Held} Held */
/** @typedef {{index: bigint, statement: Statement, path: Uint8Array[]}} Logged */
/** @typedef {{document: string, held: Held}} Document */
/** @typedef {{key: PublicKey, keyHeld: Held, roleHeld: Held}} SignedBy */
/** @typedef {{position: bigint, data: Uint8Array, path: Uint8Array[]}} Placed */
/** @typedef {import('./register.js').Free} Free */
/** @typedef {import('./notes.js').Note} Note */
/**
 * @typedef {{checkpoint: Note, seal: Logged, policy: Held, key: PublicKey, keyHeld: Held,
 *   path: Uint8Array[]}} Link
 */
/** @typedef {{governed: Document[], free: Free | null, links: Link[]}} Policies */

const FORMAT = 'tally-bundle/1';
const BYTES_MAX = 16_777_216;
const DEPTH_MAX = 9;
const POLICIES_MAX = 1_024;
const COMMON = {
  format: 'text',
  kind: 'text',
  checkpoint: 'text',
  genesis: 'object',
  seal: 'object',
  rules: 'object',
  classes: 'object',
  books: 'object|null',
  policies: 'object',
};
const SUBMITTED = { submission: 'object', signer: 'object' };
/** @type {Map<unknown, Record<string, string>>} */
const KINDS = new Map([
  [
    'reduction',
    {
      ...COMMON,
      ...SUBMITTED,
      reduction: 'object',
      scenario: 'object',
      methodology: 'object',
      claims: 'list',
      activity: 'text|null',
    },
  ],
  ['span', { ...COMMON, ...SUBMITTED, leaf: 'object', held: 'object' }],
  ['free', { ...COMMON, free: 'object' }],
]);

/** @typedef {ReturnType<typeof readCommon>} Common */
/** @typedef {{submission: Logged, signer: SignedBy}} Submitted */
/** @typedef {{scenario: Document, methodology: Document, activity: Uint8Array | null}} Told */
/** @typedef {{kind: 'reduction', reduction: Placed, claims: Held[]} & Told} OfReduction */
/** @typedef {{kind: 'span', leaf: Placed, held: Held}} OfSpan */
/** @typedef {{kind: 'free', free: Free}} OfFree */
/** @typedef {Common & Submitted & OfReduction} ReductionBundle */
/** @typedef {Common & Submitted & OfSpan} SpanBundle */
/** @typedef {Common & OfFree} FreeBundle */

/**
 * Read a bundle file.
 *
 * @param {Uint8Array} data
 * @returns {ReductionBundle | SpanBundle | FreeBundle}
 */
export function parseBundle(data) {
  const value = parseJson(data, { bytesMax: BYTES_MAX, depthMax: DEPTH_MAX });
  need(value?.format === FORMAT, 'format-unknown', { where: 'bundle', format: value?.format });
  const schema = KINDS.get(value.kind);
  need(schema, 'format-unknown', { where: 'bundle', format: value.kind });
  const given = fields(value, 'bundle', schema);
  const common = readCommon(given);
  if (given.kind === 'free') {
    return { ...common, kind: 'free', free: readFree(given.free) };
  }
  const submitted = {
    ...common,
    submission: readLogged(given.submission, 'submission'),
    signer: readSigner(given.signer),
  };
  if (given.kind === 'span') {
    const leaf = fields(given.leaf, 'leaf', { position: 'integer', hash: 'text', path: 'list' });
    const { position, hash, path } = leaf;
    return {
      ...submitted,
      kind: 'span',
      leaf: { position, data: fromHex(hash, 32), path: readPath(path) },
      held: readHeld(given.held),
    };
  }
  const {
    position,
    data: reduction,
    path,
  } = fields(given.reduction, 'reduction', {
    position: 'integer',
    data: 'text',
    path: 'list',
  });
  return {
    ...submitted,
    kind: 'reduction',
    reduction: { position, data: fromBase64(reduction), path: readPath(path) },
    scenario: readDocument(given.scenario, 'scenario'),
    methodology: readDocument(given.methodology, 'methodology'),
    claims: given.claims.map(readHeld),
    activity: given.activity === null ? null : utf8(given.activity),
  };
}

function readCommon(/** @type {Record<string, any>} */ given) {
  return {
    checkpoint: parseNote(given.checkpoint),
    genesis: readLogged(given.genesis, 'genesis'),
    seal: readLogged(given.seal, 'seal'),
    rules: readHeld(given.rules),
    classes: readDocument(given.classes, 'classes'),
    books: given.books && readHeld(given.books),
    policies: readPolicies(given.policies),
  };
}

/** @returns {Policies} */
function readPolicies(/** @type {unknown} */ value) {
  const { governed, free, links } = fields(value, 'policies', {
    governed: 'list',
    free: 'object|null',
    links: 'list',
  });
  const most = Math.max(governed.length, links.length);
  need(most <= POLICIES_MAX, 'policies-many', { most: POLICIES_MAX });
  return {
    governed: governed.map((/** @type {unknown} */ one) => readDocument(one, 'governed')),
    free: free && readFree(free),
    links: links.map(readLink),
  };
}

/** @returns {Link} */
function readLink(/** @type {unknown} */ value) {
  const given = fields(value, 'links', {
    checkpoint: 'text',
    seal: 'object',
    policy: 'object',
    operator: 'object',
    path: 'list',
  });
  const operator = fields(given.operator, 'operator', { key: 'object', key_held: 'object' });
  return {
    checkpoint: parseNote(given.checkpoint),
    seal: readLogged(given.seal, 'seal'),
    policy: readHeld(given.policy),
    key: PublicKey.fromJson(operator.key),
    keyHeld: readHeld(operator.key_held),
    path: readPath(given.path),
  };
}

/**
 * @param {unknown} value
 * @param {string} where
 * @returns {Logged}
 */
function readLogged(value, where) {
  const { index, data, path } = fields(value, where, {
    index: 'integer',
    data: 'text',
    path: 'list',
  });
  return { index, statement: new Statement(fromBase64(data)), path: readPath(path) };
}

/**
 * @param {unknown} value
 * @param {string} where
 * @returns {Document}
 */
function readDocument(value, where) {
  const { document, held } = fields(value, where, { document: 'text', held: 'object' });
  return { document, held: readHeld(held) };
}

/** @returns {SignedBy} */
function readSigner(/** @type {unknown} */ value) {
  const given = fields(value, 'signer', { key: 'object', key_held: 'object', role_held: 'object' });
  return {
    key: PublicKey.fromJson(given.key),
    keyHeld: readHeld(given.key_held),
    roleHeld: readHeld(given.role_held),
  };
}

const readPath = (/** @type {any[]} */ path) => path.map((item) => fromHex(item, 32));
