/** Stands in for the document's `fastrtc`: it notes what it is given, and connects to nothing. */
interface Options {
  url: string;
  headers: Record<string, string>;
}

export class FastRTC {
  static readonly made: FastRTC[] = [];
  closed = false;

  constructor(readonly options: Options) {
    FastRTC.made.push(this);
  }

  connect(): void {}

  onConnected(connected: () => void): void {
    setTimeout(connected);
  }

  onDisconnected(): void {}

  onError(): void {}

  close(): void {
    this.closed = true;
  }
}
