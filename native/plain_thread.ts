/**
 * The module of listener threads without fast routes.
 *
 * @module
 */
import { listenerThread } from "./listener_thread.ts";

listenerThread(() => ({ routes: [] }));
