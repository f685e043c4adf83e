import { assertEquals } from "@std/assert";
import { transportProblem } from "../native/mod.ts";

const problem = transportProblem("epoll");
if (problem !== null) console.warn(`The test of an example is ignored: ${problem}`);

Deno.test({
  name: "the example of the listener does what it says",
  ignore: problem !== null,
  async fn() {
    const path = new URL("listener.ts", import.meta.url).pathname;
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-prompt", "--allow-net", "--allow-ffi", "--allow-read", path, "0"],
      stdout: "piped",
    }).spawn();
    const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    while (!/by \w+\n/.test(text)) text += (await reader.read()).value;
    const base = text.match(/http:\/\/127\.0\.0\.1:\d+/)![0];
    const read = async (path: string, init?: RequestInit) => {
      const response = await fetch(base + path, init);
      return [response.status, await response.text()];
    };
    assertEquals(await read("/hello?name=Ada"), [200, "Hello, Ada!\n"]);
    assertEquals(await read("/greeting", { method: "PUT", body: "Good evening" }), [204, ""]);
    for (const end = performance.now() + 5_000; performance.now() < end;) {
      if ((await read("/hello?name=Ada"))[1] === "Good evening, Ada!\n") break;
    }
    assertEquals(await read("/hello?name=Ada"), [200, "Good evening, Ada!\n"]);
    assertEquals(await read("/upper", { method: "POST", body: "abc" }), [200, "ABC"]);
    assertEquals((await read("/hello"))[0], 404);
    child.kill("SIGTERM");
    assertEquals((await child.status).code, 0);
    await reader.cancel();
  },
});
