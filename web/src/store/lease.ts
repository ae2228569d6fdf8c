// A hold on the link to one device, for as long as somebody looks at it: renewed while the page is
// open, let go when it is left, also while it is still waited for. A page that is killed loses it after
// a minute.
import { address as urlOf, send } from "../api/client";
import type { ConnectionOpened } from "../api/types";

const LEASE_S = 60;
const RENEW_MS = 20_000;

export class Lease {
  id: string | undefined;
  private timer: number | undefined;
  private readonly path: string;
  private readonly onLeave = () => this.leave();
  private readonly waiting = new AbortController();

  constructor(
    device: string,
    private readonly onLost: (error: unknown) => void,
  ) {
    this.path = `/devices/${device}/connection`;
  }

  async open(proxy: string | null): Promise<ConnectionOpened> {
    const wanted = { lease_s: LEASE_S, purpose: "dashboard", auto_reconnect: true, proxy };
    const opened = await send<ConnectionOpened>("PUT", this.path, wanted, {}, {}, this.waiting.signal);
    this.id = opened.lease;
    this.timer = window.setInterval(() => void this.renew(), RENEW_MS);
    window.addEventListener("pagehide", this.onLeave);
    return opened;
  }

  private async renew(): Promise<void> {
    try {
      await send("PUT", this.path, { lease: this.id, lease_s: LEASE_S });
    } catch (error) {
      this.forget();
      this.onLost(error);
    }
  }

  private forget(): void {
    window.clearInterval(this.timer);
    window.removeEventListener("pagehide", this.onLeave);
    this.id = undefined;
  }

  async release(): Promise<void> {
    const { id } = this;
    this.waiting.abort(); // the gateway no longer tries, either
    this.forget();
    if (id) await send("DELETE", this.path, undefined, { lease: id });
  }

  // The browser sends this even though the page goes.
  private leave(): void {
    if (this.id) void fetch(urlOf(this.path, { lease: this.id }), { method: "DELETE", keepalive: true });
    this.forget();
  }
}
