/**
 * MP4 files with H.264 video, which slide programs and browsers play.
 *
 * @module
 */
import encoders, { type H264MP4Encoder } from "h264-mp4-encoder";

/**
 * Quality from 10, the best, to 51. At 20, edges are sharp and an episode takes about a megabyte.
 */
const quantization = 20;

/**
 * Encodes a video.
 *
 * @param size Width and height of the frames in pixels, multiples of 16.
 * @param frames The frames in order, each `[height, width, 4]`: red, green, blue and opacity.
 */
export async function mp4Of(
  { width, height }: { readonly width: number; readonly height: number },
  frameRate: number,
  frames: AsyncIterable<Uint8Array>,
): Promise<Uint8Array<ArrayBuffer>> {
  const encoder: H264MP4Encoder = await encoders.createH264MP4Encoder();
  try {
    Object.assign(encoder, { width, height, frameRate, quantizationParameter: quantization });
    encoder.initialize();
    try {
      for await (const frame of frames) encoder.addFrameRgba(frame);
    } finally {
      encoder.finalize(); // Without it, delete() aborts.
    }
    return Uint8Array.from(encoder.FS.readFile(encoder.outputFilename));
  } finally {
    encoder.delete();
  }
}
