/** Silences shorter than this are part of the work. */
const SHORTEST_GAP_MS = 30_000;
/** A silence is left out where it would take more than this share of what is then left. */
const GAP_SHARE = 0.05;
const MOST_GAPS = 24;
export const GAP_PX = 16;
/** However many silences there are, so much of the width stays for what happened. */
const GAPS_WIDTH = 0.4;

export type Stretch = {
  /** In ms since 1970. */
  from: number;
  to: number;
  /** In px. */
  start: number;
  end: number;
  /** Nothing happened for so long that it is drawn short. */
  gap: boolean;
};

/** From time to place and back; long silences are drawn short. */
export type Scale = { stretches: readonly Stretch[]; width: number };

/**
 * @param times when events happened, in ms, in order of acceptance; clocks may differ a little.
 * @param untils when what began with each had ended.
 */
export function scaleOf(times: readonly number[], untils: readonly number[], width: number): Scale {
  const begin = times[0];
  if (begin === undefined || width <= 0) return { stretches: [], width };
  let reach = begin;
  let silences: { from: number; to: number }[] = [];
  for (let index = 0; index < times.length; index += 1) {
    const time = times[index] ?? 0;
    if (time - reach > SHORTEST_GAP_MS) silences.push({ from: reach, to: time });
    const until = untils[index] ?? time;
    if (time > reach) reach = time;
    if (until > reach) reach = until;
  }
  silences = longest(silences, reach - begin, width);

  const rest = Math.max(1, width - silences.length * GAP_PX);
  const active = silences.reduce((left, { from, to }) => left - (to - from), reach - begin);
  const stretches: Stretch[] = [];
  let from = begin;
  let start = 0;
  const add = (to: number, px: number, gap: boolean) => {
    stretches.push({ from, to, start, end: start + px, gap });
    from = to;
    start += px;
  };
  for (const silence of silences) {
    add(silence.from, active === 0 ? 0 : ((silence.from - from) / active) * rest, false);
    add(silence.to, GAP_PX, true);
  }
  add(reach, active === 0 ? rest : ((reach - from) / active) * rest, false);
  return { stretches, width };
}

/** Where a moment is, in px. */
export function placeOf(scale: Scale, time: number): number {
  const stretch = firstWhere(scale.stretches, (one) => one.to >= time) ?? scale.stretches.at(-1);
  if (stretch === undefined) return 0;
  const share = stretch.to === stretch.from ? 0 : (time - stretch.from) / (stretch.to - stretch.from);
  return stretch.start + Math.min(1, Math.max(0, share)) * (stretch.end - stretch.start);
}

/** Which moment is at a place, in ms. */
export function momentAt(scale: Scale, place: number): number {
  const stretch = firstWhere(scale.stretches, (one) => one.end >= place) ?? scale.stretches.at(-1);
  if (stretch === undefined) return 0;
  const share = stretch.end === stretch.start ? 0 : (place - stretch.start) / (stretch.end - stretch.start);
  return stretch.from + Math.min(1, Math.max(0, share)) * (stretch.to - stretch.from);
}

/** The silences that are worth leaving out, in order of time. */
function longest(silences: { from: number; to: number }[], total: number, width: number): typeof silences {
  const most = Math.min(MOST_GAPS, Math.floor((width * GAPS_WIDTH) / GAP_PX));
  const chosen: typeof silences = [];
  let left = total;
  for (const silence of silences.toSorted((a, b) => b.to - b.from - (a.to - a.from))) {
    const length = silence.to - silence.from;
    if (chosen.length >= most || length < left * GAP_SHARE) break;
    chosen.push(silence);
    left -= length;
  }
  return chosen.sort((a, b) => a.from - b.from);
}

/** The first of some stretches of which something holds, that then holds of all that follow. */
function firstWhere(stretches: readonly Stretch[], holds: (stretch: Stretch) => boolean): Stretch | undefined {
  let low = 0;
  let high = stretches.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const stretch = stretches[middle];
    if (stretch !== undefined && holds(stretch)) high = middle;
    else low = middle + 1;
  }
  return stretches[low];
}
