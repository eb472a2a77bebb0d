/**
 * Scenarios (specification, section 16): where, for whom and from when a methodology is applied.
 */

import { parseDate } from './calendar.js';
import { isName } from './classes.js';
import { need } from './errors.js';
import { fields, parseJson } from './json.js';

const BYTES_MAX = 32_768;

/**
 * Read a scenario.
 *
 * @param {string | Uint8Array} document
 * @returns {{id: string, methodology: string, platforms: string[]}}
 */
export function parseScenario(document) {
  const where = 'scenario';
  const given = fields(parseJson(document, { bytesMax: BYTES_MAX }), where, {
    format: 'integer',
    id: 'text',
    title: 'object',
    region: 'text',
    methodology: 'text',
    owner: 'text',
    platforms: 'list',
    authority: 'text',
    crediting: 'object',
  });
  const { format, id, title, methodology, owner, platforms, authority, crediting } = given;
  need(format === 1n, 'format-unknown', { where, format });
  const names = [id, methodology, owner, authority, ...platforms];
  need(names.every(isName), 'field-type', { where, field: 'id', expected: 'names' });
  fields(title, 'title', { en: 'text', zh: 'text' });
  const { from, to } = fields(crediting, 'crediting', { from: 'text', to: 'text' });
  need(parseDate(from) <= parseDate(to), 'scenario-period', { id });
  return { id, methodology, platforms };
}
