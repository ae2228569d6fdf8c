// Lets an element render anew when one of these topics changed, at most once per frame, and only
// while it is on the page.
import type { ReactiveController, ReactiveControllerHost } from "lit";
import { store, type Topic } from "./store";

export class Watch implements ReactiveController {
  private readonly topics: Topic[];
  private stops: (() => void)[] = [];

  constructor(
    private readonly host: ReactiveControllerHost,
    ...topics: Topic[]
  ) {
    this.topics = topics;
    host.addController(this);
  }

  hostConnected(): void {
    this.stops = this.topics.map((topic) => store.subscribe(topic, () => this.host.requestUpdate()));
  }

  hostDisconnected(): void {
    this.stops.forEach((stop) => stop());
    this.stops = [];
  }
}

// Calls back every so often while the element is on the page and the page is seen.
export class Every implements ReactiveController {
  private timer: number | undefined;

  constructor(
    host: ReactiveControllerHost,
    private readonly ms: number,
    private readonly call: () => void,
  ) {
    host.addController(this);
  }

  hostConnected(): void {
    this.timer = window.setInterval(() => {
      if (document.visibilityState === "visible") this.call();
    }, this.ms);
  }

  hostDisconnected(): void {
    window.clearInterval(this.timer);
  }
}
