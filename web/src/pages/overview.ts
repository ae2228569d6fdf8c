// The fleet at a glance: figures, what needs somebody, and each proxy in a line.
import { html, nothing, type TemplateResult } from "lit";
import { customElement, state } from "lit/decorators.js";
import { items } from "../api/client";
import type { Client, Info, Proxy } from "../api/types";
import { link } from "../router";
import { Every, Watch } from "../store/controller";
import { store } from "../store/store";
import { PageElement } from "../ui/element";
import { age, ago, bytes, count, duration, number, when, words } from "../ui/format";
import { icon } from "../ui/icons";
import { empty, isOnline, mark, meter, proxyLink, proxyMark } from "../ui/parts";
import { findMatters } from "./attention";

const CLIENTS_MS = 5000;

function tile(label: string, value: string, more: unknown = ""): TemplateResult {
  return html`<div class="panel tile"><span class="label">${label}</span><b>${value}</b><small>${more}</small></div>`;
}

@customElement("overview-page")
export class OverviewPage extends PageElement {
  @state() private clients: Client[] = [];

  constructor() {
    super();
    new Watch(this, "info", "proxies", "connections");
    new Every(this, CLIENTS_MS, () => void this.loadClients());
  }

  override connectedCallback(): void {
    super.connectedCallback();
    void this.loadClients();
  }

  private async loadClients(): Promise<void> {
    this.clients = await items<Client>("/clients").catch(() => []);
  }

  private drawTiles(): TemplateResult {
    const proxies = [...store.proxies.values()];
    const known = proxies.filter((proxy) => proxy.slots.limit !== null);
    const slots = known.reduce((sum, proxy) => sum + (proxy.slots.limit ?? 0), 0);
    const used = known.reduce((sum, proxy) => sum + (proxy.slots.limit ?? 0) - (proxy.slots.free ?? 0), 0);
    const links = [...store.connections.values()].filter((one) => one.state === "connected").length;
    const { info } = store;
    return html`<div class="tiles">
      ${tile("Proxies online", `${proxies.filter(isOnline).length}`, `of ${proxies.filter((one) => one.enabled).length}`)}
      ${tile("Devices", number(info?.counts.devices ?? store.devices.size), "known")}
      ${tile("Advertisements", number(info?.adverts_per_s ?? 0), "per second")}
      ${tile("Slots used", number(used), `of ${slots}`)} ${tile("Links", number(links), "open")}
      ${tile("Running for", info ? duration(info.uptime_s * 1000) : "–", info ? `version ${info.version}` : "")}
    </div>`;
  }

  private drawMatters(): TemplateResult {
    const matters = findMatters();
    const body = matters.length
      ? html`<ul class="list">
          ${matters.map(
            (matter) => html`<li>
              <span class="mark ${matter.tone}">${icon(matter.tone === "bad" ? "error" : "warning")}</span>
              <div class="grow"><div>${matter.what}</div><div class="help">${matter.next}</div></div>
              <a class="button" href=${matter.href}>${matter.verb}</a>
            </li>`,
          )}
        </ul>`
      : html`<div class="body">${mark("good", "ok", "Nothing: everything works as it should.")}</div>`;
    return html`<section class="panel"><header><h2>Needs attention</h2>${matters.length ? html`<span class="tag">${matters.length}</span>` : nothing}</header>${body}</section>`;
  }

  private drawProxy(proxy: Proxy): TemplateResult {
    const { slots } = proxy;
    const used = (slots.limit ?? 0) - (slots.free ?? 0);
    return html`<tr>
      <td>${proxyLink(proxy.name)}</td>
      <td>${proxyMark(proxy)}</td>
      <td class="num">${number(proxy.advertisements_per_s, 1)}</td>
      <td class="num">${number(proxy.devices)}</td>
      <td>${meter(used, slots.limit, `${used} of ${slots.limit} slots used`)}</td>
      <td class="num">${proxy.rtt_ms === null ? "–" : `${number(proxy.rtt_ms, 1)} ms`}</td>
      <td class="num">${age(proxy.last_advertisement)}</td>
    </tr>`;
  }

