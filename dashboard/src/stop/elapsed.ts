import { duration } from "@/format/time";

/** How long something has gone on so far, in whole seconds: fractions of what is still counting are noise. */
export function elapsed(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  return seconds < 60 ? `${seconds} s` : duration(seconds * 1000);
}
