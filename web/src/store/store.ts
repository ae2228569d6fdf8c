// Everything that the pages show, fed by the one stream of events and a few requests.
//
// An event changes the store at once and marks what it touched; the pages are told once per frame of
// the browser, so two thousand events a second cost a frame no more than one. After a lost connection
// the stream goes on where it was, and brings all devices anew: those that are not among them are gone.
import { get, items, ProblemError, send } from "../api/client";
import type {
  Connection,
  ConnectionEvent,
  Device,
  DeviceEvent,
  DroppedEvent,
  Health,
  Info,
  NotificationEvent,
  Part,
  Proxy,
  ProxyEvent,
  RssiEvent,
  ScanWindow,
  ScanWindowEvent,
  Session,
} from "../api/types";
import { Stream, type StreamState } from "./stream";
import { Trail } from "./trail";

export type Topic = "info" | "devices" | "proxies" | "connections" | "windows" | "logs" | "stream" | "session";

export interface Heard {
  rssi: number;
  smoothed: number;
  time: number;
}

export interface DeviceRow {
  device: Device;
  trail: Trail;
  heard: Map<string, Heard>; // by proxy, from events of this page's life
  seen: number; // ms
  version: number; // counts changes
  round: number; // of the snapshot that named it last
}

type NotificationListener = (event: NotificationEvent) => void;

const RSSI_INTERVAL_S = 2;
const REFRESH_MS = 5000;
const WINDOWS_MAX = 500;
const FIRST_RUN_LATER = "blefleet.later";
const NOISE_MS = 60_000; // a proxy that did not hear a device for so long is no neighbour of it

export class Store {
  info: Info | undefined;
  health: Health | undefined;
  session: Session | undefined;
  readonly devices = new Map<string, DeviceRow>();
  readonly proxies = new Map<string, Proxy>();
  readonly connections = new Map<string, Connection>();
  readonly windows = new Map<string, ScanWindow>();
  state: StreamState = "connecting";
  since = Date.now(); // of the state
  dropped = 0;
  events = 0;
  needsSignIn = false;
  isFirstRun = false;
  isLoaded = false; // the first snapshot is complete

  private readonly stream: Stream;
  private readonly listeners = new Map<Topic, Set<() => void>>();
  private readonly notified = new Set<NotificationListener>();
  private readonly dirty = new Set<Topic>();
  private isScheduled = false;
  private round = 0;
  private timer: number | undefined;

  constructor() {
    const types = "device,proxy,connection,notification,rssi,scan_window,log";
    this.stream = new Stream(
      { types, snapshot: true, min_interval_s: RSSI_INTERVAL_S },
      {
        onState: (state) => this.onState(state),
        onEvent: (type, data) => this.onEvent(type, data),
        onRefused: () => void this.whoAmI(),
      },
    );
  }

  // ---- the life of the page ----

  async start(): Promise<void> {
    await this.whoAmI();
    if (this.needsSignIn) return;
    this.stream.open();
    void this.refresh();
    this.timer ??= window.setInterval(() => {
      if (document.visibilityState === "visible") void this.refresh();
    }, REFRESH_MS);
  }

  stop(): void {
    this.stream.close();
    window.clearInterval(this.timer);
    this.timer = undefined;
  }

  has(part: Part): boolean {
    return this.info?.parts.includes(part) ?? false;
  }

  // As far as is known; without sessions everybody who comes in is an admin.
  get role(): NonNullable<Session["role"]> {
    return this.session?.role ?? "admin";
  }

  // Figures that no event brings: rates, counts, readiness.
  async refresh(): Promise<void> {
    try {
      const [info, proxies] = await Promise.all([get<Info>("/info"), items<Proxy>("/proxies")]);
      this.info = info;
      this.setProxies(proxies);
      this.mark("info");
      this.health = await readHealth();
      if (this.has("links")) this.setConnections(await items<Connection>("/connections"));
    } catch (error) {
      if (error instanceof ProblemError && error.status === 401) void this.whoAmI();
    }
    this.mark("info");
  }

  // The link to a device, while there is one.
  linkTo(address: string): Connection | undefined {
    const connection = this.connections.get(address);
    return connection?.state === "connected" ? connection : undefined;
  }

  async loadWindows(): Promise<void> {
    for (const window of await items<ScanWindow>("/scan/windows", { limit: WINDOWS_MAX }, WINDOWS_MAX)) {
      this.windows.set(window.id, window);
    }
    this.mark("windows");
  }

  // ---- who listens ----

  subscribe(topic: Topic, listener: () => void): () => void {
    const set = this.listeners.get(topic) ?? new Set();
    this.listeners.set(topic, set.add(listener));
    return () => set.delete(listener);
  }

  onNotification(listener: NotificationListener): () => void {
    this.notified.add(listener);
    return () => this.notified.delete(listener);
  }

  private mark(topic: Topic): void {
    this.dirty.add(topic);
    if (this.isScheduled) return;
    this.isScheduled = true;
    requestAnimationFrame(() => this.flush());
  }

  private flush(): void {
    const topics = [...this.dirty];
    this.isScheduled = false;
    this.dirty.clear();
    const once = new Set<() => void>();
    for (const topic of topics) this.listeners.get(topic)?.forEach((listener) => once.add(listener));
    once.forEach((listener) => listener());
  }

  // ---- sessions ----

