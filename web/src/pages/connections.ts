// The links: which are open, who holds them, who waits, and how the last attempts went.
import { html, nothing, type TemplateResult } from "lit";
import { customElement } from "lit/decorators.js";
import { send } from "../api/client";
import type { Attempt, Connection } from "../api/types";
import { link } from "../router";
import { Every, Watch } from "../store/controller";
import { store } from "../store/store";
import { confirmed } from "../ui/dialog";
import { PageElement } from "../ui/element";
import { age, count, duration, shortUuid, when, words } from "../ui/format";
import { icon } from "../ui/icons";
import { deviceLink, deviceName, empty, mark, proxyLink } from "../ui/parts";
import { attempt } from "../ui/toast";

function nameOf(address: string): string {
  const device = store.devices.get(address)?.device;
  return device ? deviceName(device) : address;
}

function stateMark(one: Connection): TemplateResult {
  if (one.state === "connected") return one.linger_until ? mark("idle", "wait", "lingers") : mark("good", "ok", "connected");
  if (one.state === "queued") return mark("busy", "wait", `waits, number ${one.queue_position ?? "?"}`);
  return mark("busy", "wait", words(one.state));
}

function left(time: string): string {
  return duration(Math.max(0, Date.parse(time) - Date.now()));
}

@customElement("connections-page")
export class ConnectionsPage extends PageElement {
  constructor() {
    super();
    new Watch(this, "connections", "proxies", "info");
    new Every(this, 1000, () => this.requestUpdate());
  }

  override connectedCallback(): void {
    super.connectedCallback();
    void store.refresh();
  }

  private async close(one: Connection): Promise<void> {
    const holders = one.leases.length > 0 ? `It is held by ${one.leases.map((lease) => lease.client).join(", ")}.` : "Nobody holds it.";
    const sure = await confirmed(`Close the link to ${nameOf(one.address)}?`, `${holders} It is closed for everybody.`, "Close it");
    if (sure) await attempt(() => send("DELETE", `/devices/${one.address}/connection`), "The link is closed.");
  }

  private async closeStale(): Promise<void> {
    const ask = () => send<{ items: unknown[] }>("POST", "/connections/close-stale", {});
    await attempt(ask, (answer) => `${count(answer.items.length, "link or slot", "links and slots")} freed.`);
    void store.refresh();
  }

  // ---- what is drawn ----

  private drawLeases(one: Connection): TemplateResult {
    if (one.linger_until) return html`<span class="faint">closes in ${left(one.linger_until)}</span>`;
    return html`${one.leases.map(
      (lease) => html`<div>${lease.client}${lease.purpose ? html` <span class="soft">${lease.purpose}</span>` : nothing} <span class="faint num">${lease.expires ? left(lease.expires) : "for ever"}</span></div>`,
    )}`;
  }

  private drawRow(one: Connection): TemplateResult {
    return html`<tr>
      <td>${deviceLink(one.address, nameOf(one.address))}</td>
      <td>${stateMark(one)}</td>
      <td>${proxyLink(one.proxy)}</td>
      <td class="num">${one.since ? age(one.since) : "–"}</td>
      <td class="num">${one.mtu ?? "–"}</td>
      <td>${this.drawLeases(one)}</td>
      <td>${one.subscriptions.map((entry) => html`<div>${shortUuid(entry.characteristic)} <span class="faint num">${entry.counter}</span></div>`)}</td>
      <td class="right"><button class="small" data-needs="control" @click=${() => void this.close(one)}>Close</button></td>
    </tr>`;
  }

  private drawLinks(links: Connection[]): TemplateResult {
    if (links.length === 0) {
      const text = html`A link opens when a program asks for one, or here: choose one of the <a href=${link("devices")}>devices</a> and its GATT.`;
      return html`<section class="panel">${empty("No links now", text)}</section>`;
    }
    return html`<section class="panel">
      <div class="table-box" tabindex="0" role="region" aria-label="Links">
        <table>
          <thead><tr><th>Device</th><th>State</th><th>Proxy</th><th class="num">Since</th><th class="num">MTU</th><th>Held by</th><th>Subscriptions</th><th></th></tr></thead>
          <tbody>${links.map((one) => this.drawRow(one))}</tbody>
        </table>
      </div>
    </section>`;
  }

  private drawAttempt(address: string, one: Attempt): TemplateResult {
    const terms = Object.entries(one.score_terms).filter(([, value]) => value !== 0);
    return html`<li>
      <span class="num faint">${when(one.started)}</span>${deviceLink(address, nameOf(address))} <span>through ${proxyLink(one.proxy)}</span>
      <span class="grow">${one.result === "connected" ? mark("good", "ok", "connected") : mark("bad", "error", words(one.result))} <span class="soft">${one.reason?.name ?? ""}</span></span>
      <span class="faint num">${terms.map(([name, value]) => `${words(name)} ${value}`).join(", ")}</span>
      <span class="num">${duration(one.duration_ms)}</span>
    </li>`;
  }

  protected override render() {
    const links = [...store.connections.values()].sort((a, b) => (a.queue_position ?? 0) - (b.queue_position ?? 0) || a.address.localeCompare(b.address));
    const attempts = links.flatMap((one) => one.attempts.map((entry) => ({ address: one.address, entry }))).sort((a, b) => (a.entry.started < b.entry.started ? 1 : -1));
    const orphans = [...store.proxies.values()].reduce((sum, proxy) => sum + proxy.slots.orphans, 0);
    return html`<div class="page-head">
        <h1>Connections</h1>
        <span class="faint num">${links.filter((one) => one.state === "connected").length} open, ${links.filter((one) => one.state === "queued").length} waiting</span>
        <div class="grow"></div>
        ${orphans ? mark("warn", "warning", `${count(orphans, "slot")} held by nobody`) : nothing}
        <button data-needs="control" title="Links that nobody holds, and slots of nobody" @click=${() => void this.closeStale()}>${icon("trash")} Free what nobody holds</button>
      </div>
      <div class="stack">
        ${this.drawLinks(links)}
        ${attempts.length
          ? html`<section class="panel"><header><h2>Attempts of these links</h2></header><ul class="list scroll-list">${attempts.map(({ address, entry }) => this.drawAttempt(address, entry))}</ul></section>`
          : nothing}
      </div>`;
  }
}

export function draw(): TemplateResult {
  return html`<connections-page></connections-page>`;
}
