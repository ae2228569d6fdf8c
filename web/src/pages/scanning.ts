// When proxies scan actively, for whom, and what came of it: windows on a line of time, and the
// standing needs behind them.
import { html, nothing, svg, type TemplateResult } from "lit";
import { customElement, state } from "lit/decorators.js";
import { items, send } from "../api/client";
import type { Need, ScanWindow } from "../api/types";
import { Every, Watch } from "../store/controller";
import { store } from "../store/store";
import { PageElement } from "../ui/element";
import { count, duration, number, when, words } from "../ui/format";
import { icon, type Icon } from "../ui/icons";
import { deviceLink, deviceName, empty, isOnline, mark, proxyLink, type Tone } from "../ui/parts";
import { attempt } from "../ui/toast";

const PAST_MS = 30 * 60_000;
const AHEAD_MS = 5 * 60_000;
const WIDTH = 1000;
const NEEDS_MS = 10_000;

const STATES: Record<ScanWindow["state"], [Tone, Icon]> = {
  planned: ["idle", "wait"],
  opening: ["busy", "wait"],
  running: ["good", "scanning"],
  done: ["good", "ok"],
  refused: ["warn", "warning"],
  failed: ["bad", "error"],
};

function startOf(window: ScanWindow): number {
  return Date.parse(window.started ?? window.planned);
}

function endOf(window: ScanWindow): number {
  const end = window.ended ?? window.ends;
  return end ? Date.parse(end) : startOf(window) + window.duration_s * 1000;
}

@customElement("scanning-page")
export class ScanningPage extends PageElement {
  @state() private needs: Need[] = [];
  @state() private seconds = 10;
  @state() private chosen = "";

  constructor() {
    super();
    new Watch(this, "windows", "proxies");
    new Every(this, 1000, () => this.requestUpdate());
    new Every(this, NEEDS_MS, () => void this.load());
  }

  override connectedCallback(): void {
    super.connectedCallback();
    void this.load();
  }

  private async load(): Promise<void> {
    await store.loadWindows().catch(() => undefined);
    this.needs = await items<Need>("/scan/needs").catch(() => this.needs);
  }

  private async open(): Promise<void> {
    const body = { proxies: this.chosen ? [this.chosen] : null, duration_s: this.seconds };
    await attempt(() => send<{ items: ScanWindow[] }>("POST", "/scan/windows", body), (answer) => `${count(answer.items.length, "window")} of ${this.seconds} s.`);
  }

  private async end(need: Need): Promise<void> {
    await attempt(() => send("DELETE", `/scan/needs/${need.address}`), "It is no longer asked.");
    void this.load();
  }

  // ---- the line of time ----

  private drawBar(window: ScanWindow, now: number): TemplateResult {
    const x = (time: number) => ((time - now + PAST_MS) / (PAST_MS + AHEAD_MS)) * WIDTH;
    const left = Math.max(0, x(startOf(window)));
    const width = Math.max(3, Math.min(WIDTH, x(endOf(window))) - left);
    return svg`<rect class="window ${window.state}" x=${left} y="3" width=${width} height="14" rx="2"><title>${window.cause}, ${window.state}, ${when(startOf(window))}</title></rect>` as TemplateResult;
  }

  private drawTimeline(windows: ScanWindow[]): TemplateResult {
    const now = Date.now();
    const seen = windows.filter((window) => endOf(window) > now - PAST_MS && startOf(window) < now + AHEAD_MS);
    const nowX = (PAST_MS / (PAST_MS + AHEAD_MS)) * WIDTH;
    const names = [...store.proxies.values()].filter(isOnline).map((proxy) => proxy.name).sort();
    return html`<section class="panel">
      <header>
        <h2>Windows</h2><span class="help">the last 30 min, and the next 5</span>
        <div class="grow"></div>
        <span class="tags legend"><i class="running"></i>running <i class="done"></i>done <i class="planned"></i>planned <i class="refused"></i>refused or failed</span>
      </header>
      <div class="body timeline">
        ${names.map(
          (name) => html`<div class="lane">
            ${proxyLink(name)}
            <svg viewBox="0 0 ${WIDTH} 20" preserveAspectRatio="none" role="img" aria-label=${`${count(seen.filter((one) => one.proxy === name).length, "window")} of ${name}`}>
              <line x1="0" y1="19.5" x2=${WIDTH} y2="19.5" class="base" /><line x1=${nowX} y1="0" x2=${nowX} y2="20" class="now" />
              ${seen.filter((window) => window.proxy === name).map((window) => this.drawBar(window, now))}
            </svg>
          </div>`,
        )}
        <div class="lane faint"><span></span><div class="hours"><span>-30 min</span><span>-20</span><span>-10</span><span>now</span></div></div>
      </div>
    </section>`;
  }

