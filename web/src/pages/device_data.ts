// What the device says of itself: the elements of its advertisements, decoded and raw, with their ages.
import { html, nothing, type TemplateResult } from "lit";
import { customElement, property } from "lit/decorators.js";
import type { DeviceDetail } from "../api/types";
import { PageElement } from "../ui/element";
import { age, sensor, shortUuid, spacedHex, when, words } from "../ui/format";
import { companyName, serviceName } from "../ui/hints";
import { empty, fact, proxyLink } from "../ui/parts";

type Element = DeviceDetail["elements"][number];

function ascii(hex: string): string {
  const octets = hex.match(/../g)?.map((pair) => parseInt(pair, 16)) ?? [];
  return new TextDecoder().decode(new Uint8Array(octets));
}

function littleUuids(hex: string, octets: number): string {
  const chunks = hex.match(new RegExp(`.{${octets * 2}}`, "g")) ?? [];
  return chunks.map((chunk) => `0x${chunk.match(/../g)!.reverse().join("")}`).join(", ");
}

const FLAGS = ["limited discoverable", "general discoverable", "no classic Bluetooth", "both at the same time (controller)", "both at the same time (host)"];

// In words what an element says; nothing where the octets are all there is to say.
function meaning(element: Element): string {
  const { type, value } = element;
  if (type === 0x01) return FLAGS.filter((_, bit) => parseInt(value || "0", 16) & (1 << bit)).join(", ");
  if (type === 0x08 || type === 0x09) return `“${ascii(value)}”`;
  if (type === 0x0a) return `${(parseInt(value, 16) << 24) >> 24} dBm`;
  if (type === 0x02 || type === 0x03 || type === 0x14) return littleUuids(value, 2);
  if (type === 0x06 || type === 0x07) return littleUuids(value, 16);
  if (type === 0xff && element.key) return companyName(element.key);
  if ((type === 0x16 || type === 0x20 || type === 0x21) && element.key) return serviceName(element.key);
  return "";
}

function keyText(element: Element): string {
  if (element.key === null) return "";
  return element.type === 0xff ? `company 0x${Number(element.key).toString(16).padStart(4, "0")}` : shortUuid(element.key);
}

@customElement("device-data")
export class DeviceData extends PageElement {
  @property({ attribute: false }) detail!: DeviceDetail;

  private drawValues(): TemplateResult | typeof nothing {
    const values = Object.entries(this.detail.sensors);
    if (values.length === 0) return nothing;
    return html`<section class="panel">
      <header><h2>Decoded values</h2></header>
      <dl class="body facts">${values.map(([name, value]) => fact(words(name), sensor(name, value)))}</dl>
    </section>`;
  }

  private drawElements(): TemplateResult {
    const { elements } = this.detail;
    if (elements.length === 0) return html`<section class="panel">${empty("No advertising data", "This device was not heard yet, or its packets are empty.")}</section>`;
    return html`<section class="panel">
      <header><h2>Elements</h2><span class="help">merged from all packets, each with the time it was last in one</span></header>
      <div class="table-box" tabindex="0" role="region" aria-label="Elements">
        <table>
          <thead><tr><th>Element</th><th>Of</th><th>Meaning</th><th>Octets</th><th>Proxy</th><th class="num">Age</th></tr></thead>
          <tbody>
            ${elements.map(
              (element) => html`<tr>
                <td>${words(element.name ?? "unknown")} <span class="faint num">0x${element.type.toString(16).padStart(2, "0")}</span></td>
                <td>${keyText(element)}</td>
                <td>${meaning(element)}</td>
                <td><code class="hex">${spacedHex(element.value)}</code></td>
                <td>${proxyLink(element.proxy)}</td>
                <td class="num">${age(element.last_seen)}</td>
              </tr>`,
            )}
          </tbody>
        </table>
      </div>
    </section>`;
  }

  private drawLatest(): TemplateResult | typeof nothing {
    const { latest } = this.detail;
    if (!latest) return nothing;
    return html`<section class="panel">
      <header><h2>Latest packet</h2></header>
      <dl class="body facts">
        ${fact("Time", when(latest.time))} ${fact("Proxy", proxyLink(latest.proxy))} ${fact("RSSI", latest.rssi === null ? "–" : `${latest.rssi} dBm`)}
        ${fact("Octets", html`<code class="hex">${latest.raw === null ? "not told by this proxy" : spacedHex(latest.raw)}</code>`)}
      </dl>
    </section>`;
  }

  protected override render() {
    return html`<div class="stack">${this.drawValues()} ${this.drawElements()} ${this.drawLatest()}</div>`;
  }
}
