/** How much of a log window a line uses: both ends count alike, or a window would drift away. */

const encoder = new TextEncoder();
/** Lines are cut at 256 KiB before they are sent; a longer one is counted piece by piece. */
const scratch = new Uint8Array(64 * 1024);

/** Bytes that a line counts for: its UTF-8 length and one for its newline. */
export function lineBytes(line: string): number {
  if (line.length * 3 <= scratch.length) return encoder.encodeInto(line, scratch).written + 1;
  let bytes = 1;
  for (let rest = line; rest.length > 0;) {
    const { read, written } = encoder.encodeInto(rest, scratch);
    bytes += written;
    rest = rest.slice(read);
  }
  return bytes;
}

/** Bytes that a chunk's lines count for. */
export function logBytes(lines: readonly string[]): number {
  let bytes = 0;
  for (const line of lines) bytes += lineBytes(line);
  return bytes;
}
