/**
 * Judge bundles for the tests, one line of JSON in, one line out: `{"policy", "bundle"}`, the
 * bundle in base64, gives the report of `checkBundle`.
 */

import { createInterface } from 'node:readline';

import { checkBundle, dumpJson } from '../../js/src/index.js';

for await (const line of createInterface({ input: process.stdin })) {
  const { policy, bundle } = JSON.parse(line);
  const report = await checkBundle(Buffer.from(bundle, 'base64'), policy);
  process.stdout.write(`${dumpJson(report)}\n`);
}
