// The one stream of events. The browser connects again by itself and says which event came last;
// what it cannot say is why a stream ended, so a stream that is refused is tried again by us, slower
// and slower, and its owner looks whether somebody has to sign in.
import { address, type Query } from "../api/client";

export type StreamState = "connecting" | "live" | "lost";

export interface StreamListener {
  onState(state: StreamState): void;
  onEvent(type: string, data: unknown): void;
  onRefused(): void;
}

const TYPES = ["device", "proxy", "connection", "notification", "rssi", "scan_window", "log", "ready", "reset", "dropped"];
const WAIT_FIRST_MS = 1000;
const WAIT_MAX_MS = 15000;

export class Stream {
  private source: EventSource | undefined;
  private timer: number | undefined;
  private wait = WAIT_FIRST_MS;

  constructor(
    private readonly query: Query,
    private readonly listener: StreamListener,
  ) {}

  open(): void {
    this.close();
    this.listener.onState("connecting");
    const source = new EventSource(address("/events", this.query));
    this.source = source;
    source.onopen = () => {
      this.wait = WAIT_FIRST_MS;
      this.listener.onState("live");
    };
    source.onerror = () => this.onError(source);
    for (const type of TYPES) {
      source.addEventListener(type, (event) => this.listener.onEvent(type, JSON.parse((event as MessageEvent<string>).data)));
    }
  }

  close(): void {
    window.clearTimeout(this.timer);
    this.source?.close();
    this.source = undefined;
  }

  private onError(source: EventSource): void {
    this.listener.onState("lost");
    if (source.readyState !== EventSource.CLOSED) return; // the browser tries again
    this.listener.onRefused();
    this.timer = window.setTimeout(() => this.open(), this.wait);
    this.wait = Math.min(this.wait * 2, WAIT_MAX_MS);
  }
}
