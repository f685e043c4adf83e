import { parseXmlRecordsFromBytes, type XmlAttributeIterator, XmlSyntaxError } from "@std/xml";
import { parseDateTime, type Plan, type RejectionReason, type Zone } from "../domain/mod.ts";
import {
  ELEMENT_ATTRIBUTES_MAX,
  FEED_DEPTH_MAX,
  ID_CHARACTERS_MAX,
  PLAN_CHARACTERS_MAX,
  TITLE_CHARACTERS_MAX,
  TOKEN_BYTES_MAX,
  ZONE_CHARACTERS,
} from "./limits.ts";
import { FeedError, type FeedSink } from "./provider.ts";

/** The names of a feed's elements and attributes. */
interface Vocabulary {
  basePlan: string;
  plan: string;
  basePlanId: string;
  planId: string;
  start: string;
  end: string;
}

/** The vocabularies that a feed may use, by root element. */
const VOCABULARIES: Readonly<Record<string, Vocabulary>> = {
  planList: {
    basePlan: "base_plan",
    plan: "plan",
    basePlanId: "base_plan_id",
    planId: "plan_id",
    start: "plan_start_date",
    end: "plan_end_date",
  },
  eventList: {
    basePlan: "base_event",
    plan: "event",
    basePlanId: "base_event_id",
    planId: "event_id",
    start: "event_start_date",
    end: "event_end_date",
  },
};

type Attributes = Record<string, string>;

/** A plan as its elements give it, before anything is read from it. */
interface RawPlan {
  vocabulary: Vocabulary;
  basePlan: Attributes;
  plan: Attributes;
  /** Emptied when the plan is over {@linkcode PLAN_CHARACTERS_MAX}; its zones are then only counted. */
  zones: Attributes[];
  zoneCount: number;
  characters: number;
}

/**
 * Reads the provider's XML feed, `planList` or `eventList`, as a stream: memory does not grow with the feed. A plan that
 * cannot be used goes to `sink.reject`, all others to `sink.observe`, in the feed's order.
 *
 * @param source The bytes of the document, split anywhere
 * @throws {FeedError} If the document as a whole is not acceptable; what went to the sink is then to be discarded
 *
 * @example
 * ```ts
 * import { readXmlFeed } from "./xml_feed.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const feed = `<planList><output><base_plan base_plan_id="1" sell_mode="online" title="Tosca">
 *   <plan plan_id="2" plan_start_date="2021-06-30T21:00:00" plan_end_date="2021-06-30T22:00:00"/>
 * </base_plan></output></planList>`;
 * const titles: string[] = [];
 * await readXmlFeed(new Blob([feed]).stream(), {
 *   observe: (plan) => titles.push(plan.title),
 *   reject: () => {},
 * });
 * assertEquals(titles, ["Tosca"]);
 * ```
 */
export async function readXmlFeed(
  source: AsyncIterable<Uint8Array>,
  sink: FeedSink,
): Promise<void> {
  const reader = new XmlFeedReader();
  try {
    const records = parseXmlRecordsFromBytes<RawPlan>(
      reader.watchTokens(source),
      (emit) => reader.callbacks(emit),
      {
        disallowDoctype: true,
        // Beyond our own limit, so that ours names the error.
        maxDepth: FEED_DEPTH_MAX * 2,
        maxAttributes: ELEMENT_ATTRIBUTES_MAX,
        ignoreWhitespace: true,
      },
    );
    for await (const record of records) deliver(record, sink);
  } catch (error) {
    if (error instanceof XmlSyntaxError) {
      const code = /doctype/i.test(error.message) ? "doctype_refused" : "malformed_feed";
      throw new FeedError(code, `the feed is not acceptable XML: ${error.message}`, {
        cause: error,
      });
    }
    throw error;
  }
}

/** Follows the elements of a feed and puts together one RawPlan at a time. */
class XmlFeedReader {
  #depth = 0;
  #vocabulary: Vocabulary | null = null;
  #basePlan: Attributes | null = null;
  #record: RawPlan | null = null;
  #bytesSinceToken = 0;

  /** Passes the source through, and stops it when the parser holds on to a token without end. */
  async *watchTokens(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of source) {
      if (this.#bytesSinceToken > TOKEN_BYTES_MAX) {
        throw new FeedError(
          "feed_too_large",
          `a tag or text is over ${TOKEN_BYTES_MAX} bytes long`,
        );
      }
      this.#bytesSinceToken += chunk.length;
      yield chunk;
    }
  }

  callbacks(emit: (record: RawPlan) => void) {
    const progress = () => {
      this.#bytesSinceToken = 0;
    };
    return {
      onStartElement: (
        name: string,
        _colon: number,
        _uri: string | undefined,
        attributes: XmlAttributeIterator,
      ) => {
        progress();
        this.#open(name, attributes);
      },
      onEndElement: () => {
        progress();
        this.#close(emit);
      },
      onText: progress,
      onCData: progress,
      onComment: progress,
      onProcessingInstruction: progress,
      onDoctype: () => {
        throw new FeedError("doctype_refused", "the feed has a DOCTYPE");
      },
    };
  }

  /** Depth 1 is the root, 2 output, 3 a base plan, 4 a plan, 5 a zone; anything else in between is passed over. */
  #open(name: string, attributes: XmlAttributeIterator): void {
    const depth = ++this.#depth;
    if (depth > FEED_DEPTH_MAX) {
      throw new FeedError("feed_too_deep", `elements are nested over ${FEED_DEPTH_MAX} deep`);
    }
    if (depth === 1) {
      this.#vocabulary = Object.hasOwn(VOCABULARIES, name) ? VOCABULARIES[name] : null;
      if (this.#vocabulary === null) {
        throw new FeedError(
          "wrong_root",
          `the root element is <${name.slice(0, 64)}>, not <planList> or <eventList>`,
        );
      }
    } else if (depth === 2) {
      this.#isInOutput = name === "output";
    } else if (depth === 3) {
      this.#basePlan = this.#isInOutput && name === this.#vocabulary!.basePlan
        ? toRecord(attributes)
        : null;
    } else if (depth === 4) {
      this.#record = this.#basePlan !== null && name === this.#vocabulary!.plan
        ? {
          vocabulary: this.#vocabulary!,
          basePlan: this.#basePlan,
          plan: toRecord(attributes),
          zones: [],
          zoneCount: 0,
          characters: 0,
        }
        : null;
    } else if (depth === 5 && this.#record !== null && name === "zone") {
      addZone(this.#record, attributes);
    }
  }

  #isInOutput = false;

  #close(emit: (record: RawPlan) => void): void {
    const depth = this.#depth--;
    if (depth === 4 && this.#record !== null) {
      emit(this.#record);
      this.#record = null;
    } else if (depth === 3) {
      this.#basePlan = null;
    } else if (depth === 2) {
      this.#isInOutput = false;
    }
  }
}

