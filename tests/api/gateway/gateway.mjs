// A platform's program in another language: hands in lines, waits for their results, prints each
// as `ID STATUS CODE`, and asks for one proof.
const [url, count, start] = process.argv.slice(2);
const zeros = "0".repeat(64);
const lines = Array.from({ length: Number(count) }, (_, n) =>
  JSON.stringify({
    format: 1,
    id: `js-${n}`,
    scenario: "city-bus",
    start: Number(start) + 60 * (n % 2),
    end: Number(start) + 60 * (n % 2),
    subject: `Person ${n >> 1}`, // two rides of each within a minute: the second is refused
    ticket: { issuer: "city-bus", number: `js ${n}` },
    evidence: { tier: "platform-record", digest: zeros },
    authorisation: zeros,
  }),
);
const taken = await fetch(`${url}/activities`, { method: "POST", body: lines.join("\n") });
if (taken.status !== 202) throw new Error(await taken.text());
const results = new Map();
for (let cursor = 0; results.size < lines.length; ) {
  const page = await (await fetch(`${url}/results?after=${cursor}`)).text();
  for (const line of page.split("\n").filter(Boolean)) {
    const row = JSON.parse(line);
    cursor = row.cursor;
    results.set(row.id, row);
  }
  await new Promise((resolve) => setTimeout(resolve, 50));
}
for (const { id, status, code } of results.values()) console.log(id, status, code ?? "-");
const recorded = [...results.values()].find((row) => row.status === "recorded");
const proof = await fetch(`${url}/proof/${recorded.id}`);
console.log("proof", proof.status, proof.headers.get("tally-verdict"));
