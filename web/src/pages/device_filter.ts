// Which devices are shown: the filters of GET /devices, kept in the address, so that a view can be
// sent to somebody and asked for over REST.
import type { DeviceRow } from "../store/store";
import { deviceName } from "../ui/parts";

export interface Filter {
  name: string; // also finds addresses
  proxy: string;
  area: string;
  kind: string;
  rssi_min: string;
  service_uuid: string;
  manufacturer_id: string;
  manufacturer_data_prefix: string;
  seen_within_s: string;
  connectable: string;
  available: string;
}

export const NO_FILTER: Filter = {
  name: "",
  proxy: "",
  area: "",
  kind: "",
  rssi_min: "",
  service_uuid: "",
  manufacturer_id: "",
  manufacturer_data_prefix: "",
  seen_within_s: "",
  connectable: "",
  available: "",
};

export function readFilter(query: URLSearchParams): Filter {
  const filter = { ...NO_FILTER };
  for (const key of Object.keys(filter) as (keyof Filter)[]) filter[key] = query.get(key) ?? "";
  return filter;
}

// As the API writes UUIDs: 128 bit, lower case.
export function longUuid(text: string): string {
  const digits = text.toLowerCase().replace(/^0x/, "").replaceAll("-", "");
  if (digits.length <= 4) return `0000${digits.padStart(4, "0")}-0000-1000-8000-00805f9b34fb`;
  if (digits.length === 8) return `${digits}-0000-1000-8000-00805f9b34fb`;
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

type Test = (row: DeviceRow, now: number) => boolean;

function isText(value: string, has: string | boolean | null): boolean {
  return has !== null && String(has) === value;
}

const TESTS: { [Key in keyof Filter]: (value: string) => Test } = {
  name: (value) => {
    const wanted = value.toLowerCase();
    const digits = wanted.replaceAll(/[:-]/g, "");
    const asAddress = /^[0-9a-f]+$/.test(digits) ? digits : undefined;
    return ({ device }) =>
      deviceName(device).toLowerCase().includes(wanted) ||
      (device.name ?? "").toLowerCase().includes(wanted) ||
      (asAddress !== undefined && device.address.replaceAll(":", "").toLowerCase().includes(asAddress));
  },
  proxy: (value) => (row) => row.device.proxy === value,
  area: (value) => (row) => row.device.area === value,
  kind: (value) => (row) => row.device.kind === value,
  rssi_min: (value) => (row) => (row.device.rssi ?? -128) >= Number(value),
  service_uuid: (value) => {
    const uuid = longUuid(value);
    return ({ device }) => device.service_uuids.includes(uuid) || uuid in device.service_data;
  },
  manufacturer_id: (value) => {
    const id = String(Number(value));
    return ({ device }) => id in device.manufacturer_data;
  },
  manufacturer_data_prefix: (value) => {
    const prefix = value.toLowerCase();
    return ({ device }) => Object.values(device.manufacturer_data).some((data) => data.startsWith(prefix));
  },
  seen_within_s: (value) => (row, now) => now - row.seen <= Number(value) * 1000,
  connectable: (value) => (row) => isText(value, row.device.connectable),
  available: (value) => (row) => isText(value, row.device.available),
};

export function compile(filter: Filter): Test {
  const tests = (Object.keys(TESTS) as (keyof Filter)[]).filter((key) => filter[key] !== "").map((key) => TESTS[key](filter[key]));
  return (row, now) => tests.every((test) => test(row, now));
}