function addZone(plan: RawPlan, attributes: XmlAttributeIterator): void {
  plan.zoneCount++;
  plan.characters += ZONE_CHARACTERS;
  for (let i = 0; i < attributes.count; i++) {
    plan.characters += attributes.getName(i).length + attributes.getValue(i).length;
  }
  if (plan.characters <= PLAN_CHARACTERS_MAX) plan.zones.push(toRecord(attributes));
  else plan.zones = [];
}

function toRecord(attributes: XmlAttributeIterator): Attributes {
  const record: Attributes = {};
  for (let i = 0; i < attributes.count; i++) record[attributes.getName(i)] = attributes.getValue(i);
  return record;
}

/** Reads a plan from its attributes, and hands it over or sets it aside. */
function deliver({ vocabulary, basePlan, plan, zones, zoneCount }: RawPlan, sink: FeedSink): void {
  const basePlanId = basePlan[vocabulary.basePlanId]?.trim() ?? "";
  const planId = plan[vocabulary.planId]?.trim() ?? "";
  const rejectWith = (reason: RejectionReason, detail: string) =>
    sink.reject({
      reason,
      basePlanId: basePlanId === "" ? null : basePlanId.slice(0, ID_CHARACTERS_MAX),
      planId: planId === "" ? null : planId.slice(0, ID_CHARACTERS_MAX),
      detail,
    });
  const reject = (reason: RejectionReason, value: string | undefined) =>
    rejectWith(reason, value === undefined ? "missing" : JSON.stringify(value.slice(0, 200)));

  if (basePlanId === "") return reject("missing_base_plan_id", basePlan[vocabulary.basePlanId]);
  if (planId === "") return reject("missing_plan_id", plan[vocabulary.planId]);
  for (const id of [basePlanId, planId]) {
    if (id.length > ID_CHARACTERS_MAX || id.includes(":")) return reject("invalid_id", id);
  }
  if (zones.length < zoneCount) return rejectWith("too_large", `${zoneCount} zones`);
  const start = readDateTime(plan[vocabulary.start]);
  if (start === null) return reject("unreadable_start", plan[vocabulary.start]);
  const readZones: Zone[] = [];
  for (const zone of zones) {
    const price = readDecimal(zone.price);
    if (price === null) return reject("unreadable_price", zone.price);
    readZones.push({
      id: zone.zone_id?.trim() ?? "",
      capacity: readWhole(zone.capacity),
      price,
      name: zone.name ?? "",
      numbered: readBoolean(zone.numbered),
    });
  }
  const read: Plan = {
    basePlanId,
    planId,
    title: cutTitle(basePlan.title ?? ""),
    sellMode: basePlan.sell_mode?.trim().toLowerCase() === "online" ? "online" : "offline",
    organizerCompanyId: basePlan.organizer_company_id?.trim() || null,
    start,
    end: readDateTime(plan[vocabulary.end]),
    sellFrom: readDateTime(plan.sell_from),
    sellTo: readDateTime(plan.sell_to),
    soldOut: readBoolean(plan.sold_out),
    zones: readZones,
  };
  sink.observe(read);
}

/** Cuts a title at the bound, and not within a surrogate pair. */
function cutTitle(title: string): string {
  const cut = title.slice(0, TITLE_CHARACTERS_MAX);
  return cut.isWellFormed() ? cut : cut.slice(0, -1);
}

function readDateTime(text: string | undefined): number | null {
  return text === undefined ? null : parseDateTime(text.trim())?.seconds ?? null;
}

const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;

function readDecimal(text: string | undefined): number | null {
  const trimmed = text?.trim() ?? "";
  if (!NUMBER.test(trimmed)) return null;
  const value = Number(trimmed);
  return Number.isFinite(value) ? value : null;
}

function readWhole(text: string | undefined): number | null {
  const trimmed = text?.trim() ?? "";
  return /^\d{1,15}$/.test(trimmed) ? Number(trimmed) : null;
}

/** XML Schema's boolean: `true` or `1`; all else is false. */
function readBoolean(text: string | undefined): boolean {
  const trimmed = text?.trim().toLowerCase();
  return trimmed === "true" || trimmed === "1";
}
