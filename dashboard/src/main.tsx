import "./app/theme.css";

import { QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { setNonce } from "get-nonce";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";

import { Access } from "./access/access";
import { Gate } from "./access/gate";
import { guardedSend } from "./access/guarded-send";
import { tabKeeper } from "./access/token-keeper";
import { type Backend, BackendProvider } from "./app/backend";
import { createQueries, followMessages } from "./app/queries";
import { router } from "./app/router";
import { startTheme } from "./app/theme";
import { Live } from "./live/live";
import { browserPlatform } from "./live/socket";
import { findAddresses } from "./wire/addresses";
import { createCoordinator, createDocuments } from "./wire/client";

const nonce = document.querySelector('meta[name="csp-nonce"]')?.getAttribute("content");
if (nonce) setNonce(nonce);
startTheme();

const addresses = findAddresses();
const access = new Access(addresses.api, tabKeeper);
const send = guardedSend(access);
const coordinator = createCoordinator(addresses.api, send);
const backend: Backend = {
  addresses,
  access,
  coordinator,
  documents: createDocuments(addresses.documents, send),
  live: new Live(addresses.socket, coordinator, browserPlatform(addresses.api, access, send)),
};
const queries = createQueries();
followMessages(queries, backend.live);
backend.live.connect();
// What the page is made of comes while the server is asked who may see it.
void router.load();
access.store.subscribe((now, before) => {
  if (now.phase !== "in" || before.phase !== "out") return;
  backend.live.connect();
  // What was refused meanwhile is asked for again.
  void queries.invalidateQueries();
});
// A network that has come back is worth an attempt at once.
window.addEventListener("online", () => backend.live.connect());

const root = document.getElementById("root");
if (root === null) throw new Error("index.html has no #root");
createRoot(root).render(
  <StrictMode>
    <QueryClientProvider client={queries}>
      <BackendProvider backend={backend}>
        <Gate>
          <RouterProvider router={router} />
        </Gate>
      </BackendProvider>
    </QueryClientProvider>
  </StrictMode>,
);
