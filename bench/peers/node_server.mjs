/**
 * Node's http answers with a constant of so many bytes, or searches and answers by JSON.stringify. Prints its port.
 * `node bench/peers/node_server.mjs constant BYTES | json FILE`
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import process from "node:process";
import { findEvents, indexResults, readRange } from "./range_index.mjs";

const [way, argument] = process.argv.slice(2);
const server = createServer(way === "constant" ? constant(Number(argument)) : search(argument));
// Node would close a connection after 5 s of rest with a race to the next request.
server.keepAliveTimeout = 60_000;
server.listen(0, "127.0.0.1", 4_096, () => {
  console.log(JSON.stringify({ port: server.address().port }));
});

/** A string goes into one write with the head; a Uint8Array would be a second vector, and dearer. */
function constant(bytes) {
  const body = "x".repeat(bytes);
  return (_request, response) => send(response, body);
}

function search(file) {
  const events = indexResults(JSON.parse(readFileSync(file, "utf8")));
  return (request, response) => {
    const { from, until } = readRange(request.url);
    send(response, JSON.stringify(findEvents(events, from, until)));
  };
}

function send(response, body) {
  response.writeHead(200, {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(body),
  });
  response.end(body);
}
