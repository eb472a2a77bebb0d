/**
 * Signed notes, checkpoints and cosignatures, as C2SP has them (specification, section 18).
 */

import { concat, equal, fromBase64, fromHex, hash, toBase64, toHex, u64, utf8 } from './bytes.js';
import { need } from './errors.js';
import { INTEGER_MAX } from './json.js';
import { PublicKey, byNoteType } from './suites.js';

/** @typedef {import('./suites.js').Signer} Signer */
/** @typedef {{name: string, keyId: Uint8Array, signature: Uint8Array}} NoteSignature */
/** @typedef {{text: string, signatures: NoteSignature[]}} Note */
/** @typedef {{origin: string, size: bigint, root: Uint8Array}} Checkpoint */

const NOTE_BYTES_MAX = 1_048_576;
const TEXT_BYTES_MAX = 65_536;
const SIGNATURES_MAX = 100;
const SUBTREE = 0x06;
const CONTROL = /[\u0000-\u0009\u000b-\u001f]/;
const SIZE = /^(0|[1-9][0-9]{0,18})$/;

/**
 * Read a note.  Nothing is verified: see `signedBy`.
 *
 * @param {string} source
 * @returns {Note}
 */
export function parseNote(source) {
  need(utf8(source).length <= NOTE_BYTES_MAX, 'note-size', { limit: NOTE_BYTES_MAX });
  need(!CONTROL.test(source), 'note-malformed', { reason: 'text' });
  // No signature line is empty, so the last empty line is the one that ends the text.
  const end = source.lastIndexOf('\n\n') + 1;
  need(end > 0 && source.endsWith('\n'), 'note-malformed', { reason: 'text' });
  const text = source.slice(0, end);
  need(utf8(text).length <= TEXT_BYTES_MAX, 'note-size', { limit: TEXT_BYTES_MAX });
  const lines = source
    .slice(end + 1)
    .split('\n')
    .slice(0, -1);
  const isCounted = 1 <= lines.length && lines.length <= SIGNATURES_MAX;
  need(isCounted, 'note-signatures', { limit: SIGNATURES_MAX });
  return { text, signatures: lines.map(readLine) };
}

/** @returns {NoteSignature} */
function readLine(/** @type {string} */ line) {
  const [dash, name, encoded, ...more] = line.split(' ');
  need(dash === '\u2014' && more.length === 0, 'note-malformed', { reason: 'encoding' });
  checkName(name);
  const raw = fromBase64(encoded);
  need(raw.length > 4, 'note-malformed', { reason: 'signature' });
  return { name, keyId: raw.subarray(0, 4), signature: raw.subarray(4) };
}

function checkName(/** @type {string | undefined} */ name) {
  const isKeyName = name && !/[+\p{White_Space}]/u.test(name) && !CONTROL.test(name);
  need(isKeyName, 'note-key-name', { name });
}

// --- keys ---

/**
 * A key that notes are checked with: `NAME+KEYID+BASE64`.
 */
export class NoteKey {
  /**
   * @param {string} name
   * @param {number} type the byte that tells suite and use
   * @param {Uint8Array} raw the public key
   * @param {Uint8Array} keyId
   */
  constructor(name, type, raw, keyId) {
    const { suite, isCosignature } = byNoteType(type);
    this.name = name;
    this.type = type;
    this.isCosigner = isCosignature;
    this.publicKey = new PublicKey(suite, raw);
    this.keyId = keyId;
  }

  /** The key as text. */
  get vkey() {
    const material = concat(Uint8Array.of(this.type), this.publicKey.raw);
    return `${this.name}+${toHex(this.keyId)}+${toBase64(material)}`;
  }

  /** Read a verifier key. */
  static async parse(/** @type {string} */ vkey) {
    const [name, keyId, ...encoded] = vkey.split('+');
    need(encoded.length > 0, 'vkey-malformed');
    checkName(name);
    const [type, ...raw] = fromBase64(encoded.join('+'));
    need(type !== undefined, 'vkey-malformed');
    const key = new NoteKey(name, type, Uint8Array.from(raw), fromHex(keyId, 4));
    need(equal(await keyIdOf(name, type, key.publicKey), key.keyId), 'vkey-malformed');
    return key;
  }

