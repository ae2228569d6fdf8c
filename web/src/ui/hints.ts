// What a device without a name probably is, from whose data it sends.
import type { Device } from "../api/types";
import { shortUuid } from "./format";

const COMPANIES: Record<string, string> = {
  "6": "Microsoft",
  "76": "Apple",
  "89": "Nordic Semiconductor",
  "117": "Samsung",
  "135": "Garmin",
  "224": "Google",
  "343": "Huami",
  "369": "Amazon",
  "741": "Espressif",
  "911": "Xiaomi",
  "1177": "Ruuvi",
  "2409": "SwitchBot",
  "2985": "Shelly",
};

const SERVICES: Record<string, string> = {
  "0x180d": "Heart rate",
  "0x181a": "Environmental sensor",
  "0x181c": "User data",
  "0x181d": "Weight scale",
  "0xfcd2": "BTHome",
  "0xfd3d": "SwitchBot",
  "0xfd6f": "Exposure notification",
  "0xfdcd": "Qingping",
  "0xfe95": "Xiaomi",
  "0xfeaa": "Eddystone",
};

function isBeacon(device: Device): boolean {
  return device.manufacturer_data["76"]?.startsWith("0215") ?? false;
}

export function hint(device: Device): string {
  if (isBeacon(device)) return "iBeacon";
  for (const uuid of [...Object.keys(device.service_data), ...device.service_uuids]) {
    const name = SERVICES[shortUuid(uuid)];
    if (name) return name;
  }
  const companies = Object.keys(device.manufacturer_data).map((id) => COMPANIES[id] ?? "");
  return companies.find(Boolean) ?? "";
}

export function companyName(id: string): string {
  return COMPANIES[id] ?? "";
}

export function serviceName(uuid: string): string {
  return SERVICES[shortUuid(uuid)] ?? "";
}
