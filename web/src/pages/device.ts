// One device: what is known of it, in tabs.
import { html, nothing, type TemplateResult } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import { get, ProblemError, send, sentenceOf } from "../api/client";
import type { DeviceDetail, Part } from "../api/types";
import { go, link } from "../router";
import { Every, Watch } from "../store/controller";
import { store } from "../store/store";
import { confirmed } from "../ui/dialog";
import { PageElement } from "../ui/element";
import { ago, duration, when, words } from "../ui/format";
import { hint } from "../ui/hints";
import { icon } from "../ui/icons";
import { deviceName, empty, fact, failure, loudness, mark, proxyLink } from "../ui/parts";
import { attempt } from "../ui/toast";
import "./device_data";
import "./device_explain";
import "./device_gatt";
import "./device_settings";
import "./device_signal";

const REFRESH_MS = 4000;

interface Tab {
  name: string;
  title: string;
  part: Part;
  draw: (detail: DeviceDetail, page: DevicePage) => TemplateResult;
}

const TABS: Tab[] = [
  { name: "signal", title: "Signal", part: "ears", draw: (detail) => html`<device-signal .detail=${detail}></device-signal>` },
  { name: "data", title: "Advertising data", part: "core", draw: (detail) => html`<device-data .detail=${detail}></device-data>` },
  { name: "explain", title: "Explain", part: "ears", draw: (detail) => html`<device-explain .address=${detail.address}></device-explain>` },
  { name: "gatt", title: "GATT", part: "gatt", draw: (detail) => html`<device-gatt .detail=${detail}></device-gatt>` },
  { name: "settings", title: "Settings", part: "ears", draw: (detail, page) => html`<device-settings .detail=${detail} @saved=${page.onSaved}></device-settings>` },
];

@customElement("device-page")
export class DevicePage extends PageElement {
  @property() address = "";
  @property() tab = "signal";
  @state() private detail: DeviceDetail | undefined;
  @state() private fault: unknown;

  readonly onSaved = (event: CustomEvent<DeviceDetail>) => (this.detail = event.detail);

  constructor() {
    super();
    new Watch(this, "connections", "info");
    new Every(this, REFRESH_MS, () => void this.load());
  }

  override willUpdate(changed: Map<string, unknown>): void {
    if (!changed.has("address")) return;
    this.detail = undefined;
    this.fault = undefined;
    void this.load();
  }

  private async load(): Promise<void> {
    const { address } = this;
    try {
      const detail = await get<DeviceDetail>(`/devices/${address}`);
      if (address !== this.address) return;
      // The form of the settings keeps what is being typed.
      if (!this.detail || this.tab !== "settings") this.detail = detail;
      this.fault = undefined;
    } catch (error) {
      if (address === this.address) this.fault = error;
    }
  }

  private async forget(): Promise<void> {
    const sure = await confirmed("Forget this device?", "Its settings, its cache and all that was heard of it go. It comes back when it is heard again.", "Forget it");
    if (sure && (await attempt(() => send<void>("DELETE", `/devices/${this.address}`).then(() => true), "Forgotten."))) go(link("devices"));
  }

  private async clearHistory(): Promise<void> {
    await attempt(() => send("POST", `/devices/${this.address}/clear-history`, {}), "The next packet counts as new.");
  }

  // ---- what is drawn ----

  private drawHead(detail: DeviceDetail): TemplateResult {
    const row = store.devices.get(detail.address);
    const live = row?.device ?? detail;
    const linked = store.linkTo(detail.address);
    return html`<div class="page-head">
        <a href=${link("devices")} aria-label="All devices" class="button">${icon("devices")}</a>
        <h1>${deviceName(detail)}</h1>
        ${hint(detail) ? html`<span class="tag">${hint(detail)}</span>` : nothing}
        ${live.available ? mark("good", "ok", "available") : mark("idle", "off", "not available")}
        ${linked ? mark("good", "link", `connected through ${linked.proxy}`) : nothing}
        <div class="grow"></div>
        <button data-needs="control" @click=${() => void this.clearHistory()}>Count as new</button>
        <button class="danger" data-needs="control" @click=${() => void this.forget()}>${icon("trash")} Forget</button>
      </div>
      <dl class="panel body facts head-facts">
        ${fact("Address", html`<code>${detail.address}</code> <span class="faint">${words(detail.address_type)}</span>`)} ${fact("RSSI", loudness(live.rssi))}
        ${fact("Owner", proxyLink(live.proxy))} ${fact("Area", live.area ?? "–")} ${fact("Last heard", `${ago(row?.seen ?? detail.last_seen)}`)}
        ${fact("Interval", live.interval_s === null ? "–" : duration(live.interval_s * 1000))} ${fact("First heard", when(detail.first_seen))}
        ${fact("Connectable", detail.connectable === null ? "not known" : detail.connectable ? "yes" : "no")}
      </dl>`;
  }

  private drawFault(): TemplateResult {
    const isUnknown = this.fault instanceof ProblemError && this.fault.status === 404;
    if (isUnknown) return empty("This device is not known", html`It was never heard, or is forgotten. See <a href=${link("devices")}>all devices</a>.`);
    return failure(sentenceOf(this.fault), () => void this.load());
  }

  protected override render() {
    const { detail } = this;
    if (!detail) return this.fault ? this.drawFault() : html`<p class="loading">Loading…</p>`;
    const tabs = TABS.filter((tab) => store.has(tab.part));
    const shown = tabs.find((tab) => tab.name === this.tab) ?? tabs[0];
    return html`${this.drawHead(detail)}
      <div class="tabs" role="navigation" aria-label="About this device">
        ${tabs.map((tab) => html`<a href=${link("devices", [detail.address, tab.name])} aria-current=${tab === shown ? "page" : nothing}>${tab.title}</a>`)}
      </div>
      ${shown?.draw(detail, this)}`;
  }
}
