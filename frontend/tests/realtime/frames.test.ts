import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { expect, test } from "vitest";
// The official client's own reading and writing: what it and our server call a frame must be the same thing.
// @ts-expect-error: the package has types only for its front door
import Serializer from "../../node_modules/phoenix/assets/js/phoenix/serializer.js";

type Json = null | boolean | number | string | Json[] | { [name: string]: Json };

interface Means {
  join_ref: Json;
  ref: Json;
  topic: string;
  event: string;
  status?: string;
  payload?: Json;
  payload_hex?: string;
}

interface Vector {
  name: string;
  kind?: "reply" | "push" | "broadcast";
  vsn: string;
  text?: string;
  hex?: string;
  means: Means;
}

interface Message {
  join_ref: Json;
  ref: Json;
  topic: string;
  event: string;
  payload: unknown;
}

const path = resolve(import.meta.dirname, "../../../tests/vectors/frames.json");
const vectors: { from_client: Vector[]; from_server: Vector[] } = JSON.parse(
  readFileSync(path, "utf-8"),
);

const bytes = (hex: string): ArrayBuffer => Uint8Array.from(Buffer.from(hex, "hex")).buffer;
const hex = (buffer: ArrayBuffer): string => Buffer.from(buffer).toString("hex");
const v2 = (vector: Vector): boolean => vector.vsn === "2.0.0";

// A client writes no extra elements, no white space and no null, though the server reads them.
const canonical = (vector: Vector): boolean =>
  (vector.means.payload !== null || vector.hex !== undefined) &&
  (vector.text === undefined ||
    vector.text === JSON.stringify(JSON.parse(vector.text).slice(0, 5)));

for (const vector of vectors.from_client.filter(v2).filter(canonical)) {
  test(`phoenix.js writes: ${vector.name}`, () => {
    const { payload_hex, payload, ...head } = vector.means;
    const message = { ...head, payload: payload_hex === undefined ? payload : bytes(payload_hex) };
    Serializer.encode(message, (written: string | ArrayBuffer) => {
      if (written instanceof ArrayBuffer) expect(hex(written)).toBe(vector.hex);
      else expect(JSON.parse(written)).toEqual(JSON.parse(vector.text ?? ""));
    });
    expect.assertions(1);
  });
}

for (const vector of vectors.from_server.filter(v2)) {
  test(`phoenix.js reads: ${vector.name}`, () => {
    const { means } = vector;
    const data = means.payload_hex === undefined ? means.payload : bytes(means.payload_hex);
    Serializer.decode(vector.text ?? bytes(vector.hex ?? ""), (read: Message) => {
      expect([read.join_ref, read.ref, read.topic, read.event]).toEqual([
        means.join_ref,
        means.ref,
        means.topic,
        means.event,
      ]);
      expect(read.payload).toEqual(
        vector.kind === "reply" ? { status: means.status, response: data } : data,
      );
    });
    expect.assertions(2);
  });
}
