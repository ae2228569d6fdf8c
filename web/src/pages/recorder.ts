// The flight recorder: fetch what was heard, and see what other settings would have made of it.
import { html, nothing, type TemplateResult } from "lit";
import { customElement, state } from "lit/decorators.js";
import { address as urlOf, send, sentenceOf } from "../api/client";
import type { ReplayResult } from "../api/types";
import { Watch } from "../store/controller";
import { store } from "../store/store";
import { PageElement } from "../ui/element";
import { ago, bytes, number, when } from "../ui/format";
import { icon } from "../ui/icons";
import { deviceLink, deviceName, empty, fact, mark } from "../ui/parts";
import { saveFile } from "../ui/save_file";

const FORMATS = [
  ["jsonl", "JSON, a packet a line"],
  ["btsnoop", "btsnoop, for Wireshark"],
  ["native", "native, for blefleet --replay"],
] as const;

// What decides who owns a device: [setting, in words, the standard].
const OWNERSHIP: [string, string, number][] = [
  ["margin_db", "How much louder a new owner must be (dB)", 16],
  ["reclaim_db", "How much more when it has just lost the device (dB)", 6],
  ["ewma_alpha", "Weight of the newest RSSI (0.01 to 1)", 0.3],
  ["strong_dbm", "A loud owner is not roamed away from above (dBm)", -70],
  ["roam_factor", "Intervals of silence before roaming", 1.5],
  ["gone_factor", "Intervals of silence before it is gone", 2.5],
];

@customElement("recorder-page")
export class RecorderPage extends PageElement {
  @state() private result: ReplayResult | undefined;
  @state() private fault = "";
  @state() private isBusy = false;

  constructor() {
    super();
    new Watch(this, "info");
  }

  // "the last N minutes" and a device, as both forms ask them.
  private range(data: FormData): { since: string | null; address: string | null } {
    const minutes = Number(data.get("minutes"));
    return { since: minutes ? new Date(Date.now() - minutes * 60_000).toISOString() : null, address: String(data.get("address") ?? "").trim() || null };
  }

  private readonly download = (event: SubmitEvent) => {
    event.preventDefault();
    const data = new FormData(event.target as HTMLFormElement);
    saveFile(urlOf("/recorder", { ...this.range(data), format: String(data.get("format")) }));
  };

  private readonly replay = async (event: SubmitEvent) => {
    event.preventDefault();
    const data = new FormData(event.target as HTMLFormElement);
    const ownership: Record<string, number> = {};
    for (const [name] of OWNERSHIP) {
      const text = String(data.get(name) ?? "").trim();
      if (text !== "") ownership[name] = Number(text);
    }
    this.isBusy = true;
    this.fault = "";
    try {
      this.result = await send<ReplayResult>("POST", "/recorder/replay", { ...this.range(data), settings: { ownership } });
    } catch (error) {
      this.fault = sentenceOf(error);
    }
    this.isBusy = false;
  };

  // ---- what is drawn ----

  private drawRange(): TemplateResult {
    return html`<label class="field"
        ><span>The last minutes</span><input name="minutes" type="number" min="1" placeholder="all" inputmode="numeric" /></label
      ><label class="field"><span>Device</span><input name="address" placeholder="all" autocomplete="off" /></label>`;
  }

  private drawDownload(): TemplateResult {
    const { recorder } = store.info!;
    return html`<form class="panel" @submit=${this.download}>
      <header><h2>Recording</h2>${recorder.enabled ? mark("good", "recorder", "runs") : mark("idle", "off", "switched off")}</header>
      <div class="body form">
        <dl class="facts">${fact("In memory", bytes(recorder.bytes))} ${fact("Goes back", recorder.oldest ? ago(recorder.oldest) : "–")}</dl>
        ${this.drawRange()}
        <label class="field"><span>Format</span><select name="format">${FORMATS.map(([format, words]) => html`<option value=${format}>${words}</option>`)}</select></label>
        <div><button>${icon("download")} Download</button></div>
      </div>
    </form>`;
  }

  private drawReplay(): TemplateResult {
    return html`<form class="panel" data-needs="control" @submit=${this.replay}>
      <header><h2>What if?</h2><span class="help">the recorded packets under other rules of ownership</span></header>
      <div class="body form two">
        ${this.drawRange()}
        ${OWNERSHIP.map(([name, words, standard]) => html`<label class="field"><span>${words}</span><input name=${name} inputmode="decimal" autocomplete="off" placeholder=${`as now; standard ${standard}`} /></label>`)}
        <div class="whole actions">
          <button class="primary" ?disabled=${this.isBusy}>${this.isBusy ? "Replaying…" : "Replay"}</button>
          ${this.fault ? html`<span class="fault" role="alert">${this.fault}</span>` : nothing}
        </div>
      </div>
    </form>`;
  }

  private drawOutcome(result: ReplayResult): TemplateResult {
    const lines: [string, keyof ReplayResult["actual"]][] = [
      ["Owner changes", "owner_changes"],
      ["Events", "events"],
      ["Changes of availability", "availability_changes"],
      ["Windows", "windows"],
    ];
    return html`<section class="panel">
      <header><h2>Comparison</h2><span class="help num">${number(result.packets)} packets, ${when(result.since)} to ${when(result.until)}</span></header>
      <div class="table-box" tabindex="0" role="region" aria-label="Comparison">
        <table>
          <thead><tr><th></th><th class="num">As it was</th><th class="num">With these settings</th><th class="num">Difference</th></tr></thead>
          <tbody>
            ${lines.map(([words, key]) => {
              const difference = result.replayed[key] - result.actual[key];
              return html`<tr>
                <td>${words}</td>
                <td class="num">${number(result.actual[key])}</td>
                <td class="num">${number(result.replayed[key])}</td>
                <td class="num">${difference > 0 ? "+" : ""}${number(difference)}</td>
              </tr>`;
            })}
          </tbody>
        </table>
      </div>
    </section>`;
  }

  private drawDifferences(result: ReplayResult): TemplateResult {
    if (result.differences.length === 0) return html`<section class="panel">${empty("No device would have been treated otherwise", "Change more, or replay more minutes.")}</section>`;
    return html`<section class="panel">
      <header><h2>Devices that differ</h2><span class="tag num">${number(result.differences.length)}</span></header>
      <div class="table-box" tabindex="0" role="region" aria-label="Devices that differ">
        <table>
          <thead><tr><th>Device</th><th class="num">Changes then</th><th class="num">Changes now</th><th>Owner then</th><th>Owner now</th></tr></thead>
          <tbody>
            ${result.differences.map((one) => {
              const device = store.devices.get(one.address)?.device;
              return html`<tr>
                <td>${deviceLink(one.address, device ? deviceName(device) : one.address)}</td>
                <td class="num">${number(one.owner_changes_actual)}</td>
                <td class="num">${number(one.owner_changes_replayed)}</td>
                <td>${one.owner_actual ?? "–"}</td>
                <td>${one.owner_replayed ?? "–"}</td>
              </tr>`;
            })}
          </tbody>
        </table>
      </div>
    </section>`;
  }

  protected override render() {
    if (!store.info) return html`<p class="loading">Loading…</p>`;
    return html`<div class="page-head"><h1>Recorder</h1></div>
      <div class="stack">
        <div class="columns">${this.drawDownload()} ${this.drawReplay()}</div>
        ${this.result ? [this.drawOutcome(this.result), this.drawDifferences(this.result)] : nothing}
      </div>`;
  }
}

export function draw(): TemplateResult {
  return html`<recorder-page></recorder-page>`;
}
