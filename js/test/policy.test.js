/**
 * Whether two trust policies ask for the same: keys, their names, groups and thresholds count.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { utf8 } from '../src/bytes.js';
import { NoteKey } from '../src/notes.js';
import { Policy } from '../src/policy.js';
import { Signer } from '../src/suites.js';

const DEEP = 10_000;

/** A new cosigner's key, and the same key under another name. */
async function cosigner(name) {
  const { publicKey } = await Signer.generate('ed25519');
  const keys = [name, `not-${name}`].map((one) => NoteKey.of(one, publicKey, true));
  return (await Promise.all(keys)).map(({ vkey }) => vkey);
}

const NAMES = ['a.example', 'b.example', 'c.example'];
const [[A, NOT_A], [B], [C]] = await Promise.all(NAMES.map(cosigner));

/** What the policy of these lines asks for. */
async function asked(...lines) {
  return (await Policy.parse(utf8(lines.join('\n')))).requirement();
}

/** What a group of two witnesses asks for. */
const ofTwo = (group) => asked(`witness a ${A}`, `witness b ${B}`, `group g ${group}`, 'quorum g');

test('what witnesses and groups are called, and their order, does not count', async () => {
  const expected = await asked(
    `witness a ${A}`,
    `witness b ${B}`,
    'group g 1 a b',
    `witness c ${C}`,
    'group both all g c',
    'quorum both',
  );
  const renamed = await asked(
    `witness one ${C}`,
    `witness two ${B} https://two.example`,
    `witness three ${A}`,
    'group any any two three',
    'group all 2 one any',
    'quorum all',
  );
  assert.equal(renamed, expected);
});

test('whoever is not asked does not count', async () => {
  const alone = await asked(`witness b ${B}`, 'quorum b');
  assert.equal(await asked(`witness a ${A}`, `witness b ${B}`, 'quorum b'), alone);
});

test('keys, their names, groups and thresholds count', async () => {
  const all = await Promise.all([
    asked('quorum none'),
    asked(`witness a ${A}`, 'quorum a'),
    asked(`witness a ${B}`, 'quorum a'),
    asked(`witness a ${NOT_A}`, 'quorum a'),
    ofTwo('1 a'),
    ofTwo('1 a b'),
    ofTwo('2 a b'),
  ]);
  assert.equal(new Set(all).size, all.length);
});

test('groups may stand in each other as deep as a file is long', async () => {
  const groups = Array.from({ length: DEEP }, (_, n) => `group g${n + 1} 1 g${n}`);
  const deep = await asked(`witness g0 ${A}`, ...groups, `quorum g${DEEP}`);
  assert.notEqual(deep, await asked(`witness g0 ${A}`, 'quorum g0'));
});
