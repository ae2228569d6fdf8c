// How loud each proxy hears the device over time, who owned it meanwhile, when it said something new,
// and when proxies asked.
import { html, nothing, type TemplateResult } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import { get, items, sentenceOf } from "../api/client";
import type { DeviceDetail, History, ScanWindow } from "../api/types";
import { Every } from "../store/controller";
import { store } from "../store/store";
import { axisLook, colourOf } from "../ui/chart";
import { PageElement } from "../ui/element";
import { age, number, spacedHex, when, words } from "../ui/format";
import { colour } from "../ui/theme";
import { empty, failure, loudness, mark, proxyLink } from "../ui/parts";

const SPANS: [string, number][] = [
  ["10 min", 600],
  ["1 h", 3600],
  ["6 h", 21600],
  ["24 h", 86400],
];
const REFRESH_MS = 10_000;
const SHORTEST_MS = 120_000; // shown of a young history
const PAYLOADS_SHOWN = 25;

type Point = [number, number | null];

interface Band {
  proxy: string;
  start: number;
  end: number;
}

function points(series: History["rssi"][number], gridMs: number): Point[] {
  const start = Date.parse(series.start);
  return series.rssi.map((value, i) => [start + i * gridMs, value ?? null]);
}

// The owners as stretches of time, the last one to the end.
function bands(history: History, owner: string | null): Band[] {
  const since = Math.max(Date.parse(history.since), Math.min(...history.rssi.map((series) => Date.parse(series.start))));
  const until = Date.parse(history.until);
  const changes = history.owners.map((change) => ({ ...change, at: Date.parse(change.time) })).sort((a, b) => a.at - b.at);
  const first = changes[0]?.from ?? (changes.length === 0 ? owner : null);
  const marks = [...(first ? [{ to: first, at: since }] : []), ...changes];
  return marks.map((change, i) => ({ proxy: change.to, start: change.at, end: marks[i + 1]?.at ?? until }));
}

@customElement("device-signal")
export class DeviceSignal extends PageElement {
  @property({ attribute: false }) detail!: DeviceDetail;
  @state() private history: History | undefined;
  @state() private windows: ScanWindow[] = [];
  @state() private span = 600;
  @state() private fault = "";

  constructor() {
    super();
    new Every(this, REFRESH_MS, () => void this.load());
  }

  override connectedCallback(): void {
    super.connectedCallback();
    void this.load();
  }

  private async load(): Promise<void> {
    const since = new Date(Date.now() - this.span * 1000).toISOString();
    try {
      this.history = await get<History>(`/devices/${this.detail.address}/history`, { since });
      this.windows = await items<ScanWindow>("/scan/windows", { limit: 200 }, 200);
      this.fault = "";
    } catch (error) {
      this.fault = sentenceOf(error);
    }
  }

  private choose(span: number): void {
    this.span = span;
    void this.load();
  }

  // ---- the chart ----

  private chart(history: History): object {
    const names = [...store.proxies.keys()].sort();
    const since = Math.max(Date.now() - this.span * 1000, Math.min(Date.now() - SHORTEST_MS, ...history.rssi.map((series) => Date.parse(series.start))));
    const time = { type: "time", min: since, max: Date.now(), ...axisLook() };
    const lines = history.rssi.map((series) => ({
      type: "line",
      name: series.proxy,
      data: points(series, history.grid_s * 1000),
      symbol: "circle",
      symbolSize: 3,
      connectNulls: false,
      lineStyle: { width: series.proxy === this.detail.proxy ? 2.6 : 1.2 },
      itemStyle: { color: colourOf(series.proxy, names) },
    }));
    return {
      legend: { type: "scroll", top: 0, textStyle: { color: colour("soft") }, inactiveColor: colour("line"), data: history.rssi.map((one) => one.proxy) },
      grid: [
        { left: 46, right: 14, top: 34, height: 200 },
        { left: 46, right: 14, top: 240, height: 16 },
      ],
      xAxis: [
        { ...time, splitLine: { show: false }, axisLabel: { show: false }, axisTick: { show: false } },
        { ...time, gridIndex: 1, splitLine: { show: false }, axisLine: { show: false } },
      ],
      yAxis: [
        { type: "value", name: "dBm", min: -100, max: -30, nameTextStyle: { color: colour("faint") }, ...axisLook() },
        { type: "value", gridIndex: 1, min: 0, max: 1, show: false },
      ],
      tooltip: { trigger: "axis", valueFormatter: (value: unknown) => (typeof value === "number" ? `${value.toFixed(1)} dBm` : "–"), axisPointer: { lineStyle: { color: colour("faint") } }, renderMode: "richText", confine: true },
      series: [...lines, this.ownerSeries(history, names), this.payloadSeries(history), this.windowSeries()],
    };
  }

