import { expect, test } from "vitest";

import { addressesFrom } from "@/wire/addresses";

const HERE = { origin: "https://front.example" };

test("a page that a coordinator serves talks to that coordinator, and to the documents that it names", () => {
  expect(addressesFrom({}, "https://files.example/", HERE)).toEqual({
    api: "https://front.example",
    documents: "https://files.example",
    socket: "wss://front.example/ws",
  });
});

test.each([null, "", "%DOCUMENTS_URL%"])("a page that stands alone (%s) uses the contract's addresses", (meta) => {
  expect(addressesFrom({}, meta, HERE)).toEqual({
    api: "http://localhost:8765",
    documents: "http://localhost:8766",
    socket: "ws://localhost:8765/ws",
  });
});

test("what the build was told comes before all else", () => {
  const environment = {
    VITE_AGENT_ORCHESTRATOR_API_URL: "https://api.example/",
    VITE_DOCUMENT_SERVER_URL: "https://docs.example/",
    VITE_WEBSOCKET_URL: "wss://live.example/ws",
  };
  expect(addressesFrom(environment, "https://files.example", HERE)).toEqual({
    api: "https://api.example",
    documents: "https://docs.example",
    socket: "wss://live.example/ws",
  });
});

test("without an address for it, the socket is the API's", () => {
  const environment = { VITE_AGENT_ORCHESTRATOR_API_URL: "https://api.example" };
  expect(addressesFrom(environment, null, HERE).socket).toBe("wss://api.example/ws");
});
