// ZIP archives of scans, as hospitals hand them out, by zip.js: the twin of serve/formats/archive.py.

import { Uint8ArrayReader, ZipReader } from "@zip.js/zip.js/lib/zip-core-custom.js";

const MAX_ENTRIES = 20_000;
const MAX_BYTES = 2 ** 30; // of all entries together: the page has less memory than Python
const MAX_ENTRY = 2 ** 28;
const MAX_RATIO = 1000;
const LITTER = ["thumbs.db", "desktop.ini"];
const TOLERANT = { filenameValidation: "tolerant" }; // `check` says what is wrong with a name
const BEGINNINGS = ["PK\x03\x04", "PK\x05\x06"];

export function isArchive(content) {
  const head = new Uint8Array(content, 0, Math.min(4, content.byteLength));
  return BEGINNINGS.includes(String.fromCharCode(...head));
}

/** The files of an archive: {name, read}; hidden ones are passed over. */
export async function filesIn(name, content) {
  const entries = (await entriesOf(content)).filter((entry) => !entry.directory);
  check(entries);
  return entries
    .filter((entry) => !isLitter(entry.filename.split("/")))
    .sort((one, other) => (one.filename < other.filename ? -1 : 1))
    .map((entry) => ({ name: `${name}/${entry.filename}`, read: () => unpacked(entry) }));
}

async function entriesOf(content) {
  try {
    const reader = new ZipReader(new Uint8ArrayReader(new Uint8Array(content)), TOLERANT);
    return await reader.getEntries();
  } catch {
    throw new Error("the archive is damaged");
  }
}

function check(entries) {
  const total = entries.reduce((sum, entry) => sum + entry.uncompressedSize, 0);
  if (entries.length > MAX_ENTRIES) {
    throw new Error(`it has ${entries.length.toLocaleString("en")} files, over 20,000`);
  }
  if (total > MAX_BYTES || entries.some((entry) => entry.uncompressedSize > MAX_ENTRY)) {
    throw new Error(`its files are too large: ${total.toLocaleString("en")} bytes unpacked`);
  }
  for (const { filename, symlink, encrypted, uncompressedSize, compressedSize } of entries) {
    const parts = filename.replaceAll("\\", "/").split("/");
    if (parts[0] === "" || parts.includes("..") || parts[0].includes(":")) {
      throw new Error("the path of a file in it leaves the archive");
    }
    if (symlink) throw new Error("a file in it is a link");
    if (encrypted) throw new Error("it is encrypted");
    if (uncompressedSize > MAX_RATIO * Math.max(compressedSize, 1)) {
      throw new Error("a file in it is packed too tightly to be a scan");
    }
  }
}

function isLitter(parts) {
  const hidden = parts.some((part) => part.startsWith(".") || part === "__MACOSX");
  return hidden || LITTER.includes(parts.at(-1).toLowerCase());
}

/** An entry's content, never more of it than the archive has announced. */
async function unpacked(entry) {
  const content = new Uint8Array(entry.uncompressedSize);
  let size = 0;
  const sink = new WritableStream({
    write(chunk) {
      content.set(chunk, size); // it throws where there is too much
      size += chunk.length;
    },
  });
  try {
    await entry.getData(sink, { checkSignature: true });
  } catch {
    throw new Error("it is damaged in the archive");
  }
  return content.buffer;
}
