/**
 * What stands in the log under a checkpoint, and the seal that ends it (specification, sections 18
 * and 21).
 */

import { fromHex } from './bytes.js';
import { FOREVER } from './classes.js';
import { need } from './errors.js';
import { fields } from './json.js';
import { checkInclusion, leafHash } from './merkle.js';

/** @typedef {import('./bundles.js').Logged} Logged */
/** @typedef {import('./calendar.js').Calendar} Calendar */
/** @typedef {import('./notes.js').Checkpoint} Checkpoint */
/** @typedef {import('./suites.js').PublicKey} PublicKey */
/** @typedef {{id: string, operator: string, calendar: Calendar}} Ledger */

const YEAR_10000 = 253_402_300_800n;

/**
 * A statement stands in the log, at its index, under the checkpoint.
 *
 * @param {Logged} logged
 * @param {Checkpoint} checkpoint
 */
export async function checkLogged({ statement, index, path }, { size, root }) {
  await checkInclusion(await leafHash(statement.data), index, size, path, root);
}

/**
 * The root of the register, which the seal carries.
 *
 * @param {{seal: Logged}} bundle
 * @param {Checkpoint} checkpoint
 * @param {Ledger} ledger
 * @param {PublicKey} key of the log
 */
export async function checkSeal({ seal }, checkpoint, ledger, key) {
  const { statement, index } = seal;
  const { format, height, time, register } = fields(statement.body, 'seal', {
    format: 'integer',
    height: 'integer',
    time: 'integer',
    previous: 'text',
    register: 'text',
  });
  const isSeal = statement.kind === 'seal' && format === 1n && 0n <= time && time < FOREVER;
  need(isSeal, 'format-unknown', { where: 'seal', format });
  need(index === checkpoint.size - 1n, 'seal-not-last', { index });
  await checkLogged(seal, checkpoint);
  const isOurs = statement.issuer === ledger.operator && statement.audience === ledger.id;
  need(isOurs && (await statement.verify(key)), 'seal-signature');
  const root = fromHex(register, 32);
  return { made: root, facts: { height, time: dumpTime(time), register_root: register } };
}

function dumpTime(/** @type {bigint} */ time) {
  const isDate = time < YEAR_10000;
  return isDate ? new Date(Number(time) * 1000).toISOString().replace('.000', '') : String(time);
}
