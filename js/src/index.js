/**
 * Tally for platforms and for whoever checks.
 *
 * A platform reads a methodology with `readMethodology`, turns activities into reductions with its
 * `reduce`, and signs their root with `signSubmission`.  Whoever gets a bundle checks it with
 * `checkBundle`.  Every format is specified in docs/spec.md; each module names its section.
 */

import { Calendar } from './calendar.js';
import { Classes } from './classes.js';
import { Methodology } from './methodologies.js';

export { fromHex, toHex } from './bytes.js';
export { checkBundle } from './check.js';
export { NotSupportedHere, TallyError } from './errors.js';
export { dumpJson } from './json.js';
export { checkConsistency, checkInclusion, leafHash, treeRoot } from './merkle.js';
export { NoteKey, parseCheckpoint, parseNote, signNote, signedBy } from './notes.js';
export { Policy } from './policy.js';
export { normalise, pseudonym, pseudonymMessage, pseudonymOf } from './pseudonyms.js';
export { checkReceipt } from './receipts.js';
export { checkFree, checkHeld, readFree, readHeld, registerRoot } from './register.js';
export { Statement } from './statements.js';
export { signSubmission } from './submissions.js';
export { PublicKey, Signer } from './suites.js';

/**
 * The methodology of a document, under the registry of classes in force, for a ledger whose days
 * are `utcOffset` seconds east of UTC.
 *
 * @param {string} document
 * @param {string} classes
 * @param {bigint | number} utcOffset
 */
export function readMethodology(document, classes, utcOffset) {
  return new Methodology(document, new Classes(classes, new Calendar(BigInt(utcOffset))));
}
