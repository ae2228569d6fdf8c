// All that is known of one proxy, and what can be done with it.
import { html, nothing, type TemplateResult } from "lit";
import { customElement, property } from "lit/decorators.js";
import { send } from "../api/client";
import type { Proxy, Slots } from "../api/types";
import { link } from "../router";
import { store } from "../store/store";
import { confirmed } from "../ui/dialog";
import { PageElement } from "../ui/element";
import { age, ago, count, number, text, words } from "../ui/format";
import { icon } from "../ui/icons";
import { deviceLink, deviceName, fact, isOnline, mark, meter, proxyMark } from "../ui/parts";
import { attempt } from "../ui/toast";
import { changeProxy } from "./proxy_form";

const WINDOW_S = 10;
const MODES: Proxy["scanner"]["configured"][] = ["auto", "passive", "active"];
const HOLDERS: Record<Slots["entries"][number]["holder"], TemplateResult> = {
  ours: mark("good", "ok", "ours"),
  foreign: mark("warn", "warning", "another client"),
  orphan: mark("bad", "error", "nobody"),
};

@customElement("proxy-card")
export class ProxyCard extends PageElement {
  @property({ attribute: false }) proxy!: Proxy;
  @property({ type: Boolean }) isWhole = false; // shown alone, with everything

  private get path(): string {
    return `/proxies/${encodeURIComponent(this.proxy.name)}`;
  }

  // ---- what is done ----

  private async setMode(event: Event): Promise<void> {
    const mode = (event.target as HTMLSelectElement).value;
    await attempt(() => send("PUT", `${this.path}/scanner`, { mode }), `${this.proxy.name} scans ${mode} from now on.`);
  }

  private async openWindow(): Promise<void> {
    const body = { proxies: [this.proxy.name], duration_s: WINDOW_S };
    await attempt(() => send("POST", "/scan/windows", body), `${this.proxy.name} asks devices for ${WINDOW_S} s.`);
  }

  private async reconnect(): Promise<void> {
    await attempt(() => send("POST", `${this.path}/reconnect`, {}), `${this.proxy.name} is connected anew.`);
  }

  private async free(address: string, holder: string): Promise<void> {
    const text = holder === "foreign" ? "Another client of the proxy has this link; it is broken." : "Nobody holds this link any more.";
    const sure = await confirmed(`Free the slot of ${address}?`, text, "Free it");
    if (sure) await attempt(() => send("DELETE", `${this.path}/slots/${address}`), "The slot is free.");
    void store.refresh();
  }

  private async dismiss(): Promise<void> {
    const sure = await confirmed(`Remove ${this.proxy.name}?`, "Its links are closed, and it is no longer connected. Its settings go.", "Remove it");
    if (sure) await attempt(() => send("DELETE", this.path), `${this.proxy.name} is removed.`);
    void store.refresh();
  }

  // ---- what is drawn ----

  private drawHead(): TemplateResult {
    const { proxy } = this;
    return html`<header>
      <h2><a href=${link("proxies", [proxy.name])}>${proxy.name}</a></h2>
      ${proxyMark(proxy)} <span class="faint">${age(proxy.since)}</span>
      <div class="grow"></div>
      ${store.has("ears")
        ? html`<button class="small" data-needs="control" ?disabled=${!isOnline(proxy)} title="Ask devices for ${WINDOW_S} s what they only tell when asked" @click=${() => void this.openWindow()}>${icon("scanning")} Scan now</button>`
        : nothing}
      <button class="small" data-needs="control" aria-label="Reconnect ${proxy.name}" title="Reconnect" @click=${() => void this.reconnect()}>${icon("refresh")}</button>
      ${store.has("config")
        ? html`<button class="small" data-needs="admin" aria-label="Settings of ${proxy.name}" title="Settings" @click=${() => changeProxy(proxy)}>${icon("edit")}</button>
            <button class="small" data-needs="admin" aria-label="Remove ${proxy.name}" title="Remove" @click=${() => void this.dismiss()}>${icon("trash")}</button>`
        : nothing}
    </header>`;
  }

  private drawTrouble(): TemplateResult | typeof nothing {
    const { last_error: error, retry_at, advisories } = this.proxy;
    const isAway = !isOnline(this.proxy) && this.proxy.enabled;
    const lines = [
      ...(isAway && error ? [html`<li>${mark("bad", "error", words(error.code))}<span class="grow">${error.detail}</span><span class="faint">${ago(error.time)}</span></li>`] : []),
      ...(isAway && retry_at ? [html`<li>${mark("busy", "wait", "tried again")}<span class="grow num">${until(retry_at)}</span></li>`] : []),
      ...advisories.map((one) => html`<li>${mark("warn", "warning", "Advice")}<span class="grow">${one.text}${one.fixed_in ? ` Mended in ESPHome ${one.fixed_in}.` : ""}</span></li>`),
    ];
    return lines.length ? html`<ul class="list">${lines}</ul>` : nothing;
  }

