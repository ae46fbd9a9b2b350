// Drives the official phoenix client, one version per process: commands as JSON lines on stdin, answers and
// everything that happens as JSON lines on stdout. `{"$bytes": "<base64>"}` stands for an ArrayBuffer.
//
//   node driver.cjs phoenix1816
const readline = require("node:readline");
const WebSocket = require("ws");

const version = process.argv[2];
if (["phoenix1616", "phoenix1721"].includes(version)) {
  // These two look for their environment on `window` only.
  globalThis.window = { addEventListener() {}, XMLHttpRequest: require("xhr2"), WebSocket };
}
const { Socket, LongPoll, Presence } = require(version);

const say = (line) => process.stdout.write(`${JSON.stringify(line, pack)}\n`);
const tell = (event, facts) => say({ event, ...facts });

function pack(_key, value) {
  return value instanceof ArrayBuffer ? { $bytes: Buffer.from(value).toString("base64") } : value;
}

function unpack(value) {
  if (!value || typeof value !== "object" || !("$bytes" in value)) return value;
  const bytes = Buffer.from(value.$bytes, "base64");
  return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
}

class MemoryStorage {
  items = new Map();
  getItem(key) {
    return this.items.get(key) ?? null;
  }
  setItem(key, value) {
    this.items.set(key, String(value));
  }
}

// A network that lets no WebSocket through: the address leads nowhere on the same server.
class BlockedWebSocket extends WebSocket {
  constructor(address, protocols) {
    super(address.replace("/socket/websocket", "/blocked/websocket"), protocols);
  }
}

const transports = { websocket: WebSocket, longpoll: LongPoll, blocked: BlockedWebSocket };
const sockets = new Map();
const channels = new Map();

function open({ socket: name, url, params, authToken, transport, options = {} }) {
  const socket = new Socket(url, {
    params,
    transport: transports[transport],
    reconnectAfterMs: () => 50,
    rejoinAfterMs: () => 50,
    sessionStorage: new MemoryStorage(),
    ...(authToken ? { authToken } : {}),
    ...options,
  });
  sockets.set(name, socket);
  socket.onOpen(() => tell("socket_open", { socket: name, transport: socket.conn?.constructor.name }));
  socket.onClose((close) => tell("socket_close", { socket: name, code: close?.code ?? null }));
  socket.onError(() => tell("socket_error", { socket: name }));
  socket.onMessage(({ topic, event }) => topic === "phoenix" && event === "phx_reply" && tell("beat", { socket: name }));
  socket.connect();
}

// What a page keeps per topic: the last seq it has seen, so that a rejoin asks only for what it missed.
function follow(name, reply, isFirst) {
  const channel = channels.get(name);
  if (reply && typeof reply.seq === "number" && (isFirst || reply.reset)) channel.seen = reply.seq;
}

function join({ socket, channel: name, topic, params = {} }, answer) {
  const entry = { seen: null, joins: 0 };
  const channel = sockets.get(socket).channel(topic, () => (entry.seen === null ? params : { ...params, since: entry.seen }));
  entry.channel = channel;
  channels.set(name, entry);
  channel.onMessage = (event, payload) => {
    if (!event.startsWith("phx_") && !event.startsWith("chan_reply_")) {
      const seq = payload?.message?.seq ?? payload?.seq;
      if (typeof seq === "number") entry.seen = seq;
      tell("message", { channel: name, name: event, payload });
    }
    return payload;
  };
  channel.onClose(() => tell("channel_close", { channel: name }));
  channel.onError((reason) => tell("channel_error", { channel: name, reason: reason ?? null }));
  let isAnswered = false;
  const settle = (status) => (response) => {
    if (status === "ok") follow(name, response, entry.joins === 0);
    entry.joins += status === "ok" ? 1 : 0;
    tell("joined", { channel: name, status, response, joins: entry.joins });
    if (!isAnswered) answer({ status, response });
    isAnswered = true;
  };
  channel.join(10_000).receive("ok", settle("ok")).receive("error", settle("error")).receive("timeout", settle("timeout"));
}

// The client's own Presence class on a channel that is joined here; every change of what it shows is told.
function present({ socket, channel: name, topic }, answer) {
  const channel = sockets.get(socket).channel(topic);
  channels.set(name, { channel });
  const presence = new Presence(channel);
  presence.onJoin((key, before) => before || tell("presence_change", { channel: name, kind: "join", key }));
  presence.onLeave((key, now) => now.metas.length || tell("presence_change", { channel: name, kind: "leave", key }));
  presence.onSync(() => tell("presence_list", { channel: name, shown: Object.fromEntries(presence.list((key, { metas }) => [key, metas])) }));
  receive(channel.join(10_000), answer);
}

function receive(push, answer) {
  for (const status of ["ok", "error", "timeout"]) push.receive(status, (response) => answer({ status, response }));
}

const verbs = {
  open: (command, answer) => answer(open(command) ?? null),
  join,
  present,
  push: ({ channel, event, payload }, answer) => receive(channels.get(channel).channel.push(event, unpack(payload)), answer),
  leave: ({ channel }, answer) => receive(channels.get(channel).channel.leave(), answer),
  ping: ({ socket }, answer) => {
    if (!sockets.get(socket).ping((rtt) => answer({ rtt }))) answer({ rtt: null });
  },
  healthy: ({ socket }, answer) => answer(sockets.get(socket).primaryPassedHealthCheck === true),
  close: ({ socket }, answer) => sockets.get(socket).disconnect(() => answer(null)),
  // What a network failure does: the connection breaks without a word.
  cut: ({ socket }, answer) => answer(sockets.get(socket).conn.terminate() ?? null),
};

readline.createInterface({ input: process.stdin }).on("line", (line) => {
  const command = JSON.parse(line);
  try {
    verbs[command.do](command, (result) => say({ id: command.id, result }));
  } catch (error) {
    say({ id: command.id, error: String(error?.stack ?? error) });
  }
}).on("close", () => process.stdout.write("", () => process.exit(0))); // once all has been said