  // ---- lists ----

  private drawNeeds(): TemplateResult {
    const rows = this.needs.map((need) => {
      const device = store.devices.get(need.address)?.device;
      return html`<tr>
        <td>${deviceLink(need.address, device ? deviceName(device) : need.address)}</td>
        <td>${words(need.state)}</td>
        <td>${proxyLink(need.proxy)}</td>
        <td class="num">every ${duration(need.interval_s * 1000)}</td>
        <td class="num">for ${need.duration_s} s</td>
        <td class="num">${when(need.next_due)}</td>
        <td class="num">${number(need.answered)}</td>
        <td class="num">${number(need.missed)}</td>
        <td class="right"><button class="small" data-needs="control" @click=${() => void this.end(need)}>End</button></td>
      </tr>`;
    });
    const none = "Devices that tell something only when asked can be asked again and again: in the settings of the device.";
    return html`<section class="panel">
      <header><h2>Standing needs</h2></header>
      ${rows.length === 0
        ? empty("None", none)
        : html`<div class="table-box" tabindex="0" role="region" aria-label="Standing needs">
            <table>
              <thead><tr><th>Device</th><th>State</th><th>Proxy</th><th class="num">Asked</th><th></th><th class="num">Next</th><th class="num">Answered</th><th class="num">Missed</th><th></th></tr></thead>
              <tbody>${rows}</tbody>
            </table>
          </div>`}
    </section>`;
  }

  private drawList(windows: ScanWindow[]): TemplateResult | typeof nothing {
    if (windows.length === 0) return nothing;
    return html`<section class="panel">
      <header><h2>Latest windows</h2></header>
      <div class="table-box" tabindex="0" role="region" aria-label="Latest windows">
        <table>
          <thead><tr><th>Proxy</th><th>State</th><th>Cause</th><th>For</th><th class="num">Started</th><th class="num">Length</th><th class="num">Answered</th><th>Detail</th></tr></thead>
          <tbody>
            ${windows.slice(0, 50).map((window) => {
              const [tone, name] = STATES[window.state];
              return html`<tr>
                <td>${proxyLink(window.proxy)}</td>
                <td>${mark(tone, name, window.state)}</td>
                <td>${window.cause}</td>
                <td>${window.addresses.length ? count(window.addresses.length, "device") : "all"}</td>
                <td class="num">${when(window.started ?? window.planned)}</td>
                <td class="num">${window.started ? duration(Math.max(0, endOf(window) - startOf(window))) : "–"}</td>
                <td class="num">${window.addresses.length ? `${window.answered} of ${window.addresses.length}` : "–"}</td>
                <td class="soft">${window.detail ?? ""}</td>
              </tr>`;
            })}
          </tbody>
        </table>
      </div>
    </section>`;
  }

  protected override render() {
    const windows = [...store.windows.values()].sort((a, b) => startOf(b) - startOf(a));
    return html`<div class="page-head">
        <h1>Scanning</h1>
        <div class="grow"></div>
        <select data-needs="control" aria-label="Which proxies" @change=${(event: Event) => (this.chosen = (event.target as HTMLSelectElement).value)}>
          <option value="">All proxies</option>
          ${[...store.proxies.keys()].sort().map((name) => html`<option value=${name}>${name}</option>`)}
        </select>
        <select data-needs="control" aria-label="How long" @change=${(event: Event) => (this.seconds = Number((event.target as HTMLSelectElement).value))}>
          ${[5, 10, 20, 35].map((seconds) => html`<option value=${seconds} ?selected=${seconds === this.seconds}>${seconds} s</option>`)}
        </select>
        <button class="primary" data-needs="control" @click=${() => void this.open()}>${icon("scanning")} Scan actively</button>
      </div>
      <div class="stack">${this.drawTimeline(windows)} ${this.drawNeeds()} ${this.drawList(windows)}</div>`;
  }
}

export function draw(): TemplateResult {
  return html`<scanning-page></scanning-page>`;
}
