// Where we are stands behind the #: "#/devices/AA:BB:CC:DD:EE:FF/gatt?proxy=kitchen". So the gateway
// serves one page, and it works below any path of a reverse proxy.

export interface Place {
  page: string;
  steps: string[]; // behind the page
  query: URLSearchParams;
}

export function readPlace(hash: string): Place {
  const [path = "", query = ""] = hash.replace(/^#\/?/, "").split("?", 2);
  const steps = path.split("/").filter(Boolean).map(decode);
  return { page: steps[0] ?? "overview", steps: steps.slice(1), query: new URLSearchParams(query) };
}

function decode(step: string): string {
  try {
    return decodeURIComponent(step);
  } catch {
    return step;
  }
}

export function link(page: string, steps: string[] = [], query: Record<string, string> = {}): string {
  const text = new URLSearchParams(Object.entries(query).filter(([, value]) => value !== "")).toString();
  const path = [page, ...steps.map((step) => encodeURIComponent(step).replaceAll("%3A", ":"))].join("/");
  return `#/${path}${text ? `?${text}` : ""}`;
}

export function go(target: string): void {
  location.hash = target;
}

// Changes what stands in the address without a step in the history: for filters that are typed.
export function rewrite(target: string): void {
  history.replaceState(null, "", target);
}
