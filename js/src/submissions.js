/**
 * Submissions (specification, section 17): a platform signs the root over its reductions.
 */

import { toHex } from './bytes.js';
import { need } from './errors.js';
import { treeRoot } from './merkle.js';
import { signStatement } from './statements.js';

/** @typedef {import('./reductions.js').Reduction} Reduction */
/** @typedef {import('./suites.js').Signer} Signer */

const COUNT_MAX = 65_536;

/**
 * The statement over 1 to 65,536 reductions of one platform and scenario.
 *
 * @param {Signer} signer
 * @param {object} given
 * @param {string} given.ledger the genesis id, in hex
 * @param {bigint | number} given.expires unix seconds; from then on it is refused
 * @param {Reduction[]} given.reductions in the order in which they are claimed
 * @param {string} [given.subject] for the reader; by default the scenario
 */
export async function signSubmission(signer, { ledger, expires, reductions, subject }) {
  const isCounted = 1 <= reductions.length && reductions.length <= COUNT_MAX;
  need(isCounted, 'submission-count', { given: reductions.length });
  const [{ platform, scenario }] = reductions;
  const isOne = reductions.every((one) => one.platform === platform && one.scenario === scenario);
  need(isOne, 'submission-mixed', { platform, scenario });
  return signStatement(signer, {
    kind: 'submission',
    issuer: platform,
    subject: subject ?? scenario,
    audience: ledger,
    expires,
    body: {
      format: 1n,
      scenario,
      root: toHex(await treeRoot(reductions.map(({ leaf }) => leaf))),
      count: reductions.length,
      grams: reductions.reduce((sum, { grams }) => sum + grams, 0n),
    },
  });
}
