import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type Frame, Serializer } from "phoenix";
import { describe, expect, test } from "vitest";
import { lossOf, readClosing } from "../../src/realtime/link";

/** A frame and what it means, as the server's tests read it too. */
interface Vector {
  from: "client" | "server";
  vsn: string;
  frame: string;
  means: Frame;
}

const FOLDER = join(import.meta.dirname, "../../../tests/vectors");
const VECTORS = readdirSync(FOLDER)
  .filter((name) => name.endsWith(".json"))
  .flatMap((name) => JSON.parse(readFileSync(join(FOLDER, name), "utf8")) as Vector[])
  // The official client of today speaks version 2 only.
  .filter(({ vsn, frame }) => vsn === "2.0.0" && typeof frame === "string");

describe("the frames that the server's tests read", () => {
  test("are there", () => {
    expect(VECTORS.length).toBeGreaterThan(10);
  });

  test.each(VECTORS.filter(({ from }) => from === "server"))(
    "the page's client understands $means.event: $frame",
    ({ frame, means }) => {
      Serializer.decode(frame, (decoded) => expect(decoded).toEqual(means));
      expect.assertions(1);
    },
  );

  test.each(VECTORS.filter(({ from }) => from === "client"))(
    "the page's client writes $means.event: $frame",
    ({ frame, means }) => {
      Serializer.encode(means, (wire) => expect(wire).toBe(frame));
      expect.assertions(1);
    },
  );

  test("a drain as the server announces it is read as a restart with its advice", () => {
    const closing = VECTORS.find(({ means }) => means.event === "closing");
    const { code, retryAfterMs } = readClosing(closing?.means.payload);
    expect(lossOf(code)).toBe("restarting");
    expect(retryAfterMs).toBeGreaterThan(0);
  });
});
