/** What is taken from a client: it comes to stand in logs and in header fields. */
const SANE = /^[\w.:+/=@-]{1,128}$/;

/** The id of a request: the client's own where it is sane, else a new one. */
export function requestId(given: string): string {
  return SANE.test(given) ? given : crypto.randomUUID();
}
