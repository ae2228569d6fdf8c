// Who hears whom: proxies and devices drawn together by loudness, the owner's line bold.
import { html, nothing, type TemplateResult } from "lit";
import { customElement, state } from "lit/decorators.js";
import { go, link } from "../router";
import { Every } from "../store/controller";
import { listeners, store, type DeviceRow } from "../store/store";
import { colourOf, type Chart } from "../ui/chart";
import { PageElement } from "../ui/element";
import { count, number } from "../ui/format";
import { hint } from "../ui/hints";
import { icon } from "../ui/icons";
import { deviceName, empty, givenName, isOnline } from "../ui/parts";
import { saveFile } from "../ui/save_file";
import { colour } from "../ui/theme";

const REFRESH_MS = 10_000;
const DEVICES_MAX = 300; // more cannot be told apart

interface Node {
  id: string;
  name: string;
  [look: string]: unknown;
}

@customElement("map-page")
export class MapPage extends PageElement {
  @state() private search = "";
  @state() private proxy = "";
  @state() private rssiMin = -100;
  @state() private isOwnerOnly = false;
  @state() private isNamedOnly = false;
  private opened = 0;
  private drawn = 0;

  constructor() {
    super();
    new Every(this, 500, () => {
      const isYoung = Date.now() - this.opened < REFRESH_MS; // the first events bring who hears whom
      if (isYoung || Date.now() - this.drawn > REFRESH_MS) this.requestUpdate();
    });
  }

  override connectedCallback(): void {
    super.connectedCallback();
    this.opened = Date.now();
  }

  private devices(): DeviceRow[] {
    const wanted = this.search.toLowerCase();
    return [...store.devices.values()]
      .filter(({ device }) => `${deviceName(device)} ${device.address}`.toLowerCase().includes(wanted))
      .filter(({ device, heard }) => !this.proxy || device.proxy === this.proxy || (!this.isOwnerOnly && heard.has(this.proxy)))
      .filter(({ device }) => device.available && (device.rssi ?? -128) >= this.rssiMin && (!this.isNamedOnly || givenName(device) !== null))
      .sort((a, b) => (b.device.rssi ?? -128) - (a.device.rssi ?? -128));
  }

  // ---- the graph ----

  private proxyNode(name: string, names: string[]): Node {
    const proxy = store.proxies.get(name)!;
    const isOn = isOnline(proxy);
    return {
      id: `proxy ${name}`,
      name,
      value: 100, // what repels
      symbolSize: 28,
      symbol: isOn ? "circle" : "emptyCircle",
      itemStyle: { color: isOn ? colourOf(name, names) : colour("faint"), borderColor: colour("panel"), borderWidth: 2 },
      label: { show: true, position: "bottom", fontWeight: 600, color: colour("text"), formatter: isOn ? name : `${name} (away)` },
      href: link("proxies", [name]),
    };
  }

  private deviceNode(row: DeviceRow, names: string[], isCrowded: boolean): Node {
    const { device } = row;
    const name = givenName(device);
    return {
      id: device.address,
      name: device.address,
      value: 1,
      symbolSize: store.linkTo(device.address) ? 13 : 9,
      itemStyle: { color: device.proxy ? colourOf(device.proxy, names) : colour("faint"), borderColor: colour("panel"), borderWidth: 1 },
      label: { show: name !== null && !isCrowded, position: "right", color: colour("soft"), fontSize: 11, formatter: name ?? "" },
      about: `${name ?? (hint(device) || device.address)}\n${device.address}\n${device.proxy ?? "nobody"} ${device.rssi ?? ""} dBm`,
      href: link("devices", [device.address]),
    };
  }

  private edges(row: DeviceRow, names: string[]): object[] {
    const { device } = row;
    const heard = listeners(row).map(([proxy, { smoothed }]) => ({ proxy, rssi: smoothed }));
    return heard
      .filter(({ proxy }) => store.proxies.has(proxy) && (!this.isOwnerOnly || proxy === device.proxy))
      .map(({ proxy, rssi }, rank) => {
        const isOwner = proxy === device.proxy;
        return {
          source: device.address,
          target: `proxy ${proxy}`,
          value: Math.max(1, 110 + rssi),
          ignoreForceLayout: rank > 1, // all hear all: only owner and next best decide where it lies
          lineStyle: { width: isOwner ? 2.6 : 0.7, opacity: isOwner ? 0.9 : 0.3, color: isOwner ? colourOf(proxy, names) : colour("faint"), type: isOwner ? "solid" : "dashed" },
        };
      });
  }