  private ownerSeries(history: History, names: string[]): object {
    const stretches = bands(history, this.detail.proxy);
    type Api = { value(i: number): number; coord(point: number[]): number[] };
    return {
      type: "custom",
      name: "owner",
      xAxisIndex: 1,
      yAxisIndex: 1,
      silent: true,
      tooltip: { show: false },
      data: stretches.map((band) => [band.start, band.end, 0.5]),
      encode: { x: [0, 1], y: 2 },
      renderItem: (params: { dataIndex: number; coordSys: { x: number; y: number; width: number; height: number } }, api: Api) => {
        const box = params.coordSys;
        const left = Math.max(box.x, api.coord([api.value(0), 0])[0]!);
        const right = Math.min(box.x + box.width, api.coord([api.value(1), 0])[0]!);
        const proxy = stretches[params.dataIndex]!.proxy;
        const width = Math.max(0, right - left);
        return {
          type: "group",
          children: [
            { type: "rect", shape: { x: left, y: box.y, width, height: box.height }, style: { fill: colourOf(proxy, names) } },
            { type: "text", style: { text: width > 60 ? proxy : "", x: left + 5, y: box.y + 3, fill: colour("panel"), font: "600 11px sans-serif" } },
          ],
        };
      },
    };
  }

  private payloadSeries(history: History): object {
    return {
      type: "scatter",
      name: "new payload",
      symbol: "triangle",
      symbolSize: 7,
      itemStyle: { color: colour("faint") },
      tooltip: { show: false },
      data: history.payloads.slice(-200).map((payload) => [Date.parse(payload.time), -98.5]),
    };
  }

  private windowSeries(): object {
    const mine = this.windows.filter((window) => window.started !== null && (window.addresses.length === 0 || window.addresses.includes(this.detail.address)));
    return {
      type: "line",
      name: "active scan",
      data: [],
      markArea: {
        silent: true,
        itemStyle: { color: colour("busy"), opacity: 0.14 },
        data: mine.map((window) => [{ xAxis: Date.parse(window.started!) }, { xAxis: Date.parse(window.ended ?? window.ends ?? window.started!) }]),
      },
    };
  }

  // ---- what is drawn ----

  private drawChart(): TemplateResult {
    const { history } = this;
    if (this.fault && !history) return failure(this.fault, () => void this.load());
    if (!history) return html`<p class="loading">Loading…</p>`;
    if (history.rssi.length === 0) return empty("Nothing was heard in this time", "Choose a longer one, or wait for the next packet.");
    const words = `Loudness at ${history.rssi.length} proxies in the last ${this.span / 60} minutes; ${history.owners.length} changes of the owner.`;
    return html`<bf-chart .make=${() => this.chart(history)} .label=${words}></bf-chart>
      <p class="help">The band is the owner; triangles are new payloads; blue stretches are windows of active scanning.${history.truncated ? " Older things are no longer kept." : ""}</p>`;
  }

  private drawSources(): TemplateResult {
    return html`<section class="panel">
      <header><h2>Heard by</h2></header>
      <div class="table-box" tabindex="0" role="region" aria-label="Heard by">
        <table>
          <thead><tr><th>Proxy</th><th>RSSI</th><th class="num">Smoothed</th><th class="num">Packets</th><th class="num">Last</th><th></th></tr></thead>
          <tbody>
            ${this.detail.sources.map(
              (source) => html`<tr>
                <td>${proxyLink(source.proxy)}</td>
                <td>${loudness(source.rssi)}</td>
                <td class="num">${number(source.rssi_smoothed, 1)}</td>
                <td class="num">${number(source.advertisements)}</td>
                <td class="num">${age(source.last_seen)}</td>
                <td>${source.owner ? mark("good", "ok", "owner") : nothing}</td>
              </tr>`,
            )}
          </tbody>
        </table>
      </div>
    </section>`;
  }

  private drawOwners(): TemplateResult {
    const owners = [...(this.history?.owners ?? [])].reverse().slice(0, 30);
    return html`<section class="panel">
      <header><h2>Owner changes</h2></header>
      ${owners.length === 0 ? html`<div class="body faint">None in this time.</div>` : nothing}
      <ul class="list scroll-list">
        ${owners.map(
          (change) => html`<li>
            <span class="num faint">${when(change.time)}</span>
            <span class="grow">${change.from ?? "nobody"} → <b>${change.to}</b> <span class="tag">${words(change.why)}</span></span>
            <span class="num soft">${number(change.rssi_from, 1)} → ${number(change.rssi_to, 1)} dBm</span>
          </li>`,
        )}
      </ul>
    </section>`;
  }

  private drawPayloads(): TemplateResult {
    const payloads = [...(this.history?.payloads ?? [])].reverse().slice(0, PAYLOADS_SHOWN);
    return html`<section class="panel">
      <header><h2>Payload changes</h2></header>
      ${payloads.length === 0 ? html`<div class="body faint">None in this time.</div>` : nothing}
      <ul class="list scroll-list">
        ${payloads.map(
          (payload) => html`<li><span class="num faint">${when(payload.time)}</span><span>${payload.proxy}</span><code class="hex">${spacedHex(payload.raw ?? "")}</code></li>`,
        )}
      </ul>
    </section>`;
  }

  protected override render() {
    return html`<div class="stack">
      <section class="panel">
        <header>
          <h2>Signal</h2>
          <div class="grow"></div>
          <div class="actions" role="group" aria-label="Time shown">
            ${SPANS.map(([name, span]) => html`<button class="small ${span === this.span ? "primary" : ""}" aria-pressed=${span === this.span} @click=${() => this.choose(span)}>${name}</button>`)}
          </div>
        </header>
        <div class="body">${this.drawChart()}</div>
      </section>
      ${this.drawSources()}
      <div class="columns">${this.drawOwners()} ${this.drawPayloads()}</div>
    </div>`;
  }
}
