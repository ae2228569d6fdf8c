// The way in: a token, and where there is none yet, the first one.
import { html, nothing, type TemplateResult } from "lit";
import { customElement, state } from "lit/decorators.js";
import { send, sentenceOf } from "./api/client";
import type { TokenCreated } from "./api/types";
import { store } from "./store/store";
import { PageElement } from "./ui/element";

@customElement("sign-in")
export class SignIn extends PageElement {
  @state() private fault = "";
  @state() private isBusy = false;

  private readonly enter = async (event: SubmitEvent) => {
    event.preventDefault();
    const token = String(new FormData(event.target as HTMLFormElement).get("token")).trim();
    this.isBusy = true;
    try {
      await send("POST", "/session", { token });
      await store.start();
      this.fault = store.needsSignIn ? "The browser did not keep the session: are cookies allowed?" : "";
    } catch (error) {
      this.fault = sentenceOf(error);
    }
    this.isBusy = false;
  };

  protected override render() {
    return html`<main class="gate">
      <form class="panel form" @submit=${this.enter}>
        <h1><img src="favicon.svg" alt="" width="26" height="26" /> blefleet</h1>
        <label class="field"><span>Token</span><input type="password" name="token" required autofocus autocomplete="current-password" /></label>
        <button class="primary" ?disabled=${this.isBusy}>Sign in</button>
        ${this.fault ? html`<p class="fault" role="alert">${this.fault}</p>` : nothing}
        <p class="help">No token at hand? On the machine of the gateway: <code>blefleet token add NAME --role admin</code></p>
      </form>
    </main>`;
  }
}

@customElement("first-run")
export class FirstRun extends PageElement {
  @state() private made: TokenCreated | undefined;
  @state() private fault = "";

  private readonly make = async (event: SubmitEvent) => {
    event.preventDefault();
    const name = String(new FormData(event.target as HTMLFormElement).get("name"));
    try {
      this.made = await send<TokenCreated>("POST", "/tokens", { name, role: "admin" });
      await send("POST", "/session", { token: this.made.token });
    } catch (error) {
      this.fault = sentenceOf(error);
    }
  };

  private readonly skip = () => store.skipFirstRun();

  private readonly goOn = async () => {
    store.skipFirstRun();
    await store.start();
  };

  private drawAsk(): TemplateResult {
    return html`<form class="panel form" @submit=${this.make}>
      <h1><img src="favicon.svg" alt="" width="26" height="26" /> Welcome to blefleet</h1>
      <p>Until there is a token, everybody on this machine may do everything, and nobody else may come in. With a first token the gateway can be opened to your network.</p>
      <label class="field"><span>Your name</span><input name="name" required pattern="[A-Za-z0-9][A-Za-z0-9_.\\-]{0,63}" autocomplete="username" /></label>
      <div class="actions">
        <button class="primary">Make my admin token</button>
        <button type="button" @click=${this.skip}>Later</button>
      </div>
      ${this.fault ? html`<p class="fault" role="alert">${this.fault}</p>` : nothing}
    </form>`;
  }

  protected override render() {
    const { made } = this;
    if (!made) return html`<main class="gate">${this.drawAsk()}</main>`;
    return html`<main class="gate">
      <section class="panel form">
        <h1>Your token</h1>
        <p>It is shown this once. Keep it where you keep passwords; with it you sign in here, and programs use the API.</p>
        <p class="secret"><code>${made.token}</code></p>
        <button class="primary" @click=${this.goOn}>I have it</button>
      </section>
    </main>`;
  }
}