  private graph(rows: DeviceRow[]): object {
    const names = [...store.proxies.keys()].sort();
    const isCrowded = rows.length > 80;
    return {
      tooltip: { renderMode: "richText", confine: true, formatter: (item: { data: { about?: string; name?: string } }) => item.data.about ?? item.data.name ?? "" },
      series: [
        {
          id: "who hears whom",
          type: "graph",
          layout: "force",
          roam: true,
          zoom: 0.8,
          draggable: true,
          force: { repulsion: [rows.length > 80 ? 40 : 110, 700], edgeLength: [150, 40], gravity: 0.3, layoutAnimation: false },
          labelLayout: { hideOverlap: true },
          emphasis: { focus: "adjacency" },
          data: [...names.map((name) => this.proxyNode(name, names)), ...rows.map((row) => this.deviceNode(row, names, isCrowded))],
          edges: rows.flatMap((row) => this.edges(row, names)),
        },
      ],
    };
  }

  private readonly pick = (name: string) => {
    if (store.proxies.has(name)) go(link("proxies", [name]));
    else if (store.devices.has(name)) go(link("devices", [name]));
  };

  private readonly save = () => {
    const picture = this.querySelector<Chart>("bf-chart")?.picture();
    if (picture) saveFile(picture, "blefleet-map.png");
  };

  // ---- what is drawn ----

  private drawFilters(): TemplateResult {
    const valueOf = (event: Event) => (event.target as HTMLInputElement).value;
    const isChecked = (event: Event) => (event.target as HTMLInputElement).checked;
    return html`<div class="bar middle">
      <input type="search" placeholder="Name, alias or address   /" aria-label="Search devices" .value=${this.search} @input=${(event: Event) => (this.search = valueOf(event))} />
      <select aria-label="Proxy" @change=${(event: Event) => (this.proxy = valueOf(event))}>
        <option value="">All proxies</option>
        ${[...store.proxies.keys()].sort().map((name) => html`<option value=${name}>${name}</option>`)}
      </select>
      <label class="check">at least <input class="small short num" type="number" min="-127" max="0" step="5" aria-label="At least this loud, dBm" .value=${String(this.rssiMin)} @change=${(event: Event) => (this.rssiMin = Number(valueOf(event)))} /> dBm</label>
      <label class="check"><input type="checkbox" .checked=${this.isOwnerOnly} @change=${(event: Event) => (this.isOwnerOnly = isChecked(event))} />Owners only</label>
      <label class="check"><input type="checkbox" .checked=${this.isNamedOnly} @change=${(event: Event) => (this.isNamedOnly = isChecked(event))} />With a name</label>
      <div class="grow"></div>
      <button @click=${this.save}>${icon("download")} Picture</button>
    </div>`;
  }

  protected override render() {
    this.drawn = Date.now();
    const all = this.devices();
    const rows = all.slice(0, DEVICES_MAX);
    const label = `${count(store.proxies.size, "proxy", "proxies")} and ${count(rows.length, "device")}, drawn nearer the louder they are heard. The same stands in the list of devices.`;
    return html`<div class="page-head">
        <h1>Map</h1>
        <span class="faint num">${all.length > rows.length ? `the loudest ${number(rows.length)} of ${number(all.length)} devices` : count(rows.length, "device")}</span>
      </div>
      ${this.drawFilters()}
      ${rows.length === 0 && store.proxies.size === 0 ? empty("Nothing to draw yet", "Proxies and what they hear appear here.") : nothing}
      <section class="panel map"><bf-chart .make=${() => this.graph(rows)} .label=${label} .onPick=${this.pick}></bf-chart></section>
      <p class="help">Bold lines are owners, dashed ones proxies that hear it, too. Drag to move, turn the wheel to come nearer, click to open.</p>`;
  }
}

export function draw(): TemplateResult {
  return html`<map-page></map-page>`;
}
