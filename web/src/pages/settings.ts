// All settings, from the schema of the gateway: every field with its explanation, its default and its
// range. What was changed is sent as one merge patch; what is wrong is told at its field.
import { html, nothing, type TemplateResult } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import { get, getTagged, ProblemError, send, sentenceOf } from "../api/client";
import type { ConfigApplied, FieldError, Part } from "../api/types";
import { link, type Place } from "../router";
import { Watch } from "../store/controller";
import { store } from "../store/store";
import { confirmed } from "../ui/dialog";
import { PageElement } from "../ui/element";
import { count } from "../ui/format";
import { empty, failure, mark } from "../ui/parts";
import { attempt } from "../ui/toast";
import "./settings_versions";
import { said } from "./settings_versions";
import { fieldsOf, parse, patchOf, rangeOf, show, valueAt, type Field, type Json, type Schema } from "./settings_schema";

const TITLES: Record<string, string> = { http: "Web and API", mqtt: "MQTT", esphome: "ESPHome", scan: "Scanning", links: "Links", limits: "Limits", recorder: "Recorder", log: "Log", discovery: "Discovery", matter: "Matter", lists: "Lists", versions: "Versions" };
const VERSIONS = "versions"; // beside the sections: what all of them were

// Lists whose entries have a page of their own.
const LISTS: Record<string, { page: string; key: string; words: string; link: (entry: Record<string, string>) => string }> = {
  "/proxies": { page: "proxies", key: "name", words: "added, changed and removed on the page", link: (entry) => link("proxies", [entry.name!]) },
  "/devices": { page: "devices", key: "address", words: "each is changed on the tab “Settings” of one of the", link: (entry) => link("devices", [entry.address!, "settings"]) },
};

export async function restart(): Promise<void> {
  const sure = await confirmed("Restart the gateway?", "Links are closed and opened again; the page connects again by itself.", "Restart");
  if (sure) await attempt(() => send("POST", "/restart", {}), "It restarts.");
}

@customElement("settings-page")
export class SettingsPage extends PageElement {
  @property() section = "";
  @state() private fields: Field[] = [];
  @state() private config: Json = null;
  @state() private errors: FieldError[] = [];
  @state() private fault = "";
  @state() private search = "";
  @state() private isBusy = false;
  private changes = new Map<string, Json>();
  private tag: string | null = null;

  constructor() {
    super();
    new Watch(this, "info");
  }

  override connectedCallback(): void {
    super.connectedCallback();
    void this.load();
  }

  private async load(): Promise<void> {
    try {
      const [schema, { answer, tag }] = await Promise.all([get<Schema>("/config/schema"), getTagged<Json>("/config")]);
      this.fields = fieldsOf(schema);
      this.config = answer;
      this.tag = tag;
      this.changes = new Map();
      this.errors = [];
      this.fault = "";
    } catch (error) {
      this.fault = sentenceOf(error);
    }
  }

  private change(field: Field, value: Json): void {
    if (JSON.stringify(value) === JSON.stringify(valueAt(this.config, field.pointer))) this.changes.delete(field.pointer);
    else this.changes.set(field.pointer, value);
    this.errors = this.errors.filter((error) => error.pointer !== field.pointer);
    this.requestUpdate();
  }

  private type(field: Field, text: string): void {
    try {
      this.change(field, parse(field, text));
    } catch (error) {
      this.errors = [...this.errors.filter((one) => one.pointer !== field.pointer), { pointer: field.pointer, detail: sentenceOf(error) }];
    }
  }

  private async save(): Promise<void> {
    this.isBusy = true;
    const patch = patchOf(this.changes);
    try {
      const applied = await send<ConfigApplied>("PATCH", "/config", patch, {}, this.tag ? { "If-Match": this.tag } : {});
      await attempt(() => Promise.resolve(), said(applied, "Saved"));
      await this.load();
      await store.refresh();
    } catch (error) {
      const isOutdated = error instanceof ProblemError && error.status === 412;
      this.errors = error instanceof ProblemError ? error.errors : [];
      this.fault = isOutdated ? "Somebody else changed the settings meanwhile: discard your changes to see theirs." : sentenceOf(error);
    }
    this.isBusy = false;
  }

  // ---- what is drawn ----

  private drawInput(field: Field, isOff: boolean): TemplateResult {
    const value = this.changes.has(field.pointer) ? this.changes.get(field.pointer) : valueAt(this.config, field.pointer);
    const text = show(field, value);
    const onInput = (event: Event) => this.type(field, (event.target as HTMLInputElement).value);
    const id = idOf(field);
    switch (field.kind) {
      case "boolean":
        return html`<input id=${id} type="checkbox" ?disabled=${isOff} .checked=${value === true} @change=${(event: Event) => this.change(field, (event.target as HTMLInputElement).checked)} />`;
      case "enum":
        return html`<select id=${id} ?disabled=${isOff} @change=${onInput}>
          ${field.isNullable ? html`<option value="" ?selected=${text === ""}>not set</option>` : nothing}
          ${field.choices.map((choice) => html`<option value=${choice} ?selected=${choice === text}>${choice}</option>`)}
        </select>`;
      case "lines":
      case "json":
        return html`<textarea id=${id} class=${field.kind === "json" ? "mono" : ""} rows=${Math.min(14, Math.max(2, text.split("\n").length))} ?disabled=${isOff} .value=${text} @change=${onInput}></textarea>`;
      default:
        return html`<input id=${id} ?disabled=${isOff} type=${field.kind === "secret" ? "password" : "text"} inputmode=${field.kind === "integer" ? "numeric" : field.kind === "number" ? "decimal" : "text"} autocomplete="off" .value=${text} @input=${onInput} />`;
    }
  }

