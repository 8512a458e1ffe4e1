// Frames of PROTOCOL.md with JSON, for `/client.js`.

/** The type byte of each frame. The names in lower case are also the names of the events. */
const KIND = Object.freeze({
  HEARTBEAT: 0x01, ORDER_UPDATE: 0x02, USER_STATE: 0x03, ALERT: 0x04,
  HELLO: 0x10, WELCOME: 0x11, JOIN: 0x12, JOINED: 0x13, LEAVE: 0x14, PUBLISH: 0x15, MESSAGE: 0x16, ACK: 0x17,
  ERROR: 0x18, PRESENCE: 0x19, HISTORY: 0x1A, MEMBERS: 0x1B, BYE: 0x1C,
  SEARCH: 0x1D, TYPING: 0x1E,
});
const NAMES = new Map(Object.entries(KIND).map(([name, kind]) => [kind, name.toLowerCase()]));

/* A frame: 55 AA, type, 24-bit length, payload in JSON, CRC-32 of all bytes before it. */
const HEADER = 6, CHECKSUM = 4;

/** Encodes a frame by its name in PROTOCOL.md. */
export function encode(name, payload) {
  const kind = KIND[name.toUpperCase()];
  // A heartbeat needs no checksum.
  if (kind === KIND.HEARTBEAT) return Uint8Array.of(0x55, 0xAA, KIND.HEARTBEAT, 0, 0, 0);
  const body = jsonBytes(payload);
  const frame = new Uint8Array(HEADER + body.length + CHECKSUM), view = new DataView(frame.buffer);
  view.setUint16(0, 0x55AA);
  view.setUint32(2, kind << 24 | body.length);
  frame.set(body, HEADER);
  view.setUint32(HEADER + body.length, crc32(frame.subarray(0, -CHECKSUM)));
  return frame;
}

/** Returns the name of a frame's type, if it is known, and the payload. */
export function decode(buffer) {
  const view = new DataView(buffer), length = buffer.byteLength - HEADER - CHECKSUM;
  if (length < 0 || view.getUint16(0) !== 0x55AA || (view.getUint32(2) & 0xFFFFFF) !== length) {
    throw new Error("a malformed frame");
  }
  if (crc32(new Uint8Array(buffer, 0, HEADER + length)) !== view.getUint32(HEADER + length)) {
    throw new Error("a damaged frame");
  }
  const body = new Uint8Array(buffer, HEADER, length);
  return [NAMES.get(view.getUint8(2)), length ? JSON.parse(new TextDecoder().decode(body)) : {}];
}

export function jsonBytes(payload) { return new TextEncoder().encode(JSON.stringify(payload)); }

const REMAINDERS = Uint32Array.from({ length: 256 }, (_, byte) => {
  for (let bit = 0; bit < 8; bit++) byte = byte & 1 ? 0xEDB88320 ^ (byte >>> 1) : byte >>> 1;
  return byte;
});

function crc32(bytes) {
  let crc = ~0;
  for (const byte of bytes) crc = REMAINDERS[(crc ^ byte) & 0xFF] ^ (crc >>> 8);
  return ~crc >>> 0;
}
