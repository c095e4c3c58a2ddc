import { isObject } from "./rules";
import type { ServersObject } from "./servers";

/** What stands for a value that may be a secret. */
const DOTS = "••••••••";

/** The servers with dots for the values of `env` and `headers`; their names stay. */
export function concealed(servers: ServersObject): ServersObject {
  return mapped(servers, (server) =>
    isObject(server)
      ? mapped(server, (part, name) => ((name === "env" || name === "headers") && isObject(part) ? dotted(part) : part))
      : server,
  );
}

const dotted = (values: Record<string, unknown>) => mapped(values, () => DOTS);

function mapped(
  object: Record<string, unknown>,
  change: (value: unknown, name: string) => unknown,
): Record<string, unknown> {
  return Object.fromEntries(Object.entries(object).map(([name, value]) => [name, change(value, name)]));
}
