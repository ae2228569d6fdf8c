// Short words at the edge of the page about what an action did; read out by screen readers.
import { html } from "lit";
import { customElement, state } from "lit/decorators.js";
import { sentenceOf } from "../api/client";
import { PageElement } from "./element";
import { icon } from "./icons";

interface Note {
  id: number;
  kind: "ok" | "error";
  text: string;
}

const SHOWN_MS = { ok: 4000, error: 10000 };

@customElement("toast-list")
export class ToastList extends PageElement {
  @state() private notes: Note[] = [];
  private last = 0;

  show(kind: Note["kind"], text: string): void {
    const note = { id: ++this.last, kind, text };
    this.notes = [...this.notes.slice(-3), note];
    window.setTimeout(() => this.drop(note.id), SHOWN_MS[kind]);
  }

  private drop(id: number): void {
    this.notes = this.notes.filter((note) => note.id !== id);
  }

  protected override render() {
    return html`<div class="toasts" role="status" aria-live="polite">
      ${this.notes.map(
        (note) => html`<div class="toast ${note.kind}">
          ${icon(note.kind === "ok" ? "ok" : "warning")}<span>${note.text}</span>
          <button class="ghost small" aria-label="Dismiss" @click=${() => this.drop(note.id)}>${icon("close")}</button>
        </div>`,
      )}
    </div>`;
  }
}

function show(kind: Note["kind"], text: string): void {
  document.querySelector<ToastList>("toast-list")?.show(kind, text);
}

// Runs an action of a button; says how it went. Gives its result, or undefined when it failed.
export async function attempt<Result>(action: () => Promise<Result>, done?: string | ((result: Result) => string)): Promise<Result | undefined> {
  try {
    const result = await action();
    if (done !== undefined) show("ok", typeof done === "string" ? done : done(result));
    return result;
  } catch (error) {
    show("error", sentenceOf(error));
    return undefined;
  }
}
