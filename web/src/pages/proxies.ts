import { html } from "lit";
export const draw = () => html``;
