// All devices, live; behind an address, one of them.
import { html, nothing, type TemplateResult } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import { send } from "../api/client";
import { link, rewrite, type Place } from "../router";
import { Watch } from "../store/controller";
import { store } from "../store/store";
import { PageElement } from "../ui/element";
import { count, number } from "../ui/format";
import { icon } from "../ui/icons";
import { empty } from "../ui/parts";
import { attempt } from "../ui/toast";
import "./device";
import { chooseColumns, chosenColumns, COLUMNS } from "./device_columns";
import { NO_FILTER, readFilter, type Filter } from "./device_filter";
import "./device_table";
import type { DeviceTable } from "./device_table";

const SCAN_S = 10;
const MORE: [keyof Filter, string, string][] = [
  ["rssi_min", "At least this loud (dBm)", "-80"],
  ["seen_within_s", "Heard in the last seconds", "60"],
  ["service_uuid", "Service UUID", "fcd2"],
  ["manufacturer_id", "Company number", "76"],
  ["manufacturer_data_prefix", "Company data begins with", "0215"],
];

function distinct(pick: (row: { proxy: string | null; area: string | null; kind: string | null }) => string | null): string[] {
  const found = new Set<string>();
  for (const { device } of store.devices.values()) {
    const value = pick(device);
    if (value) found.add(value);
  }
  return [...found].sort();
}

@customElement("devices-page")
export class DevicesPage extends PageElement {
  @property({ attribute: false }) query!: URLSearchParams;
  @state() private columns = chosenColumns();
  @state() private isScanning = false;
  private filter: Filter = NO_FILTER;
  private readQuery: URLSearchParams | undefined;
  private sort = "name";
  private isDescending = false;

  constructor() {
    super();
    new Watch(this, "proxies", "info");
  }

  override willUpdate(): void {
    if (this.readQuery === this.query) return;
    this.readQuery = this.query;
    this.filter = readFilter(this.query);
    const sort = this.query.get("sort") ?? "name";
    this.isDescending = sort.startsWith("-");
    this.sort = sort.replace(/^-/, "");
  }

  private change(change: Partial<Filter>): void {
    this.filter = { ...this.filter, ...change };
    this.keep();
  }

  private keep(): void {
    const sort = this.sort === "name" && !this.isDescending ? "" : `${this.isDescending ? "-" : ""}${this.sort}`;
    rewrite(link("devices", [], { ...this.filter, sort }));
    this.requestUpdate();
  }

  private readonly onSort = (event: CustomEvent<{ sort: string; isDescending: boolean }>) => {
    ({ sort: this.sort, isDescending: this.isDescending } = event.detail);
    this.keep();
  };

  private toggle(name: string): void {
    const columns = new Set(this.columns);
    if (!columns.delete(name)) columns.add(name);
    this.columns = columns;
    chooseColumns(columns);
  }

  private async scan(): Promise<void> {
    this.isScanning = true;
    const ask = () => send<{ items: unknown[] }>("POST", "/scan/windows", { duration_s: SCAN_S });
    const opened = await attempt(ask, (answer) => `${count(answer.items.length, "proxy", "proxies")} scan actively for ${SCAN_S} s.`);
    window.setTimeout(() => (this.isScanning = false), opened ? SCAN_S * 1000 : 0);
  }

  // ---- what is drawn ----

  private drawSelect(key: keyof Filter, title: string, values: string[]): TemplateResult {
    const chosen = this.filter[key];
    const options = chosen && !values.includes(chosen) ? [chosen, ...values] : values;
    return html`<select aria-label=${title} @change=${(event: Event) => this.change({ [key]: (event.target as HTMLSelectElement).value })}>
      <option value="" ?selected=${chosen === ""}>${title}: any</option>
      ${options.map((value) => html`<option value=${value} ?selected=${value === chosen}>${value}</option>`)}
    </select>`;
  }

  private drawTruth(key: keyof Filter, title: string): TemplateResult {
    return html`<label class="field"
      ><span>${title}</span>
      <select @change=${(event: Event) => this.change({ [key]: (event.target as HTMLSelectElement).value })}>
        ${[["", "any"], ["true", "yes"], ["false", "no"]].map(([value, word]) => html`<option value=${value!} ?selected=${this.filter[key] === value}>${word}</option>`)}
      </select></label
    >`;
  }

