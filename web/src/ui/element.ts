// The elements of this page render into the document itself: one stylesheet serves all of them.
import { LitElement } from "lit";

export class PageElement extends LitElement {
  protected override createRenderRoot(): HTMLElement {
    return this;
  }
}
