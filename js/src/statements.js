/**
 * Signed statements (specification, section 6): every entry of the log is one, a COSE_Sign1.
 */

import { equal, fromHex, hash, toHex, utf8 } from './bytes.js';
import { dumpCbor, dumpSign1, mapOf, parseCbor, parseSign1, sigStructure } from './cbor.js';
import { isName } from './classes.js';
import { need } from './errors.js';
import { INTEGER_MAX, INTEGER_MIN, checkText, dumpJson, parseJson } from './json.js';

/** @typedef {import('./suites.js').PublicKey} PublicKey */
/** @typedef {import('./suites.js').Signer} Signer */

const BYTES_MAX = 65_535;
const PROTECTED_BYTES_MAX = 1_024;
const KIND_CHARS_MAX = 32;
const CONTENT_TYPE = /^application\/vnd\.tally\.([a-z]+(?:-[a-z]+)*)\+json$/;
// Nothing that could hide or reorder text: controls, line separators, directional overrides.
const SUBJECT = /^[^\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069\ud800-\udfff]{1,128}$/u;
const [ALG, TYPE, KID, CLAIMS] = [1n, 3n, 4n, 15n];
const [ISS, SUB, AUD, EXP] = [1n, 2n, 3n, 4n];

/** A statement that was read: its form is right, its signature not yet checked. */
export class Statement {
  /** Read a statement; throws `TallyError`. */
  constructor(/** @type {Uint8Array} */ data) {
    need(data.length <= BYTES_MAX, 'statement-size', { limit: BYTES_MAX });
    const parts = parseSign1(data);
    check(parts, 'array');
    const [protectedHeader, unprotected, payload, signature] = parts;
    check(isBytes(protectedHeader) && protectedHeader.length <= PROTECTED_BYTES_MAX, 'protected');
    check(unprotected instanceof Map && unprotected.size === 0, 'unprotected');
    check(isBytes(payload), 'payload');
    check(isBytes(signature) && signature.length > 0, 'signature');

    const header = parseCbor(protectedHeader);
    checkKeys(header, [ALG, TYPE, KID, CLAIMS], 'protected');
    this.data = data;
    /** @type {bigint} */
    this.alg = header.get(ALG);
    check(isInteger(this.alg, INTEGER_MIN), 'alg');
    const type = header.get(TYPE);
    const match = typeof type === 'string' ? CONTENT_TYPE.exec(type) : null;
    check(match && match[1].length <= KIND_CHARS_MAX, 'content type');
    this.kind = match[1];
    /** @type {Uint8Array} */
    this.kid = header.get(KID);
    check(isBytes(this.kid) && this.kid.length === 16, 'kid');

    const claims = header.get(CLAIMS);
    const isGenesis = this.kind === 'genesis';
    checkKeys(claims, isGenesis ? [ISS, SUB, EXP] : [ISS, SUB, AUD, EXP], 'claims');
    /** @type {string} */
    this.issuer = claims.get(ISS);
    check(isName(this.issuer), 'iss');
    /** @type {string} */
    this.subject = claims.get(SUB);
    check(typeof this.subject === 'string' && SUBJECT.test(this.subject), 'sub');
    checkText(this.subject);
    /** The genesis id of the ledger, in hex; null in a genesis. */
    this.audience = isGenesis ? null : toHex(fromHex(claims.get(AUD), 32));
    /** @type {bigint} */
    this.expires = claims.get(EXP);
    check(isInteger(this.expires, 0n), 'exp');

    /** @type {Uint8Array} */
    this.payload = payload;
    /** @type {Uint8Array} */
    this.signature = signature;
    /** What the signature is over. */
    this.signed = sigStructure(protectedHeader, payload);
    this.body = parseJson(payload);
    check(
      this.body !== null && typeof this.body === 'object' && !Array.isArray(this.body),
      'payload',
    );
  }

  /** 32 bytes that name what is signed, whoever's signature stands beside it. */
  id() {
    return hash('tally/statement/v1\n', this.signed);
  }

  /** Whether `publicKey` is the key that it names, and has signed it. */
  async verify(/** @type {PublicKey} */ publicKey) {
    return (
      this.alg === publicKey.suite.alg &&
      equal(this.kid, await publicKey.kid()) &&
      publicKey.verify(this.signature, this.signed)
    );
  }
}

/**
 * Make and sign a statement; throws `TallyError` for what would be refused when it is read.
 *
 * @param {Signer} signer
 * @param {object} given
 * @param {string} given.kind
 * @param {string} given.issuer the participant who signs
 * @param {string} given.subject for the reader
 * @param {string} given.audience the genesis id of the ledger, in hex
 * @param {bigint | number} given.expires unix seconds
 * @param {object} given.body the payload
 */
export async function signStatement(signer, { kind, issuer, subject, audience, expires, body }) {
  const { publicKey } = signer;
  const claims = mapOf([ISS, issuer], [SUB, subject], [AUD, audience], [EXP, BigInt(expires)]);
  const protectedHeader = dumpCbor(
    mapOf(
      [ALG, publicKey.suite.alg],
      [TYPE, `application/vnd.tally.${kind}+json`],
      [KID, await publicKey.kid()],
      [CLAIMS, claims],
    ),
  );
  const payload = utf8(dumpJson(body));
  const signature = await signer.sign(sigStructure(protectedHeader, payload));
  return new Statement(dumpSign1(protectedHeader, new Map(), payload, signature));
}

const isBytes = (/** @type {unknown} */ value) => value instanceof Uint8Array;

/**
 * @param {unknown} value
 * @param {bigint} least
 */
const isInteger = (value, least) =>
  typeof value === 'bigint' && least <= value && value <= INTEGER_MAX;

/**
 * @param {unknown} map
 * @param {bigint[]} keys
 * @param {string} reason
 */
function checkKeys(map, keys, reason) {
  check(map instanceof Map && map.size === keys.length && keys.every((k) => map.has(k)), reason);
}

/**
 * @param {unknown} condition
 * @param {string} reason
 * @returns {asserts condition}
 */
function check(condition, reason) {
  need(condition, 'statement-malformed', { reason });
}
