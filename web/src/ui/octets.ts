// Octets as people write and read them: hex, text, or a number.
export const FORMATS = ["hex", "text", "u8", "s8", "u16", "s16", "u32", "s32"] as const;
export type Format = (typeof FORMATS)[number];

export const FORMAT_NAMES: Record<Format, string> = {
  hex: "hex",
  text: "text",
  u8: "number, 8 bit",
  s8: "signed, 8 bit",
  u16: "number, 16 bit",
  s16: "signed, 16 bit",
  u32: "number, 32 bit",
  s32: "signed, 32 bit",
};

// How a value is best read first: names and versions are text, a battery level is a number.
export function usualFormat(uuid: string): Format {
  if (/^00002a(00|2[4-9])-/.test(uuid)) return "text";
  return uuid.startsWith("00002a19-") ? "u8" : "hex";
}

function toOctets(hex: string): Uint8Array {
  return new Uint8Array((hex.match(/../g) ?? []).map((pair) => parseInt(pair, 16)));
}

function toHex(octets: Uint8Array): string {
  return Array.from(octets, (octet) => octet.toString(16).padStart(2, "0")).join("");
}

function isSigned(format: Format): boolean {
  return format.startsWith("s");
}

function sizeOf(format: Format): number {
  return Number(format.slice(1)) / 8;
}

// Numbers are little-endian, as Bluetooth has them.
function decodeNumbers(octets: Uint8Array, format: Format): string {
  const size = sizeOf(format);
  if (octets.length === 0 || octets.length % size !== 0) return `not of ${size} octets`;
  const numbers: number[] = [];
  for (let i = 0; i < octets.length; i += size) {
    let value = 0;
    for (let k = size - 1; k >= 0; k--) value = value * 256 + octets[i + k]!;
    numbers.push(isSigned(format) && value >= 2 ** (8 * size - 1) ? value - 2 ** (8 * size) : value);
  }
  return numbers.join(" ");
}

export function decode(hex: string, format: Format): string {
  if (format === "hex") return hex.replace(/(..)(?=.)/g, "$1 ") || "(empty)";
  const octets = toOctets(hex);
  if (format !== "text") return decodeNumbers(octets, format);
  return new TextDecoder().decode(octets).replaceAll(/[\u0000-\u001f\u007f]/g, "·") || "(empty)";
}

function encodeNumber(text: string, format: Format): string {
  const bits = sizeOf(format) * 8;
  const value = Number(text);
  const low = isSigned(format) ? -(2 ** (bits - 1)) : 0;
  const high = isSigned(format) ? 2 ** (bits - 1) - 1 : 2 ** bits - 1;
  if (text.trim() === "" || !Number.isInteger(value) || value < low || value > high) throw new Error(`A whole number from ${low} to ${high} is needed.`);
  const octets = new Uint8Array(bits / 8);
  let rest = value < 0 ? value + 2 ** bits : value;
  for (let i = 0; i < octets.length; i++, rest = Math.floor(rest / 256)) octets[i] = rest % 256;
  return toHex(octets);
}

// The hex of what was typed; throws a sentence about what is wrong with it.
export function encode(text: string, format: Format): string {
  if (format === "text") return toHex(new TextEncoder().encode(text));
  if (format !== "hex") return encodeNumber(text, format);
  const digits = text.replaceAll(/[\s:-]|0x/g, "").toLowerCase();
  if (!/^([0-9a-f]{2})*$/.test(digits)) throw new Error("Pairs of hex digits are needed, such as 01 ff.");
  return digits;
}
