/**
 * Signature suites (specification, section 5), found by their COSE algorithm number.
 *
 * WebCrypto computes; what it leaves open is decided before: which keys are sound and which of
 * several signatures that fit is the valid one.  Each suite is held to one reading, so that no two
 * verifiers differ.
 */

import { concat, equal, fromBase64, fromHex, hash, toBase64, toInteger, u64 } from './bytes.js';
import { NotSupportedHere, need } from './errors.js';
import { fields } from './json.js';

/**
 * @typedef {object} Suite
 * @property {string} name
 * @property {bigint} alg COSE algorithm number
 * @property {boolean} statements whether it signs statements
 * @property {number | undefined} noteType type byte of a plain note signature
 * @property {number | undefined} cosignatureType type byte of a cosignature
 * @property {string} format how WebCrypto calls the raw public key
 * @property {AlgorithmIdentifier | EcKeyImportParams} algorithm of the key
 * @property {AlgorithmIdentifier | EcdsaParams} operation of signing and verifying
 * @property {(raw: Uint8Array) => boolean} isSound whether it is a sound public key
 * @property {(signature: Uint8Array) => boolean} isInForm whether a signature may be looked at
 * @property {(signature: Uint8Array) => Uint8Array} [settle] the valid one of several that fit
 */

// --- ed25519: RFC 8032, section 5.1; p, the curve's d, and the order L ---

const P25519 = 2n ** 255n - 19n;
const D = 37095705934669439343138083508754565189542113879843219016388785533085940283555n;
const L = 2n ** 252n + 27742317777372353535851937790883648493n;
const Y8 = 0x05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826n;
const SMALL_ORDER = [0n, 1n, P25519 - 1n, Y8, P25519 - Y8];

const littleEndian = (/** @type {Uint8Array} */ data) => toInteger(data.toReversed());

/** The y of an encoded point, or -1 if it is not below p, or of small order. */
function yOf(/** @type {Uint8Array} */ encoded) {
  const y = BigInt.asUintN(255, littleEndian(encoded));
  return y < P25519 && !SMALL_ORDER.includes(y) ? y : -1n;
}

/**
 * @param {bigint} base
 * @param {bigint} exponent
 * @param {bigint} modulus
 */
function power(base, exponent, modulus) {
  let result = 1n;
  for (const bit of exponent.toString(2)) {
    result = (result * result * (bit === '1' ? base : 1n)) % modulus;
  }
  return result;
}

/** @type {Suite} */
const ED25519 = {
  name: 'ed25519',
  alg: -8n,
  statements: true,
  noteType: 0x01,
  cosignatureType: 0x04,
  format: 'raw',
  algorithm: 'Ed25519',
  operation: 'Ed25519',
  isSound(raw) {
    const y = raw.length === 32 ? yOf(raw) : -1n;
    // On the curve exactly if (y² - 1) / (d·y² + 1) is a square; so is then their product.
    const product = ((y * y - 1n) * (D * y * y + 1n)) % P25519;
    return y !== -1n && power(product, (P25519 - 1n) / 2n, P25519) === 1n;
  },
  isInForm: (signature) =>
    signature.length === 64 &&
    yOf(signature.subarray(0, 32)) !== -1n &&
    littleEndian(signature.subarray(32)) < L,
};

// --- es256: P-256 (FIPS 186-5); p, b, and the order n ---

const P256 = 2n ** 256n - 2n ** 224n + 2n ** 192n + 2n ** 96n - 1n;
const B = 0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604bn;
const N = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;

/** @type {Suite} */
const ES256 = {
  name: 'es256',
  alg: -7n,
  statements: true,
  noteType: undefined,
  cosignatureType: undefined,
  format: 'raw',
  algorithm: { name: 'ECDSA', namedCurve: 'P-256' },
  operation: { name: 'ECDSA', hash: 'SHA-256' },
  isSound(raw) {
    const [x, y] = [toInteger(raw.subarray(1, 33)), toInteger(raw.subarray(33))];
    return (
      raw.length === 65 &&
      raw[0] === 4 &&
      x < P256 &&
      y < P256 &&
      (y * y - x * x * x + 3n * x - B) % P256 === 0n
    );
  },
  isInForm(signature) {
    const [r, s] = [toInteger(signature.subarray(0, 32)), toInteger(signature.subarray(32))];
    return signature.length === 64 && 1n <= r && r < N && 1n <= s && s <= (N - 1n) / 2n;
  },
  settle(signature) {
    const s = toInteger(signature.subarray(32));
    const low = s <= (N - 1n) / 2n ? s : N - s;
    return concat(signature.subarray(0, 32), fromHex(low.toString(16).padStart(64, '0'), 32));
  },
};

// --- ml-dsa-44: FIPS 204 ---

/** @type {Suite} */
const ML_DSA_44 = {
  name: 'ml-dsa-44',
  alg: -48n,
  statements: false,
  noteType: undefined,
  cosignatureType: 0x06,
  format: 'raw-public',
  algorithm: 'ML-DSA-44',
  operation: 'ML-DSA-44',
  isSound: (raw) => raw.length === 1312,
  isInForm: (signature) => signature.length === 2420,
};

const SUITES = [ED25519, ES256, ML_DSA_44];

/**
 * The suite with this type byte in notes, and whether it is that of a cosignature.
 *
 * @param {number} noteType
 */
