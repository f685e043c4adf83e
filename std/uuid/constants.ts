/**
 * The nil UUID, and the namespaces that RFC 9562 defines.
 *
 * @module
 */

/** The namespace of fully qualified domain names. */
export const NAMESPACE_DNS = "6ba7b810-9dad-11d1-80b4-00c04fd430c8";
/** The namespace of URLs. */
export const NAMESPACE_URL = "6ba7b811-9dad-11d1-80b4-00c04fd430c8";
/** The namespace of ISO object identifiers. */
export const NAMESPACE_OID = "6ba7b812-9dad-11d1-80b4-00c04fd430c8";
/** The namespace of X.500 distinguished names. */
export const NAMESPACE_X500 = "6ba7b814-9dad-11d1-80b4-00c04fd430c8";
/** The UUID whose bits are all zero. */
export const NIL_UUID = "00000000-0000-0000-0000-000000000000";
