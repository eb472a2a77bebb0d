/**
 * Checking a bundle (specification, section 20): each check in order, and a verdict.
 *
 * The checks stand in the order in which trust is built: the policy vouches for the checkpoint, the
 * checkpoint for the log's entries, the seal among them for the register, and the register for
 * everything that is in force and for every span.
 */

import { activityDigest, parseActivity } from './activities.js';
import { parseBundle } from './bundles.js';
import { equal, fromHex, toHex, utf8 } from './bytes.js';
import { Calendar, DAY_MAX, dumpDate } from './calendar.js';
import { Classes, lineDay } from './classes.js';
import { TallyError, need } from './errors.js';
import { booksHolder, holderOf, roleHolder, rulesHolder } from './holders.js';
import { fields } from './json.js';
import { checkLogged, checkSeal } from './log.js';
import { checkInclusion } from './merkle.js';
import { Methodology } from './methodologies.js';
import { checkGoverned, follow } from './policies.js';
import { NONE, Policy } from './policy.js';
import { parseReduction, reductionHolder } from './reductions.js';
import { Register, checkFree } from './register.js';
import { parseScenario } from './scenarios.js';

/** @typedef {import('./bundles.js').Placed} Placed */
/** @typedef {import('./bundles.js').ReductionBundle} ReductionBundle */
/** @typedef {import('./bundles.js').SpanBundle} SpanBundle */
/** @typedef {import('./bundles.js').FreeBundle} FreeBundle */
/** @typedef {ReductionBundle | SpanBundle | FreeBundle} Bundle */
/** @typedef {import('./log.js').Ledger} Ledger */
/** @typedef {import('./notes.js').Checkpoint} Checkpoint */
/** @typedef {import('./reductions.js').Reduction} Reduction */

/**
 * What a check came to.  `facts` are what the bundle proves, as far as the checks came.
 *
 * @typedef {object} Report
 * @property {'valid' | 'provisional' | 'unwitnessed' | 'invalid'} verdict
 * @property {Record<string, any>} facts
 * @property {{check: string, ok: boolean, error: {code: string, details: object} | null}[]} checks
 */

/** @typedef {{scenario: string, root: string, count: bigint, grams: bigint}} Submission */

/**
 * What a check made for those that follow, and the facts that it proves.
 *
 * @template T
 * @typedef {{made: T, facts?: Record<string, unknown>}} Made
 */

const OFFSET_MAX = 50_400n;
const COUNT_MAX = 65_536n;
const RULES_VERSIONS = [1n, 2n, 3n];

/**
 * Check a bundle against a trust policy.  Whatever is wrong with the bundle ends as the check that
 * failed and the verdict "invalid".  Throws `TallyError` if the policy cannot be read, and
 * `NotSupportedHere` where the platform lacks an algorithm that the check needs.
 *
 * @param {Uint8Array | string} bundle
 * @param {Policy | Uint8Array | string} policy
 * @returns {Promise<Report>}
 */
export async function checkBundle(bundle, policy) {
  const trusted = policy instanceof Policy ? policy : await Policy.parse(bytesOf(policy));
  /** @type {Report} */
  const report = { verdict: 'invalid', facts: {}, checks: [] };
  try {
    await checkAll(bytesOf(bundle), trusted, report);
  } catch (error) {
    if (!(error instanceof TallyError)) {
      throw error;
    }
    // The step that failed is in the report.
  }
  return report;
}

const bytesOf = (/** @type {Uint8Array | string} */ data) =>
  typeof data === 'string' ? utf8(data) : data;

/**
 * Make all checks of a bundle, and note them in a report.
 *
 * @param {Uint8Array} data
 * @param {Policy} policy
 * @param {Report} report
 */