  // The entries of a list, each where it is changed; all of it as text for what no page has.
  private drawEntries(field: Field, isOff: boolean): TemplateResult {
    const list = LISTS[field.pointer];
    if (!list) return this.drawInput(field, isOff);
    const entries = (valueAt(this.config, field.pointer) ?? []) as Record<string, string>[];
    return html`<ul class="tags">
        ${entries.map((entry) => html`<li><a class="tag" href=${list.link(entry)}>${entry.alias ?? entry[list.key]}</a></li>`)}
      </ul>
      <div class="help">${count(entries.length, "entry", "entries")}; ${list.words} <a href=${link(list.page)}>${list.page}</a>.</div>
      <details><summary class="help">All of it as JSON</summary>${this.drawInput(field, isOff)}</details>`;
  }

  private drawField(field: Field): TemplateResult {
    const holder = store.info?.overridden.find((one) => one.key === field.pointer.slice(1).replaceAll("/", "."))?.variable;
    const part = field.schema["x-part"] as Part | undefined;
    const isIdle = part !== undefined && !store.has(part);
    const faults = this.errors.filter((error) => error.pointer === field.pointer || error.pointer.startsWith(`${field.pointer}/`));
    const range = rangeOf(field.schema);
    const standard = show(field, field.schema.default as Json) || "none";
    return html`<div class="setting ${this.changes.has(field.pointer) ? "changed" : ""}">
      <div>
        <label for=${idOf(field)}><b>${field.label}</b></label>
        ${field.schema["x-restart"] ? html`<span class="tag">after a restart</span>` : nothing} ${isIdle ? html`<span class="tag">without effect yet</span>` : nothing}
        ${holder ? html`<span class="tag">held by ${holder}</span>` : nothing}
        <div class="help">${field.schema.description ?? ""}</div>
      </div>
      <div>
        ${this.drawEntries(field, store.role !== "admin" || holder !== undefined)}
        <div class="help">${range ? `${range}; ` : ""}${field.kind === "lines" ? "one a line; " : ""}standard ${standard}</div>
        ${faults.map((error) => html`<div class="fault" role="alert">${error.detail}</div>`)}
      </div>
    </div>`;
  }

  // What waits in a section that is not shown must not be forgotten.
  private drawCount(section: string): TemplateResult | typeof nothing {
    const fields = this.fields.filter((field) => field.section === section);
    const isWrong = fields.some((field) => this.errors.some((error) => error.pointer === field.pointer || error.pointer.startsWith(`${field.pointer}/`)));
    const changed = fields.filter((field) => this.changes.has(field.pointer)).length;
    if (isWrong) return html` ${mark("bad", "warning", "")}<span class="visually-hidden">has a fault</span>`;
    return changed ? html` <span class="tag" title="not saved yet">${changed}</span>` : nothing;
  }

  private drawSave(): TemplateResult {
    const restarts = store.info?.restart_required ?? [];
    return html`<div class="save-bar panel" data-needs="admin">
      <span class="grow ${this.fault ? "fault" : "soft"}" role="status">${this.fault || (this.changes.size ? `${count(this.changes.size, "change")} not saved yet` : "No changes")}</span>
      ${restarts.length ? html`<button data-needs="admin" @click=${() => void restart()}>Restart for ${count(restarts.length, "setting")}</button>` : nothing}
      <button ?disabled=${this.changes.size === 0} @click=${() => void this.load()}>Discard</button>
      <button class="primary" ?disabled=${this.changes.size === 0 || this.isBusy} @click=${() => void this.save()}>Save</button>
    </div>`;
  }

  private drawSettings(fields: Field[]): TemplateResult {
    return html`<section class="panel">${fields.map((field) => this.drawField(field))} ${fields.length === 0 ? empty("No such setting", "Search for less.") : nothing}</section>
      ${this.drawSave()}`;
  }

  protected override render() {
    if (this.fields.length === 0) return this.fault ? failure(this.fault, () => void this.load()) : html`<p class="loading">Loading…</p>`;
    const sections = [...new Set(this.fields.map((field) => field.section))];
    const shown = [...sections, VERSIONS].find((name) => name === this.section) ?? sections[0]!;
    const wanted = this.search.toLowerCase();
    const fields = this.fields.filter((field) => (wanted ? `${field.pointer} ${field.schema.description ?? ""}`.toLowerCase().includes(wanted) : field.section === shown));
    return html`<div class="page-head">
        <h1>Settings</h1>
        <div class="grow"></div>
        <input type="search" placeholder="Find a setting   /" aria-label="Find a setting" .value=${this.search} @input=${(event: Event) => (this.search = (event.target as HTMLInputElement).value)} />
      </div>
      <div class="tabs" role="navigation" aria-label="Sections">
        ${[...sections, VERSIONS].map((name) => html`<a href=${link("settings", [name])} aria-current=${!wanted && name === shown ? "page" : nothing}>${TITLES[name] ?? name}${this.drawCount(name)}</a>`)}
      </div>
      ${shown === VERSIONS && !wanted ? html`<settings-versions @restored=${() => void this.load()}></settings-versions>` : this.drawSettings(fields)}`;
  }
}

function idOf(field: Field): string {
  return `setting${field.pointer.replaceAll("/", "-")}`;
}

export function draw(place: Place): TemplateResult {
  return html`<settings-page .section=${place.steps[0] ?? ""}></settings-page>`;
}
