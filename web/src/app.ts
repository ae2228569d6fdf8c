// The shell: who may come in, the way to the pages, what the stream is doing, and the page itself.
import { html, nothing, type TemplateResult } from "lit";
import { customElement, state } from "lit/decorators.js";
import { PAGES, type PageEntry } from "./pages/registry";
import { link, readPlace, type Place } from "./router";
import { Every, Watch } from "./store/controller";
import { store } from "./store/store";
import { PageElement } from "./ui/element";
import { age, ago, count } from "./ui/format";
import { icon, type Icon } from "./ui/icons";
import { empty, failure, mark } from "./ui/parts";
import { setTheme, theme, type Theme } from "./ui/theme";
import "./sign_in";
import "./ui/toast";

type Draw = (place: Place) => TemplateResult;

const THEMES: Record<Theme, [Icon, string, Theme]> = {
  system: ["system", "as the system", "light"],
  light: ["sun", "light", "dark"],
  dark: ["moon", "dark", "system"],
};
const GROUPS = ["Fleet", "Radio", "Gateway"] as const;
const LOST_SHOWN_MS = 1500; // a shorter break is nobody's concern

@customElement("blefleet-app")
export class App extends PageElement {
  @state() private place: Place = readPlace(location.hash);
  @state() private draws = new Map<string, Draw>();
  @state() private failed = "";
  @state() private isMenuOpen = false;

  constructor() {
    super();
    new Watch(this, "info", "stream", "session");
    new Every(this, 1000, () => {
      if (store.state !== "live") this.requestUpdate();
    });
  }

  override connectedCallback(): void {
    super.connectedCallback();
    window.addEventListener("hashchange", this.onPlace);
    window.addEventListener("keydown", this.onKey);
    this.onPlace();
    void store.start();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    window.removeEventListener("hashchange", this.onPlace);
    window.removeEventListener("keydown", this.onKey);
  }

  private readonly onPlace = () => {
    const before = this.place.page;
    this.place = readPlace(location.hash);
    this.isMenuOpen = false;
    const entry = this.entry();
    document.title = `${entry?.title ?? "Not found"} – blefleet`;
    if (entry) void this.load(entry);
    if (before !== this.place.page) this.querySelector<HTMLElement>("main")?.focus({ preventScroll: false });
  };

  // "/" goes to the search of the page, or to the devices where it has none.
  private readonly onKey = (event: KeyboardEvent) => {
    const target = event.target as HTMLElement;
    if (event.key !== "/" || event.ctrlKey || event.metaKey || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName)) return;
    event.preventDefault();
    const search = this.querySelector<HTMLInputElement>("main input[type=search]");
    if (search) search.focus();
    else location.hash = link("devices");
  };

  private entry(): PageEntry | undefined {
    return PAGES.find((page) => page.name === this.place.page);
  }

  private async load(entry: PageEntry): Promise<void> {
    if (this.draws.has(entry.name)) return;
    try {
      const { draw } = await entry.load();
      this.draws = new Map(this.draws).set(entry.name, draw);
      this.failed = "";
    } catch {
      this.failed = entry.name;
    }
  }

  // ---- what is drawn ----

  private drawPage(): TemplateResult {
    const entry = this.entry();
    if (!entry) return empty("There is no such page", html`Begin with the <a href=${link("overview")}>overview</a>.`);
    if (entry.role && entry.role !== store.role) return empty("This page is not for your role", html`It needs a token of the role ${entry.role}.`);
    if (this.failed === entry.name) return failure("The gateway did not send this page.", () => void this.load(entry));
    const draw = this.draws.get(entry.name);
    return draw ? draw(this.place) : html`<p class="loading">Loading…</p>`;
  }

  private drawGroup(group: (typeof GROUPS)[number]): TemplateResult | typeof nothing {
    const pages = PAGES.filter((page) => page.group === group && (!page.part || store.has(page.part)) && (!page.role || page.role === store.role));
    if (pages.length === 0) return nothing;
    return html`<h2>${group}</h2>
      <ul>
        ${pages.map(
          (page) => html`<li>
            <a href=${link(page.name)} aria-current=${page.name === this.place.page ? "page" : nothing}>${icon(page.icon)}${page.title}</a>
          </li>`,
        )}
      </ul>`;
  }

  private drawStream(): TemplateResult {
    const passed = Date.now() - store.since;
    if (store.state === "live" || passed < LOST_SHOWN_MS) {
      const rate = store.info ? `${Math.round(store.info.adverts_per_s)} adv/s` : "";
      return html`${mark("good", "ok", "Live")}<span class="num faint wide-only">${rate}</span>`;
    }
    return mark("bad", "warning", `No connection for ${age(store.since)}`);
  }

  private drawLost(): TemplateResult | typeof nothing {
    const passed = Date.now() - store.since;
    if (store.state === "live" || passed < LOST_SHOWN_MS) return nothing;
    return html`<div class="banner" role="alert">
      ${icon("warning")} The gateway does not answer. What you see is from ${ago(store.since)}; the page connects again by itself.
    </div>`;
  }

  private drawTheme(): TemplateResult {
    const [name, word, next] = THEMES[theme()];
    const change = () => {
      setTheme(next);
      this.requestUpdate();
    };
    return html`<button class="ghost" @click=${change} aria-label="Colours: ${word}" title="Colours: ${word}">${icon(name)}</button>`;
  }

  protected override render() {
    document.documentElement.dataset.role = store.role; // the stylesheet hides what a role may not do
    if (store.needsSignIn) return html`<sign-in></sign-in>`;
    if (store.isFirstRun) return html`<first-run></first-run>`;
    return html`<a class="skip" href="#main" @click=${this.onSkip}>To the content</a>
      <header class="top">
        <button class="ghost narrow-only" aria-label="Menu" aria-expanded=${this.isMenuOpen} @click=${() => (this.isMenuOpen = !this.isMenuOpen)}>${icon("menu")}</button>
        <a class="brand" href=${link("overview")}><img src="favicon.svg" alt="" width="22" height="22" />blefleet</a>
        <div class="grow"></div>
        ${store.dropped ? html`<span class="faint wide-only">${count(store.dropped, "event")} skipped</span>` : nothing}
        ${this.drawStream()} ${this.drawTheme()}
      </header>
      <nav class=${this.isMenuOpen ? "open" : ""} aria-label="Pages">${GROUPS.map((group) => this.drawGroup(group))}</nav>
      <main id="main" tabindex="-1">${this.drawLost()}${this.drawPage()}</main>
      <toast-list></toast-list>`;
  }

  private readonly onSkip = (event: Event) => {
    event.preventDefault();
    this.querySelector<HTMLElement>("main")?.focus();
  };
}
