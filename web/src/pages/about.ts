// What runs here, its backup, and the way back.
import { html, nothing, type TemplateResult } from "lit";
import { customElement, state } from "lit/decorators.js";
import { fetchFile, sendFile } from "../api/client";
import type { RestoreResult } from "../api/types";
import { Watch } from "../store/controller";
import { store } from "../store/store";
import { PageElement } from "../ui/element";
import { duration, number, when } from "../ui/format";
import { icon } from "../ui/icons";
import { fact } from "../ui/parts";
import { saveBlob } from "../ui/save_file";
import { attempt } from "../ui/toast";
import { restart } from "./settings";

const PASSPHRASE_MIN = 12;

@customElement("about-page")
export class AboutPage extends PageElement {
  @state() private isBusy = false;

  constructor() {
    super();
    new Watch(this, "info", "session");
  }

  private readonly backup = async (event: SubmitEvent) => {
    event.preventDefault();
    const passphrase = String(new FormData(event.target as HTMLFormElement).get("passphrase"));
    this.isBusy = true;
    const file = await attempt(() => fetchFile("/backup", passphrase ? { passphrase } : { secrets: false }), "The backup is made.");
    if (file) saveBlob(file, `blefleet-${new Date().toISOString().slice(0, 10)}.db`);
    this.isBusy = false;
  };

  private readonly restore = async (event: SubmitEvent) => {
    event.preventDefault();
    const data = new FormData(event.target as HTMLFormElement);
    const passphrase = String(data.get("passphrase"));
    const headers: Record<string, string> = { "Content-Type": "application/vnd.sqlite3", ...(passphrase ? { "Blefleet-Passphrase": passphrase } : {}) };
    this.isBusy = true;
    const ask = () => sendFile<RestoreResult>("/restore", data.get("file") as File, headers);
    const result = await attempt(ask, (found) => `The backup of ${when(found.created)} is good; it is taken at the next start.`);
    this.isBusy = false;
    if (result) await restart();
  };

  private drawBackup(): TemplateResult {
    return html`<div class="columns" data-needs="admin">
      <form class="panel" @submit=${this.backup}>
        <header><h2>Backup</h2></header>
        <div class="body form">
          <p class="soft">Settings, devices and what was learned, in one file.</p>
          <label class="field"
            ><span>Passphrase</span><input type="password" name="passphrase" minlength=${PASSPHRASE_MIN} autocomplete="new-password" /><span class="help"
              >With one, of ${PASSPHRASE_MIN} characters or more, secrets are in the file, encrypted; without, they are left out.</span
            ></label
          >
          <div><button ?disabled=${this.isBusy}>${icon("download")} Make a backup</button></div>
        </div>
      </form>
      <form class="panel" @submit=${this.restore}>
        <header><h2>Restore</h2></header>
        <div class="body form">
          <p class="soft">The file is checked as a whole, and replaces everything at the next start.</p>
          <label class="field"><span>File</span><input type="file" name="file" required /></label>
          <label class="field"><span>Passphrase, if it has one</span><input type="password" name="passphrase" autocomplete="off" /></label>
          <div><button class="danger" ?disabled=${this.isBusy}>Restore</button></div>
        </div>
      </form>
    </div>`;
  }

  protected override render() {
    const { info, session } = store;
    if (!info) return html`<p class="loading">Loading…</p>`;
    return html`<div class="page-head">
        <h1>About</h1>
        <div class="grow"></div>
        ${session?.via === "cookie" ? html`<button @click=${() => void store.signOut()}>Sign out</button>` : nothing}
        ${store.has("config") ? html`<button data-needs="admin" @click=${() => void restart()}>${icon("refresh")} Restart</button>` : nothing}
      </div>
      <div class="stack">
        <section class="panel">
          <dl class="body facts">
            ${fact("Version", info.version)} ${fact("Running since", when(info.started))} ${fact("For", duration(info.uptime_s * 1000))}
            ${fact("Parts", html`<span class="tags">${info.parts.map((part) => html`<span class="tag">${part}</span>`)}</span>`)}
            ${fact("You are", session?.name ?? "on this machine")} ${fact("Your role", session?.role ?? "admin")}
            ${fact("Events of this page", `${number(store.events)}, ${number(store.dropped)} skipped`)}
            ${fact("Contract", html`<a href="api/v1/openapi.json">openapi.json</a>`)} ${fact("Figures", html`<a href="metrics">metrics</a>`)} ${fact("The page is made with", html`<a href="licences.txt">Lit and Apache ECharts</a>`)}
          </dl>
        </section>
        ${store.has("config") ? this.drawBackup() : nothing}
      </div>`;
  }
}

export function draw(): TemplateResult {
  return html`<about-page></about-page>`;
}
