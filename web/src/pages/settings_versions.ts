// What the settings were before: the versions that the gateway keeps, how each differs from now, and
// the way back to it.
import { html, nothing, type TemplateResult } from "lit";
import { customElement, state } from "lit/decorators.js";
import { get, getTagged, send, sentenceOf } from "../api/client";
import type { ConfigApplied, ConfigVersion } from "../api/types";
import { confirmed } from "../ui/dialog";
import { PageElement } from "../ui/element";
import { bytes, when } from "../ui/format";
import { empty, failure } from "../ui/parts";
import { attempt } from "../ui/toast";
import { differences, type Difference } from "./settings_difference";
import type { Json } from "./settings_schema";

export function said(applied: ConfigApplied, verb: string): string {
  return applied.restart_required.length ? `${verb}; ${applied.restart_required.join(", ")} after a restart.` : `${verb}; it works at once.`;
}

@customElement("settings-versions")
export class SettingsVersions extends PageElement {
  @state() private versions: ConfigVersion[] | undefined;
  @state() private chosen = 1;
  @state() private found: Difference[] | undefined;
  @state() private fault = "";
  private tag: string | null = null;

  override connectedCallback(): void {
    super.connectedCallback();
    void this.load();
  }

  private async load(): Promise<void> {
    try {
      const { answer, tag } = await getTagged<{ items: ConfigVersion[] }>("/config/versions");
      this.versions = answer.items;
      this.tag = tag;
      this.fault = "";
      if (answer.items[0]) await this.compare(answer.items[0].version);
    } catch (error) {
      this.fault = sentenceOf(error);
    }
  }

  private async compare(version: number): Promise<void> {
    this.chosen = version;
    const sides = await attempt(() => Promise.all([get<Json>("/config"), get<Json>(`/config/versions/${version}`)]));
    this.found = sides && differences(...sides);
  }

  private async restore({ version, time }: ConfigVersion): Promise<void> {
    const sure = await confirmed("Go back to these settings?", `All settings become what they were at ${when(time)}. What is there now is kept as a version.`, "Go back");
    if (!sure) return;
    const headers: Record<string, string> = this.tag ? { "If-Match": this.tag } : {};
    const restored = await attempt(() => send<ConfigApplied>("POST", `/config/versions/${version}/restore`, undefined, {}, headers), (applied) => said(applied, "Gone back"));
    if (restored) this.dispatchEvent(new CustomEvent("restored"));
    await this.load();
  }

  // ---- what is drawn ----

  private drawVersion(one: ConfigVersion): TemplateResult {
    const isChosen = one.version === this.chosen;
    return html`<li>
      <b class="num">${when(one.time)}</b>
      <span class="soft grow">${one.version === 1 ? "before the last change" : `${one.version} changes ago`} · ${bytes(one.size)}</span>
      <button class="small" aria-pressed=${isChosen} @click=${() => void this.compare(one.version)}>Compare</button>
      <button class="small" data-needs="admin" @click=${() => void this.restore(one)}>Go back to it</button>
    </li>`;
  }

  private drawDifferences(found: Difference[]): TemplateResult {
    if (found.length === 0) return empty("Nothing that is shown differs", "The text of the file does, or a secret: secrets are kept and come back, but are not shown.");
    return html`<div class="table-box" tabindex="0" role="region" aria-label="What differs">
      <table>
        <thead><tr><th>Setting</th><th>Now</th><th>Then</th></tr></thead>
        <tbody>
          ${found.map((one) => html`<tr><td>${one.name}</td><td><code class="hex">${one.now}</code></td><td><code class="hex">${one.then}</code></td></tr>`)}
        </tbody>
      </table>
    </div>`;
  }

  protected override render() {
    const { versions } = this;
    if (!versions) return this.fault ? failure(this.fault, () => void this.load()) : html`<p class="loading">Loading…</p>`;
    if (versions.length === 0) return html`<section class="panel">${empty("No earlier version yet", "Before each change the settings are kept as they are, the last five times.")}</section>`;
    return html`<div class="stack">
      <section class="panel">
        <header><h2>Versions</h2><span class="help">as they were before each of the last changes, the newest first</span></header>
        <ul class="list">${versions.map((one) => this.drawVersion(one))}</ul>
      </section>
      ${this.found ? html`<section class="panel"><header><h2>What differs</h2></header>${this.drawDifferences(this.found)}</section>` : nothing}
    </div>`;
  }
}
