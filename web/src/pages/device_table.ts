// Thousands of devices in a table of which only the rows that are seen exist.
//
// What is shown is chosen and sorted once a second, and at once when the user changes something or
// devices come and go, so that rows do not jump about under the pointer; each frame draws what changed in the rows in view.
import { html, nothing, type TemplateResult } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import { guard } from "lit/directives/guard.js";
import { send } from "../api/client";
import type { DeviceDetail } from "../api/types";
import { link } from "../router";
import { Every, Watch } from "../store/controller";
import { store, type DeviceRow } from "../store/store";
import { PageElement } from "../ui/element";
import { icon } from "../ui/icons";
import { hint } from "../ui/hints";
import { deviceName, givenName } from "../ui/parts";
import { attempt } from "../ui/toast";
import { COLUMNS, sorted, type Column } from "./device_columns";
import { compile, type Filter } from "./device_filter";

const ROW = 34; // px, as --row of the stylesheet
const BEYOND = 6; // rows drawn above and below what is seen
const ALIAS = /^[^/+#$]{0,64}$/;

@customElement("device-table")
export class DeviceTable extends PageElement {
  @property({ attribute: false }) filter!: Filter;
  @property({ attribute: false }) columns = new Set<string>();
  @property() sort = "name";
  @property({ type: Boolean }) isDescending = false;
  @state() private edited = ""; // the address whose alias is being written

  rows: DeviceRow[] = [];
  private known = 0; // devices there were when the rows were chosen
  private isStale = true;

  constructor() {
    super();
    new Watch(this, "devices");
    new Every(this, 1000, () => {
      this.isStale = true;
      this.requestUpdate();
    });
  }

  override willUpdate(changed: Map<string, unknown>): void {
    if (["filter", "sort", "isDescending"].some((name) => changed.has(name))) this.isStale = true;
    if (this.isStale || store.devices.size !== this.known) this.choose();
  }

  private choose(): void {
    const before = this.rows.length;
    const fits = compile(this.filter);
    const now = Date.now();
    this.isStale = false;
    this.known = store.devices.size;
    const rows = [...store.devices.values()].filter((row) => fits(row, now));
    this.rows = sorted(rows, this.sort, this.isDescending);
    if (this.rows.length !== before) this.dispatchEvent(new CustomEvent("chosen", { bubbles: true }));
  }

  private readonly onScroll = () => this.requestUpdate();

  // Up and down go from row to row.
  private readonly onKey = (event: KeyboardEvent) => {
    if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
    const row = (event.target as HTMLElement).closest("tr");
    const next = event.key === "ArrowDown" ? row?.nextElementSibling : row?.previousElementSibling;
    const target = next?.querySelector<HTMLElement>("a");
    if (!target) return;
    event.preventDefault();
    target.focus();
  };

  private sortBy(column: Column): void {
    const isDescending = column.name === this.sort ? !this.isDescending : false;
    this.dispatchEvent(new CustomEvent("sort-by", { detail: { sort: column.name, isDescending } }));
  }

  // ---- the alias in its place ----

  private edit(address: string): void {
    this.edited = address;
    void this.updateComplete.then(() => this.querySelector<HTMLInputElement>("input.alias")?.select());
  }

  private async save(row: DeviceRow, input: HTMLInputElement): Promise<void> {
    const alias = input.value.trim();
    if (!ALIAS.test(alias)) return void attempt(() => Promise.reject(new Error("An alias has up to 64 characters, without / + # $.")));
    this.edited = "";
    if (alias === (row.device.alias ?? "")) return;
    const change = () => send<DeviceDetail>("PATCH", `/devices/${row.device.address}`, { settings: { alias: alias || null } });
    const device = await attempt(change, alias ? `${row.device.address} is called ${alias} now.` : "The alias is gone.");
    if (device) store.noteDevice({ ...row.device, alias: device.alias });
    this.requestUpdate();
  }

  private drawEditor(row: DeviceRow): TemplateResult {
    const onKey = (event: KeyboardEvent) => {
      if (event.key === "Enter") void this.save(row, event.target as HTMLInputElement);
      if (event.key === "Escape") this.edited = "";
    };
    return html`<input class="alias small" aria-label="Alias of ${row.device.address}" placeholder=${row.device.name ?? row.device.address} .value=${row.device.alias ?? ""} maxlength="64" @keydown=${onKey} />`;
  }

  private drawName(row: DeviceRow): TemplateResult {
    const { device } = row;
    const name = deviceName(device);
    const away = device.available ? nothing : html`<span class="mark idle" title="not available">${icon("off")}<span class="visually-hidden">not available</span></span>`;
    const connection = store.linkTo(device.address);
    const linked = connection ? html`<span class="mark good" title="connected through ${connection.proxy}">${icon("link")}<span class="visually-hidden">connected</span></span>` : nothing;
    return html`<span class="name"
      >${away}<a class=${device.available ? "" : "away"} href=${link("devices", [device.address])}>${name}</a>${givenName(device) === null ? html`<span class="faint">${hint(device)}</span>` : nothing}${linked}<button class="ghost small pen" data-needs="control" aria-label="Alias of ${name}" title="Give it an alias" @click=${() => this.edit(device.address)}>${icon("edit")}</button></span
    >`;
  }

  // ---- the table ----

  private shown(): Column[] {
    return COLUMNS.filter((column) => this.columns.has(column.name));
  }

  private drawHead(column: Column): TemplateResult {
    const isSorted = column.name === this.sort;
    const direction = isSorted ? (this.isDescending ? "descending" : "ascending") : "none";
    return html`<th class="${classOf(column)}" aria-sort=${direction} scope="col">
      <button @click=${() => this.sortBy(column)}>${column.title}${isSorted ? (this.isDescending ? " ↓" : " ↑") : ""}</button>
    </th>`;
  }

  private drawRow(row: DeviceRow, index: number, columns: Column[]): TemplateResult {
    const isEdited = this.edited === row.device.address;
    const second = Math.floor(Date.now() / 1000);
    const now = Date.now();
    return html`<tr aria-rowindex=${index + 2}>
      ${guard([row, row.version, second, isEdited, this.columns], () =>
        columns.map((column) => html`<td class=${classOf(column)}>${column.name !== "name" ? column.draw(row, now) : isEdited ? this.drawEditor(row) : this.drawName(row)}</td>`),
      )}
    </tr>`;
  }

  protected override render() {
    const columns = this.shown();
    const box = this.querySelector(".virtual");
    const top = box?.scrollTop ?? 0;
    const first = Math.max(0, Math.min(Math.floor(top / ROW) - BEYOND, this.rows.length - 1));
    const last = Math.min(this.rows.length, Math.ceil((top + (box?.clientHeight ?? 900)) / ROW) + BEYOND);
    return html`<div class="virtual panel" @scroll=${this.onScroll} @keydown=${this.onKey} tabindex="0" role="region" aria-label="Devices">
      <table aria-rowcount=${this.rows.length + 1}>
        <colgroup>${columns.map((column) => html`<col class="${classOf(column)}" />`)}</colgroup>
        <thead><tr>${columns.map((column) => this.drawHead(column))}</tr></thead>
        <tbody>
          <tr class="space" aria-hidden="true"><td height=${first * ROW}></td></tr>
          ${this.rows.slice(first, last).map((row, i) => this.drawRow(row, first + i, columns))}
          <tr class="space" aria-hidden="true"><td height=${(this.rows.length - last) * ROW}></td></tr>
        </tbody>
      </table>
    </div>`;
  }
}

function classOf(column: Column): string {
  return `c-${column.name}${column.isNumber ? " num" : ""}${column.isNarrow ? "" : " wide-cell"}`;
}
