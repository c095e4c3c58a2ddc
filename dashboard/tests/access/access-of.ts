import { Access } from "@/access/access";
import type { TokenKeeper } from "@/access/token-keeper";
import type { Role } from "@/wire/types";

/** A tab's memory. */
export class Memory implements TokenKeeper {
  constructor(public token: string | null = null) {}

  read = () => this.token;
  write = (token: string) => {
    this.token = token;
  };
  forget = () => {
    this.token = null;
  };
}

/** Somebody of the role, who is in. */
export function accessOf(role: Role, token: string | null = "aot_test"): Access {
  const access = new Access("http://api", new Memory(token));
  const identity = { authentication: token === null ? ("none" as const) : ("token" as const), name: "tester", role };
  access.store.setState({ phase: "in", identity }, true);
  return access;
}
