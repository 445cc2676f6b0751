/**
 * The ground: tiles of one meter, which fade into the background.
 *
 * @module
 */
import {
  CanvasTexture,
  Mesh,
  MeshStandardMaterial,
  PlaneGeometry,
  RepeatWrapping,
  SRGBColorSpace,
  type Vector3,
} from "three";
import { cssColor, onScheme } from "./colors.ts";

/** Tiles along a side. */
const tiles = 300;
/** Pixels of a tile in the texture. */
const pixels = 128;

/**
 * Returns the ground at a height.
 *
 * @param closed Aborted when the picture is closed.
 */
export function groundAt(height: number, closed: AbortSignal): Mesh {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 2 * pixels;
  const texture = new CanvasTexture(canvas);
  texture.wrapS = texture.wrapT = RepeatWrapping;
  texture.repeat.set(tiles / 2, tiles / 2);
  texture.colorSpace = SRGBColorSpace;
  texture.anisotropy = 8;
  onScheme(() => {
    const context = canvas.getContext("2d")!;
    context.fillStyle = cssColor("tile-0");
    context.fillRect(0, 0, 2 * pixels, 2 * pixels);
    context.fillStyle = cssColor("tile-1");
    context.fillRect(0, 0, pixels, pixels);
    context.fillRect(pixels, pixels, pixels, pixels);
    texture.needsUpdate = true;
  }, closed);
  const ground = new Mesh(
    new PlaneGeometry(tiles, tiles),
    new MeshStandardMaterial({ map: texture, roughness: 1 }),
  );
  ground.position.z = height;
  ground.receiveShadow = true;
  return ground;
}

/** Moves the ground by whole pairs of tiles, so that it reaches as far in every direction. */
export function centerGround(ground: Mesh, { x, y }: Vector3): void {
  ground.position.x = 2 * Math.round(x / 2);
  ground.position.y = 2 * Math.round(y / 2);
}
