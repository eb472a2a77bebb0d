/**
 * Witness policies (specification, section 8): whose cosignatures make a checkpoint final, as
 * governance has decided, and as the trust policy that they amount to.
 */

import { utf8 } from './bytes.js';
import { need } from './errors.js';
import { fields, parseJson } from './json.js';
import { NoteKey } from './notes.js';
import { Policy } from './policy.js';

/** @typedef {{keys: string[], quorum: bigint}} Cosigners */

const RESERVED = ['none', 'auditors', 'witnesses', 'both'];
const NAME = /^[!-~]+$/;

/**
 * The trust policy of a log by its key and a witness policy.
 *
 * @param {NoteKey} log
 * @param {string} document
 */
export async function governedPolicy(log, document) {
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
  const lines = [
    `log ${log.vkey}`,
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
