// Reads the QR code that a page shows, from its pixels, as a phone's camera would.

import jsqr from "jsqr";
import type { Locator } from "playwright-core";
import { ensure } from "./wait.ts";

/** The text in the code that is drawn there. */
export async function readQr(code: Locator): Promise<string> {
  const picture = (await code.screenshot()).toString("base64");
  const browser = code.page().context().browser();
  ensure(browser !== null, "there is no browser");
  // An empty page of its own: the console's policy has no place for this.
  const page = await browser.newPage();
  try {
    const { data, width, height } = await page.evaluate(async (base64) => {
      const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
      const bitmap = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
      const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
      const drawing = canvas.getContext("2d");
      drawing?.drawImage(bitmap, 0, 0);
      const pixels = drawing?.getImageData(0, 0, bitmap.width, bitmap.height).data ?? [];
      return { data: [...pixels], width: bitmap.width, height: bitmap.height };
    }, picture);
    const read = jsqr(Uint8ClampedArray.from(data), width, height);
    ensure(read !== null, "what is drawn is no QR code that can be read");
    return read.data;
  } finally {
    await page.close();
  }
}
