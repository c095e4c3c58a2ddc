const WHOLE = new Intl.NumberFormat();
const SHORT = new Intl.NumberFormat(undefined, { notation: "compact", maximumFractionDigits: 1 });

export const whole = (value: number): string => WHOLE.format(value);

/** A count in little room: 950, 1.2K, 34M. */
export const short = (value: number): string => SHORT.format(value);

/** US dollars; small sums keep two significant digits rather than becoming $0.00. */
export function dollars(value: number): string {
  if (value === 0) return "$0";
  if (value < 0.01) return `$${value.toPrecision(2)}`;
  return `$${value.toFixed(2)}`;
}

const UNITS = ["B", "KB", "MB", "GB", "TB"];

/** A size in bytes, in powers of 1000. */
export function bytes(size: number): string {
  let value = size;
  let unit = 0;
  while (value >= 1000 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toFixed(value < 10 ? 1 : 0)} ${UNITS[unit]}`;
}