export function byNoteType(noteType) {
  const suite = SUITES.find((one) => [one.noteType, one.cosignatureType].includes(noteType));
  need(suite, 'suite-unknown', { suite: noteType });
  return { suite, isCosignature: noteType === suite.cosignatureType };
}

/** A public key: its suite and its raw bytes, which are sound. */
export class PublicKey {
  /**
   * Throws `TallyError` "key-invalid" unless `raw` is a sound key of the suite.
   *
   * @param {Suite} suite
   * @param {Uint8Array} raw
   */
  constructor(suite, raw) {
    need(suite.isSound(raw), 'key-invalid');
    this.suite = suite;
    this.raw = raw;
  }

  /**
   * @param {bigint} alg
   * @param {Uint8Array} raw
   */
  static of(alg, raw) {
    const suite = SUITES.find((one) => one.alg === alg);
    need(suite, 'suite-unknown', { suite: alg });
    return new PublicKey(suite, raw);
  }

  /** Read a participant's key, `{"alg", "public"}`, which signs statements. */
  static fromJson(/** @type {unknown} */ value) {
    const given = fields(value, 'public key', { alg: 'integer', public: 'text' });
    const key = PublicKey.of(given.alg, fromBase64(given.public));
    need(key.suite.statements, 'suite-not-for-statements', { suite: key.suite.name });
    return key;
  }

  /** The key as `fromJson` reads it. */
  toJson() {
    return { alg: this.suite.alg, public: toBase64(this.raw) };
  }

  /** The hash of a domain tag, the algorithm's number and the raw key. */
  hash(/** @type {string} */ tag) {
    return hash(tag, u64(this.suite.alg), this.raw);
  }

  /** The key id in statements: 16 bytes. */
  async kid() {
    return (await this.hash('tally/kid/v1\n')).subarray(0, 16);
  }

  /** What holds the span of this key in the register. */
  holder() {
    return this.hash('tally/holder/key/v1\n');
  }

  /** @param {PublicKey} other */
  equals(other) {
    return this.suite === other.suite && equal(this.raw, other.raw);
  }

  /**
   * Whether the signature over the message is this key's.  Throws `NotSupportedHere` where
   * WebCrypto cannot tell.
   *
   * @param {Uint8Array} signature
   * @param {Uint8Array} message
   * @returns {Promise<boolean>}
   */
  async verify(signature, message) {
    const { isInForm, operation } = this.suite;
    if (!isInForm(signature)) {
      return false;
    }
    return crypto.subtle.verify(operation, await this.#load(), concat(signature), concat(message));
  }

  async #load() {
    const { name, format, algorithm } = this.suite;
    const raw = concat(this.raw);
    try {
      return await crypto.subtle.importKey(/** @type {any} */ (format), raw, algorithm, false, [
        'verify',
      ]);
    } catch (cause) {
      // The key is sound: if it is not taken, the platform does not know its algorithm.
      throw new NotSupportedHere(name, cause);
    }
  }
}

/** A private key that signs statements or notes, as WebCrypto holds it, with its public key. */
export class Signer {
  /**
   * @param {PublicKey} publicKey
   * @param {CryptoKey} privateKey
   */
  constructor(publicKey, privateKey) {
    this.publicKey = publicKey;
    this.privateKey = privateKey;
  }

  /**
   * A new key of the suite "ed25519" or "es256".  It can be exported as PKCS #8:
   * `crypto.subtle.exportKey('pkcs8', signer.privateKey)`.
   *
   * @param {string} [name]
   */
  static async generate(name = 'ed25519') {
    const suite = signing(name);
    const usages = /** @type {KeyUsage[]} */ (['sign', 'verify']);
    const pair = await crypto.subtle.generateKey(suite.algorithm, true, usages);
    return Signer.#of(suite, /** @type {CryptoKeyPair} */ (pair).privateKey);
  }

  /**
   * The key that an unencrypted PKCS #8 (RFC 5958) holds.
   *
   * @param {Uint8Array} data
   * @param {string} [name] of the suite
   */
  static async fromPkcs8(data, name = 'ed25519') {
    const suite = signing(name);
    const { algorithm } = suite;
    const privateKey = await crypto.subtle.importKey('pkcs8', concat(data), algorithm, true, [
      'sign',
    ]);
    return Signer.#of(suite, privateKey);
  }

  /**
   * @param {Suite} suite
   * @param {CryptoKey} privateKey
   */
  static async #of(suite, privateKey) {
    // WebCrypto gives the public part of a private key as JWK only: x, and y on P-256.
    const { x, y } = await crypto.subtle.exportKey('jwk', privateKey);
    const [first, second] = [x, y].map((part) => fromBase64Url(part ?? ''));
    const raw = suite === ES256 ? concat(Uint8Array.of(4), first, second) : first;
    return new Signer(new PublicKey(suite, raw), privateKey);
  }

  /**
   * @param {Uint8Array} message
   * @returns {Promise<Uint8Array>}
   */
  async sign(message) {
    const { operation, settle } = this.publicKey.suite;
    const made = await crypto.subtle.sign(operation, this.privateKey, concat(message));
    const signature = new Uint8Array(made);
    return settle ? settle(signature) : signature;
  }
}

function signing(/** @type {string} */ name) {
  const suite = SUITES.find((one) => one.name === name && one.statements);
  need(suite, 'suite-unknown', { suite: name });
  return suite;
}

function fromBase64Url(/** @type {string} */ text) {
  const padding = '='.repeat(-text.length & 3);
  return fromBase64(text.replaceAll('-', '+').replaceAll('_', '/') + padding);
}
