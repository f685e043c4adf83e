// The script of the board. It shows what the public routes answer and knows nothing else.

/** Events a page of results. */
const PAGE_EVENTS = 50;
/** Changes that stay on the page; older ones go. */
const CHANGES_SHOWN = 20;
/** Bars of the drawing of round trips. */
const ROUND_TRIPS_SHOWN = 60;
const PROBE_EVERY_MS = 5_000;
/** An answer that takes longer counts as none. */
const ANSWER_MS_MAX = 10_000;
/** Browsers try again by themselves, but not after an answer that is no stream, such as 503. */
const STREAM_AGAIN_MS = 30_000;

const find = (id) => document.getElementById(id);
const form = find("search"), days = find("days"), more = find("more"), newer = find("newer");
const price = new Intl.NumberFormat("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const longDate = new Intl.DateTimeFormat("en", { dateStyle: "full", timeZone: "UTC" });
const clock = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });

/** Everything on the page comes from a provider or a URL, so it is only ever set as text. */
function element(name, text = "", className = "") {
  const made = document.createElement(name);
  if (text !== "") made.textContent = text;
  if (className !== "") made.className = className;
  return made;
}

function say(id, text, className = "") {
  const where = find(id);
  // What has not changed is not read out again.
  if (where.textContent !== text) where.textContent = text;
  where.className = className;
}

/** The JSON of an answer with its headers; throws an Error with the service's own message. */
async function ask(path, signal) {
  const deadline = AbortSignal.timeout(ANSWER_MS_MAX);
  const startedAt = performance.now();
  const response = await fetch(path, {
    // The browser's copy may be of a version that has just been followed by another.
    cache: "no-cache",
    signal: signal === undefined ? deadline : AbortSignal.any([signal, deadline]),
  });
  // Whatever stands between may answer something else.
  const body = await response.json().catch((error) => {
    if (error.name !== "SyntaxError") throw error;
    return {};
  });
  const tookMs = performance.now() - startedAt;
  if (!response.ok) {
    const again = response.headers.get("retry-after");
    const message = body.error?.message ?? `status ${response.status}`;
    throw Object.assign(
      new Error(again === null ? message : `${message} (try again in ${again} s)`),
      { body },
    );
  }
  return { body, headers: response.headers, tookMs };
}

// Search

let searching = new AbortController();
/** What is shown: the search, its version and where its next page begins. */
let query = new URLSearchParams(), shown = 0, version = null, cursor = null;
/** The newest version that was heard of. */
let newest = 0;

/** The day `offset` days from the reader's today. */
function day(offset) {
  const now = new Date();
  return new Date(Date.UTC(now.getFullYear(), now.getMonth(), now.getDate() + offset))
    .toISOString().slice(0, 10);
}

/** Takes the search from the address, so that one can be kept, sent and gone back to. */
function readAddress() {
  const asked = new URLSearchParams(location.search);
  query = new URLSearchParams();
  for (const name of ["starts_at", "ends_at"]) {
    if (asked.has(name)) query.set(name, asked.get(name));
  }
  if (query.size === 0 && !asked.has("all")) query.set("starts_at", day(0));
  for (const name of ["starts_at", "ends_at"]) {
    form.elements[name].value = (query.get(name) ?? "").slice(0, 10);
  }
}

/** Searches for what the form says, and puts it into the address. */
function searchForm() {
  query = new URLSearchParams();
  for (const name of ["starts_at", "ends_at"]) {
    if (form.elements[name].value !== "") query.set(name, form.elements[name].value);
  }
  const address = `/?${query.size === 0 ? "all" : query}`;
  if (address !== location.pathname + location.search) history.pushState(null, "", address);
  return search();
}

/** Shows the first page, or with a cursor the next one. Resolves to whether it could. */
async function search(after = null) {
  searching.abort();
  const own = searching = new AbortController();
  const asked = new URLSearchParams(query);
  asked.set("limit", String(PAGE_EVENTS));
  if (after !== null) asked.set("cursor", after);
  else {
    // The next page of what is still shown is none of this search.
    cursor = null;
    more.hidden = true;
  }
  try {
    const { body, headers, tookMs } = await ask(`/search?${asked}`, own.signal);
    if (after === null) {
      clear();
      version = Number(headers.get("x-catalogue-version"));
    }
    const { events, next_cursor: next } = body.data;
    for (const event of events) showEvent(event);
    shown += events.length;
    cursor = next;
    more.hidden = next === null;
    showNewer();
    const count = shown === 0 ? "No event" : shown === 1 ? "1 event" : `${shown} events`;
    say(
      "outcome",
      `${count}${next === null ? "" : " so far"}, version ${version}, ` +
        `answered in ${tookMs.toFixed(1)} ms`,
    );
    return true;
  } catch (error) {
    if (own.signal.aborted) return false;
    // An old list under a new search would be taken for its answer.
    if (after === null) clear();
    say("outcome", describe(error), "bad");
    return false;
  }
}