async function checkAll(data, policy, report) {
  const step = stepOf(report);
  const bundle = await step('form', () => ({ made: parseBundle(data) }));
  report.facts.kind = bundle.kind;
  const followed =
    policy.quorum === NONE
      ? { policy, isLast: true }
      : await step('policies', async () => ({ made: await follow(bundle, policy) }));
  const signed = await step('checkpoint', () => readCheckpoint(bundle, followed.policy));
  const { checkpoint } = signed;
  const ledger = await step('genesis', () => checkGenesis(bundle, checkpoint));
  const key = signed.log.publicKey;
  const root = await step('seal', () => checkSeal(bundle, checkpoint, ledger, key));
  const register = await step('rules', () => checkRules(bundle, checkpoint, ledger, root));
  await step('governed', async () => ({ made: await checkGoverned(bundle, register) }));
  let days;
  if (bundle.kind === 'free') {
    days = await step('free', () => checkStretch(bundle, register));
  } else {
    const body = await step('submission', () => checkSubmission(bundle, checkpoint, ledger));
    await step('right', () => checkRight(bundle, register));
    days =
      bundle.kind === 'span'
        ? await step('holder', () => checkHolder(bundle, register, body))
        : await checkReduction(bundle, register, body, step);
  }
  const isFinal = await step('books', () => checkBooks(bundle, register, days));
  report.facts.cosigned_by = signed.cosigned;
  await step('witnessed', () => {
    report.verdict = followed.isLast && signed.isWitnessed ? report.verdict : 'unwitnessed';
    need(followed.isLast, 'policy-later');
    need(signed.isWitnessed, 'checkpoint-unwitnessed');
    return { made: null };
  });
  report.verdict = isFinal ? 'valid' : 'provisional';
}

/**
 * What makes one check, and notes in the report what came of it: what was made, for the checks that
 * follow, and the facts that it proves.
 *
 * @param {Report} report
 */
function stepOf(report) {
  /**
   * @template T
   * @param {string} check
   * @param {() => Made<T> | Promise<Made<T>>} make
   */
  return async (check, make) => {
    try {
      const { made, facts } = await make();
      report.checks.push({ check, ok: true, error: null });
      Object.assign(report.facts, facts);
      return made;
    } catch (error) {
      if (error instanceof TallyError) {
        const { code, details } = error;
        report.checks.push({ check, ok: false, error: { code, details } });
      }
      throw error;
    }
  };
}

// --- the log ---

/**
 * @param {Bundle} bundle
 * @param {Policy} policy
 */
async function readCheckpoint(bundle, policy) {
  const signed = await policy.check(bundle.checkpoint);
  const { origin, size, root } = signed.checkpoint;
  return { made: signed, facts: { origin, size, root: toHex(root) } };
}

/**
 * @param {Bundle} bundle
 * @param {Checkpoint} checkpoint
 */
async function checkGenesis({ genesis }, checkpoint) {
  const { kind, body, issuer } = genesis.statement;
  need(kind === 'genesis' && genesis.index === 0n, 'bundle-genesis');
  await checkLogged(genesis, checkpoint);
  const { format, origin, utc_offset: offset } = body;
  const isOurs = format === 1n && origin === checkpoint.origin;
  const isOffset = typeof offset === 'bigint' && -OFFSET_MAX <= offset && offset <= OFFSET_MAX;
  need(isOurs && isOffset, 'bundle-genesis');
  const id = toHex(await genesis.statement.id());
  return { made: { id, operator: issuer, calendar: new Calendar(offset) }, facts: { ledger: id } };
}

// --- what is in force ---

/**
 * @param {Bundle} bundle
 * @param {Checkpoint} checkpoint
 * @param {Ledger} ledger
 * @param {Uint8Array} root
 */
async function checkRules(bundle, checkpoint, ledger, root) {
  const { document, held } = bundle.classes;
  const register = new Register(root, new Classes(document, ledger.calendar));
  const last = checkpoint.size - 1n;
  // A line, once it is claimed, keeps its class: what is in force last tells of all.
  await register.checkInForce(held, 'classes', [], await holderOf('classes', document), last);
  const index = bundle.kind === 'free' ? last : bundle.submission.index;
  const known = await Promise.all(RULES_VERSIONS.map(rulesHolder));
  const holder = known.find((one) => equal(one, bundle.rules.holder)) ?? known[0];
  await register.checkInForce(bundle.rules, 'rules', [], holder, index);
  return { made: register };
}