  private drawMore(): TemplateResult {
    const used = [...MORE.map(([key]) => key), "connectable" as const, "available" as const].filter((key) => this.filter[key] !== "").length;
    return html`<details class="menu">
      <summary class="button">Filters${used ? html` <span class="tag">${used}</span>` : nothing}</summary>
      <div class="panel sheet form">
        ${MORE.map(
          ([key, title, example]) => html`<label class="field"
            ><span>${title}</span><input placeholder=${example} .value=${this.filter[key]} @input=${(event: Event) => this.change({ [key]: (event.target as HTMLInputElement).value.trim() })}
          /></label>`,
        )}
        ${this.drawTruth("connectable", "Connectable")} ${this.drawTruth("available", "Available")}
      </div>
    </details>`;
  }

  private drawColumns(): TemplateResult {
    return html`<details class="menu">
      <summary class="button">${icon("columns")} Columns</summary>
      <div class="panel sheet">
        ${COLUMNS.filter((column) => column.name !== "name").map(
          (column) => html`<div><label class="check"><input type="checkbox" .checked=${this.columns.has(column.name)} @change=${() => this.toggle(column.name)} />${column.title}</label></div>`,
        )}
      </div>
    </details>`;
  }

  private drawNone(): TemplateResult {
    if (!store.isLoaded && store.devices.size === 0) return html`<p class="loading">Loading…</p>`;
    if (store.devices.size > 0)
      return empty("No device fits", "Take a filter away, and see whether it is there.", html`<button @click=${() => this.change(NO_FILTER)}>Show all devices</button>`);
    const isDeaf = ![...store.proxies.values()].some((proxy) => proxy.state === "online");
    if (isDeaf) return empty("No device was heard yet", html`No proxy is online. See what the <a href=${link("proxies")}>proxies</a> say.`);
    return empty("No device was heard yet", "Proxies are online and listen; the first device comes by itself.");
  }

  protected override render() {
    const table = this.querySelector<DeviceTable>("device-table");
    const shown = table?.rows.length ?? store.devices.size;
    const isFiltered = Object.values(this.filter).some((value) => value !== "");
    const onInput = (event: Event) => this.change({ name: (event.target as HTMLInputElement).value });
    return html`<div class="page-head">
        <h1>Devices</h1>
        <span class="faint num" role="status">${isFiltered ? `${number(shown)} of ${number(store.devices.size)}` : number(store.devices.size)}</span>
        <div class="grow"></div>
        <button @click=${() => void this.scan()} data-needs="control" ?disabled=${this.isScanning} title="Lets all proxies ask devices for what they only tell when asked">
          ${icon("scanning")} ${this.isScanning ? "Scanning…" : "Scan now"}
        </button>
      </div>
      <div class="bar">
        <input type="search" placeholder="Name, alias or address   /" aria-label="Search by name, alias or address" .value=${this.filter.name} @input=${onInput} />
        ${this.drawSelect("proxy", "Proxy", [...store.proxies.keys()].sort())} ${this.drawSelect("area", "Area", distinct((row) => row.area))}
        ${this.drawSelect("kind", "Kind", distinct((row) => row.kind))} ${this.drawMore()}
        ${isFiltered ? html`<button class="ghost" @click=${() => this.change(NO_FILTER)}>Clear</button>` : nothing}
        <div class="grow"></div>
        ${this.drawColumns()}
      </div>
      <device-table .filter=${this.filter} .columns=${this.columns} .sort=${this.sort} .isDescending=${this.isDescending} @sort-by=${this.onSort} @chosen=${() => this.requestUpdate()}></device-table>
      ${shown === 0 ? this.drawNone() : nothing}`;
  }
}

export function draw(place: Place): TemplateResult {
  const address = place.steps[0];
  if (address) return html`<device-page .address=${address.toUpperCase()} .tab=${place.steps[1] ?? "signal"}></device-page>`;
  return html`<devices-page .query=${place.query}></devices-page>`;
}
