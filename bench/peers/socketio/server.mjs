// Socket.IO with its Redis Streams adapter: what one takes in Node when several servers share their broadcasts.
//
// Clients join no rooms; what comes over the stream goes to all. Heartbeats are far apart, so that a short run has none.

import { createServer } from "node:http";
import { parseArgs } from "node:util";

import { createAdapter } from "@socket.io/redis-streams-adapter";
import { createClient } from "redis";
import { Server } from "socket.io";

const { values } = parseArgs({ options: { port: { type: "string" }, "redis-url": { type: "string" } } });

const redisClient = createClient({ url: values["redis-url"] });
// Without a listener a lost connection would end the process; with one the client connects again.
redisClient.on("error", (error) => console.error(error.message));
await redisClient.connect();

const httpServer = createServer();
new Server(httpServer, {
  adapter: createAdapter(redisClient),
  transports: ["websocket"],
  perMessageDeflate: false,
  pingInterval: 120_000,
  pingTimeout: 60_000,
});
httpServer.listen(Number(values.port), "127.0.0.1");
