export * from "./client_address.ts";
export * from "./rate_limiter.ts";
export * from "./rate_refusal.ts";
export * from "./scaling_signals.ts";
