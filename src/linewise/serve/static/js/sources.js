// Pictures from outside: chosen, dropped, pasted. Each becomes a picture the server takes.

const MOST_BYTES = 1.5e6;
const MOST_SIDE = 1024;

/** A file as `{ data, bitmap }`: base64, and the picture for the screen. Throws where it is no image. */
export async function fromFile(file) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(file);
  } catch {
    throw new Error(`${file.name || "What was pasted"} is no image this browser can read. PNG and JPEG always work.`);
  }
  const small = file.size <= MOST_BYTES && ["image/png", "image/jpeg"].includes(file.type);
  const data = small ? await base64(file) : shrunk(bitmap);
  return { data, bitmap };
}

async function base64(file) {
  const bytes = new Uint8Array(await file.arrayBuffer());
  let text = "";
  for (let i = 0; i < bytes.length; i += 0x8000) text += String.fromCharCode(...bytes.subarray(i, i + 0x8000));
  return btoa(text);
}

/** Large pictures travel smaller; the network sees far less of them anyway. */
function shrunk(bitmap) {
  const factor = Math.min(1, MOST_SIDE / Math.max(bitmap.width, bitmap.height));
  const sheet = document.createElement("canvas");
  sheet.width = Math.max(1, Math.round(bitmap.width * factor));
  sheet.height = Math.max(1, Math.round(bitmap.height * factor));
  const context = sheet.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, sheet.width, sheet.height);
  return sheet.toDataURL("image/png").split(",")[1];
}

/** The picture of a base64 PNG or JPEG. */
export async function fromBase64(data) {
  const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
  return createImageBitmap(new Blob([bytes]));
}

/** Hear of pictures dropped on an element or pasted anywhere; gives a function that stops it. */
export function hearPictures(element, onFile) {
  const image = (list) => [...(list ?? [])].find((file) => file.type.startsWith("image/")) ?? [...(list ?? [])][0];
  const listeners = [
    [element, "dragover", (event) => { event.preventDefault(); element.classList.add("dropping"); }],
    [element, "dragleave", (event) => { if (!element.contains(event.relatedTarget)) element.classList.remove("dropping"); }],
    [element, "drop", (event) => {
      event.preventDefault();
      element.classList.remove("dropping");
      const file = image(event.dataTransfer.files);
      if (file) onFile(file);
    }],
    [document, "paste", (event) => {
      const file = image(event.clipboardData?.files);
      if (file) { event.preventDefault(); onFile(file); }
    }],
  ];
  for (const [target, name, listener] of listeners) target.addEventListener(name, listener);
  return () => listeners.forEach(([target, name, listener]) => target.removeEventListener(name, listener));
}
