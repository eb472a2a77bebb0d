/**
 * The trust policy (C2SP tlog-policy; specification, section 19): whose signatures on a checkpoint
 * are enough.
 */

import { fromUtf8, hash, toHex } from './bytes.js';
import { TallyError, need } from './errors.js';
import { NoteKey, parseCheckpoint, signedBy } from './notes.js';

/** @typedef {import('./notes.js').Note} Note */

const BYTES_MAX = 1_048_576;
export const NONE = 'none';

/** A trust policy. */
export class Policy {
  /** @type {NoteKey[]} */
  logs = [];
  /** @type {Map<string, NoteKey>} */
  witnesses = new Map();
  /** In the order of their definition, members before their groups.
   * @type {Map<string, {least: number, members: string[]}>} */
  groups = new Map();
  /** @type {string | null} */
  quorum = null;
  /** What is defined and in no group yet. @type {Set<string>} */
  #loose = new Set();

  /** Read a policy; throws `TallyError` "policy-line" with the number of the line that is wrong. */
  static async parse(/** @type {Uint8Array} */ data) {
    need(data.length <= BYTES_MAX, 'policy-line', { line: 0, reason: 'the file is too long' });
    // Bytes beyond ASCII are opaque: a character stands for each.
    const source = Array.from(data, (byte) => String.fromCharCode(byte)).join('');
    const hasControl = /[\u0000-\u0008\u000b-\u001f\u007f]/.test(source);
    need(!hasControl, 'policy-line', { line: 0, reason: 'it holds a control character' });
    const policy = new Policy();
    const lines = source.split('\n');
    for (const [place, text] of lines.entries()) {
      const words = text.split(/[ \t]+/).filter((word) => word !== '');
      if (words.length > 0 && !words[0].startsWith('#')) {
        try {
          await policy.#readLine(words);
        } catch (error) {
          need(error instanceof TallyError, 'policy-line');
          throw new TallyError('policy-line', { line: place + 1, reason: error.code });
        }
      }
    }
    need(policy.quorum !== null, 'policy-line', { line: lines.length, reason: 'no quorum' });
    return policy;
  }

  async #readLine(/** @type {string[]} */ [word, ...rest]) {
    if (word === 'log' && [1, 2].includes(rest.length)) {
      const key = await readKey(rest[0], false);
      need(isNew(key, this.logs), 'policy-key-twice');
      this.logs.push(key);
    } else if (word === 'witness' && [2, 3].includes(rest.length)) {
      const name = textOf(rest[0]);
      const key = await readKey(rest[1], true);
      need(isNew(key, [...this.witnesses.values()]), 'policy-key-twice');
      this.#define(name);
      this.witnesses.set(name, key);
    } else if (word === 'group' && rest.length >= 3) {
      const [name, count, ...members] = rest.map(textOf);
      const group = this.#readGroup(count, members);
      this.#define(name);
      this.groups.set(name, group);
    } else {
      need(word === 'quorum' && rest.length === 1 && this.quorum === null, 'policy-word');
      const name = textOf(rest[0]);
      need(name === NONE || this.#isDefined(name), 'policy-name-unknown');
      this.quorum = name;
    }
  }

  #isDefined(/** @type {string} */ name) {
    return this.witnesses.has(name) || this.groups.has(name);
  }

  #define(/** @type {string} */ name) {
    need(name !== NONE && !this.#isDefined(name), 'policy-name-twice');
    this.#loose.add(name);
  }

  /**
   * @param {string} count
   * @param {string[]} members
   */
  #readGroup(count, members) {
    // Taken away one by one: a member that stands twice is not found the second time.
    need(
      members.every((name) => this.#loose.delete(name)),
      'policy-member',
    );
    if (count === 'all' || count === 'any') {
      return { least: count === 'all' ? members.length : 1, members };
    }
    need(/^[1-9][0-9]{0,5}$/.test(count) && Number(count) <= members.length, 'policy-threshold');
    return { least: Number(count), members };
  }

  /**
   * What the signatures on a checkpoint amount to; throws unless a log of the policy has signed.
   *
   * @param {Note} note
   */
  async check(note) {
    const checkpoint = parseCheckpoint(note.text);
    const log = await this.#logOf(note, checkpoint.origin);
    const cosigned = await this.cosigners(note);
    return { checkpoint, log, cosigned, isWitnessed: this.isReached(cosigned) };
  }

  /**
   * The names of the witnesses that have cosigned; throws if a line of one of them is not valid.
   *
   * @param {Note} note
   */
  async cosigners(note) {
    const cosigned = [];
    for (const [name, key] of this.witnesses) {
      if ((await signedBy(note, key)) !== null) {
        cosigned.push(name);
      }
    }
    return cosigned;
  }

  /**
   * A hash of what the quorum asks for, whatever witnesses and groups are called: two policies for
   * which the same cosigners, in the same groups with the same thresholds, are enough have one.
   */
  async requirement() {
    const made = new Map([[NONE, '']]);
    for (const [name, { vkey }] of this.witnesses) {
      made.set(name, toHex(await hash(`key ${vkey}`)));
    }
    for (const [name, { least, members }] of this.groups) {
      const asked = members.map((member) => made.get(member)).sort();
      made.set(name, toHex(await hash([least, ...asked].join(' '))));
    }
    return made.get(this.quorum ?? NONE);
  }

  /** The same cosigners, for a log by another key. */
  withLog(/** @type {NoteKey} */ log) {
    const made = Object.assign(new Policy(), this);
    made.logs = [log];
    return made;
  }

  /**
   * @param {Note} note
   * @param {string} origin
   */
  async #logOf(note, origin) {
    for (const log of this.logs) {
      if (log.name === origin && (await signedBy(note, log)) !== null) {
        return log;
      }
    }
    throw new TallyError('checkpoint-log-unknown', { origin });
  }

  /** Whether the witnesses with these names make the quorum. */
  isReached(/** @type {string[]} */ cosigned) {
    const reached = new Set([NONE, ...cosigned]);
    for (const [name, { least, members }] of this.groups) {
      if (members.filter((member) => reached.has(member)).length >= least) {
        reached.add(name);
      }
    }
    return reached.has(this.quorum ?? NONE);
  }
}

const bytesOf = (/** @type {string} */ word) => Uint8Array.from(word, (char) => char.charCodeAt(0));

/**
 * The name that a word is, a character for each byte.  What is no UTF-8 becomes lone surrogates: no
 * two words are one name, and none is that of a text.
 */
function textOf(/** @type {string} */ word) {
  try {
    return fromUtf8(bytesOf(word));
  } catch {
    return word.replace(/[^ -~]/g, (char) => String.fromCharCode(0xdc00 + char.charCodeAt(0)));
  }
}

/**
 * @param {string} vkey a character for each byte
 * @param {boolean} isCosigner
 */
async function readKey(vkey, isCosigner) {
  const key = await NoteKey.parse(fromUtf8(bytesOf(vkey)));
  need(key.isCosigner === isCosigner, 'policy-key-type');
  return key;
}

/**
 * @param {NoteKey} key
 * @param {NoteKey[]} others
 */
const isNew = (key, others) => !others.some(({ publicKey }) => publicKey.equals(key.publicKey));
