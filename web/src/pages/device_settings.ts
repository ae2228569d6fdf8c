// What people decide about one device: its name and place, and which proxies may speak to it.
import { html, type TemplateResult } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import { ProblemError, send, sentenceOf } from "../api/client";
import type { DeviceDetail, DeviceSettings, FieldError } from "../api/types";
import { store } from "../store/store";
import { PageElement } from "../ui/element";
import { attempt } from "../ui/toast";

type Route = DeviceSettings["route"];
type Way = keyof Route | "";

const WAYS: [Way, string][] = [
  ["", "may"],
  ["prefer", "preferred"],
  ["require", "only these"],
  ["forbid", "never"],
];

@customElement("device-settings")
export class DeviceSettingsForm extends PageElement {
  @property({ attribute: false }) detail!: DeviceDetail;
  @state() private errors: FieldError[] = [];
  @state() private fault = "";
  @state() private isBusy = false;

  private readonly save = async (event: SubmitEvent) => {
    event.preventDefault();
    const form = event.target as HTMLFormElement;
    this.isBusy = true;
    this.errors = [];
    this.fault = "";
    try {
      const saved = await send<DeviceDetail>("PATCH", `/devices/${this.detail.address}`, { settings: this.read(new FormData(form)) });
      this.dispatchEvent(new CustomEvent("saved", { detail: saved }));
      await attempt(() => Promise.resolve(), "Saved; it works at once.");
    } catch (error) {
      this.errors = error instanceof ProblemError ? error.errors : [];
      this.fault = sentenceOf(error);
    }
    this.isBusy = false;
  };

  private read(data: FormData): Record<string, unknown> {
    const text = (name: string) => String(data.get(name) ?? "").trim() || null;
    const number = (name: string) => (text(name) === null ? null : Number(text(name)));
    const route: Route = { require: [], prefer: [], forbid: [] };
    for (const proxy of this.proxies()) {
      const way = data.get(`route.${proxy}`) as Way;
      if (way) route[way]!.push(proxy);
    }
    const publish = text("publish");
    const interval_s = number("scan_interval");
    return {
      alias: text("alias"),
      area: text("area"),
      route,
      keep_connected: data.get("keep_connected") === "on",
      clear_cccd_on_stop: data.get("clear_cccd_on_stop") === "on",
      expected_interval_s: number("expected_interval_s"),
      publish: publish === null ? null : publish === "true",
      active_scan: interval_s === null ? null : { interval_s, duration_s: number("scan_duration") ?? 10 },
      bindkey: text("bindkey"),
      irk: text("irk"),
    };
  }

  private proxies(): string[] {
    const { require, prefer, forbid } = this.detail.settings.route;
    return [...new Set([...store.proxies.keys(), ...(require ?? []), ...(prefer ?? []), ...(forbid ?? [])])].sort();
  }

  private wayOf(proxy: string): Way {
    const { route } = this.detail.settings;
    return WAYS.map(([way]) => way).find((way) => way !== "" && route[way]?.includes(proxy)) ?? "";
  }

  // ---- what is drawn ----

  private drawFault(name: string): TemplateResult[] {
    return this.errors.filter((error) => error.pointer.startsWith(`/settings/${name}`)).map((error) => html`<span class="fault">${error.detail}</span>`);
  }

  private drawField(key: string, title: string, help: string, input: TemplateResult): TemplateResult {
    return html`<label class="field"><span>${title}</span>${input}<span class="help">${help}</span>${this.drawFault(key)}</label>`;
  }

  private drawRoute(): TemplateResult {
    return html`<fieldset class="whole route">
      <legend class="label">Which proxies may connect to it</legend>
      ${this.proxies().map(
        (proxy) => html`<label class="field"
          ><span>${proxy}</span>
          <select name="route.${proxy}">${WAYS.map(([way, word]) => html`<option value=${way} ?selected=${this.wayOf(proxy) === way}>${word}</option>`)}</select></label
        >`,
      )}
      <span class="help">“Only these” leaves out all others; “preferred” goes first; “never” is never used.</span>${this.drawFault("route")}
    </fieldset>`;
  }

  protected override render() {
    const { settings } = this.detail;
    const scan = settings.active_scan;
    const publish = settings.publish === null ? "" : String(settings.publish);
    return html`<form class="panel" @submit=${this.save}>
      <header><h2>Settings</h2></header>
      <div class="body form two">
        ${this.drawField("alias", "Alias", "How it is called here and over MQTT, up to 64 characters.", html`<input name="alias" maxlength="64" .value=${settings.alias ?? ""} />`)}
        ${this.drawField("area", "Area", "Where it is; by default where its owner is.", html`<input name="area" .value=${settings.area ?? ""} />`)}
        ${this.drawRoute()}
        <label class="check whole"><input type="checkbox" name="keep_connected" .checked=${settings.keep_connected} />Keep connected: a link is held for ever</label>
        <label class="check whole"><input type="checkbox" name="clear_cccd_on_stop" .checked=${settings.clear_cccd_on_stop} />Switch notifications off in the device when nobody listens any more</label>
        ${this.drawField("active_scan", "Ask it every (s)", "Active scanning for what it only tells when asked, 60 to 86400 s; empty: not asked.", html`<input name="scan_interval" inputmode="numeric" .value=${scan ? String(scan.interval_s) : ""} />`)}
        ${this.drawField("active_scan", "… for (s)", "5 to 35 s.", html`<input name="scan_duration" inputmode="numeric" .value=${scan ? String(scan.duration_s) : ""} placeholder="10" />`)}
        ${this.drawField("expected_interval_s", "Sends every (s)", "How often it advertises, when it cannot be learned; decides when it is gone.", html`<input name="expected_interval_s" inputmode="decimal" .value=${settings.expected_interval_s === null ? "" : String(settings.expected_interval_s)} />`)}
        ${this.drawField(
          "publish",
          "Publish over MQTT",
          "As all devices, or decided for this one.",
          html`<select name="publish">${[["", "as all devices"], ["true", "yes"], ["false", "no"]].map(([value, word]) => html`<option value=${value!} ?selected=${publish === value}>${word}</option>`)}</select>`,
        )}
        ${this.drawField("bindkey", "Bind key", "32 hex digits; decrypts what it advertises. Shown as *** once set.", html`<input name="bindkey" autocomplete="off" .value=${settings.bindkey ?? ""} />`)}
        ${this.drawField("irk", "Identity key (IRK)", "32 hex digits; knows it again when its address changes.", html`<input name="irk" autocomplete="off" .value=${settings.irk ?? ""} />`)}
      </div>
      <div class="body actions">
        <button class="primary" data-needs="control" ?disabled=${this.isBusy}>Save</button>
        ${this.fault ? html`<span class="fault" role="alert">${this.fault}</span>` : ""}
      </div>
    </form>`;
  }
}
