// The pages. A page that comes later is one entry here: what it is called, which part of the gateway
// brings what it shows, and what it draws. A page is loaded when it is looked at first.
import type { TemplateResult } from "lit";
import type { Part } from "../api/types";
import type { Place } from "../router";
import type { Icon } from "../ui/icons";

export interface PageEntry {
  name: string; // behind the #
  title: string;
  icon: Icon;
  group: "Fleet" | "Radio" | "Gateway";
  part?: Part; // shown where this part is there
  role?: "admin"; // shown to this role alone
  load: () => Promise<{ draw: (place: Place) => TemplateResult }>;
}

export const PAGES: PageEntry[] = [
  { name: "overview", title: "Overview", icon: "overview", group: "Fleet", load: () => import("./overview") },
  { name: "devices", title: "Devices", icon: "devices", group: "Fleet", load: () => import("./devices") },
  { name: "proxies", title: "Proxies", icon: "proxies", group: "Fleet", load: () => import("./proxies") },
  { name: "map", title: "Map", icon: "map", group: "Fleet", load: () => import("./map") },
  { name: "scanning", title: "Scanning", icon: "scanning", group: "Radio", part: "ears", load: () => import("./scanning") },
  { name: "connections", title: "Connections", icon: "connections", group: "Radio", part: "links", load: () => import("./connections") },
  { name: "recorder", title: "Recorder", icon: "recorder", group: "Radio", part: "recorder", load: () => import("./recorder") },
  { name: "settings", title: "Settings", icon: "settings", group: "Gateway", part: "config", load: () => import("./settings") },
  { name: "access", title: "Access", icon: "access", group: "Gateway", part: "config", role: "admin", load: () => import("./access") },
  { name: "logs", title: "Logs", icon: "logs", group: "Gateway", part: "voices", load: () => import("./logs") },
  { name: "about", title: "About", icon: "about", group: "Gateway", load: () => import("./about") },
];
