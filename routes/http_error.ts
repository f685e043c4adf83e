/** An answer that is an error. Its code is a snake_case word, its message names the thing and the remedy. */
export class HttpError extends Error {
  override name = "HttpError";
  readonly status: number;
  readonly code: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Further top-level members of the body. */
  readonly members: Readonly<Record<string, unknown>>;

  constructor(
    status: number,
    code: string,
    message: string,
    options: { headers?: Record<string, string>; members?: Record<string, unknown> } = {},
  ) {
    super(message);
    this.status = status;
    this.code = code;
    this.headers = options.headers ?? {};
    this.members = options.members ?? {};
  }
}

/** A parameter that cannot be used: 400 `invalid_parameter`. */
export function invalidParameter(name: string, problem: string): HttpError {
  return new HttpError(400, "invalid_parameter", `${name}: ${problem}`);
}
