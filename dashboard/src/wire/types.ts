/** The contract's types under the names that the rest of the dashboard uses. They are generated: see `make types`. */

import type { components as Coordinator } from "./coordinator";
import type { components as Documents } from "./documents";
import type { components as Messages } from "./messages";

export type Session = Coordinator["schemas"]["Session"];
export type Status = Session["status"];
export type Presence = Session["presence"];
export type StoredEvent = Coordinator["schemas"]["StoredEvent"];
export type ContentBlock = Coordinator["schemas"]["ContentBlock"];
export type StopResult = Coordinator["schemas"]["StopResult"];
export type Blueprint = Coordinator["schemas"]["Blueprint"];
export type BlueprintCreate = Coordinator["schemas"]["BlueprintCreate"];
export type DocumentInfo = Documents["schemas"]["Document"];
export type TagCount = Messages["schemas"]["TagCount"];
export type BrowserMessage = Messages["schemas"]["BrowserMessage"];
export type ResumedMessage = Messages["schemas"]["ResumedMessage"];
export type Identity = Coordinator["schemas"]["Identity"];
export type Role = Identity["role"];
export type Ticket = Coordinator["schemas"]["Ticket"];