  // A gateway without the part config has no sessions: everybody on loopback may do everything.
  async whoAmI(): Promise<void> {
    try {
      this.info ??= await get<Info>("/info");
    } catch (error) {
      if (!(error instanceof ProblemError) || error.status !== 401) return;
    }
    if (this.info && !this.has("config")) return;
    this.session = await get<Session>("/session").catch(() => this.session);
    this.needsSignIn = this.session !== undefined && this.session.auth_required && !this.session.authenticated;
    this.isFirstRun = (this.session?.first_run ?? false) && localStorage.getItem(FIRST_RUN_LATER) === null;
    if (this.needsSignIn) this.stop();
    this.mark("session");
  }

  skipFirstRun(): void {
    localStorage.setItem(FIRST_RUN_LATER, "yes");
    this.isFirstRun = false;
    this.mark("session");
  }

  async signOut(): Promise<void> {
    await send("DELETE", "/session");
    await this.whoAmI();
  }

  // ---- events ----

  private onState(state: StreamState): void {
    if (state === this.state) return;
    this.state = state;
    this.since = Date.now();
    if (state === "live") {
      this.round++;
      void this.refresh();
    }
    this.mark("stream");
  }

  private onEvent(type: string, data: unknown): void {
    this.events++;
    switch (type) {
      case "device":
        return this.onDevice(data as DeviceEvent);
      case "rssi":
        return this.onRssi(data as RssiEvent);
      case "proxy":
        return this.onProxy(data as ProxyEvent);
      case "connection":
        return this.onConnection(data as ConnectionEvent);
      case "notification":
        return this.notified.forEach((listener) => listener(data as NotificationEvent));
      case "scan_window":
        return this.onWindow((data as ScanWindowEvent).window);
      case "log":
        return this.mark("logs");
      case "ready":
        return this.onReady();
      case "dropped":
        this.dropped += (data as DroppedEvent).count;
        return this.mark("stream");
    }
  }

  private onDevice(event: DeviceEvent): void {
    const { address } = event.device;
    this.mark("devices");
    if (event.reason === "forgotten") {
      this.devices.delete(address);
      return;
    }
    this.noteDevice(event.device);
  }

  noteDevice(device: Device): DeviceRow {
    let row = this.devices.get(device.address);
    if (!row) {
      row = { device, trail: new Trail(), heard: new Map(), seen: 0, version: 0, round: 0 };
      this.devices.set(device.address, row);
    }
    row.device = device;
    row.seen = Math.max(row.seen, Date.parse(device.last_seen));
    row.round = this.round;
    row.version++;
    if (device.rssi !== null && row.trail.size === 0) row.trail.push(device.rssi);
    if (device.rssi !== null && device.proxy !== null && !row.heard.has(device.proxy)) {
      row.heard.set(device.proxy, { rssi: device.rssi, smoothed: device.rssi_smoothed ?? device.rssi, time: row.seen });
    }
    return row;
  }

  private onRssi(event: RssiEvent): void {
    const row = this.devices.get(event.address);
    if (!row) return;
    const time = Date.parse(event.time);
    const smoothed = event.rssi_smoothed ?? event.rssi;
    row.heard.set(event.proxy, { rssi: event.rssi, smoothed, time });
    row.seen = Math.max(row.seen, time);
    row.version++;
    if (event.proxy === row.device.proxy) {
      row.trail.push(event.rssi);
      row.device = { ...row.device, rssi: event.rssi, rssi_smoothed: smoothed };
    }
    this.mark("devices");
  }

  private onProxy(event: ProxyEvent): void {
    if (event.reason === "removed") this.proxies.delete(event.proxy.name);
    else this.proxies.set(event.proxy.name, event.proxy);
    if (event.reason === "renamed") void this.refresh();
    this.mark("proxies");
  }

  private onConnection(event: ConnectionEvent): void {
    if (event.connection && event.connection.state !== "none") this.connections.set(event.address, event.connection);
    else this.connections.delete(event.address);
    this.mark("connections");
  }

  private onWindow(window: ScanWindow): void {
    this.windows.set(window.id, window);
    for (const id of this.windows.keys()) {
      if (this.windows.size <= WINDOWS_MAX) break;
      this.windows.delete(id);
    }
    this.mark("windows");
  }

  private onReady(): void {
    for (const [address, row] of this.devices) {
      if (row.round !== this.round) this.devices.delete(address);
    }
    this.isLoaded = true;
    this.mark("devices");
  }

  // ---- lists that are fetched whole ----

  private setProxies(proxies: Proxy[]): void {
    this.proxies.clear();
    proxies.forEach((proxy) => this.proxies.set(proxy.name, proxy));
    this.mark("proxies");
  }

  private setConnections(connections: Connection[]): void {
    this.connections.clear();
    connections.forEach((connection) => this.connections.set(connection.address, connection));
    this.mark("connections");
  }
}

// Who hears a device now, its owner first, then the loudest.
export function listeners(row: DeviceRow, now = Date.now()): [string, Heard][] {
  const owner = row.device.proxy;
  return [...row.heard]
    .filter(([, heard]) => now - heard.time < NOISE_MS)
    .sort(([a, one], [b, two]) => Number(b === owner) - Number(a === owner) || two.smoothed - one.smoothed);
}

async function readHealth(): Promise<Health | undefined> {
  const response = await fetch("readyz");
  return response.ok || response.status === 503 ? ((await response.json()) as Health) : undefined;
}

export const store = new Store();
