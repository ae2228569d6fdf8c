// Adding a proxy and changing one: the same questions.
import { html, type TemplateResult } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import { ProblemError, send, sentenceOf } from "../api/client";
import type { DiscoveredProxy, FieldError, Proxy } from "../api/types";
import { store } from "../store/store";
import { openDialog } from "../ui/dialog";
import { PageElement } from "../ui/element";

const PORT = 6053;

type Values = Partial<Pick<Proxy, "name" | "host" | "port" | "area" | "weight" | "enabled">>;

@customElement("proxy-form")
export class ProxyForm extends PageElement {
  @property({ attribute: false }) close!: () => void;
  @property({ attribute: false }) values: Values = {};
  @property() changes = ""; // the proxy that is changed; empty: a new one
  @property({ type: Boolean }) needsKey = false;
  @state() private errors: FieldError[] = [];
  @state() private fault = "";
  @state() private isBusy = false;

  private read(data: FormData): Record<string, unknown> {
    const text = (name: string) => String(data.get(name) ?? "").trim();
    const body: Record<string, unknown> = {
      name: text("name"),
      host: text("host"),
      port: Number(text("port")),
      area: text("area") || null,
      weight: Number(text("weight")),
      enabled: data.get("enabled") === "on",
    };
    // An empty field of a secret leaves it as it is.
    if (text("encryption_key")) body.encryption_key = text("encryption_key");
    if (text("password")) body.password = text("password");
    return body;
  }

  private readonly save = async (event: SubmitEvent) => {
    event.preventDefault();
    const body = this.read(new FormData(event.target as HTMLFormElement));
    this.isBusy = true;
    try {
      if (this.changes) await send("PATCH", `/proxies/${encodeURIComponent(this.changes)}`, body);
      else await send("POST", "/proxies", body);
      await store.refresh();
      this.close();
    } catch (error) {
      this.errors = error instanceof ProblemError ? error.errors : [];
      this.fault = sentenceOf(error);
    }
    this.isBusy = false;
  };

  private drawField(name: string, title: string, help: string, value: string, more: { type?: string; mode?: string } = {}): TemplateResult {
    const faults = this.errors.filter((error) => error.pointer === `/${name}`);
    return html`<label class="field"
      ><span>${title}</span
      ><input name=${name} type=${more.type ?? "text"} inputmode=${more.mode ?? "text"} autocomplete="off" .value=${value} aria-invalid=${faults.length > 0} />
      <span class="help">${help}</span>${faults.map((error) => html`<span class="fault">${error.detail}</span>`)}</label
    >`;
  }

  protected override render() {
    const { values } = this;
    const secret = this.changes ? "Empty: as it is." : "";
    return html`<form class="form two" @submit=${this.save}>
      ${this.drawField("name", "Name", "Letters, digits, dot, dash; shown everywhere.", values.name ?? "")}
      ${this.drawField("area", "Area", "The room it hangs in.", values.area ?? "")}
      ${this.drawField("host", "Host", "Address, or a name such as kitchen.local.", values.host ?? "")}
      ${this.drawField("port", "Port", "Of the ESPHome API.", String(values.port ?? PORT), { mode: "numeric" })}
      ${this.drawField("encryption_key", this.needsKey ? "Encryption key (needed)" : "Encryption key", `32 octets in base64, api: encryption: key of its ESPHome configuration. ${secret}`, "", { type: "password" })}
      ${this.drawField("password", "Password", `Of old firmware alone. ${secret}`, "", { type: "password" })}
      ${this.drawField("weight", "Weight (dB)", "-30 to 30; what is added to its score when a device is connected.", String(values.weight ?? 0), { mode: "numeric" })}
      <label class="check"><input type="checkbox" name="enabled" .checked=${values.enabled ?? true} />Switched on</label>
      ${this.fault ? html`<p class="fault whole" role="alert">${this.fault}</p>` : ""}
      <div class="actions end whole">
        <button type="button" @click=${this.close}>Cancel</button>
        <button class="primary" ?disabled=${this.isBusy}>${this.changes ? "Save" : "Add"}</button>
      </div>
    </form>`;
  }
}

export function addProxy(found?: DiscoveredProxy): void {
  const values: Values = found ? { name: found.name, host: found.host, port: found.port || PORT, area: found.friendly_name } : {};
  openDialog(found ? `Adopt ${found.friendly_name ?? found.name}` : "Add a proxy", (close) => html`<proxy-form .close=${close} .values=${values} .needsKey=${found?.encryption === "required"}></proxy-form>`);
}

export function changeProxy(proxy: Proxy): void {
  openDialog(`Settings of ${proxy.name}`, (close) => html`<proxy-form .close=${close} .values=${proxy} .changes=${proxy.name}></proxy-form>`);
}
