// The shapes of the contract under their short names; contract.d.ts is made of schema/openapi.yaml
// when the page is built.
import type { components } from "./contract";

type Schemas = components["schemas"];

export type Attempt = Schemas["Attempt"];
export type AuditEntry = Schemas["AuditEntry"];
export type BondResult = Schemas["BondResult"];
export type CacheCleared = Schemas["CacheCleared"];
export type Candidate = Schemas["Candidate"];
export type Characteristic = Schemas["Characteristic"];
export type Client = Schemas["Client"];
export type ConfigApplied = Schemas["ConfigApplied"];
export type ConfigVersion = Schemas["ConfigVersion"];
export type Connection = Schemas["Connection"];
export type ConnectionEvent = Schemas["ConnectionEvent"];
export type ConnectionOpened = Schemas["ConnectionOpened"];
export type Device = Schemas["Device"];
export type DeviceDetail = Schemas["DeviceDetail"];
export type DeviceEvent = Schemas["DeviceEvent"];
export type DeviceSettings = Schemas["DeviceSettings"];
export type DiscoveredProxy = Schemas["DiscoveredProxy"];
export type DroppedEvent = Schemas["DroppedEvent"];
export type Explanation = Schemas["Explanation"];
export type FieldError = Schemas["FieldError"];
export type GattTree = Schemas["GattTree"];
export type GattValue = Schemas["GattValue"];
export type Health = Schemas["Health"];
export type History = Schemas["History"];
export type Info = Schemas["Info"];
export type LogLine = Schemas["LogLine"];
export type Need = Schemas["Need"];
export type NotificationEvent = Schemas["NotificationEvent"];
export type Problem = Schemas["Problem"];
export type Proxy = Schemas["Proxy"];
export type ProxyEvent = Schemas["ProxyEvent"];
export type ReplayResult = Schemas["ReplayResult"];
export type RestoreResult = Schemas["RestoreResult"];
export type RssiEvent = Schemas["RssiEvent"];
export type ScanWindow = Schemas["ScanWindow"];
export type ScanWindowEvent = Schemas["ScanWindowEvent"];
export type Session = Schemas["Session"];
export type Slots = Schemas["Slots"];
export type SubscriptionGranted = Schemas["SubscriptionGranted"];
export type Token = Schemas["Token"];
export type TokenCreated = Schemas["TokenCreated"];

export type Part = Info["parts"][number];
export interface Page<Item> {
  items: Item[];
  next?: string | null;
}
