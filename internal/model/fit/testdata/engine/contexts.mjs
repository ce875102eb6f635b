// Reads from standard input which contexts to make of which files, and writes what llama.cpp logs
// about each: {library, files: [{path, read, contexts: [{tokens, batch, type}]}]}. Unless tokens are to be
// read, no weights are, and no buffers are allocated, but for states.
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";

const { library, files } = JSON.parse(readFileSync(0, "utf8"));
const { getBinsDir } = await import(library);
const binaries = getBinsDir().binsDir + "/linux-x64";
const llama = createRequire(import.meta.url)(binaries + "/llama-addon.node");

const debug = 6;
let log = "";
llama.setLogger((_, message) => { log += message; });
llama.setLoggerLogLevel(debug);
llama.loadBackends(binaries);
await llama.init();

// Messages come from other threads, so they wait for the event loop.
const logged = async () => {
    await new Promise((resolve) => setImmediate(resolve));
    const lines = log;
    log = "";
    return lines;
};

// kept has the context read tokens, and returns the sizes of what is kept of them.
const kept = async (context, tokens, batch, file) => {
    for (let first = 0; first < tokens; first += batch) {
        context.initBatch(batch);
        context.addToBatch(0, first, new Uint32Array(Math.min(batch, tokens - first)), new Uint32Array());
        await context.decodeBatch();
    }
    const checkpoint = new llama.AddonContextSequenceCheckpoint();
    await checkpoint.init(context, 0);
    await context.saveSequenceStateToFile(file, 0, new Uint32Array());
    return { checkpoint: checkpoint.size, state: statSync(file).size };
};

const answers = [];
for (const { path, read, contexts } of files) {
    const model = new llama.AddonModel(path, { addonExports: llama, noAlloc: read === 0, useMmap: read > 0, gpuLayers: 0 });
    if (!await model.init())
        throw new Error(path + ": " + await logged());
    const answer = [];
    for (const { tokens, batch, type } of contexts) {
        await logged();
        const context = new llama.AddonContext(model, {
            contextSize: tokens, batchSize: batch, sequences: 1, flashAttention: true,
            kvCacheKeyType: type, kvCacheValueType: type, threads: 1,
        });
        if (!await context.init())
            throw new Error(path + ": " + await logged());
        const seen = { log: await logged() };
        if (read > 0)
            Object.assign(seen, await kept(context, read, batch, path + ".state"));
        await context.dispose();
        answer.push(seen);
    }
    await model.dispose();
    answers.push(answer);
}
writeFileSync(1, JSON.stringify(answers));
process.exit(0);