  private drawProxies(): TemplateResult {
    const proxies = [...store.proxies.values()].sort((a, b) => Number(isOnline(a)) - Number(isOnline(b)) || a.name.localeCompare(b.name));
    if (proxies.length === 0) return this.drawNone();
    return html`<section class="panel">
      <header><h2>Proxies</h2></header>
      <div class="table-box" tabindex="0" role="region" aria-label="Proxies">
        <table>
          <thead>
            <tr><th>Name</th><th>State</th><th class="num">Adv/s</th><th class="num">Devices</th><th>Slots</th><th class="num">Round trip</th><th class="num">Last heard</th></tr>
          </thead>
          <tbody>${proxies.map((proxy) => this.drawProxy(proxy))}</tbody>
        </table>
      </div>
    </section>`;
  }

  private drawNone(): TemplateResult {
    const text = html`An ESP32 with ESPHome and bluetooth_proxy is all that is needed. Write it into the configuration file, or add it on the page
      <a href=${link("proxies")}>Proxies</a>.`;
    return html`<section class="panel">${empty("No proxy yet", text)}</section>`;
  }

  private drawMqtt(mqtt: Info["mqtt"]): TemplateResult {
    const since = this.clients.find((client) => client.kind === "mqtt")?.since;
    const broker = html`<code>${mqtt.broker}</code>`;
    switch (mqtt.state) {
      case "disabled":
        return html`<li>${mark("idle", "off", "mqtt")}<span class="soft grow">switched off; its broker is named in the <a href=${link("settings", ["mqtt"])}>settings</a></span></li>`;
      case "connected":
        return html`<li>${mark("good", "ok", "mqtt")}<span class="soft grow">connected to ${broker}${since ? ` since ${when(since)}` : ""}, MQTT ${mqtt.protocol}</span></li>`;
      default:
        return html`<li>${mark("warn", "warning", "mqtt")}<span class="soft grow">${words(mqtt.state)}: ${broker} ${mqtt.last_error ?? ""}</span></li>`;
    }
  }

  private drawGateway(): TemplateResult {
    const { info, health } = store;
    const checks = Object.entries(health?.checks ?? {}).filter(([name]) => name !== "mqtt");
    return html`<section class="panel">
      <header><h2>Gateway</h2></header>
      <ul class="list">
        ${checks.map(
          ([name, check]) => html`<li>
            ${check.status === "pass" ? mark("good", "ok", name) : mark(check.status === "fail" ? "bad" : "warn", "warning", name)}
            <span class="soft grow">${check.detail ?? ""}</span>
          </li>`,
        )}
        ${info ? this.drawMqtt(info.mqtt) : nothing}
        ${info?.recorder.enabled ? html`<li>${mark("good", "ok", "recorder")}<span class="soft grow">${bytes(info.recorder.bytes)}, back to ${ago(info.recorder.oldest)}</span></li>` : nothing}
      </ul>
    </section>`;
  }

  private drawClients(): TemplateResult {
    const rows = this.clients.map(
      (client) => html`<tr>
        <td>${client.name}</td>
        <td>${client.kind}</td>
        <td class="num">${number(client.messages)}</td>
        <td class="num">${bytes(client.bytes)}</td>
        <td class="num">${client.dropped ? mark("warn", "warning", number(client.dropped)) : "0"}</td>
        <td class="num">${age(client.since)}</td>
      </tr>`,
    );
    return html`<section class="panel">
      <header><h2>Clients</h2></header>
      <div class="table-box" tabindex="0" role="region" aria-label="Clients">
        <table>
          <thead><tr><th>Name</th><th>Kind</th><th class="num">Messages</th><th class="num">Traffic</th><th class="num">Lost</th><th class="num">Since</th></tr></thead>
          <tbody>${rows}</tbody>
        </table>
      </div>
      ${rows.length === 0 ? html`<div class="body faint">${count(0, "reader")} of events now.</div>` : nothing}
    </section>`;
  }

  protected override render() {
    return html`<div class="page-head"><h1>Overview</h1></div>
      ${this.drawTiles()}
      <div class="stack">${this.drawMatters()} ${this.drawProxies()}<div class="columns">${this.drawGateway()} ${this.drawClients()}</div></div>`;
  }
}

export function draw(): TemplateResult {
  return html`<overview-page></overview-page>`;
}
