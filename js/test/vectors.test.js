/**
 * Every vector of docs/vectors: what is valid is accepted and gives its results, and the rest is
 * refused.  A list of cases that nobody here knows fails.
 */

import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { test } from 'node:test';

import { Tagged } from 'cborg';

import { fromBase64, fromHex, fromUtf8, hash, toHex, utf8 } from '../src/bytes.js';
import { Calendar, parseDate } from '../src/calendar.js';
import { dumpCbor, parseCbor } from '../src/cbor.js';
import { checkBundle } from '../src/check.js';
import { Classes, isName } from '../src/classes.js';
import { TallyError, need } from '../src/errors.js';
import { decimal } from '../src/formulas.js';
import { holderOf } from '../src/holders.js';
import { parseJson } from '../src/json.js';
import { checkConsistency, checkInclusion, leafHash, treeRoot } from '../src/merkle.js';
import { Methodology } from '../src/methodologies.js';
import { NoteKey, parseCheckpoint, parseNote, signNote, signedBy } from '../src/notes.js';
import { Policy } from '../src/policy.js';
import { normalise, pseudonym, pseudonymMessage, pseudonymOf } from '../src/pseudonyms.js';
import { checkReceipt } from '../src/receipts.js';
import { parseReduction, reductionHolder } from '../src/reductions.js';
import { checkFree, checkHeld, readFree, readHeld, registerRoot } from '../src/register.js';
import { parseScenario } from '../src/scenarios.js';
import { Statement } from '../src/statements.js';
import { signSubmission } from '../src/submissions.js';
import { PublicKey, Signer } from '../src/suites.js';

const FOLDER = new URL('../../docs/vectors/', import.meta.url);

// What only a ledger does, and no platform or checker.
const OF_THE_LEDGER = {
  'log.json': ['ledgers', 'refused'],
  'lots.json': ['records', 'trees', 'draws', 'included'],
  'register.json': ['held_many'],
  'submissions.json': ['admission', 'answers'],
};

// --- how vectors write values ---

const fromHexText = (text) => fromHex(text, text.length / 2);

/** Bytes: hexadecimal, or a list of pairs of bytes and how often they stand. */
function bytes(written) {
  const pieces = typeof written === 'string' ? [[written, 1]] : written;
  return fromHexText(pieces.map(([text, count]) => text.repeat(count)).join(''));
}

/** What goes in: a text, or bytes where no text spells it. */
const source = (text, written) => (text === undefined ? bytes(written) : utf8(text));

const digits = (value) => (value === null ? null : String(value));

/** A value that was read. */
function written(value) {
  if (typeof value === 'bigint') {
    return { integer: String(value) };
  }
  if (typeof value === 'string') {
    return { text: value };
  }
  if (value instanceof Uint8Array) {
    return { bytes: toHex(value) };
  }
  if (Array.isArray(value)) {
    return { list: value.map(written) };
  }
  if (value instanceof Map) {
    return { map: [...value].map(([key, item]) => [written(key), written(item)]) };
  }
  if (value instanceof Tagged) {
    return { tag: [value.tag, written(value.value)] };
  }
  const isObject = typeof value === 'object' && value !== null;
  return isObject
    ? { object: Object.entries(value).map(([key, item]) => [key, written(item)]) }
    : value;
}

const writtenClaim = ({ line, start, end }) => ({
  line: toHex(line),
  start: digits(start),
  end: digits(end),
});

// What stands before the secret key in PKCS #8.
const PKCS8 = {
  ed25519: '302e020100300506032b657004220420',
  es256: '3041020100301306072a8648ce3d020106082a8648ce3d030107042730250201010420',
};

const suiteOf = (alg) => (alg === -7 ? 'es256' : 'ed25519');

/** Whether a signature can be made again: WebCrypto draws another nonce for each of ECDSA. */
const canRepeat = (alg) => suiteOf(alg) === 'ed25519';

const secretOf = (seed) => hash('tally/seed/v1\n', seed);

/** The key that a seed stands for. */
async function signerOf(seed, suite = 'ed25519') {
  return Signer.fromPkcs8(fromHexText(PKCS8[suite] + toHex(await secretOf(seed))), suite);
}

const span = ({ line, start, end, holder }) => ({
  line: fromHex(line, 24),
  start: BigInt(start),
  end: BigInt(end),
  holder: fromHex(holder, 32),
});

