// Requests to the gateway. What it refuses becomes a ProblemError with its own sentence; that it
// cannot be reached at all is one too, so that callers have one thing to show.
import type { FieldError, Page, Problem } from "./types";

const BASE = "api/v1";

export class ProblemError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly errors: FieldError[] = [],
    readonly problem: Partial<Problem> = {},
  ) {
    super(message);
  }
}

export type Query = Record<string, string | number | boolean | null | undefined | string[]>;

function queryText(query: Query): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (Array.isArray(value)) value.forEach((item) => parameters.append(name, item));
    else if (value !== null && value !== undefined && value !== "") parameters.set(name, String(value));
  }
  const text = parameters.toString();
  return text ? `?${text}` : "";
}

export function address(path: string, query: Query = {}): string {
  return `${BASE}${path}${queryText(query)}`;
}

async function problemOf(response: Response): Promise<ProblemError> {
  let problem: Partial<Problem> = {};
  try {
    problem = (await response.json()) as Partial<Problem>;
  } catch {
    // not ours: a proxy in between, or a body that broke off
  }
  const sentence = problem.detail ?? problem.title ?? `${response.status} ${response.statusText}`;
  return new ProblemError(response.status, problem.code ?? "internal", sentence, problem.errors ?? [], problem);
}

async function ask(method: string, path: string, query: Query, init: RequestInit): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(address(path, query), { method, credentials: "same-origin", ...init });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new ProblemError(0, "unreachable", "The gateway cannot be reached.");
  }
  if (!response.ok) throw await problemOf(response);
  return response;
}

async function bodyOf<Answer>(response: Response): Promise<Answer> {
  return (response.status === 204 ? undefined : await response.json()) as Answer;
}

export async function get<Answer>(path: string, query: Query = {}, signal?: AbortSignal): Promise<Answer> {
  return bodyOf<Answer>(await ask("GET", path, query, signal ? { signal } : {}));
}

// With the entity tag, for a change that must not overwrite somebody else's.
export async function getTagged<Answer>(path: string): Promise<{ answer: Answer; tag: string | null }> {
  const response = await ask("GET", path, {}, {});
  return { answer: (await response.json()) as Answer, tag: response.headers.get("ETag") };
}

export async function send<Answer>(method: string, path: string, body?: unknown, query: Query = {}, headers: Record<string, string> = {}, signal?: AbortSignal): Promise<Answer> {
  const init: RequestInit = { headers, ...(signal ? { signal } : {}) };
  if (body !== undefined) {
    init.body = JSON.stringify(body);
    init.headers = { "Content-Type": "application/json", ...headers };
  }
  return bodyOf<Answer>(await ask(method, path, query, init));
}

export async function sendFile<Answer>(path: string, file: Blob, headers: Record<string, string>): Promise<Answer> {
  return bodyOf<Answer>(await ask("POST", path, {}, { body: file, headers }));
}

export async function fetchFile(path: string, body: unknown): Promise<Blob> {
  const init: RequestInit = { body: JSON.stringify(body), headers: { "Content-Type": "application/json" } };
  return (await ask("POST", path, {}, init)).blob();
}

// All items of a list, page by page, up to a bound.
export async function items<Item>(path: string, query: Query = {}, most = 5000): Promise<Item[]> {
  const found: Item[] = [];
  let cursor: string | null | undefined;
  do {
    const page = await get<Page<Item>>(path, { limit: 1000, ...query, cursor });
    found.push(...page.items);
    cursor = page.next;
  } while (cursor && found.length < most);
  return found;
}

export function sentenceOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
