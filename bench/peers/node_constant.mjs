/**
 * A constant answer on Node's http. Prints its port.
 * `node bench/peers/node_constant.mjs BYTES`
 *
 * @module
 */
import { createServer } from "node:http";
import process from "node:process";

const body = new Uint8Array(Number(process.argv[2])).fill(120);
const headers = { "content-type": "application/json", "content-length": body.length };

const server = createServer((_request, response) => {
  response.writeHead(200, headers);
  response.end(body);
});
// Node would close a connection after 5 s of rest with a race to the next request.
server.keepAliveTimeout = 60_000;
server.listen(0, "127.0.0.1", 4_096, () => {
  console.log(JSON.stringify({ port: server.address().port }));
});
