// Why a device is heard and can be reached, or why not, proxy by proxy.
import { html, nothing, type TemplateResult } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import { get, sentenceOf } from "../api/client";
import type { Candidate, Explanation } from "../api/types";
import { Every } from "../store/controller";
import { PageElement } from "../ui/element";
import { ago, duration, number, when, words } from "../ui/format";
import { icon } from "../ui/icons";
import { failure, loudness, mark, proxyLink } from "../ui/parts";

const REFRESH_MS = 5000;
const INTENTS = [
  ["connection", "Reaching it"],
  ["advertisement", "Hearing it"],
] as const;

function verdict(candidate: Candidate): TemplateResult {
  if (candidate.verdict === "chosen") return mark("good", "ok", "chosen");
  return candidate.verdict === "possible" ? mark("idle", "wait", "possible") : mark("warn", "off", "excluded");
}

// The terms of the score that are not zero, the way the sum is read.
function terms(candidate: Candidate): string {
  const named = Object.entries(candidate.score_terms ?? {}).filter(([, value]) => value !== 0);
  return named.map(([name, value]) => `${words(name)} ${value > 0 && name !== "rssi" ? "+" : ""}${number(value, 1)}`).join("  ");
}

@customElement("device-explain")
export class DeviceExplain extends PageElement {
  @property() address = "";
  @state() private intent: Explanation["intent"] = "connection";
  @state() private found: Explanation | undefined;
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
    try {
      this.found = await get<Explanation>(`/explain/${this.address}`, { intent: this.intent });
      this.fault = "";
    } catch (error) {
      this.fault = sentenceOf(error);
    }
  }

  private choose(intent: Explanation["intent"]): void {
    this.intent = intent;
    void this.load();
  }

  private drawCandidates(found: Explanation): TemplateResult {
    const isConnection = found.intent === "connection";
    return html`<div class="table-box" tabindex="0" role="region" aria-label="Proxies judged">
      <table>
        <thead>
          <tr><th>Proxy</th><th>Verdict</th><th>Why</th><th>RSSI</th><th class="num">Age</th>${isConnection ? html`<th class="num">Slots free</th><th class="num">Score</th><th>Terms in dB</th>` : nothing}</tr>
        </thead>
        <tbody>
          ${found.candidates.map(
            (candidate) => html`<tr>
              <td>${proxyLink(candidate.proxy)}</td>
              <td>${verdict(candidate)}</td>
              <td>${candidate.detail}</td>
              <td>${loudness(candidate.rssi)}</td>
              <td class="num">${candidate.age_s === null ? "–" : duration(candidate.age_s * 1000)}</td>
              ${isConnection
                ? html`<td class="num">${candidate.slots_free ?? "–"}/${candidate.slots_limit ?? "–"}</td>
                    <td class="num">${number(candidate.score, 1)}</td>
                    <td class="num-left faint">${terms(candidate)}</td>`
                : nothing}
            </tr>`,
          )}
        </tbody>
      </table>
    </div>`;
  }

  private drawAttempts(found: Explanation): TemplateResult | typeof nothing {
    if (found.attempts.length === 0) return nothing;
    return html`<section class="panel">
      <header><h2>Latest attempts</h2></header>
      <ul class="list">
        ${found.attempts.map(
          (attempt) => html`<li>
            <span class="num faint">${when(attempt.started)}</span>${proxyLink(attempt.proxy)}
            <span class="grow">${attempt.result === "connected" ? mark("good", "ok", "connected") : mark("bad", "error", words(attempt.result))} ${attempt.reason ? html`<span class="soft">${attempt.reason.name}</span>` : nothing}</span>
            <span class="num">${duration(attempt.duration_ms)}</span>
          </li>`,
        )}
      </ul>
    </section>`;
  }

  protected override render() {
    const { found } = this;
    if (!found) return this.fault ? failure(this.fault, () => void this.load()) : html`<p class="loading">Loading…</p>`;
    return html`<div class="stack">
      <section class="panel">
        <header>
          <h2>${found.possible ? mark("good", "ok", "Yes") : mark("bad", "error", "No")}</h2>
          <span class="grow">${found.summary}</span>
          <div class="actions" role="group" aria-label="What is asked">
            ${INTENTS.map(([intent, name]) => html`<button class="small ${intent === this.intent ? "primary" : ""}" aria-pressed=${intent === this.intent} @click=${() => this.choose(intent)}>${name}</button>`)}
          </div>
        </header>
        ${found.advice.length ? html`<ul class="list">${found.advice.map((sentence) => html`<li>${icon("right")}<span class="grow">${sentence}</span></li>`)}</ul>` : nothing}
      </section>
      <section class="panel"><header><h2>Proxies</h2><span class="help">best first; last heard ${ago(found.last_seen)}</span></header>${this.drawCandidates(found)}</section>
      ${this.drawAttempts(found)}
    </div>`;
  }
}
