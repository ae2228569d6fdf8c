// The log, newest first. It is asked for every two seconds, and at once when the stream tells of
// something wrong.
import { html, nothing, type TemplateResult } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import { get, send, sentenceOf } from "../api/client";
import type { ConfigApplied, LogLine, Page } from "../api/types";
import { link, rewrite, type Place } from "../router";
import { Every } from "../store/controller";
import { store } from "../store/store";
import { PageElement } from "../ui/element";
import { when } from "../ui/format";
import { empty, failure, mark, type Tone } from "../ui/parts";
import { attempt } from "../ui/toast";
import type { Icon } from "../ui/icons";

const REFRESH_MS = 2000;
const LINES = 500;
const LEVELS: LogLine["level"][] = ["error", "warning", "info", "debug"];
interface Config {
  log: { level: LogLine["level"] };
}

function wordsOf(level: LogLine["level"]): string {
  return level === "error" ? "errors" : `${level} and worse`;
}

const MARKS: Record<LogLine["level"], [Tone, Icon]> = {
  error: ["bad", "error"],
  warning: ["warn", "warning"],
  info: ["idle", "about"],
  debug: ["idle", "logs"],
};

function options(chosen: LogLine["level"]): TemplateResult[] {
  return LEVELS.map((level) => html`<option value=${level} ?selected=${level === chosen}>${wordsOf(level)}</option>`);
}

@customElement("logs-page")
export class LogsPage extends PageElement {
  @property({ attribute: false }) query!: URLSearchParams;
  @state() private lines: LogLine[] | undefined;
  @state() private level: LogLine["level"] = "info";
  @state() private written: LogLine["level"] | undefined; // by the gateway, and worse
  @state() private search = "";
  @state() private isPaused = false;
  @state() private fault = "";
  private isLoading = false; // a storm of lines asks once
  private stopWatching: (() => void) | undefined;

  constructor() {
    super();
    new Every(this, REFRESH_MS, () => this.follow());
  }

  override connectedCallback(): void {
    super.connectedCallback();
    const level = LEVELS.find((one) => one === this.query.get("level"));
    if (level) this.level = level;
    this.stopWatching = store.subscribe("logs", () => this.follow());
    void this.load();
    void this.loadWritten();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.stopWatching?.();
  }

  private follow(): void {
    if (!this.isPaused && !this.isLoading) void this.load();
  }

  private async load(): Promise<void> {
    this.isLoading = true;
    try {
      this.lines = (await get<Page<LogLine>>("/logs", { level: this.level, limit: LINES })).items;
      this.fault = "";
    } catch (error) {
      this.fault = sentenceOf(error);
    }
    this.isLoading = false;
  }

  private async loadWritten(): Promise<void> {
    if (!store.has("config")) return;
    this.written = (await get<Config>("/config").catch(() => undefined))?.log.level;
  }

  private readonly write = async (event: Event) => {
    const select = event.target as HTMLSelectElement;
    const level = select.value as LogLine["level"];
    const change = () => send<ConfigApplied>("PATCH", "/config", { log: { level } });
    if (await attempt(change, `The gateway writes ${wordsOf(level)} from now on.`)) this.written = level;
    else select.value = this.written ?? level;
  };

  private readonly choose = (event: Event) => {
    this.level = (event.target as HTMLSelectElement).value as LogLine["level"];
    rewrite(link("logs", [], { level: this.level }));
    void this.load();
  };

  private drawLine(line: LogLine): TemplateResult {
    const [tone, name] = MARKS[line.level];
    return html`<tr>
      <td class="num faint">${when(line.time)}</td>
      <td>${mark(tone, name, line.level)}</td>
      <td>${line.module}</td>
      <td class="log-text">${line.message}</td>
    </tr>`;
  }

  protected override render() {
    const wanted = this.search.toLowerCase();
    const fits = (line: LogLine) => `${line.module} ${line.message}`.toLowerCase().includes(wanted);
    const shown = (this.lines ?? []).filter(fits);
    return html`<div class="page-head"><h1>Logs</h1><span class="faint">newest first</span></div>
      <div class="bar middle">
        <input type="search" placeholder="Find   /" aria-label="Find in the log" .value=${this.search} @input=${(event: Event) => (this.search = (event.target as HTMLInputElement).value)} />
        <label class="check">shown <select aria-label="Level" @change=${this.choose}>${options(this.level)}</select></label>
        ${this.written ? html`<label class="check" data-needs="admin">written <select aria-label="Level that the gateway writes" @change=${this.write}>${options(this.written)}</select></label>` : nothing}
        <button aria-pressed=${this.isPaused} @click=${() => (this.isPaused = !this.isPaused)}>${this.isPaused ? "Go on" : "Pause"}</button>
      </div>
      ${this.fault && !this.lines ? failure(this.fault, () => void this.load()) : nothing}
      <section class="panel">
        <div class="table-box" tabindex="0" role="region" aria-label="Log">
          <table class="dense">
            <thead><tr><th>Time</th><th>Level</th><th>Module</th><th>What</th></tr></thead>
            <tbody>${shown.map((line) => this.drawLine(line))}</tbody>
          </table>
        </div>
        ${this.lines && shown.length === 0 ? empty("No such lines", "Choose another level, or search for less. Lines below the level that the gateway writes are not kept.") : nothing}
      </section>`;
  }
}

export function draw(place: Place): TemplateResult {
  return html`<logs-page .query=${place.query}></logs-page>`;
}
