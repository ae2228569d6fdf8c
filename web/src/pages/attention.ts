// What needs somebody: each with what it is and what to do next.
import type { Info, Proxy } from "../api/types";
import { store } from "../store/store";
import { link } from "../router";
import { age, count } from "../ui/format";

export interface Matter {
  tone: "bad" | "warn";
  what: string;
  next: string;
  href: string;
  verb: string;
}

const NEXT: Partial<Record<string, string>> = {
  wrong_key: "Copy its encryption key from the ESPHome configuration into its settings.",
  key_required: "It wants an encryption key: copy it from the ESPHome configuration.",
  key_not_expected: "It has no encryption: take the key out of its settings.",
  wrong_password: "Copy its password from the ESPHome configuration into its settings.",
  wrong_device: "Another device has its address now: look at host and MAC in its settings.",
  not_a_proxy: "Add bluetooth_proxy to its ESPHome configuration, or remove it here.",
  resolve_failed: "Is it switched on, and is the host in its settings right?",
  refused: "Something answers there, but not the ESPHome API: look at host and port.",
  unreachable: "Is it switched on and in the network?",
  timeout: "Is it switched on and near enough to the access point?",
  subscription_refused: "Close the other client, or let it use blefleet instead; then connect again.",
  subscription_lost: "Close the other client, or let it use blefleet instead; then connect again.",
};

function proxyMatter(proxy: Proxy): Matter[] {
  const href = link("proxies", [proxy.name]);
  const isStarting = ["disabled", "online", "resolving", "connecting", "handshaking"].includes(proxy.state);
  const matters: Matter[] = [];
  if (!isStarting) {
    const code = proxy.last_error?.code ?? proxy.state;
    const why = proxy.last_error?.detail ?? proxy.state.replaceAll("_", " ");
    matters.push({
      tone: proxy.state === "online_no_bluetooth" ? "warn" : "bad",
      what: `Proxy ${proxy.name} is away for ${age(proxy.since)}: ${why}`,
      next: NEXT[code] ?? "It is tried again by itself; look at its power and its network.",
      href,
      verb: "Look at it",
    });
  }
  if (proxy.slots.orphans > 0) {
    const what = `Proxy ${proxy.name} holds ${count(proxy.slots.orphans, "slot")} for nobody`;
    matters.push({ tone: "warn", what, next: "Free them, so that devices can connect again.", href, verb: "Free slots" });
  }
  return matters;
}

function infoMatter(info: Info): Matter[] {
  const matters: Matter[] = [];
  if (info.mqtt.state === "waiting_retry" || info.mqtt.state === "failed") {
    const what = `The MQTT broker ${info.mqtt.broker ?? ""} is away: ${info.mqtt.last_error ?? info.mqtt.state}`;
    matters.push({ tone: "bad", what, next: "Is it running, and are host, port and password right?", href: link("settings"), verb: "Settings" });
  }
  if (info.restart_required.length > 0) {
    const what = `${count(info.restart_required.length, "changed setting")} will work after a restart`;
    matters.push({ tone: "warn", what, next: info.restart_required.join(", "), href: link("settings"), verb: "Settings" });
  }
  return matters;
}

// The same advice for several proxies is one matter.
function advice(): Matter[] {
  const concerned = new Map<string, { advisory: Proxy["advisories"][number]; names: string[] }>();
  for (const proxy of store.proxies.values()) {
    for (const advisory of proxy.advisories) {
      const one = concerned.get(advisory.text) ?? { advisory, names: [] };
      one.names.push(proxy.name);
      concerned.set(advisory.text, one);
    }
  }
  return [...concerned.values()].map(({ advisory, names }) => {
    const isOne = names.length === 1;
    const next = advisory.fixed_in ? `Update ${isOne ? "it" : "them"} to ESPHome ${advisory.fixed_in} or later.` : `See ${isOne ? "its card" : "their cards"}.`;
    const who = isOne ? "Proxy" : "Proxies";
    return { tone: "warn", what: `${who} ${names.sort().join(", ")}: ${advisory.text}`, next, href: link("proxies", isOne ? names : []), verb: isOne ? "Look at it" : "Look at them" };
  });
}

export function findMatters(): Matter[] {
  const matters = [...(store.info ? infoMatter(store.info) : []), ...advice()];
  for (const proxy of store.proxies.values()) matters.push(...proxyMatter(proxy));
  return matters.sort((a, b) => Number(b.tone === "bad") - Number(a.tone === "bad"));
}
