// Questions in a window of their own: the browser's dialog, so that focus, Escape and what lies
// behind it are as people know them.
import { html, render, type TemplateResult } from "lit";

let number = 0;

// Shows what content draws until it is closed; content is given what closes it.
export function openDialog(title: string, content: (close: () => void) => TemplateResult): void {
  const dialog = document.createElement("dialog");
  const close = () => dialog.close();
  const id = `dialog-${++number}`;
  dialog.setAttribute("aria-labelledby", id);
  dialog.addEventListener("close", () => dialog.remove());
  render(html`<h2 id=${id}>${title}</h2>${content(close)}`, dialog);
  document.body.append(dialog);
  dialog.showModal();
}

// Asks before something that cannot be taken back.
export function confirmed(title: string, text: string, verb: string): Promise<boolean> {
  return new Promise((resolve) => {
    let answer = false;
    openDialog(title, (close) => {
      const decide = () => {
        answer = true;
        close();
      };
      return html`<p>${text}</p>
        <div class="actions end">
          <button @click=${close}>Cancel</button>
          <button class="danger" @click=${decide}>${verb}</button>
        </div>`;
    });
    document.querySelector("dialog:last-of-type")?.addEventListener("close", () => resolve(answer));
  });
}
