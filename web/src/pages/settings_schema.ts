// The JSON Schema of the configuration as a flat list of fields, and values by their JSON Pointer.
// What the schema says is all that the form knows: a setting that comes later appears by itself.
export interface Schema {
  type?: string;
  enum?: unknown[];
  anyOf?: Schema[];
  properties?: Record<string, Schema>;
  items?: Schema;
  default?: unknown;
  description?: string;
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
  pattern?: string;
  writeOnly?: boolean;
  "x-part"?: string;
  "x-restart"?: boolean;
}

export type Kind = "boolean" | "number" | "integer" | "enum" | "string" | "secret" | "lines" | "json";

export interface Field {
  pointer: string; // "/scan/ownership/margin_db"
  section: string;
  label: string; // below the section
  kind: Kind;
  isNullable: boolean;
  choices: string[];
  schema: Schema;
}

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

function kindOf(schema: Schema): Pick<Field, "kind" | "isNullable" | "choices"> {
  const branches = schema.anyOf ?? [schema];
  const isNullable = branches.some((one) => one.type === "null");
  const real = branches.filter((one) => one.type !== "null");
  const first = real[0] ?? {};
  const choices = (first.enum ?? []).map(String);
  const isLines = real.some((one) => one.type === "array" && one.items?.type === "string");
  if (isLines) return { kind: "lines", isNullable, choices };
  if (first.enum) return { kind: "enum", isNullable, choices };
  if (first.writeOnly) return { kind: "secret", isNullable, choices };
  if (first.type === "boolean" || first.type === "number" || first.type === "integer" || first.type === "string") return { kind: first.type, isNullable, choices };
  return { kind: "json", isNullable, choices };
}

function collect(schema: Schema, pointer: string, section: string, path: string[], found: Field[]): void {
  for (const [key, part] of Object.entries(schema.properties ?? {})) {
    const inner = `${pointer}/${key}`;
    if (part.properties && !part.anyOf) collect(part, inner, section || key, section ? [...path, key] : [], found);
    else found.push({ pointer: inner, section: section || "lists", label: [...path, key].join("."), schema: part, ...kindOf(part) });
  }
}

export function fieldsOf(schema: Schema): Field[] {
  const found: Field[] = [];
  collect(schema, "", "", [], found);
  return found;
}

export function valueAt(config: Json, pointer: string): Json | undefined {
  let at: Json | undefined = config;
  for (const key of pointer.split("/").slice(1)) {
    if (at === null || typeof at !== "object" || Array.isArray(at)) return undefined;
    at = at[key];
  }
  return at;
}

// The merge patch that sets these values, and nothing else.
export function patchOf(changes: Map<string, Json>): Json {
  const patch: { [key: string]: Json } = {};
  for (const [pointer, value] of changes) {
    const keys = pointer.split("/").slice(1);
    let at = patch;
    for (const key of keys.slice(0, -1)) at = (at[key] ??= {}) as { [key: string]: Json };
    at[keys.at(-1)!] = value;
  }
  return patch;
}

// What was typed, as the setting takes it; throws a sentence about what is wrong.
export function parse(field: Field, text: string): Json {
  const isEmpty = text.trim() === "";
  switch (field.kind) {
    case "number":
    case "integer":
      if (isEmpty) return null;
      if (Number.isNaN(Number(text))) throw new Error("A number is needed.");
      return Number(text);
    case "lines": {
      const lines = text.split("\n").map((line) => line.trim()).filter(Boolean);
      const takesOne = field.schema.anyOf?.some((one) => one.type === "string") ?? false;
      return takesOne && lines.length === 1 ? lines[0]! : lines;
    }
    case "json":
      return JSON.parse(text) as Json;
    default:
      return isEmpty && field.isNullable ? null : text;
  }
}

export function show(field: Field, value: Json | undefined): string {
  if (value === null || value === undefined) return "";
  if (field.kind === "json") return JSON.stringify(value, null, 2);
  return Array.isArray(value) ? value.join("\n") : String(value);
}

export function rangeOf(schema: Schema): string {
  const real = (schema.anyOf ?? [schema]).find((one) => one.minimum !== undefined || one.maximum !== undefined);
  return real ? `${real.minimum ?? "…"} to ${real.maximum ?? "…"}` : "";
}
