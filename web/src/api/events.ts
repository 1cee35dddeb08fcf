// The host's events (SSE): one link that comes back by itself, remembers the last id it saw
// and says when it is down. What an event means for the pages is in `live.ts`.

export type LinkState = "connecting" | "open" | "lost";

export interface LinkOptions {
  url: string;
  names: readonly string[];
  onEvent: (name: string, data: unknown) => void;
  onState?: (state: LinkState) => void;
  /** Asked before a new try: false ends the link (logged out). */
  mayRetry?: () => Promise<boolean>;
  make?: (url: string) => EventSource;
}

/** Milliseconds before try number `attempt` (from 0): 0.5 s, doubled up to 8 s. */
export function pause(attempt: number): number {
  return Math.min(8000, 500 * 2 ** Math.min(attempt, 10));
}

export class Link {
  private source: EventSource | undefined;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private attempt = 0;
  private last = "";
  private ended = false;
  private readonly options: LinkOptions;

  constructor(options: LinkOptions) {
    this.options = options;
    this.open();
  }

  close(): void {
    this.ended = true;
    clearTimeout(this.timer);
    this.source?.close();
  }

  /** Tries at once instead of after the pause: the network came back, the page is seen. */
  hurry(): void {
    if (this.ended || this.timer === undefined) return;
    clearTimeout(this.timer);
    this.timer = undefined;
    this.open();
  }

  /** The id after which the host would replay. */
  get lastId(): string {
    return this.last;
  }

  private open(): void {
    const { url, names, make = (u: string) => new EventSource(u) } = this.options;
    const join = url.includes("?") ? "&" : "?";
    const source = make(this.last === "" ? url : `${url}${join}after=${this.last}`);
    this.source = source;
    this.options.onState?.("connecting");
    source.onopen = () => {
      this.attempt = 0;
      this.options.onState?.("open");
    };
    source.onerror = () => this.failed(source);
    for (const name of names) {
      source.addEventListener(name, (event) => this.heard(name, event as MessageEvent<string>));
    }
  }

  private heard(name: string, event: MessageEvent<string>): void {
    if (event.lastEventId !== "") this.last = event.lastEventId;
    // After a reset the host's ids may start anew (it was restarted).
    if (name === "reset") this.last = event.lastEventId;
    let data: unknown;
    try {
      data = event.data === "" ? undefined : JSON.parse(event.data);
    } catch {
      return;
    }
    this.options.onEvent(name, data);
  }

  private failed(source: EventSource): void {
    if (this.ended || source !== this.source) return;
    // The browser's own retry knows no back-off and gives up on any status but 200.
    source.close();
    this.options.onState?.("lost");
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.again(), pause(this.attempt++));
  }

  private async again(): Promise<void> {
    this.timer = undefined;
    const may = (await this.options.mayRetry?.()) ?? true;
    if (!this.ended && may) this.open();
  }
}
