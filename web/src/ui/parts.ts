// Small pieces that many pages show: states by icon and word, loudness, addresses, empty places.
import { html, nothing, svg, type TemplateResult } from "lit";
import type { Device, Proxy } from "../api/types";
import type { Trail } from "../store/trail";
import { link } from "../router";
import { icon, type Icon } from "./icons";

export type Tone = "good" | "warn" | "bad" | "idle" | "busy";

export function mark(tone: Tone, name: Icon, word: string): TemplateResult {
  return html`<span class="mark ${tone}">${icon(name)}${word}</span>`;
}

const PROXY_STATES: Record<Proxy["state"], [Tone, Icon, string]> = {
  disabled: ["idle", "off", "switched off"],
  resolving: ["busy", "wait", "looking up its name"],
  connecting: ["busy", "wait", "connecting"],
  handshaking: ["busy", "wait", "greeting"],
  online: ["good", "ok", "online"],
  online_no_bluetooth: ["warn", "warning", "no Bluetooth proxy on it"],
  subscription_refused: ["bad", "error", "another client has it"],
  subscription_lost: ["bad", "error", "another client took it"],
  waiting_retry: ["bad", "wait", "not reachable"],
  failed: ["bad", "error", "failed"],
};

export function proxyMark(proxy: Proxy): TemplateResult {
  const [tone, name, word] = PROXY_STATES[proxy.state];
  return mark(tone, name, word);
}

export function isOnline(proxy: Proxy): boolean {
  return proxy.state === "online";
}

export function givenName(device: Device): string | null {
  return device.alias ?? device.identity ?? device.name;
}

export function deviceName(device: Device): string {
  return givenName(device) ?? device.address;
}

export function deviceLink(address: string, name = address): TemplateResult {
  return html`<a href=${link("devices", [address])}>${name}</a>`;
}

export function proxyLink(name: string | null): TemplateResult {
  return name === null ? html`–` : html`<a href=${link("proxies", [name])}>${name}</a>`;
}

// Five steps of loudness, so that the eye needs no number.
function strength(rssi: number): number {
  return Math.max(0, Math.min(5, Math.ceil((rssi + 100) / 10)));
}

export function loudness(rssi: number | null): TemplateResult {
  if (rssi === null) return html`<span class="faint">–</span>`;
  const steps = strength(rssi);
  return html`<span class="loudness"
    ><svg viewBox="0 0 15 12" aria-hidden="true">
      ${[0, 1, 2, 3, 4].map((step) => svg`<rect x=${step * 3} y=${9 - step * 2} width="2" height=${3 + step * 2} class=${step < steps ? "on" : "off"} />`)}</svg
    ><span class="num">${Math.round(rssi)}</span></span
  >`;
}

const SPARK_WIDTH = 96;
const SPARK_HEIGHT = 20;
const SPARK_YOUNG = 6; // steps from which on it fills its width

export function sparkline(trail: Trail): TemplateResult {
  if (trail.size < 2) return html`<span class="faint">…</span>`;
  const step = SPARK_WIDTH / Math.max(trail.size - 1, SPARK_YOUNG);
  const start = SPARK_WIDTH - (trail.size - 1) * step;
  let path = "";
  for (let i = 0; i < trail.size; i++) {
    const y = SPARK_HEIGHT - 2 - ((Math.max(-100, Math.min(-30, trail.at(i))) + 100) / 70) * (SPARK_HEIGHT - 4);
    path += `${i === 0 ? "M" : "L"}${(start + i * step).toFixed(1)} ${y.toFixed(1)}`;
  }
  return html`<svg class="spark" viewBox="0 0 ${SPARK_WIDTH} ${SPARK_HEIGHT}" aria-hidden="true">${svg`<path d=${path} />`}</svg>`;
}

export function empty(title: string, text: TemplateResult | string, action: TemplateResult | typeof nothing = nothing): TemplateResult {
  return html`<div class="empty"><h3>${title}</h3><p>${text}</p>${action}</div>`;
}

// Where something could not be loaded: what the gateway said, and the way to try again.
export function failure(sentence: string, again: () => void): TemplateResult {
  return html`<div class="empty" role="alert">
    <h3>${icon("warning")} This could not be loaded</h3>
    <p>${sentence}</p>
    <button @click=${again}>${icon("refresh")} Try again</button>
  </div>`;
}

export function fact(name: string, value: unknown): TemplateResult {
  return html`<div class="fact"><dt>${name}</dt><dd>${value}</dd></div>`;
}

export function meter(used: number, limit: number | null, label: string): TemplateResult {
  if (limit === null) return html`<span class="faint">not told</span>`;
  const boxes = Array.from({ length: Math.min(limit, 12) }, (_, i) => html`<i class=${i < used ? "on" : ""}></i>`);
  return html`<span class="nowrap"><span class="meter" role="img" aria-label=${label}>${boxes}</span><span class="num">${used}/${limit}</span></span>`;
}