function clear() {
  days.replaceChildren();
  shown = 0;
  version = cursor = null;
  more.hidden = true;
  showNewer();
}

function showNewer() {
  newer.hidden = version === null || newest <= version;
}

function describe(error) {
  return error.name === "TimeoutError"
    ? `No answer within ${ANSWER_MS_MAX / 1_000} s: try again`
    : error instanceof TypeError
    ? "The service cannot be reached: try again"
    : error.message;
}

function showEvent(event) {
  let list = days.lastElementChild;
  if (list?.dataset.day !== event.start_date) {
    list = element("section");
    list.dataset.day = event.start_date;
    list.append(element("h3", dateText(event.start_date)));
    days.append(list);
  }
  const details = element("details"), summary = element("summary");
  summary.append(
    element("span", timeText(event)),
    element("strong", event.title),
    element("span", priceText(event)),
  );
  details.append(summary);
  details.addEventListener("toggle", () => showAbout(details, event.id));
  list.append(details);
}

function dateText(date) {
  const at = new Date(`${date}T00:00:00Z`);
  return Number.isNaN(at.getTime()) ? date : longDate.format(at);
}

function timeText({ start_date, start_time, end_date, end_time }) {
  const start = start_time.slice(0, 5);
  if (end_date === null) return start;
  const end = end_time.slice(0, 5);
  return end_date === start_date ? `${start} – ${end}` : `${start} – ${end}, ${end_date}`;
}

function priceText({ min_price, max_price }) {
  if (min_price === null) return "";
  return min_price === max_price
    ? price.format(min_price)
    : `${price.format(min_price)} – ${price.format(max_price)}`;
}

/** Fetches what there is to know of an event when it is opened first; after a failure, when it is opened again. */
async function showAbout(details, id) {
  const before = details.querySelector(".about");
  if (!details.open || before?.classList.contains("bad") === false) return;
  before?.remove();
  const about = element("div", "Asking…", "about");
  // Wide tables scroll in it, which takes the focus where there is no other pointer.
  about.tabIndex = 0;
  details.append(about);
  try {
    const { body } = await ask(`/events/${id}`);
    about.replaceChildren(...aboutEvent(body.data.event));
  } catch (error) {
    about.classList.add("bad");
    about.textContent = describe(error);
  }
}

function aboutEvent(event) {
  const rows = event.zones.map((zone) => [
    [zone.name],
    [price.format(zone.price), "number"],
    [zone.capacity === null ? "" : String(zone.capacity), "number"],
  ]);
  const seen = `First seen ${event.first_seen.slice(0, 10)}, ` +
    (event.listed ? "still listed" : `last listed ${event.last_seen.slice(0, 10)}`) +
    (event.sold_out ? ", sold out" : "");
  const parts = [element("p", seen)];
  if (rows.length > 0) parts.push(table(["zone", "price", "capacity"], rows));
  const changes = event.changes.flatMap(({ at, fields }) =>
    Object.entries(fields).map(([name, { from, to }]) => [
      [at.slice(0, 16).replace("T", " ")],
      [name],
      [JSON.stringify(from)],
      [JSON.stringify(to)],
    ])
  );
  if (changes.length > 0) parts.push(table(["changed (UTC)", "what", "from", "to"], changes));
  return parts;
}

function table(heads, rows) {
  const made = element("table"), head = element("tr");
  head.append(...heads.map((text) => {
    const cell = element("th", text);
    cell.scope = "col";
    return cell;
  }));
  made.append(head);
  for (const row of rows) {
    const line = element("tr");
    line.append(...row.map(([text, className]) => element("td", text, className)));
    made.append(line);
  }
  return made;
}

// The service

const roundTrips = [];
let probing, stream = null, following;

/** Asks how the service is, again and again while anybody looks. */
async function probe() {
  clearTimeout(probing);
  if (document.visibilityState !== "visible") return;
  await Promise.all([probeReady(), probeHealth()]);
  clearTimeout(probing);
  probing = setTimeout(probe, PROBE_EVERY_MS);
}

async function probeReady() {
  try {
    const { body } = await ask("/ready");
    say("state", "Ready", "good");
    showChecks(body.checks);
  } catch (error) {
    say("state", error.body === undefined ? "Not reachable" : "Not ready", "bad");
    showChecks(error.body?.checks ?? {});
  }
}

