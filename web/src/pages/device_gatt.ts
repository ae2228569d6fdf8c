// What is inside the device: connect, look at its services, read, write, and listen.
import { html, nothing, type TemplateResult } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import { get, ProblemError, send, sentenceOf } from "../api/client";
import type { BondResult, CacheCleared, Connection, DeviceDetail, GattTree, NotificationEvent } from "../api/types";
import { Watch } from "../store/controller";
import { Lease } from "../store/lease";
import { store } from "../store/store";
import { confirmed } from "../ui/dialog";
import { PageElement } from "../ui/element";
import { age, count, number, shortUuid, spacedHex, when, words } from "../ui/format";
import { icon } from "../ui/icons";
import { empty, fact, mark, proxyLink } from "../ui/parts";
import { attempt } from "../ui/toast";
import "./gatt_characteristic";

const LOG_MAX = 500;

// In the units of Bluetooth, with what suits a device that is read now and then.
const PARAMETERS: [string, string, number][] = [
  ["min_interval", "Shortest interval (1.25 ms)", 24],
  ["max_interval", "Longest interval (1.25 ms)", 40],
  ["latency", "Latency (events)", 0],
  ["timeout", "Timeout (10 ms)", 400],
];

@customElement("device-gatt")
export class DeviceGatt extends PageElement {
  @property({ attribute: false }) detail!: DeviceDetail;
  @state() private tree: GattTree | undefined;
  @state() private lease: Lease | undefined;
  @state() private awaited: Lease | undefined; // one that is still opened
  @state() private isBusy = false;
  @state() private fault = "";
  @state() private log: NotificationEvent[] = [];
  private readonly newest = new Map<number, NotificationEvent>();
  private stopListening: (() => void) | undefined;

  constructor() {
    super();
    new Watch(this, "connections");
  }

  override connectedCallback(): void {
    super.connectedCallback();
    this.stopListening = store.onNotification((event) => this.onNotification(event));
    if (this.detail.gatt?.cached) void this.loadTree();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.stopListening?.();
    for (const lease of [this.lease, this.awaited]) void lease?.release().catch(() => undefined);
    this.lease = undefined;
    this.awaited = undefined;
  }

  private get path(): string {
    return `/devices/${this.detail.address}`;
  }

  private onNotification(event: NotificationEvent): void {
    if (event.address !== this.detail.address) return;
    this.newest.set(event.handle, event);
    this.log = [event, ...this.log.slice(0, LOG_MAX - 1)];
  }

  // ---- what is done ----

  private async connect(proxy: string | null): Promise<void> {
    const lease = new Lease(this.detail.address, (error) => this.onLost(error));
    this.awaited = lease;
    this.fault = "";
    try {
      await lease.open(proxy);
      this.lease = lease;
      await this.loadTree();
    } catch (error) {
      if (this.awaited === lease) this.fault = explain(error);
    }
    if (this.awaited === lease) this.awaited = undefined;
  }

  private async cancel(): Promise<void> {
    const { awaited } = this;
    this.awaited = undefined;
    await awaited?.release();
  }

  private onLost(error: unknown): void {
    this.lease = undefined;
    this.fault = `The link is gone: ${sentenceOf(error)}`;
  }

  private async disconnect(): Promise<void> {
    const { lease } = this;
    this.lease = undefined;
    if (lease) await attempt(() => lease.release(), "Let go; the link closes unless others hold it.");
  }

  private async loadTree(refresh = false): Promise<void> {
    this.isBusy = true;
    this.tree = (await attempt(() => get<GattTree>(`${this.path}/services`, refresh ? { refresh, lease: this.lease?.id } : {}))) ?? this.tree;
    this.isBusy = false;
  }

  private async pair(): Promise<void> {
    await attempt(() => send<BondResult>("POST", `${this.path}/bond`, {}), (result) => `Paired through ${result.proxy}.`);
  }

  private async unpair(): Promise<void> {
    const sure = await confirmed("End the bond?", "Every proxy that holds a bond with this device forgets it. The device may want to be told, too.", "End the bond");
    if (sure) await attempt(() => send("DELETE", `${this.path}/bond`), "The bond is gone.");
  }

  private async clearCache(): Promise<void> {
    const done = await attempt(() => send<CacheCleared>("DELETE", `${this.path}/gatt-cache`), (result) => result.warning ?? "The known services are forgotten.");
    if (done) this.tree = undefined;
  }

  private readonly setParameters = (event: SubmitEvent) => {
    event.preventDefault();
    const data = new FormData(event.target as HTMLFormElement);
    const body = Object.fromEntries(PARAMETERS.map(([name]) => [name, Number(data.get(name))]));
    void attempt(() => send("PUT", `${this.path}/connection/parameters`, body), "The device was asked for these parameters.");
  };

  // ---- what is drawn ----

  private drawParameters(): TemplateResult {
    return html`<details data-needs="control">
      <summary class="help">Connection parameters</summary>
      <form class="actions parameters" @submit=${this.setParameters}>
        ${PARAMETERS.map(
          ([name, title, standard]) => html`<label class="field"><span>${title}</span><input class="small short num" name=${name} type="number" required min="0" .value=${String(standard)} /></label>`,
        )}
        <button class="small">Ask for them</button>
      </form>
    </details>`;
  }

