/** The thread of the example in the documentation. */
import { serveTasks } from "../mod.ts";

serveTasks((side: number) => side ** 2);
