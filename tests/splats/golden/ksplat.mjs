// Packs a PLY as .ksplat with the format's own library: node ksplat.mjs LIBRARY PLY LEVEL OUT
import fs from 'node:fs';
import { pathToFileURL } from 'node:url';

globalThis.window = { setTimeout: (work, wait) => setTimeout(work, wait) };
globalThis.document = {};
const [library, ply, level, out] = process.argv.slice(2);
const { PlyLoader } = await import(pathToFileURL(library));
const bytes = fs.readFileSync(ply);
const data = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
const packed = await PlyLoader.loadFromFileData(data, 0, Number(level), true, 2, 0);
fs.writeFileSync(out, Buffer.from(packed.bufferData));
