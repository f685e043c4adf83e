import { readXmlFeed } from "./xml_feed.ts";

const PLANS = 5_000;

const zone = '<zone zone_id="40" capacity="243" price="20.00" name="Platea" numbered="true"/>';
const basePlan = (number: number) =>
  `<base_plan base_plan_id="${number}" sell_mode="online" title="Event ${number}">` +
  `<plan plan_id="1" plan_start_date="2027-06-30T21:00:00" plan_end_date="2027-06-30T22:00:00" ` +
  `sell_from="2027-01-01T00:00:00" sell_to="2027-06-30T20:00:00" sold_out="false">${
    zone.repeat(4)
  }` +
  "</plan></base_plan>";
const feed = new TextEncoder().encode(
  `<planList><output>${
    Array.from({ length: PLANS }, (_, n) => basePlan(n)).join("")
  }</output></planList>`,
);

Deno.bench(`read a feed of ${PLANS} plans, ${(feed.length / 1e6).toFixed(1)} MB`, async () => {
  let plans = 0;
  await readXmlFeed(new Blob([feed]).stream(), {
    observe: () => plans++,
    reject: () => {},
  });
  if (plans !== PLANS) throw new Error(`${plans} instead of ${PLANS}`);
});
