/**
 * Witness policies (specification, section 8): whose cosignatures make a checkpoint final, as
 * governance has decided; and the chain of them (section 41), from the trust policy in hand to the
 * one in force at a bundle's checkpoint.
 *
 * A bundle shows all that ever were in force, and links between them.  A link is followed if it is
 * final under the policy at hand and under each one that is passed over: nobody is left out.
 */

import { equal, toHex, utf8 } from './bytes.js';
import { Calendar } from './calendar.js';
import { Classes, FOREVER } from './classes.js';
import { need } from './errors.js';
import { holderOf } from './holders.js';
import { fields, parseJson } from './json.js';
import { checkSeal } from './log.js';
import { checkConsistency } from './merkle.js';
import { NoteKey, parseCheckpoint, signedBy } from './notes.js';
import { Policy } from './policy.js';
import { Register, checkFree } from './register.js';

/** @typedef {import('./bundles.js').Common} Common */
/** @typedef {import('./bundles.js').Document} Document */
/** @typedef {import('./bundles.js').Link} Link */
/** @typedef {import('./log.js').Ledger} Ledger */
/** @typedef {import('./notes.js').Checkpoint} Checkpoint */
/** @typedef {import('./notes.js').Note} Note */
/** @typedef {{keys: string[], quorum: bigint}} Cosigners */

/**
 * Where the links have led to: the policy that judges the bundle, and whether no later one is in
 * force.
 *
 * @typedef {{policy: Policy, isLast: boolean}} Followed
 */

const COSIGNERS_MAX = 32n;
const PASSED_MAX = 8;
const RESERVED = ['none', 'auditors', 'witnesses', 'both'];
const NAME = /^[!-~]+$/;

// --- following ---

/**
 * Follow the links from the policy in hand, one whose quorum is not "none".  That the policies are
 * all there were is for `checkGoverned`.
 *
 * @param {Common} bundle
 * @param {Policy} own
 * @returns {Promise<Followed>}
 */
export async function follow({ checkpoint: note, genesis, classes: registry, policies }, own) {
  const head = parseCheckpoint(note.text);
  // Cosigners serve many logs: what they agree to is of use in the one that is trusted only.
  if (!own.logs.some(({ name }) => name === head.origin)) {
    return { policy: own, isLast: true };
  }
  // No line of these links is dated.
  const calendar = new Calendar(0n);
  const id = toHex(await genesis.statement.id());
  const ledger = { id, operator: genesis.statement.issuer, calendar };
  const classes = new Classes(registry.document, calendar);
  const { stages, inForce } = await readStages(policies.governed);
  const mine = await own.requirement();
  let at = stages.findIndex(({ requirement }) => requirement === mine);
  const isGoverned = at >= 0;
  let policy = own;
  let size = 0n;
  for (const link of policies.links) {
    const checkpoint = parseCheckpoint(link.checkpoint.text);
    // Before any signature is looked at: a note is not to cost its time again and again.
    const isInOrder = size < checkpoint.size && checkpoint.size <= head.size;
    need(isInOrder, 'link-order', { size: checkpoint.size });
    ({ size } = checkpoint);
    const shown = inForce.get(link.policy.start);
    need(shown, 'link-policy', { size: checkpoint.size });
    const { stage: to, holder } = shown;
    const passed = isGoverned ? stages.slice(at + 1, to + 1).map((stage) => stage.policy) : [];
    const isNear = !isGoverned || (at <= to && to <= at + 1 + PASSED_MAX);
    if (!isNear || !(await areReached([policy, ...passed.slice(0, -1)], link.checkpoint))) {
      continue;
    }
    need(checkpoint.origin === head.origin, 'checkpoint-other-log', { origin: checkpoint.origin });
    await checkConsistency(size, checkpoint.root, head.size, head.root, link.path);
    const log = await checkLink(link, checkpoint, ledger, classes, holder);
    policy = (passed.at(-1) ?? policy).withLog(log);
    at = isGoverned ? to : at;
  }
  return { policy, isLast: !isGoverned || at === stages.length - 1 };
}

/**
 * The stages of governed policies, which are those side by side that ask for the same; and of each
 * policy, by where it starts, its stage and its holder.
 *
 * @param {Document[]} governed
 */
async function readStages(governed) {
  /** @type {{policy: Policy, requirement: string | undefined}[]} */
  const stages = [];
  /** @type {Map<bigint, {stage: number, holder: Uint8Array}>} */
  const inForce = new Map();
  for (const { document, held } of governed) {
    const policy = await governedPolicy(document);
    const requirement = await policy.requirement();
    if (stages.at(-1)?.requirement !== requirement) {
      stages.push({ policy, requirement });
    }
    const holder = await holderOf('policy', document);
    inForce.set(held.start, { stage: stages.length - 1, holder });
  }
  return { stages, inForce };
}

