/**
 * What can go wrong: one kind of error for what was sent, and one for what cannot be done here.
 */

/**
 * What was sent is refused, or does not show what it should.  `code` is stable, and the same as in
 * the other implementation; `details` tell of this case.
 */
export class TallyError extends Error {
  /**
   * @param {string} code
   * @param {Record<string, unknown>} [details]
   */
  constructor(code, details = {}) {
    super(code);
    this.code = code;
    this.details = details;
  }
}

/**
 * The platform lacks an algorithm: nothing can be said, neither "valid" nor "invalid".  It is no
 * `TallyError`, so that no check can take it for an answer.
 */
export class NotSupportedHere extends Error {
  /**
   * @param {string} algorithm
   * @param {unknown} cause
   */
  constructor(algorithm, cause) {
    super(`this platform's WebCrypto has no ${algorithm}`, { cause });
    this.algorithm = algorithm;
  }
}

/**
 * Throw a `TallyError` unless `condition` holds.
 *
 * @param {unknown} condition
 * @param {string} code
 * @param {Record<string, unknown>} [details]
 * @returns {asserts condition}
 */
export function need(condition, code, details) {
  if (!condition) {
    throw new TallyError(code, details);
  }
}
