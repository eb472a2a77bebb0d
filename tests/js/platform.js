/**
 * A platform, for the tests.  `new` makes a key; `submit` reduces activities and signs them:
 *
 *     node platform.js new SUITE                → {"public", "pkcs8"}
 *     node platform.js submit < {…}             → the statement, in base64
 *
 * What is given to `submit` is one JSON object: `suite`, `pkcs8` (base64), `platform`, `ledger`
 * (the genesis id), `expires`, `offset`, `classes`, `methodology` (documents) and `activities`
 * (lines).
 */

import { text } from 'node:stream/consumers';

import { Signer, dumpJson, readMethodology, signSubmission } from '../../js/src/index.js';

const [command, suite] = process.argv.slice(2);
if (command === 'new') {
  const signer = await Signer.generate(suite);
  const pkcs8 = await crypto.subtle.exportKey('pkcs8', signer.privateKey);
  const made = { public: signer.publicKey.toJson(), pkcs8: Buffer.from(pkcs8).toString('base64') };
  console.log(dumpJson(made));
} else {
  const given = JSON.parse(await text(process.stdin));
  const signer = await Signer.fromPkcs8(Buffer.from(given.pkcs8, 'base64'), given.suite);
  const methodology = readMethodology(given.methodology, given.classes, given.offset);
  const reductions = await Promise.all(
    given.activities.map((line) =>
      methodology.reduce(new TextEncoder().encode(line), given.platform),
    ),
  );
  const { ledger, expires } = given;
  const statement = await signSubmission(signer, { ledger, expires, reductions });
  console.log(Buffer.from(statement.data).toString('base64'));
}