/**
 * Whether the quorum of each policy has cosigned; they are asked in their order, up to the first
 * that lacks it.
 *
 * @param {Policy[]} policies
 * @param {Note} note
 */
async function areReached(policies, note) {
  for (const policy of policies) {
    if (!policy.isReached(await policy.cosigners(note))) {
      return false;
    }
  }
  return true;
}

/**
 * The log's key at a link, which shows it and the policy of this holder in force.
 *
 * @param {Link} link
 * @param {Checkpoint} checkpoint
 * @param {Ledger} ledger
 * @param {Classes} classes
 * @param {Uint8Array} holder
 */
async function checkLink(link, checkpoint, ledger, classes, holder) {
  const { key, keyHeld } = link;
  const log = await NoteKey.of(checkpoint.origin, key, false);
  need((await signedBy(link.checkpoint, log)) !== null, 'checkpoint-log-unknown');
  const { made: root } = await checkSeal(link, checkpoint, ledger, key);
  const register = new Register(root, classes);
  const last = checkpoint.size - 1n;
  await register.checkInForce(link.policy, 'policy', [], holder, last);
  await register.checkInForce(keyHeld, 'key', [ledger.operator], await key.holder(), last);
  return log;
}

// --- all of them ---

/**
 * Throw unless these are all witness policies that the register has.
 *
 * @param {Common} bundle
 * @param {Register} register
 */
export async function checkGoverned({ policies: { governed, free } }, register) {
  const line = await register.classes.line('policy', []);
  if (free) {
    need(governed.length === 0, 'policies-gap');
    const isWhole = equal(free.line, line) && free.start === 0n && free.end === FOREVER;
    need(isWhole, 'held-other-line');
    await checkFree(register.root, free, register.classes);
    return;
  }
  let start = null;
  for (const { document, held } of governed) {
    await governedPolicy(document);
    // A proof without a neighbour before shows that there is none on the line.
    const isNext = start === null ? held.before === null : held.start === start;
    need(isNext, 'policies-gap', { index: held.start });
    await register.check(held, line, await holderOf('policy', document));
    start = held.end;
  }
  need(start === FOREVER, 'policies-gap', { index: start });
}

// --- reading ---

/**
 * The trust policy that a witness policy amounts to, of no log yet.
 *
 * @param {string} document
 */
async function governedPolicy(document) {
  const given = fields(parseJson(document), 'policy', {
    format: 'integer',
    auditors: 'object',
    witnesses: 'object?',
  });
  need(given.format === 1n, 'format-unknown', { where: 'policy', format: given.format });
  const { keys, quorum, faults } = fields(given.auditors, 'auditors', {
    keys: 'list',
    quorum: 'integer',
    faults: 'integer',
  });
  const count = BigInt(keys.length);
  const isEnough = faults >= 0n && quorum <= count && 2n * quorum > count + faults;
  need(isEnough, 'policy-quorum', { quorum, count, faults });
  /** @type {Cosigners} */
  const witnesses = { keys: [], quorum: 0n };
  if (given.witnesses !== undefined) {
    Object.assign(witnesses, fields(given.witnesses, 'witnesses', { keys: 'list', quorum: 'integer' }));
  }
  const most = BigInt(witnesses.keys.length);
  need(0n <= witnesses.quorum && witnesses.quorum <= most, 'policy-witness-quorum');
  need(count + most <= COSIGNERS_MAX, 'policy-cosigners', { count: count + most });
  const lines = [
    ...(await linesOf('auditors', { keys, quorum })),
    ...(await linesOf('witnesses', witnesses)),
  ];
  if (witnesses.quorum > 0n) {
    lines.push('group both all auditors witnesses');
  }
  lines.push(`quorum ${witnesses.quorum > 0n ? 'both' : 'auditors'}`);
  return Policy.parse(utf8(lines.join('\n')));
}

/**
 * The lines of cosigners, and of their group where any of them are needed.
 *
 * @param {string} group
 * @param {Cosigners} cosigners
 */
async function linesOf(group, { keys, quorum }) {
  const lines = [];
  const names = [];
  for (const vkey of keys) {
    need(typeof vkey === 'string', 'field-type', { where: 'policy', field: 'keys' });
    const { name } = await NoteKey.parse(vkey);
    need(NAME.test(name) && !RESERVED.includes(name), 'policy-name', { name });
    lines.push(`witness ${name} ${vkey}`);
    names.push(name);
  }
  if (quorum > 0n) {
    lines.push(`group ${group} ${quorum} ${names.join(' ')}`);
  }
  return lines;
}
