// ONNX Runtime's JavaScript packages do not give a model's metadata, so it is read here, from the
// same bytes. An ONNX file is a protobuf message, ModelProto (https://onnx.ai/onnx/repo-docs/IR.html).

const METADATA_PROPS = 14; // entries of a key, field 1, and a value, field 2

/**
 * The metadata properties of an ONNX file.
 * @param {Uint8Array} bytes the whole file
 * @returns {Object<string, string>}
 * @throws {Error} the bytes are no ONNX file
 */
export function readMetadata(bytes) {
  const text = new TextDecoder();
  const metadata = {};
  for (const [field, value] of fields(bytes)) {
    if (field !== METADATA_PROPS) continue;
    const entry = Object.fromEntries(fields(value));
    metadata[text.decode(entry[1])] = text.decode(entry[2]);
  }
  return metadata;
}

/** The fields of a protobuf message that are strings or messages, as [number, bytes]. */
function* fields(bytes) {
  let at = 0;
  const readNumber = () => {
    for (let value = 0, scale = 1; at < bytes.length; scale *= 128) {
      const byte = bytes[at++];
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
    throw new Error("the model file is cut short");
  };
  while (at < bytes.length) {
    const key = readNumber();
    const length = readNumber(); // or, of a number field, the number itself
    if (key % 8 === 0) continue;
    if (key % 8 !== 2) throw new Error("the model is not an ONNX file");
    if (at + length > bytes.length) throw new Error("the model file is cut short");
    yield [Math.floor(key / 8), bytes.subarray(at, at + length)];
    at += length;
  }
}
