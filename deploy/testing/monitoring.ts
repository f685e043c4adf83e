/**
 * The alerts, the dashboard and the autoscaler's rule as data.
 *
 * @module
 */
import { type Document, documents, FOLDER } from "./documents.ts";

const [alerts] = await documents("prometheus/alerts.yaml");
/** Every alert. */
export const rules: Document[] = alerts.groups.flatMap((group: Document) => group.rules);
/** The dashboard. */
export const dashboard: Document = JSON.parse(
  await Deno.readTextFile(new URL("compose/grafana/marquee.json", FOLDER)),
);
/** Its panels. */
export const panels: Document[] = dashboard.panels.filter(({ type }: Document) => type !== "row");
/** What its panels ask for. */
export const targets: Document[] = panels.flatMap((panel) => panel.targets);
/** The values of prometheus-adapter. */
export const [adapter]: Document[] = await documents("prometheus/adapter-values.yaml");

/** An expression of the dashboard as Grafana sends it. */
export function asSent(expression: string): string {
  return expression.replaceAll("$instance", ".*").replaceAll("$__rate_interval", "1m");
}