  /**
   * The key of a signer, under a name.
   *
   * @param {string} name
   * @param {PublicKey} publicKey
   * @param {boolean} isCosigner
   */
  static async of(name, publicKey, isCosigner) {
    checkName(name);
    const { noteType, cosignatureType } = publicKey.suite;
    const type = isCosigner ? cosignatureType : noteType;
    need(type !== undefined, 'suite-unknown', { suite: publicKey.suite.name });
    return new NoteKey(name, type, publicKey.raw, await keyIdOf(name, type, publicKey));
  }
}

/**
 * @param {string} name
 * @param {number} type
 * @param {PublicKey} publicKey
 */
async function keyIdOf(name, type, publicKey) {
  return (await hash(name, '\n', Uint8Array.of(type), publicKey.raw)).subarray(0, 4);
}

// --- signatures ---

/**
 * Whether, and when, a key has signed a note; throws "note-signature-invalid" if one of its lines
 * is not valid.
 *
 * @param {Note} note
 * @param {NoteKey} key
 * @returns {Promise<bigint | null>} null if no line is its; else the latest time in unix seconds,
 *   0 for a plain key
 */
export async function signedBy(note, key) {
  let latest = null;
  const seen = new Set();
  for (const { name, keyId, signature } of note.signatures) {
    const isMine = name === key.name && equal(keyId, key.keyId);
    if (isMine && seen.size < seen.add(toHex(signature)).size) {
      const time = await timeSigned(note.text, signature, key);
      need(time !== null, 'note-signature-invalid', { name });
      latest = latest === null || latest < time ? time : latest;
    }
  }
  return latest;
}

/**
 * The time of a signature, 0 if it is plain; null if it is not valid.
 *
 * @param {string} text
 * @param {Uint8Array} signature
 * @param {NoteKey} key
 */
async function timeSigned(text, signature, key) {
  if (!key.isCosigner) {
    return (await key.publicKey.verify(signature, utf8(text))) ? 0n : null;
  }
  if (signature.length <= 8) {
    return null;
  }
  const time = new DataView(signature.slice(0, 8).buffer).getBigUint64(0);
  const message = time <= INTEGER_MAX ? cosigned(text, time, key) : null;
  return message && (await key.publicKey.verify(signature.slice(8), message)) ? time : null;
}

/**
 * What a cosignature is over; null if the note's text can have none by this key.
 *
 * @param {string} text
 * @param {bigint} time
 * @param {NoteKey} key
 */
function cosigned(text, time, key) {
  if (key.type !== SUBTREE) {
    return utf8(`cosignature/v1\ntime ${time}\n${text}`);
  }
  const { origin, size, root } = parseCheckpoint(text);
  const [name, log] = [utf8(key.name), utf8(origin)];
  if (name.length > 255 || log.length > 255) {
    return null;
  }
  return concat(
    'subtree/v1\n\0',
    ...[Uint8Array.of(name.length), name, u64(time)],
    ...[Uint8Array.of(log.length), log, u64(0), u64(size), root],
  );
}

/**
 * The signature line of a signer for a note's text, without its line feed.
 *
 * @param {string} text
 * @param {string} name of the key
 * @param {Signer} signer
 * @param {bigint} [time] unix seconds, of a cosignature
 */
export async function signNote(text, name, signer, time) {
  const key = await NoteKey.of(name, signer.publicKey, time !== undefined);
  const message = time === undefined ? utf8(text) : cosigned(text, time, key);
  need(message, 'note-malformed', { reason: 'name' });
  const stamp = time === undefined ? '' : u64(time);
  return `\u2014 ${name} ${toBase64(concat(key.keyId, stamp, await signer.sign(message)))}`;
}

// --- checkpoints ---

/**
 * Read the text of a checkpoint: three lines.
 *
 * @param {string} text
 * @returns {Checkpoint}
 */
export function parseCheckpoint(text) {
  const lines = text.split('\n');
  need(lines.length === 4 && lines[3] === '', 'checkpoint-malformed', { reason: 'lines' });
  const [origin, size, root] = lines;
  need(origin && !CONTROL.test(origin), 'checkpoint-malformed', { reason: 'origin' });
  const isSize = SIZE.test(size) && BigInt(size) <= INTEGER_MAX;
  need(isSize, 'checkpoint-malformed', { reason: 'size' });
  const hash = fromBase64(root);
  need(hash.length === 32, 'base64-not-canonical');
  return { origin, size: BigInt(size), root: hash };
}