function showChecks(checks) {
  find("checks").replaceChildren(
    ...Object.entries(checks).flatMap(([name, { status, detail }]) => [
      element("dt", name),
      element("dd", detail, status === "pass" ? "" : "bad"),
    ]),
  );
}

async function probeHealth() {
  try {
    const { body, tookMs } = await ask("/health");
    roundTrips.push(tookMs);
    if (roundTrips.length > ROUND_TRIPS_SHOWN) roundTrips.shift();
    drawRoundTrips();
    say("process", `Marquee ${body.version}, up for ${durationText(body.uptime_seconds)}`);
  } catch {
    // That it cannot be reached is said by its state.
  }
}

function durationText(seconds) {
  const [unit, name] = seconds >= 172_800
    ? [86_400, "days"]
    : seconds >= 7_200
    ? [3_600, "hours"]
    : seconds >= 120
    ? [60, "minutes"]
    : [1, "seconds"];
  return `${Math.floor(seconds / unit)} ${name}`;
}

function drawRoundTrips() {
  const drawing = find("round-trips");
  const highest = Math.max(...roundTrips);
  const step = 240 / ROUND_TRIPS_SHOWN;
  const last = roundTrips.at(-1).toFixed(1);
  const title = drawing.querySelector("title");
  title.textContent = `The last ${roundTrips.length} round trips, of at most ${
    highest.toFixed(1)
  } ms`;
  drawing.replaceChildren(
    title,
    ...roundTrips.map((ms, index) => {
      const bar = document.createElementNS("http://www.w3.org/2000/svg", "rect");
      const height = Math.max(1, 38 * ms / (highest || 1));
      const places = { x: index * step, y: 40 - height, width: step - 1, height };
      for (const [name, value] of Object.entries(places)) bar.setAttribute(name, String(value));
      return bar;
    }),
  );
  find("round-trip").replaceChildren(
    "Round trip of ",
    element("code", "GET /health"),
    `: ${last} ms, at most ${highest.toFixed(1)} ms`,
  );
}

/**
 * Listens to changes while anybody looks: a stream is a connection, and a browser has six for all pages of one host. What
 * was missed meanwhile shows by the version.
 */
function follow() {
  clearTimeout(following);
  if (document.visibilityState !== "visible") {
    stream?.close();
    stream = null;
    return;
  }
  if (stream !== null && stream.readyState !== EventSource.CLOSED) return;
  // The browser resumes by Last-Event-ID whenever it was cut off.
  stream = new EventSource("/events/stream");
  stream.addEventListener("open", () => {
    say("stream", "Connected: changes show as they come");
    readVersion();
  });
  stream.addEventListener("change", ({ data }) => showChange(JSON.parse(data)));
  stream.addEventListener("error", ({ target }) => {
    if (target.readyState !== EventSource.CLOSED) {
      say("stream", "Connecting again…", "bad");
      return;
    }
    say("stream", `Refused: next try in ${STREAM_AGAIN_MS / 1_000} s`, "bad");
    following = setTimeout(follow, STREAM_AGAIN_MS);
  });
}

async function readVersion() {
  try {
    const { headers } = await ask("/search?limit=1");
    // Not the greater of the two: a service that lost its store begins anew.
    newest = Number(headers.get("x-catalogue-version"));
    showNewer();
  } catch {
    // The next change tells it as well.
  }
}

function showChange({ version: current, added, changed }) {
  const changes = find("changes");
  changes.prepend(
    element(
      "li",
      `${clock.format(new Date())} version ${current}: ${added} added, ${changed} changed`,
    ),
  );
  while (changes.children.length > CHANGES_SHOWN) changes.lastElementChild.remove();
  newest = Math.max(newest, current);
  showNewer();
}

// Dates are required where the form is sent without this script; here one of them will do.
form.noValidate = true;
form.addEventListener("submit", (event) => {
  event.preventDefault();
  searchForm();
});
form.addEventListener("click", ({ target }) => {
  const range = target.dataset?.days;
  if (range === undefined) return;
  form.elements.starts_at.value = range === "all" ? "" : day(0);
  form.elements.ends_at.value = range === "all" ? "" : day(Number(range) - 1);
  searchForm();
});
newer.addEventListener("click", async () => {
  await search();
  // The button is gone, and with it where the reader was.
  find("outcome").focus();
});
more.addEventListener("click", async () => {
  const before = shown;
  if (await search(cursor)) days.querySelectorAll("summary")[before]?.focus();
});
addEventListener("popstate", () => {
  readAddress();
  search();
});
document.addEventListener("visibilitychange", () => {
  probe();
  follow();
});

readAddress();
search();
probe();
follow();