const classesOf = (given, offset) =>
  new Classes(given.classes, new Calendar(BigInt(offset ?? given.utc_offset)));

function methodologyOf(given, id, offset) {
  const { document } = given.methodologies.find((one) => one.id === id);
  return new Methodology(document, classesOf(given, offset));
}

const statementFields = async (statement) => ({
  alg: Number(statement.alg),
  kid: toHex(statement.kid),
  kind: statement.kind,
  issuer: statement.issuer,
  subject: statement.subject,
  audience: statement.audience,
  expires: Number(statement.expires),
  payload: fromUtf8(statement.payload),
  signature: toHex(statement.signature),
  id: toHex(await statement.id()),
});

// --- what is tried, list by list; each gives the results of a case ---

const TRIED = {
  'json.json': {
    texts: ({ bytes: data, bytes_max: bytesMax, depth_max: depthMax }) => ({
      value: written(parseJson(bytes(data), { bytesMax, depthMax })),
    }),
    base64: ({ text }) => ({ bytes: toHex(fromBase64(text)) }),
    hex: ({ text, size }) => ({ bytes: toHex(fromHex(text, size)) }),
    decimals: ({ text }) => {
      const { over, under } = decimal(text);
      return { digits: String(over), decimals: String(under).length - 1 };
    },
    dates: ({ text }) => ({ day: Number(parseDate(text)) }),
    names: ({ text }) => need(isName(text), 'name-invalid'),
  },

  'cbor.json': {
    items: ({ bytes: data }) => ({ value: written(parseCbor(bytes(data))) }),
    reductions: async ({ bytes: data }) => {
      const reduction = await parseReduction(bytes(data));
      return {
        platform: reduction.platform,
        scenario: reduction.scenario,
        version: Number(reduction.version),
        day: Number(reduction.day),
        grams: Number(reduction.grams),
        claims: reduction.claims.map(writtenClaim),
        digest: toHex(reduction.digest),
        leaf: toHex(reduction.leaf),
        holder: toHex(await reductionHolder(reduction.leaf)),
      };
    },
  },

  'keys.json': {
    public: async ({ alg, public: raw }) => {
      const key = PublicKey.of(BigInt(alg), bytes(raw));
      return { kid: toHex(await key.kid()), holder: toHex(await key.holder()) };
    },
    json: ({ text }) => {
      const key = PublicKey.fromJson(parseJson(text));
      return { alg: Number(key.suite.alg), public: toHex(key.raw) };
    },
    signatures: async ({ alg, public: raw, message, signature }) => {
      const key = PublicKey.of(BigInt(alg), bytes(raw));
      need(await key.verify(bytes(signature), bytes(message)), 'signature-invalid');
    },
    signing: async ({ alg, seed, message, signature }) => {
      const signer = await signerOf(seed, suiteOf(alg));
      const { publicKey } = signer;
      const made = await signer.sign(bytes(message));
      assert.ok(await publicKey.verify(made, bytes(message)));
      assert.ok(await publicKey.verify(bytes(signature), bytes(message)));
      return {
        secret: toHex(await secretOf(seed)),
        public: toHex(publicKey.raw),
        ...(canRepeat(alg) ? { signature: toHex(made) } : {}),
      };
    },
  },

  'lines.json': {
    days: ({ time, utc_offset: offset }) => {
      const calendar = new Calendar(BigInt(offset));
      return {
        day: Number(calendar.day(BigInt(time))),
        second: Number(calendar.second(BigInt(time))),
      };
    },
    cuts: ({ start, end, utc_offset: offset }) => ({
      pieces: new Calendar(BigInt(offset)).cut(BigInt(start), BigInt(end)).map((piece) => ({
        day: Number(piece.day),
        start: digits(piece.start),
        end: digits(piece.end),
      })),
    }),
    periods: ({ day, period }) => ({
      end: Number(new Calendar(0n).periodEnd(BigInt(day), period)),
    }),
    registries: ({ document }) => {
      new Classes(document, new Calendar(0n));
    },
    lines: async ({ class: name, parts, day }, given) => ({
      parts_cbor: toHex(dumpCbor(parts)),
      line: toHex(await classesOf(given).line(name, parts, day === null ? undefined : BigInt(day))),
    }),
    allows: ({ line, start, end }, given) =>
      classesOf(given).checkSpan(bytes(line), BigInt(start), BigInt(end)),
    pseudonyms: async ({ secret, class: name, written: identifier }, given) => {
      const { parts } = classesOf(given).named(name);
      const { normaliser } = parts.find(({ grammar }) => grammar === 'pseudonym');
      const normalised = normalise(normaliser, identifier);
      return { normalised, pseudonym: await pseudonym(bytes(secret), name, normalised) };
    },
    // The function itself is that of a package of RFC 9497.
    oblivious: ({ class: name, written: identifier, output }, given) => {
      const { parts } = classesOf(given).named(name);
      const { normaliser } = parts.find(({ grammar }) => grammar === 'pseudonym');
      const normalised = normalise(normaliser, identifier);
      const message = toHex(pseudonymMessage(name, normalised));
      return { normalised, message, pseudonym: pseudonymOf(bytes(output)) };
    },
    holders: async ({ kind, content }) => ({ holder: toHex(await holderOf(kind, bytes(content))) }),
  },

  'activities.json': {
    activities: async ({ methodology, utc_offset: offset, platform, ...one }, given) => {
      const line = source(one.activity, one.bytes);
      const of = methodologyOf(given, methodology, offset);
      const reduction = await of.reduce(line, platform);
      return {
        digest: toHex(reduction.digest),
        version: Number(reduction.version),
        day: Number(reduction.day),
        grams: Number(reduction.grams),
        points: Number(of.pointsOf(line)),
        claims: reduction.claims.map(writtenClaim),
        reduction: toHex(reduction.data),
        leaf: toHex(reduction.leaf),
        holder: toHex(await reductionHolder(reduction.leaf)),
      };
    },
    methodologies: ({ document, bytes: data }, given) => {
      const of = new Methodology(source(document, data), classesOf(given, 0));
      const { id, version, gramsBounds } = of;
      return {
        id,
        version: Number(version),
        grams_min: Number(gramsBounds.min),
        grams_max: Number(gramsBounds.max),
      };
    },
    scenarios: ({ document, bytes: data }) => ({ id: parseScenario(source(document, data)).id }),
    alone: async ({ reduction, methodology, utc_offset: offset }, given) => {
      const of = methodologyOf(given, methodology, offset);
      const seats = of.check(await parseReduction(bytes(reduction)));
      return { seats: seats.map((count) => (count === null ? null : Number(count))) };
    },
  },

  'trees.json': {
    leaves: async ({ entry }) => ({ leaf: toHex(await leafHash(bytes(entry))) }),
    roots: async ({ leaves }) => ({ root: toHex(await treeRoot(leaves.map(bytes))) }),
    inclusion: ({ leaf, index, size, path, root }) =>
      checkInclusion(bytes(leaf), BigInt(index), BigInt(size), path.map(bytes), bytes(root)),
    consistency: ({ size1, root1, size2, root2, path }) =>
      checkConsistency(BigInt(size1), bytes(root1), BigInt(size2), bytes(root2), path.map(bytes)),
  },

  'submissions.json': {
    submissions: async (one, given) => {
      const signer = await signerOf(one.seed, suiteOf(one.alg));
      const reductions = [];
      for (const line of one.activities) {
        const { methodology } = given.scenarios
          .map(parseScenario)
          .find(({ id }) => id === one.scenario);
        reductions.push(await methodologyOf(given, methodology).reduce(utf8(line), one.platform));
      }
      const { ledger } = given;
      const { expires, subject } = one;
      const statement = await signSubmission(signer, { ledger, expires, subject, reductions });
      const { root, count, grams } = statement.body;
      return {
        reductions: reductions.map(({ data }) => toHex(data)),
        leaves: reductions.map(({ leaf }) => toHex(leaf)),
        root,
        count: Number(count),
        grams: Number(grams),
        payload: fromUtf8(statement.payload),
        signed: toHex(statement.signed),
        id: toHex(await statement.id()),
        ...(canRepeat(one.alg)
          ? { signature: toHex(statement.signature), statement: toHex(statement.data) }
          : {}),
      };
    },
    statements: ({ statement, bytes: long }) =>
      statementFields(new Statement(bytes(statement ?? long))),
  },

  'register.json': {
    roots: async ({ spans }) => ({ root: toHex(await registerRoot(spans.map(span))) }),
    held: ({ root, proof, bytes: long }, given) =>
      checkHeld(bytes(root), readHeld(parseJson(source(proof, long))), classesOf(given)),
    free: ({ root, proof, bytes: long }, given) =>
      checkFree(bytes(root), readFree(parseJson(source(proof, long))), classesOf(given)),
  },

  'notes.json': {
    vkeys: async ({ vkey }) => {
      const key = await NoteKey.parse(vkey);
      assert.equal(key.vkey, vkey);
      return {
        key_name: key.name,
        key_id: toHex(key.keyId),
        alg: Number(key.publicKey.suite.alg),
        public: toHex(key.publicKey.raw),
        cosigner: key.isCosigner,
      };
    },
    notes: ({ note, bytes: data }) => {
      const { text, signatures } = parseNote(fromUtf8(source(note, data)));
      return {
        text,
        signatures: signatures.map(({ name, keyId, signature }) => ({
          key_name: name,
          key_id: toHex(keyId),
          signature: toHex(signature),
        })),
      };
    },
    signed: async ({ note, vkey }) => {
      const key = await NoteKey.parse(vkey);
      const time = await signedBy(parseNote(note), key);
      return { signed: time !== null, time: key.isCosigner ? digits(time) : null };
    },
    checkpoints: ({ text }) => {
      const { origin, size, root } = parseCheckpoint(text);
      return { origin, size: digits(size), root: toHex(root) };
    },
    signing: async ({ seed, key_name: name, time, text }) => {
      const signer = await signerOf(seed);
      const at = time === null ? undefined : BigInt(time);
      return { line: await signNote(text, name, signer, at) };
    },
  },

  'receipts.json': {
    receipts: async ({ receipt, entry, alg, public: raw, origin }) => {
      const key = PublicKey.of(BigInt(alg), bytes(raw));
      const found = await checkReceipt(bytes(receipt), bytes(entry), key, origin);
      return {
        size: Number(found.size),
        index: Number(found.index),
        root: toHex(found.root),
      };
    },
  },

  'policies.json': {
    policies: async ({ policy, bytes: data }) => {
      const read = await Policy.parse(source(policy, data));
      return {
        logs: read.logs.map(({ vkey }) => vkey),
        witnesses: [...read.witnesses].map(([name, { vkey }]) => [name, vkey]),
        quorum: read.quorum,
      };
    },
    quorums: async ({ policy, cosigned }) => ({
      reached: (await Policy.parse(utf8(policy))).isReached(cosigned),
    }),
  },

  'bundles.json': {
    bundles: async ({ file, edits, policy, valid }, given) => {
      const lines = readFileSync(new URL(`bundles/${file}`, FOLDER), 'utf8').split('\n');
      for (const [at, count, text] of edits) {
        lines.splice(at, count, ...(text === null ? [] : [text]));
      }
      const { verdict, checks } = await checkBundle(lines.join('\n'), given.policies[policy]);
      assert.equal(['valid', 'provisional'].includes(verdict), valid);
      const failed = checks.filter(({ ok }) => !ok);
      return {
        verdict,
        ...(valid ? {} : { check: failed[0]?.check, code: failed[0]?.error.code }),
      };
    },
  },
};

// --- the tests ---

const files = readdirSync(FOLDER).filter((name) => name.endsWith('.json'));

test('there are vectors', () => assert.ok(files.length > 10));

for (const file of files) {
  const { given, cases } = JSON.parse(readFileSync(new URL(file, FOLDER), 'utf8'));
  const lists = Object.keys(cases).filter((list) => !OF_THE_LEDGER[file]?.includes(list));
  for (const list of lists) {
    test(`${file}: ${list}`, async (context) => {
      const tried = TRIED[file]?.[list];
      assert.ok(tried, 'a list that nobody knows');
      for (const one of cases[list]) {
        await context.test(one.name, () => expect(one, () => tried(one, given)));
      }
    });
  }
}

/** A case comes out as it says. */
async function expect(one, run) {
  // A verdict on a bundle is a result, also where it is "invalid".
  if (!one.valid && one.verdict === undefined) {
    await assert.rejects(async () => run(), TallyError);
    return;
  }
  const results = (await run()) ?? {};
  const expected = Object.fromEntries(Object.keys(results).map((name) => [name, one[name]]));
  assert.deepEqual(results, expected);
}
