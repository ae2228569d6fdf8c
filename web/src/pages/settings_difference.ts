// Two configurations beside each other: each setting that differs, in words. Entries of lists are told
// apart by what names them; one that is on one side alone is one difference, whatever is in it.
import type { Json } from "./settings_schema";

export interface Difference {
  name: string; // "scan.ownership.margin_db", "proxies › kitchen › weight"
  now: string;
  then: string;
}

type Entry = { [key: string]: Json };

const NAMES = ["name", "address"]; // what names an entry of a list

function isEntry(value: Json | undefined): value is Entry {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function nameOf(entry: Json): string | undefined {
  if (!isEntry(entry)) return undefined;
  const key = NAMES.find((name) => typeof entry[name] === "string");
  return key === undefined ? undefined : String(entry[key]);
}

function entriesOf(value: Json | undefined): Map<string, Json> | undefined {
  if (!Array.isArray(value)) return undefined;
  const entries = new Map(value.map((entry) => [nameOf(entry) ?? "", entry]));
  return entries.has("") || entries.size !== value.length ? undefined : entries;
}

function show(value: Json | undefined): string {
  if (value === null || value === undefined) return "not set";
  return typeof value === "string" ? value : JSON.stringify(value);
}

function compareLists(now: Map<string, Json>, then: Map<string, Json>, path: string): Difference[] {
  return [...new Set([...now.keys(), ...then.keys()])].flatMap((name) => {
    const inner = `${path} › ${name}`;
    if (now.has(name) && then.has(name)) return compare(now.get(name), then.get(name), inner, " › ");
    return [{ name: inner, now: now.has(name) ? "there" : "not there", then: then.has(name) ? "there" : "not there" }];
  });
}

function compare(now: Json | undefined, then: Json | undefined, path: string, between: string): Difference[] {
  const [lists, otherLists] = [entriesOf(now), entriesOf(then)];
  if (lists && otherLists) return compareLists(lists, otherLists, path);
  if (isEntry(now) && isEntry(then)) {
    const keys = [...new Set([...Object.keys(now), ...Object.keys(then)])];
    return keys.flatMap((key) => compare(now[key], then[key], path ? `${path}${between}${key}` : key, "."));
  }
  return show(now) === show(then) ? [] : [{ name: path, now: show(now), then: show(then) }];
}

export function differences(now: Json, then: Json): Difference[] {
  return compare(now, then, "", ".");
}
