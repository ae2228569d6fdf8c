// The last loudnesses of a device, for its sparkline: a ring, so that thousands cost little.
const SIZE = 48;

export class Trail {
  private readonly values = new Int8Array(SIZE);
  private next = 0;
  private used = 0;

  push(rssi: number): void {
    this.values[this.next] = Math.max(-127, Math.min(20, Math.round(rssi)));
    this.next = (this.next + 1) % SIZE;
    if (this.used < SIZE) this.used++;
  }

  get size(): number {
    return this.used;
  }

  // Oldest first.
  at(index: number): number {
    return this.values[(this.next - this.used + index + SIZE) % SIZE] ?? 0;
  }
}
