/** An answer, as it is before a transport has it. */
export interface Reply {
  status: number;
  headers: Record<string, string>;
  body: string;
}

/** The fields of every answer in JSON. */
export const JSON_FIELDS = { "content-type": "application/json", "cache-control": "no-store" };

/** The body of every answer of /health. */
export const HEALTHY = '{"status":"healthy"}';

/** An answer that is an error: a status, a code for programs and a message for people. */
export class ApiError extends Error {
  override name = "ApiError";

  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly headers: Record<string, string> = {},
  ) {
    super(message);
  }
}

/** The answer with a result. */
export function dataReply(data: unknown): Reply {
  return { status: 200, headers: JSON_FIELDS, body: JSON.stringify({ data, error: null }) };
}

/** The answer with an error, in the shape that the listener's own refusals have. */
export function errorReply({ status, code, message, headers }: ApiError): Reply {
  const body = JSON.stringify({ data: null, error: { code, message } });
  return { status, headers: { ...JSON_FIELDS, ...headers }, body };
}

/**
 * Reads a body as a JSON object.
 *
 * @throws {ApiError} If it is none
 */
export function parseObject(text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // Said below.
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>;
  }
  throw invalidParameter("body", "send an object in JSON");
}

/** The answer to a task too many. */
export function overloaded(): ApiError {
  const message = "as many tasks wait as there is room for: try again in a second";
  return new ApiError(503, "service_overloaded", message, { "retry-after": "1" });
}

/** A parameter that cannot be used. */
export function invalidParameter(name: string, problem: string): ApiError {
  return new ApiError(400, "invalid_parameter", `${name}: ${problem}`);
}