  private drawScanner(): TemplateResult {
    const { scanner } = this.proxy;
    const state = scanner.state === "unknown" ? "" : words(scanner.state);
    const shown = [scanner.mode, state, scanner.window ? "a window is open" : ""].filter(Boolean).join(", ") || "not told";
    if (!store.has("ears")) return html`${shown}`;
    return html`<select class="small" data-needs="control" aria-label="Scan mode of ${this.proxy.name}" @change=${(event: Event) => void this.setMode(event)}>
        ${MODES.map((mode) => html`<option value=${mode} ?selected=${mode === scanner.configured}>${mode}</option>`)}
      </select>
      <span class="faint">${shown}</span>`;
  }

  private drawFacts(): TemplateResult {
    const { proxy } = this;
    const used = (proxy.slots.limit ?? 0) - (proxy.slots.free ?? 0);
    return html`<dl class="body facts">
      ${fact("Advertisements", html`<span class="num">${number(proxy.advertisements_per_s, 1)}/s</span>`)} ${fact("Devices heard", number(proxy.devices))}
      ${fact("Slots", meter(used, proxy.slots.limit, `${used} of ${proxy.slots.limit} slots used`))} ${fact("Last heard", ago(proxy.last_advertisement))}
      ${fact("Round trip", proxy.rtt_ms === null ? "–" : `${number(proxy.rtt_ms, 1)} ms`)} ${fact("Area", text(proxy.area))} ${fact("Scanning", this.drawScanner())}
      ${fact("ESPHome", html`${text(proxy.esphome_version)} <span class="faint">API ${text(proxy.api_version)}</span>`)}
      ${this.isWhole ? this.drawMore() : nothing}
    </dl>`;
  }

  private drawMore(): TemplateResult {
    const { proxy } = this;
    const { attempts } = proxy;
    return html`${fact("Model", text(proxy.model))} ${fact("Host", html`<code>${proxy.host}:${proxy.port}</code>`)} ${fact("MAC", html`<code>${text(proxy.mac)}</code>`)}
      ${fact("Bluetooth MAC", html`<code>${text(proxy.bluetooth_mac)}</code>`)} ${fact("Encrypted", proxy.encrypted ? "yes" : "no")} ${fact("Weight", `${proxy.weight} dB`)}
      ${fact("Advertisements in all", number(proxy.advertisements_total))}
      ${fact("Attempts to connect", `${count(attempts.completed, "success", "successes")}, ${number(attempts.failed)} failed`)}
      ${fact("Features", html`<span class="tags">${proxy.features.map((feature) => html`<span class="tag">${words(feature)}</span>`)}</span>`)}`;
  }

  private drawSlots(): TemplateResult | typeof nothing {
    const { entries } = this.proxy.slots;
    if (entries.length === 0) return nothing;
    return html`<div class="table-box" tabindex="0" role="region" aria-label="Slots of ${this.proxy.name}">
      <table>
        <thead><tr><th>Slot of</th><th>Holder</th><th>For</th><th class="num">Since</th><th></th></tr></thead>
        <tbody>${entries.map((entry) => this.drawSlot(entry))}</tbody>
      </table>
    </div>`;
  }

  private drawSlot(entry: Slots["entries"][number]): TemplateResult {
    const device = store.devices.get(entry.address)?.device;
    const leases = store.connections.get(entry.address)?.leases ?? [];
    const free = () => void this.free(entry.address, entry.holder);
    return html`<tr>
      <td>${deviceLink(entry.address, device ? deviceName(device) : entry.address)}</td>
      <td>${HOLDERS[entry.holder]}</td>
      <td>${leases.map((lease) => `${lease.client}${lease.purpose ? ` (${lease.purpose})` : ""}`).join(", ") || "–"}</td>
      <td class="num">${age(entry.since)}</td>
      <td class="right">${entry.holder === "ours" ? nothing : html`<button class="small" data-needs="control" @click=${free}>Free</button>`}</td>
    </tr>`;
  }

  protected override render() {
    return html`<section class="panel">${this.drawHead()} ${this.drawTrouble()} ${this.drawFacts()} ${this.drawSlots()}</section>`;
  }
}

function until(time: string): string {
  const s = Math.max(0, Math.round((Date.parse(time) - Date.now()) / 1000));
  return `in ${s} s`;
}