/**
 * Whether the books of all days in question are closed.
 *
 * @param {Bundle} bundle
 * @param {Register} register
 * @param {bigint[]} days
 */
async function checkBooks({ books }, register, days) {
  let until = 0n;
  if (books) {
    await register.check(books, await register.classes.line('books', []), await booksHolder());
    need(books.start === 0n, 'held-other-line');
    until = books.end;
  }
  const isFinal = days.length > 0 && days.every((day) => day < until);
  return { made: isFinal, facts: { closed_until: dumpDate(until < DAY_MAX ? until : DAY_MAX) } };
}

// --- a submission ---

/**
 * The submission is in the log, signed by the key that is shown; its payload.
 *
 * @param {ReductionBundle | SpanBundle} bundle
 * @param {Checkpoint} checkpoint
 * @param {Ledger} ledger
 */
async function checkSubmission({ submission, signer }, checkpoint, ledger) {
  const { statement, index } = submission;
  need(statement.kind === 'submission', 'bundle-incomplete');
  await checkLogged(submission, checkpoint);
  need(statement.audience === ledger.id, 'statement-other-ledger');
  need(await statement.verify(signer.key), 'statement-signature');
  const { format, scenario, root, count, grams } = fields(statement.body, 'submission', {
    format: 'integer',
    scenario: 'text',
    root: 'text',
    count: 'integer',
    grams: 'integer',
  });
  need(format === 1n, 'format-unknown', { where: 'submission', format });
  need(1n <= count && count <= COUNT_MAX, 'submission-count', { stated: count });
  const body = { scenario, root, count, grams };
  return { made: body, facts: { index, platform: statement.issuer } };
}

/**
 * Whoever signed the submission had the key and the role.
 *
 * @param {ReductionBundle | SpanBundle} bundle
 * @param {Register} register
 */
async function checkRight({ submission, signer }, register) {
  const { issuer } = submission.statement;
  const { key, keyHeld, roleHeld } = signer;
  const { index } = submission;
  await register.checkInForce(keyHeld, 'key', [issuer], await key.holder(), index);
  const role = await roleHolder(issuer, 'platform');
  await register.checkInForce(roleHeld, 'role', [issuer, 'platform'], role, index);
  return { made: null };
}

/**
 * A leaf stands at its position in the submission's tree.
 *
 * @param {Placed} placed
 * @param {Uint8Array} leaf
 * @param {Submission} body
 */
const checkPlaced = ({ position, path }, leaf, { count, root }) =>
  checkInclusion(leaf, position, count, path, fromHex(root, 32));

/**
 * @param {SpanBundle} bundle
 * @param {Register} register
 * @param {Submission} body
 */
async function checkHolder({ leaf, held }, register, body) {
  await checkPlaced(leaf, leaf.data, body);
  await register.check(held, held.line, await reductionHolder(leaf.data));
  const facts = { ...register.facts(held), leaf: toHex(leaf.data) };
  return { made: daysOf(held.line), facts };
}

/**
 * @param {FreeBundle} bundle
 * @param {Register} register
 */
async function checkStretch({ free }, register) {
  await checkFree(register.root, free, register.classes);
  return { made: daysOf(free.line), facts: register.facts(free) };
}

/** The day in question of a line; none if it is 0. */
function daysOf(/** @type {Uint8Array} */ line) {
  const day = lineDay(line);
  return day === 0n ? [] : [day];
}

// --- a reduction ---

/**
 * The checks of a reduction; its days in question.
 *
 * @param {ReductionBundle} bundle
 * @param {Register} register
 * @param {Submission} body
 * @param {ReturnType<typeof stepOf>} step
 */
