// One characteristic: what it can do, its value, and the ways to change it.
import { html, nothing, type TemplateResult } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import { get, send, sentenceOf } from "../api/client";
import type { Characteristic, GattValue, NotificationEvent, SubscriptionGranted } from "../api/types";
import { PageElement } from "../ui/element";
import { ago, shortUuid, words } from "../ui/format";
import { decode, encode, FORMAT_NAMES, FORMATS, usualFormat, type Format } from "../ui/octets";
import { mark } from "../ui/parts";

// Four digits in a path are a UUID, so such a handle has a zero before it.
export function handleStep(handle: number): string {
  return handle >= 1000 && handle <= 9999 ? `0${handle}` : String(handle);
}

@customElement("gatt-characteristic")
export class GattCharacteristic extends PageElement {
  @property() address = "";
  @property() lease: string | undefined;
  @property({ attribute: false }) item!: Characteristic;
  @property({ attribute: false }) heard: NotificationEvent | undefined; // the newest
  @state() private chosen: Format | undefined;
  @state() private value: GattValue | undefined;
  @state() private fault = "";
  @state() private isBusy = false;
  @state() private isSubscribed = false;
  @state() private readonly descriptors = new Map<number, string>();

  override willUpdate(changed: Map<string, unknown>): void {
    if (changed.has("lease") && !this.lease) this.isSubscribed = false;
  }

  private get format(): Format {
    return this.chosen ?? usualFormat(this.item.uuid);
  }

  private get path(): string {
    return `/devices/${this.address}/characteristics/${handleStep(this.item.handle)}`;
  }

  private can(property: Characteristic["properties"][number]): boolean {
    return this.item.properties.includes(property);
  }

  private async run(action: () => Promise<void>): Promise<void> {
    this.isBusy = true;
    this.fault = "";
    try {
      await action();
    } catch (error) {
      this.fault = sentenceOf(error);
    }
    this.isBusy = false;
  }

  private read(): Promise<void> {
    return this.run(async () => {
      this.value = await get<GattValue>(this.path, { lease: this.lease });
    });
  }

  private readonly write = (event: SubmitEvent) => {
    event.preventDefault();
    const input = (event.target as HTMLFormElement).querySelector("input")!;
    void this.run(async () => {
      const value = encode(input.value, this.format);
      await send("PUT", this.path, { value, response: null, ...(this.lease ? { lease: this.lease } : {}) });
      if (this.can("read")) this.value = await get<GattValue>(this.path, { lease: this.lease });
    });
  };

  private subscribe(): Promise<void> {
    return this.run(async () => {
      const path = `${this.path}/subscription`;
      if (this.isSubscribed) await send("DELETE", path, undefined, { lease: this.lease });
      else await send<SubscriptionGranted>("PUT", path, { lease: this.lease });
      this.isSubscribed = !this.isSubscribed;
    });
  }

  private readDescriptor(handle: number): Promise<void> {
    return this.run(async () => {
      const found = await get<GattValue>(`/devices/${this.address}/descriptors/${handleStep(handle)}`, { lease: this.lease });
      this.descriptors.set(handle, found.value);
    });
  }

  // ---- what is drawn ----

  private drawValue(): TemplateResult | typeof nothing {
    const newest = this.heard && (!this.value || this.heard.time > this.value.time) ? this.heard : this.value;
    if (!newest) return nothing;
    return html`<div class="gatt-value"><code class="hex">${decode(newest.value, this.format)}</code> <span class="faint">${ago(newest.time)}</span></div>`;
  }

  private drawWrite(): TemplateResult | typeof nothing {
    if (!this.can("write") && !this.can("write-without-response")) return nothing;
    const label = `New value of ${this.item.name ?? shortUuid(this.item.uuid)}`;
    return html`<form class="actions" data-needs="control" @submit=${this.write}>
      <input class="small mono" aria-label=${label} placeholder=${this.format === "hex" ? "01 ff" : this.format === "text" ? "text" : "0"} autocomplete="off" />
      <button class="small" ?disabled=${this.isBusy}>Write</button>
    </form>`;
  }

  private drawDescriptors(): TemplateResult | typeof nothing {
    if (this.item.descriptors.length === 0) return nothing;
    return html`<ul class="descriptors">
      ${this.item.descriptors.map(
        (descriptor) => html`<li>
          <span class="faint num">${descriptor.handle}</span> ${descriptor.name ?? shortUuid(descriptor.uuid)}
          ${this.descriptors.has(descriptor.handle) ? html`<code class="hex">${decode(this.descriptors.get(descriptor.handle)!, this.format)}</code>` : nothing}
          <button class="ghost small" data-needs="control" ?disabled=${this.isBusy} aria-label="Read ${descriptor.name ?? "descriptor"} ${descriptor.handle}" @click=${() => void this.readDescriptor(descriptor.handle)}>Read</button>
        </li>`,
      )}
    </ul>`;
  }

  protected override render() {
    const { item } = this;
    const name = item.name ?? "Unknown characteristic";
    const canTell = this.can("notify") || this.can("indicate");
    const choose = (event: Event) => (this.chosen = (event.target as HTMLSelectElement).value as Format);
    return html`<div class="gatt-row">
      <div class="gatt-name">
        <b>${name}</b> <code class="faint">${shortUuid(item.uuid)}</code> <span class="faint num">handle ${item.handle}</span>
        <div class="tags">${item.properties.map((property) => html`<span class="tag">${words(property)}</span>`)}</div>
      </div>
      <div class="gatt-do">
        <div class="actions">
          <select class="small" aria-label="Format of ${name}" @change=${choose}>${FORMATS.map((format) => html`<option value=${format} ?selected=${format === this.format}>${FORMAT_NAMES[format]}</option>`)}</select>
          ${this.can("read") ? html`<button class="small" data-needs="control" ?disabled=${this.isBusy} @click=${() => void this.read()}>Read</button>` : nothing}
          ${canTell
            ? html`<button class="small" data-needs="control" ?disabled=${this.isBusy || !this.lease} title=${this.lease ? "" : "Connect first"} aria-pressed=${this.isSubscribed} @click=${() => void this.subscribe()}>
                ${this.isSubscribed ? "Unsubscribe" : "Subscribe"}
              </button>`
            : nothing}
          ${this.isSubscribed ? mark("good", "ok", "subscribed") : nothing}
        </div>
        ${this.drawWrite()} ${this.drawValue()} ${this.fault ? html`<p class="fault" role="alert">${this.fault}</p>` : nothing} ${this.drawDescriptors()}
      </div>
    </div>`;
  }
}
