// Numbers, times and octets as people read them; times are local.
const DASH = "–";
const clockFormat = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const dayFormat = new Intl.DateTimeFormat(undefined, { year: "numeric", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit" });

type Instant = string | number | null | undefined;

function toMs(time: Instant): number | undefined {
  if (time === null || time === undefined) return undefined;
  const ms = typeof time === "number" ? time : Date.parse(time);
  return Number.isNaN(ms) || ms <= 0 ? undefined : ms;
}

// The time of day; with the date when that is another.
export function when(time: Instant): string {
  const ms = toMs(time);
  if (ms === undefined) return DASH;
  const isToday = new Date(ms).toDateString() === new Date().toDateString();
  return (isToday ? clockFormat : dayFormat).format(ms);
}

export function duration(ms: number): string {
  const s = ms / 1000;
  if (s < 1) return `${Math.round(ms)} ms`;
  if (s < 10) return `${s.toFixed(1)} s`;
  if (s < 60) return `${Math.floor(s)} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${Math.floor(s % 60)} s`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  return `${Math.floor(s / 86400)} d ${Math.floor((s % 86400) / 3600)} h`;
}

export function age(time: Instant, now = Date.now()): string {
  const ms = toMs(time);
  if (ms === undefined) return "never";
  const passed = Math.max(0, now - ms);
  return passed < 1000 ? "now" : shortAge(passed);
}

export function ago(time: Instant, now = Date.now()): string {
  const passed = age(time, now);
  return passed === "now" ? "just now" : passed === "never" ? passed : `${passed} ago`;
}

function shortAge(ms: number): string {
  const s = Math.floor(ms / 1000);
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min`;
  if (s < 86400) return `${Math.floor(s / 3600)} h`;
  return `${Math.floor(s / 86400)} d`;
}

export function number(value: number | null | undefined, digits = 0): string {
  if (value === null || value === undefined) return DASH;
  return value.toLocaleString(undefined, { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

export function bytes(value: number): string {
  if (value < 1024) return `${value} B`;
  if (value < 1 << 20) return `${number(value / 1024, 1)} KiB`;
  return `${number(value / (1 << 20), 1)} MiB`;
}

export function text(value: string | number | null | undefined): string {
  return value === null || value === undefined || value === "" ? DASH : String(value);
}

export function words(token: string): string {
  return token.replaceAll("_", " ");
}

export function count(n: number, one: string, many = `${one}s`): string {
  return `${number(n)} ${n === 1 ? one : many}`;
}

// 128 bit UUIDs of the Bluetooth base as their short form.
export function shortUuid(uuid: string): string {
  const match = /^0000([0-9a-f]{4})-0000-1000-8000-00805f9b34fb$/.exec(uuid);
  return match?.[1] ? `0x${match[1]}` : uuid;
}

export function spacedHex(hex: string): string {
  return hex.replace(/(..)(?=.)/g, "$1 ");
}

const UNITS: Record<string, string> = {
  temperature: "°C",
  humidity: "%",
  moisture: "%",
  battery: "%",
  pressure: "hPa",
  voltage: "V",
  current: "A",
  power: "W",
  energy: "kWh",
  illuminance: "lx",
  co2: "ppm",
  pm25: "µg/m³",
  pm10: "µg/m³",
  weight: "kg",
  mass_kg: "kg",
  conductivity: "µS/cm",
  dew_point: "°C",
};

export function sensor(name: string, value: unknown): string {
  const shown = typeof value === "number" ? String(Math.round(value * 100) / 100) : String(value);
  const unit = UNITS[name];
  return unit ? `${shown} ${unit}` : shown;
}