async function checkReduction(bundle, register, body, step) {
  const { classes } = register;
  const reduction = await step('reduction', () => readReduction(bundle, body));
  const scenario = await step('scenario', () => checkScenario(bundle, register, reduction));
  const { methodology, seats } = await step('methodology', () =>
    checkMethodology(bundle, register, reduction, scenario.methodology),
  );
  await step('claims', () => checkClaims(bundle, register, reduction, seats));
  if (bundle.activity) {
    const line = bundle.activity;
    await step('activity', () => checkActivity(line, methodology, reduction));
  }
  const inSeconds = reduction.claims.filter(({ line }) => classes.of(line).axis === 'seconds');
  return [reduction.day, ...inSeconds.map(({ line }) => lineDay(line))];
}

/**
 * @param {ReductionBundle} bundle
 * @param {Submission} body
 */
async function readReduction({ submission, reduction: placed }, body) {
  const reduction = await parseReduction(placed.data);
  await checkPlaced(placed, reduction.leaf, body);
  const { platform, scenario, day, grams, leaf } = reduction;
  const isOfIt = platform === submission.statement.issuer && scenario === body.scenario;
  need(isOfIt, 'submission-mixed', { platform, scenario });
  need(grams <= body.grams, 'submission-grams', { stated: body.grams, given: grams });
  return { made: reduction, facts: { leaf: toHex(leaf), grams, day: dumpDate(day), scenario } };
}

/**
 * @param {ReductionBundle} bundle
 * @param {Register} register
 * @param {Reduction} reduction
 */
async function checkScenario(
  { scenario: { document, held } },
  register,
  { platform, scenario, day },
) {
  const read = parseScenario(document);
  const isAdmitted = read.id === scenario && read.platforms.includes(platform);
  need(isAdmitted, 'platform-not-admitted', { scenario, platform });
  const holder = await holderOf('scenario', document);
  await register.checkInForce(held, 'scenario', [read.id], holder, day);
  return { made: read };
}

/**
 * @param {ReductionBundle} bundle
 * @param {Register} register
 * @param {Reduction} reduction
 * @param {string} expected the id that the scenario names
 */
async function checkMethodology(
  { methodology: { document, held } },
  register,
  reduction,
  expected,
) {
  const methodology = new Methodology(document, register.classes);
  const { id, version, points, source } = methodology;
  need(id === expected, 'methodology-differs', { id });
  const holder = await holderOf('methodology', document);
  await register.checkInForce(held, 'methodology', [id], holder, reduction.day);
  const seats = methodology.check(reduction);
  const facts = { methodology: id, version, points, source };
  return { made: { methodology, seats }, facts };
}

/**
 * @param {ReductionBundle} bundle
 * @param {Register} register
 * @param {Reduction} reduction
 * @param {(bigint | null)[]} seats of each claim's cap
 */
async function checkClaims({ claims: proofs }, register, { claims, leaf }, seats) {
  need(proofs.length === claims.length, 'claims-incomplete');
  const holder = await reductionHolder(leaf);
  for (const [place, { line, start, end }] of claims.entries()) {
    const held = proofs[place];
    const limit = seats[place];
    await register.check(held, line, holder);
    if (limit === null) {
      need(held.start === start && held.end === end, 'held-other-span');
    } else {
      need(held.start < limit, 'seat-beyond-cap', { seat: held.start, seats: limit });
    }
  }
  const names = claims.map(({ line }) => register.classes.of(line).name);
  return { made: null, facts: { count: names.length, classes: [...new Set(names)].join(', ') } };
}

/**
 * The activity that is disclosed gives this very reduction.
 *
 * @param {Uint8Array} line
 * @param {Methodology} methodology
 * @param {Reduction} reduction
 */
async function checkActivity(line, methodology, { digest, platform, data }) {
  parseActivity(line);
  need(equal(await activityDigest(line), digest), 'activity-differs');
  need(equal((await methodology.reduce(line, platform)).data, data), 'activity-differs');
  return { made: null };
}
