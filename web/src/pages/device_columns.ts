// The columns of the devices, and how they sort. One that comes later is an entry here.
import { html, type TemplateResult } from "lit";
import type { DeviceRow } from "../store/store";
import { listeners } from "../store/store";
import { age, duration, sensor, shortUuid, when, words } from "../ui/format";
import { deviceName, givenName, loudness, proxyLink, sparkline } from "../ui/parts";

export interface Column {
  name: string;
  title: string;
  isNumber?: boolean;
  isStandard?: boolean; // shown unless the user chose otherwise
  isNarrow?: boolean; // shown on a phone as well
  key: (row: DeviceRow) => string | number;
  draw: (row: DeviceRow, now: number) => TemplateResult | string;
}

const FIRST = -1e9; // what is not known sorts before what is

function sensors(row: DeviceRow): string {
  return Object.entries(row.device.sensors)
    .map(([name, value]) => `${words(name)} ${sensor(name, value)}`)
    .join(" · ");
}

function company(row: DeviceRow): string {
  return Object.keys(row.device.manufacturer_data)
    .map((id) => `0x${Number(id).toString(16).padStart(4, "0")}`)
    .join(" ");
}

// Those that have a name come first.
function nameKey(row: DeviceRow): string {
  const name = givenName(row.device);
  return name === null ? `1${row.device.address}` : `0${name.toLowerCase()}`;
}

// The name is drawn by the table itself, which lets people change it.
export const COLUMNS: Column[] = [
  { name: "name", title: "Name", isStandard: true, isNarrow: true, key: nameKey, draw: (row) => deviceName(row.device) },
  { name: "address", title: "Address", isStandard: true, key: (row) => row.device.address, draw: (row) => html`<code>${row.device.address}</code>` },
  { name: "kind", title: "Kind", key: (row) => row.device.kind ?? "", draw: (row) => row.device.kind ?? "–" },
  { name: "rssi", title: "RSSI", isStandard: true, isNarrow: true, key: (row) => row.device.rssi_smoothed ?? FIRST, draw: (row) => loudness(row.device.rssi) },
  { name: "trail", title: "Lately", isStandard: true, key: (row) => row.trail.size, draw: (row) => sparkline(row.trail) },
  { name: "proxy", title: "Proxy", isStandard: true, isNarrow: true, key: (row) => row.device.proxy ?? "", draw: (row) => proxyLink(row.device.proxy) },
  { name: "heard", title: "Heard by", isNumber: true, isStandard: true, key: (row) => row.heard.size, draw: (row, now) => String(listeners(row, now).length || "–") },
  { name: "area", title: "Area", key: (row) => row.device.area ?? "", draw: (row) => row.device.area ?? "–" },
  { name: "values", title: "Values", isStandard: true, key: sensors, draw: (row) => sensors(row) || "–" },
  { name: "seen", title: "Last heard", isNumber: true, isStandard: true, isNarrow: true, key: (row) => row.seen, draw: (row, now) => age(row.seen, now) },
  { name: "interval", title: "Interval", isNumber: true, isStandard: true, key: (row) => row.device.interval_s ?? FIRST, draw: (row) => (row.device.interval_s === null ? "–" : duration(row.device.interval_s * 1000)) },
  { name: "raw", title: "Payload", key: (row) => row.device.raw ?? "", draw: (row) => html`<code>${row.device.raw ?? "–"}</code>` },
  { name: "company", title: "Company", key: company, draw: (row) => company(row) || "–" },
  { name: "services", title: "Services", key: (row) => row.device.service_uuids.length, draw: (row) => row.device.service_uuids.map(shortUuid).join(" ") || "–" },
  { name: "type", title: "Address type", key: (row) => row.device.address_type, draw: (row) => words(row.device.address_type) },
  { name: "connectable", title: "Connectable", key: (row) => String(row.device.connectable), draw: (row) => (row.device.connectable === null ? "not known" : row.device.connectable ? "yes" : "no") },
  { name: "first", title: "First heard", isNumber: true, key: (row) => row.device.first_seen, draw: (row) => when(row.device.first_seen) },
];

const KEY = "blefleet.columns";

export function chosenColumns(): Set<string> {
  const kept = localStorage.getItem(KEY);
  if (kept !== null) return new Set(["name", ...kept.split(",")]);
  return new Set(COLUMNS.filter((column) => column.isStandard).map((column) => column.name));
}

export function chooseColumns(names: Set<string>): void {
  localStorage.setItem(KEY, [...names].join(","));
}

// In order of a column, then of the address. Keys are made once for each row, not for each comparison.
export function sorted(rows: DeviceRow[], name: string, isDescending: boolean): DeviceRow[] {
  const { key } = COLUMNS.find((column) => column.name === name) ?? COLUMNS[0]!;
  const sign = isDescending ? -1 : 1;
  const keyed = rows.map((row) => ({ row, key: key(row) }));
  keyed.sort((a, b) => {
    if (a.key !== b.key) return a.key < b.key ? -sign : sign;
    return a.row.device.address < b.row.device.address ? -1 : 1;
  });
  return keyed.map(({ row }) => row);
}
