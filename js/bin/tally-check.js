#!/usr/bin/env node
/**
 * Check a bundle offline:  tally-check FILE --policy POLICY
 *
 * Prints one JSON document: verdict, facts and checks, or what went wrong.  Exit status: 0 valid
 * (also while provisional), 1 invalid or not yet witnessed, 2 wrong usage, 3 a file cannot be read,
 * or this platform lacks an algorithm that the check needs.
 */

import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';

import { NotSupportedHere, Policy, TallyError, checkBundle, dumpJson } from '../src/index.js';

const [EXIT_VALID, EXIT_INVALID, EXIT_USAGE, EXIT_UNREADABLE] = [0, 1, 2, 3];

async function main() {
  const given = readArguments();
  if (!given) {
    process.stderr.write('usage: tally-check FILE --policy POLICY\n');
    return EXIT_USAGE;
  }
  try {
    const policy = await Policy.parse(await readFile(given.policy));
    const report = await checkBundle(await readFile(given.file), policy);
    show(report);
    return ['valid', 'provisional'].includes(report.verdict) ? EXIT_VALID : EXIT_INVALID;
  } catch (error) {
    show({ error: describe(error) });
    return EXIT_UNREADABLE;
  }
}

function readArguments() {
  try {
    const { values, positionals } = parseArgs({
      options: { policy: { type: 'string' } },
      allowPositionals: true,
    });
    const [file, ...more] = positionals;
    return file && values.policy && more.length === 0 ? { file, policy: values.policy } : null;
  } catch {
    return null;
  }
}

/** What kept the check from being made; anything else is a fault, and goes up. */
function describe(/** @type {any} */ error) {
  if (error instanceof TallyError) {
    return { code: error.code, details: error.details };
  }
  if (error instanceof NotSupportedHere) {
    return { code: 'not-supported-here', details: { algorithm: error.algorithm } };
  }
  if (error.syscall) {
    return { code: 'file-unreadable', details: { path: error.path ?? '', reason: error.code } };
  }
  throw error;
}

/** One line, in ASCII: what a file has put into it cannot spell a verdict. */
function show(/** @type {object} */ value) {
  const escape = (/** @type {string} */ char) =>
    `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`;
  process.stdout.write(`${dumpJson(value).replace(/[^ -~]/g, escape)}\n`);
}

process.exitCode = await main();
