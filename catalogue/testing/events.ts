import { encodeEvent } from "../../domain/mod.ts";

const HOUR = 3_600;

/** What may differ from the usual in an event made for a test. */
export interface TestEventOptions {
  title?: string;
  start?: number;
  /** Seconds; 2 hours unless said otherwise. */
  duration?: number;
  isOnline?: boolean;
}

/** The id of an event made for a test. */
export function testEventId(number: number): string {
  return `00000000-0000-5000-8000-${String(number).padStart(12, "0")}`;
}

/** An encoded event, an hour after the one with the number before. */
export function testEventLine(number: number, options: TestEventOptions = {}): string {
  const { title = `Event ${number}`, start = number * HOUR, isOnline = true } = options;
  return encodeEvent({
    id: testEventId(number),
    provider: "demo",
    plan: {
      basePlanId: String(number),
      planId: "1",
      title,
      sellMode: isOnline ? "online" : "offline",
      organizerCompanyId: null,
      start,
      end: start + (options.duration ?? 2 * HOUR),
      sellFrom: null,
      sellTo: null,
      soldOut: false,
      zones: [{ id: "1", capacity: 100, price: 10 + number % 50, name: "Stalls", numbered: true }],
    },
    lastOnlinePlan: null,
    isHistory: false,
    firstSeen: 0,
    lastSeen: null,
    changes: [],
    changesDropped: 0,
  });
}
