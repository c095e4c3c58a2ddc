import { ApiError } from "@/wire/client";

const BROKEN_OFF = "The connection broke off before all of it was here. Trying again is safe.";

type Piece = Uint8Array<ArrayBuffer>;

/**
 * Takes a stream piece by piece. Throws ApiError when it breaks off, and what the signal was aborted for.
 *
 * @param progress called with the number of bytes that have been taken.
 */
export async function receive(
  stream: ReadableStream<Piece>,
  take: (piece: Piece) => Promise<void>,
  progress: (bytes: number) => void,
  signal: AbortSignal | undefined,
): Promise<void> {
  const reader = stream.getReader();
  let bytes = 0;
  try {
    for (;;) {
      const { done, value } = await next(reader, signal);
      if (done) return;
      await take(value);
      bytes += value.byteLength;
      progress(bytes);
    }
  } catch (error) {
    // What is still on its way is not wanted any more; that it breaks off is no news.
    await reader.cancel().catch(() => undefined);
    throw error;
  }
}

async function next(reader: ReadableStreamDefaultReader<Piece>, signal: AbortSignal | undefined) {
  try {
    return await reader.read();
  } catch {
    signal?.throwIfAborted();
    throw new ApiError(BROKEN_OFF, 0);
  }
}

/** All of a stream. Its pieces become blobs at once, which browsers need not keep in the page's memory. */
export async function blobOf(
  stream: ReadableStream<Piece>,
  progress: (bytes: number) => void,
  signal?: AbortSignal,
): Promise<Blob> {
  const pieces: Blob[] = [];
  const take = async (piece: Piece) => void pieces.push(new Blob([piece]));
  await receive(stream, take, progress, signal);
  return new Blob(pieces);
}
