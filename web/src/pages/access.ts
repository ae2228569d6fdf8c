// Who may do what: tokens, and what was done with them.
import { html, nothing, type TemplateResult } from "lit";
import { customElement, state } from "lit/decorators.js";
import { get, items, send, sentenceOf } from "../api/client";
import type { AuditEntry, Page, Token, TokenCreated } from "../api/types";
import { store } from "../store/store";
import { confirmed, openDialog } from "../ui/dialog";
import { PageElement } from "../ui/element";
import { ago, when } from "../ui/format";
import { icon } from "../ui/icons";
import { empty, failure, mark } from "../ui/parts";
import { attempt } from "../ui/toast";

const ENTRIES = 200;
const ROLES: [Token["role"], string][] = [
  ["read", "read: sees everything but secrets"],
  ["control", "control: connects, writes, scans as well"],
  ["admin", "admin: changes settings and tokens as well"],
];

// Shows a secret that nobody can show again.
export function showSecret(token: TokenCreated): void {
  openDialog(
    `Token ${token.name}`,
    (close) => html`<p>This is shown once. Keep it where you keep passwords.</p>
      <p class="secret"><code>${token.token}</code></p>
      <div class="actions end">
        <button @click=${() => void attempt(() => navigator.clipboard.writeText(token.token), "Copied.")}>Copy</button>
        <button class="primary" @click=${close}>I have it</button>
      </div>`,
  );
}

@customElement("access-page")
export class AccessPage extends PageElement {
  @state() private tokens: Token[] | undefined;
  @state() private entries: AuditEntry[] = [];
  @state() private fault = "";

  override connectedCallback(): void {
    super.connectedCallback();
    void this.load();
  }

  private async load(): Promise<void> {
    try {
      this.tokens = await items<Token>("/tokens");
      this.entries = (await get<Page<AuditEntry>>("/audit", { limit: ENTRIES })).items;
      this.fault = "";
    } catch (error) {
      this.fault = sentenceOf(error);
    }
  }

  private readonly add = async (event: SubmitEvent) => {
    event.preventDefault();
    const form = event.target as HTMLFormElement;
    const data = new FormData(form);
    const made = await attempt(() => send<TokenCreated>("POST", "/tokens", { name: data.get("name"), role: data.get("role") }));
    if (!made) return;
    form.reset();
    showSecret(made);
    await store.whoAmI();
    void this.load();
  };

  private async revoke(token: Token): Promise<void> {
    const sure = await confirmed(`Revoke ${token.name}?`, "Whoever uses it is refused from now on, and its sessions end.", "Revoke it");
    if (sure) await attempt(() => send("DELETE", `/tokens/${encodeURIComponent(token.name)}`), "It is revoked.");
    void this.load();
  }

  private drawTokens(tokens: Token[]): TemplateResult {
    // Without one that may do everything nobody could make the next: the gateway refuses another first one.
    const roles = tokens.length === 0 ? ROLES.filter(([role]) => role === "admin") : ROLES;
    return html`<section class="panel">
      <header><h2>Tokens</h2></header>
      ${tokens.length === 0
        ? empty("No token yet", "Everybody on this machine may do everything, and nobody else may come in. Make an admin token first.")
        : html`<div class="table-box" tabindex="0" role="region" aria-label="Tokens">
            <table>
              <thead><tr><th>Name</th><th>Role</th><th>Made</th><th>Last used</th><th></th></tr></thead>
              <tbody>
                ${tokens.map(
                  (token) => html`<tr>
                    <td><b>${token.name}</b> ${token.source === "environment" ? html`<span class="tag">from the environment</span>` : nothing}</td>
                    <td>${token.role}</td>
                    <td class="num-left">${when(token.created)}</td>
                    <td class="num-left">${ago(token.last_used)}</td>
                    <td class="right"><button class="small" ?disabled=${token.source === "environment"} @click=${() => void this.revoke(token)}>Revoke</button></td>
                  </tr>`,
                )}
              </tbody>
            </table>
          </div>`}
      <form class="body actions" @submit=${this.add}>
        <input name="name" required placeholder="Name" aria-label="Name of the new token" autocomplete="off" />
        <select name="role" aria-label="Role of the new token">${roles.map(([role, words]) => html`<option value=${role}>${words}</option>`)}</select>
        <button class="primary">${icon("add")} Make a token</button>
      </form>
    </section>`;
  }

  private drawAudit(): TemplateResult {
    return html`<section class="panel">
      <header><h2>What was done</h2><span class="help">every change, newest first</span></header>
      ${this.entries.length === 0 ? html`<div class="body faint">Nothing yet.</div>` : nothing}
      <div class="table-box" tabindex="0" role="region" aria-label="What was done">
        <table class="dense">
          <tbody>
            ${this.entries.map(
              (entry) => html`<tr>
                <td class="num-left faint">${when(entry.time)}</td>
                <td>${entry.actor} <span class="faint">${entry.role}</span></td>
                <td class="faint">${entry.remote ?? ""}</td>
                <td><code class="hex">${entry.action}</code></td>
                <td>${entry.status < 400 ? mark("good", "ok", String(entry.status)) : mark("bad", "error", String(entry.status))}</td>
                <td class="hex">${entry.changed.join(", ")}</td>
              </tr>`,
            )}
          </tbody>
        </table>
      </div>
    </section>`;
  }

  protected override render() {
    if (!this.tokens) return this.fault ? failure(this.fault, () => void this.load()) : html`<p class="loading">Loading…</p>`;
    return html`<div class="page-head"><h1>Access</h1></div><div class="stack">${this.drawTokens(this.tokens)} ${this.drawAudit()}</div>`;
  }
}

export function draw(): TemplateResult {
  return html`<access-page></access-page>`;
}
