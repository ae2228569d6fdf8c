// The proxies: those that are here, those that could be, and one of them alone.
import { html, nothing, type TemplateResult } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import { get } from "../api/client";
import type { DiscoveredProxy, Page } from "../api/types";
import { link, type Place } from "../router";
import { Every, Watch } from "../store/controller";
import { store } from "../store/store";
import { PageElement } from "../ui/element";
import { ago, text } from "../ui/format";
import { icon } from "../ui/icons";
import { empty, isOnline, mark } from "../ui/parts";
import "./proxy_card";
import { addProxy } from "./proxy_form";

const DISCOVERED_MS = 5000;

@customElement("proxies-page")
export class ProxiesPage extends PageElement {
  @property() name = ""; // of the one that is shown; empty: all
  @state() private search = "";
  @state() private discovered: DiscoveredProxy[] = [];

  constructor() {
    super();
    new Watch(this, "proxies", "connections", "info");
    new Every(this, DISCOVERED_MS, () => void this.discover());
  }

  override connectedCallback(): void {
    super.connectedCallback();
    void this.discover();
  }

  private async discover(): Promise<void> {
    if (!store.has("config")) return;
    const found = await get<Page<DiscoveredProxy>>("/proxies/discovered").catch(() => ({ items: [] }));
    this.discovered = found.items.filter((one) => !one.configured && one.bluetooth_proxy !== false);
  }

  // ---- what is drawn ----

  private drawDiscovered(): TemplateResult | typeof nothing {
    if (this.discovered.length === 0) return nothing;
    return html`<section class="panel">
      <header><h2>Found in the network</h2><span class="help">ESPHome devices that are not used yet</span></header>
      <ul class="list">
        ${this.discovered.map(
          (one) => html`<li>
            <b>${one.friendly_name ?? one.name}</b>
            <span class="soft grow">${one.host} · ${text(one.board ?? one.platform)} · ESPHome ${text(one.esphome_version)} · seen ${ago(one.last_seen)}</span>
            ${one.encryption === "required" ? mark("warn", "access", "needs its key") : nothing}
            <button data-needs="admin" @click=${() => addProxy(one)}>${icon("add")} Adopt</button>
          </li>`,
        )}
      </ul>
    </section>`;
  }

  private drawNone(): TemplateResult {
    if (this.search) return empty("No proxy fits", "No name, area or host contains what you typed.");
    const text = store.has("config")
      ? "An ESP32 with ESPHome and bluetooth_proxy is all that is needed. Those in your network appear here by themselves; others are added by their address."
      : "An ESP32 with ESPHome and bluetooth_proxy is all that is needed. Write it into “proxies” of the configuration file and send SIGHUP.";
    return empty("No proxy yet", text);
  }

  private drawOne(): TemplateResult {
    const proxy = store.proxies.get(this.name);
    const back = html`<div class="page-head"><a class="button" href=${link("proxies")} aria-label="All proxies">${icon("proxies")}</a><h1>${this.name}</h1></div>`;
    if (!proxy && !store.info) return html`<p class="loading">Loading…</p>`;
    if (!proxy) return html`${back}${empty("There is no such proxy", html`It was removed or renamed. See <a href=${link("proxies")}>all proxies</a>.`)}`;
    const heard = html`<a class="button" href=${link("devices", [], { proxy: proxy.name })}>${icon("devices")} Devices it owns</a>`;
    return html`${back}
      <div class="stack"><proxy-card .proxy=${proxy} .isWhole=${true}></proxy-card><div class="actions">${heard}</div></div>`;
  }

  protected override render() {
    if (this.name) return this.drawOne();
    const wanted = this.search.toLowerCase();
    const all = [...store.proxies.values()];
    const shown = all
      .filter((proxy) => [proxy.name, proxy.area ?? "", proxy.host].some((text) => text.toLowerCase().includes(wanted)))
      .sort((a, b) => Number(isOnline(a)) - Number(isOnline(b)) || a.name.localeCompare(b.name));
    return html`<div class="page-head">
        <h1>Proxies</h1>
        <span class="faint num">${all.filter(isOnline).length} of ${all.length} online</span>
        <div class="grow"></div>
        ${store.has("config") ? html`<button class="primary" data-needs="admin" @click=${() => addProxy()}>${icon("add")} Add a proxy</button>` : nothing}
      </div>
      <div class="bar"><input type="search" placeholder="Name, area or host   /" aria-label="Search proxies" .value=${this.search} @input=${(event: Event) => (this.search = (event.target as HTMLInputElement).value)} /></div>
      <div class="stack">
        ${this.drawDiscovered()}
        <div class="columns cards">${shown.map((proxy) => html`<proxy-card .proxy=${proxy}></proxy-card>`)}</div>
        ${shown.length === 0 && store.info ? this.drawNone() : nothing}
      </div>`;
  }
}

export function draw(place: Place): TemplateResult {
  return html`<proxies-page .name=${place.steps[0] ?? ""}></proxies-page>`;
}
