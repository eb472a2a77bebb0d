/**
 * A platform that lacks an algorithm gives no verdict, and above all not "valid".
 */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import { toBase64 } from '../src/bytes.js';
import { checkBundle } from '../src/check.js';
import { NotSupportedHere } from '../src/errors.js';
import { NoteKey } from '../src/notes.js';
import { PublicKey } from '../src/suites.js';

const EXAMPLES = new URL('../../docs/examples/', import.meta.url);
const NAME = 'lattice.example';

const read = (name) => readFileSync(new URL(name, EXAMPLES), 'utf8');

const isMlDsa = (algorithm) => (algorithm.name ?? algorithm) === 'ML-DSA-44';

/** Runs as on a platform without ML-DSA. */
async function without(run) {
  const { importKey } = crypto.subtle;
  crypto.subtle.importKey = async (format, data, algorithm, ...more) => {
    if (isMlDsa(algorithm)) {
      throw new DOMException('Unrecognized algorithm name', 'NotSupportedError');
    }
    return importKey.call(crypto.subtle, format, data, algorithm, ...more);
  };
  try {
    await run();
  } finally {
    delete crypto.subtle.importKey;
  }
}

/** The example's policy, with a witness who cosigns with ML-DSA-44 and is not needed. */
async function policyWithLattice() {
  const key = await NoteKey.of(NAME, PublicKey.of(-48n, new Uint8Array(1312).fill(7)), true);
  return { key, policy: `${read('policy')}witness lattice ${key.vkey}\n` };
}

test('a cosignature that cannot be checked here ends in no verdict', async () => {
  const { key, policy } = await policyWithLattice();
  const signature = new Uint8Array(4 + 8 + 2420);
  signature.set(key.keyId);
  const line = `\\u2014 ${NAME} ${toBase64(signature)}\\n`;
  const bundle = read('bundle.json').replace(/"checkpoint": ".*(?=")/, `$&${line}`);
  await without(() => assert.rejects(checkBundle(bundle, policy), NotSupportedHere));
  const { verdict, checks } = await checkBundle(bundle, policy);
  assert.equal(`${verdict}: ${checks.at(-1).check}`, 'invalid: checkpoint');
});

test('a witness who has not cosigned needs no algorithm', async () => {
  const { policy } = await policyWithLattice();
  await without(async () => {
    const { verdict } = await checkBundle(read('bundle.json'), policy);
    assert.equal(verdict, 'provisional');
  });
});
