// Line icons of 24 by 24, drawn by their paths; always decoration, so words stand beside them.
import { html, svg, type TemplateResult } from "lit";

const PATHS = {
  overview: "M4 4h7v9H4zM13 4h7v5h-7zM13 11h7v9h-7zM4 15h7v5H4z",
  devices: "M7 7l10 10-5 4V3l5 4L7 17",
  proxies: "M12 13v8M8.500 21h7M12 11a1 1 0 1 0 0-.01M8.500 13.500a5 5 0 0 1 0-7M15.500 6.500a5 5 0 0 1 0 7M5.600 16.400a9 9 0 0 1 0-12.800M18.400 3.600a9 9 0 0 1 0 12.800",
  map: "M5 6a2 2 0 1 0 .01 0M19 5a2 2 0 1 0 .01 0M12 17a2.500 2.500 0 1 0 .01 0M6.500 9.500l4 7.500M18 8.500L13.500 17M7 8h10",
  scanning: "M12 12L18 6M12 21a9 9 0 1 1 9-9M12 16a4 4 0 1 1 4-4",
  connections: "M9 15l6-6M11 6l1.500-1.500a4.200 4.200 0 0 1 6 6L17 12M13 18l-1.500 1.500a4.200 4.200 0 0 1-6-6L7 12",
  recorder: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18M12 15a3 3 0 1 0 0-6 3 3 0 0 0 0 6",
  settings: "M4 7h9M17 7h3M4 17h3M11 17h9M15 7m-2 0a2 2 0 1 0 4 0 2 2 0 1 0-4 0M9 17m-2 0a2 2 0 1 0 4 0 2 2 0 1 0-4 0",
  logs: "M5 5h14M5 10h14M5 15h9M5 20h11",
  about: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18M12 11v5M12 8v.01",
  access: "M14.500 9.500a4 4 0 1 0-3.200 3.900L13 15h2v2h2v2h3v-3l-5.700-5.700M8.500 8.500v.01",
  ok: "M5 12.500l4.500 4.500L19 7.500",
  warning: "M12 4L2.500 20h19zM12 10v4M12 17v.01",
  error: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18M9 9l6 6M15 9l-6 6",
  wait: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18M12 7v5l3 2",
  off: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18M8 12h8",
  sun: "M12 16a4 4 0 1 0 0-8 4 4 0 0 0 0 8M12 2v2M12 20v2M4.900 4.900l1.400 1.400M17.700 17.700l1.400 1.400M2 12h2M20 12h2M4.900 19.100l1.400-1.400M17.700 6.300l1.400-1.400",
  moon: "M20 14.500A8.500 8.500 0 1 1 9.500 4a7 7 0 0 0 10.500 10.500",
  system: "M4 5h16v11H4zM9 20h6M12 16v4",
  menu: "M4 7h16M4 12h16M4 17h16",
  close: "M6 6l12 12M18 6L6 18",
  search: "M11 18a7 7 0 1 0 0-14 7 7 0 0 0 0 14M16 16l4.500 4.500",
  edit: "M4 20l1-4L16 5l3 3L8 19zM14 7l3 3",
  link: "M9 15l6-6M11 6l1.500-1.500a4.200 4.200 0 0 1 6 6L17 12M13 18l-1.500 1.500a4.200 4.200 0 0 1-6-6L7 12",
  add: "M12 5v14M5 12h14",
  right: "M9 6l6 6-6 6",
  columns: "M4 5h16v14H4zM10 5v14M15 5v14",
  download: "M12 4v11M7 11l5 5 5-5M5 20h14",
  trash: "M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13",
  refresh: "M19 12a7 7 0 1 1-2-5l2 2M19 4v5h-5",
} as const;

export type Icon = keyof typeof PATHS;

export function icon(name: Icon): TemplateResult {
  return html`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true">${svg`<path d=${PATHS[name]} />`}</svg>`;
}
