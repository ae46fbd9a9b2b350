/** The part of npm `phoenix` 1.8 that we use; the package ships no types of its own. */
declare module "phoenix" {
  export class Push {
    receive(status: string, callback: (response: unknown) => void): this;
  }

  export class Channel {
    readonly topic: string;
    readonly state: "closed" | "errored" | "joined" | "joining" | "leaving";
    join(timeout?: number): Push;
    leave(timeout?: number): Push;
    on(event: string, callback: (payload: unknown) => void): number;
    off(event: string, ref?: number): void;
    onClose(callback: (reason: unknown) => void): void;
    onError(callback: (reason: unknown) => void): number;
    push(event: string, payload: object, timeout?: number): Push;
  }

  export interface SocketOptions {
    params?: object | (() => object);
    timeout?: number;
    heartbeatIntervalMs?: number;
    reconnectAfterMs?: (tries: number) => number;
    rejoinAfterMs?: (tries: number) => number;
  }

  export class Socket {
    constructor(endPoint: string, options?: SocketOptions);
    connect(): void;
    disconnect(callback?: () => void, code?: number, reason?: string): void;
    isConnected(): boolean;
    channel(topic: string, params?: object | (() => object)): Channel;
    onOpen(callback: () => void): string;
    onClose(callback: (event: CloseEvent) => void): string;
    onError(callback: (error: unknown) => void): string;
    ping(callback: (rttMs: number) => void): boolean;
  }

  export class Presence<Meta> {
    constructor(channel: Channel);
    onSync(callback: () => void): void;
    list<T>(by: (key: string, presence: { metas: Meta[] }) => T): T[];
  }

  export interface Frame {
    join_ref: string | null;
    ref: string | null;
    topic: string;
    event: string;
    payload: unknown;
  }

  export const Serializer: {
    encode(frame: Frame, callback: (wire: string | ArrayBuffer) => void): void;
    decode(wire: string | ArrayBuffer, callback: (frame: Frame) => void): void;
  };
}