  private drawLink(): TemplateResult {
    const link = store.connections.get(this.detail.address);
    const proxies = this.detail.sources.map((source) => source.proxy);
    const connect = () => {
      const proxy = this.querySelector<HTMLSelectElement>("select.through")?.value;
      void this.connect(proxy || null);
    };
    const choice = html`<select class="through" data-needs="control" aria-label="Through which proxy">
        <option value="">the best proxy</option>
        ${proxies.map((proxy) => html`<option value=${proxy}>${proxy}</option>`)}
      </select>
      <button class="primary" data-needs="control" @click=${connect}>Connect</button>`;
    const cancel = html`<button @click=${() => void this.cancel()}>Cancel</button>`;
    return html`<section class="panel">
      <header>
        <h2>Link</h2>
        ${stateOf(link, this.awaited !== undefined)}
        <div class="grow"></div>
        ${this.lease ? html`<button @click=${() => void this.disconnect()}>Disconnect</button>` : this.awaited ? cancel : choice}
      </header>
      <div class="body">
        ${this.fault ? html`<p class="fault" role="alert">${this.fault}</p>` : nothing}
        <dl class="facts">
          ${fact("Proxy", proxyLink(link?.proxy ?? null))} ${fact("Since", link?.since ? when(link.since) : "–")} ${fact("MTU", link?.mtu ? `${link.mtu} (${link.mtu_source})` : "–")}
          ${fact("Held by", link?.leases.map((one) => `${one.client}${one.purpose ? ` (${one.purpose})` : ""}`).join(", ") || "nobody")}
          ${fact("Bonded on", this.detail.bonds.join(", ") || "no proxy")}
        </dl>
        ${link?.state === "connected" ? this.drawParameters() : nothing}
      </div>
    </section>`;
  }

  private drawTools(): TemplateResult {
    return html`<div class="actions" data-needs="control">
      <button class="small" ?disabled=${this.isBusy} @click=${() => void this.loadTree(true)}>${icon("refresh")} Discover anew</button>
      <button class="small" @click=${() => void this.clearCache()}>Forget services</button>
      <button class="small" @click=${() => void this.pair()}>Pair</button>
      <button class="small" ?disabled=${this.detail.bonds.length === 0} @click=${() => void this.unpair()}>End bond</button>
    </div>`;
  }

  private drawTree(): TemplateResult {
    const { tree } = this;
    const head = html`<header>
      <h2>Services</h2>
      ${tree ? html`<span class="help">${tree.source === "store" ? "known" : "discovered"} since ${age(tree.updated)}</span>` : nothing}
      <div class="grow"></div>
      ${this.drawTools()}
    </header>`;
    if (!tree) return html`<section class="panel">${head}${empty("Its services are not known yet", "Connect, and they are discovered; from then on they are known without a link.")}</section>`;
    return html`<section class="panel">
      ${head}
      ${tree.services.map(
        (service) => html`<details class="service" open>
          <summary><b>${service.name ?? "Unknown service"}</b> <code class="faint">${shortUuid(service.uuid)}</code></summary>
          ${service.characteristics.map(
            (item) => html`<gatt-characteristic
              .address=${this.detail.address}
              .lease=${this.lease?.id}
              .item=${item}
              .heard=${this.newest.get(item.handle)}
            ></gatt-characteristic>`,
          )}
        </details>`,
      )}
    </section>`;
  }

  private nameOf(handle: number): string {
    const all = this.tree?.services.flatMap((service) => service.characteristics) ?? [];
    const item = all.find((one) => one.handle === handle);
    return item?.name ?? (item ? shortUuid(item.uuid) : String(handle));
  }

  private drawLog(): TemplateResult | typeof nothing {
    if (this.log.length === 0) return nothing;
    return html`<section class="panel">
      <header>
        <h2>Notifications</h2><span class="tag num">${number(this.log.length)}</span>
        <div class="grow"></div>
        <button class="small" @click=${() => (this.log = [])}>Clear</button>
      </header>
      <ul class="list scroll-list notifications" aria-label="Notifications, newest first">
        ${this.log.slice(0, 100).map(
          (event) => html`<li><span class="num faint">${when(event.time)}</span><span>${this.nameOf(event.handle)}</span><code class="hex grow">${spacedHex(event.value)}</code><span class="num faint">${event.counter}</span></li>`,
        )}
      </ul>
    </section>`;
  }

  protected override render() {
    return html`<div class="stack">${this.drawLink()} ${this.drawLog()} ${this.drawTree()}</div>`;
  }
}

// In words; attempts that failed so far are told, so that nobody waits without knowing for what.
function stateOf(link: Connection | undefined, isAwaited: boolean): TemplateResult {
  if (!link) return isAwaited ? mark("busy", "wait", "asked for") : mark("idle", "off", "not connected");
  if (link.state === "connected") return mark("good", "ok", "connected");
  const failed = link.attempts.filter((one) => one.result !== "connected").length;
  const how = `${words(link.state)}${link.proxy ? ` through ${link.proxy}` : ""}${failed ? `; ${count(failed, "attempt")} failed` : ""}`;
  return mark("busy", "wait", how);
}

// What the gateway says about a link that did not come, with who holds the slots.
function explain(error: unknown): string {
  if (!(error instanceof ProblemError)) return sentenceOf(error);
  const holders = error.problem.holders?.map((holder) => `${holder.address} on ${holder.proxy}`).join(", ");
  return holders ? `${error.message} The slots are held for ${holders}.` : error.message;
}
