// Judges documents that hookgate printed. Prints what is wrong, a line each, and ends with 1 where anything is.
//
//   node judge.mjs FOLDER asyncapi FILE...       with the public AsyncAPI parser; warnings count
//   node judge.mjs FOLDER schemas FILE...        JSON Schemas against their metaschema, compiled without leniency
//   node judge.mjs FOLDER valid SCHEMA FILE      every line of FILE, a JSON value, against a JSON Schema
//   node judge.mjs FOLDER events DOCUMENT FILE   every line of FILE, {subject, headers, data}, against an AsyncAPI document
//
// FOLDER is what install.sh printed.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const [folder, task, ...files] = process.argv.slice(2);
const require = createRequire(`${folder}/judge.cjs`);
const { Ajv2020 } = require('ajv/dist/2020');
const formats = require('ajv-formats');

const text = (file) => readFileSync(file, 'utf8');
const json = (file) => JSON.parse(text(file));
const lines = (file) => text(file).split('\n').filter(Boolean).map((line) => JSON.parse(line));
let problems = 0;
const problem = (what) => {
  problems += 1;
  console.log(what);
};
const ajv = (options) => formats.default(new Ajv2020({ allErrors: true, ...options }));

async function asyncapi(files) {
  const { Parser } = require('@asyncapi/parser');
  for (const file of files) {
    const { document, diagnostics } = await new Parser().parse(text(file));
    for (const { severity, code, message, path } of diagnostics) {
      // 0 is an error, 1 a warning; the others are advice.
      if (severity <= 1) problem(`${file}: ${code}: ${message} (${path.join('.')})`);
    }
    if (!document) problem(`${file}: the parser made no document of it`);
    else console.error(`${file}: ${document.allChannels().length} channels, ${document.allOperations().length} operations`);
  }
}

function schemas(files) {
  for (const file of files) {
    const judge = ajv({ strict: true, strictRequired: false, allowUnionTypes: true });
    const schema = json(file);
    if (schema.$schema !== 'https://json-schema.org/draft/2020-12/schema') problem(`${file}: not of 2020-12`);
    if (!judge.validateSchema(schema)) problem(`${file}: ${judge.errorsText()}`);
    try {
      judge.compile(schema);
    } catch (error) {
      problem(`${file}: ${error.message}`);
    }
  }
}

function valid([schema, file]) {
  const judge = ajv({ strict: false }).compile(json(schema));
  lines(file).forEach((value, at) => {
    if (!judge(value)) problem(`line ${at + 1}: ${JSON.stringify(judge.errors)}`);
  });
}

function events([file, of]) {
  const document = json(file);
  const judge = ajv({ strict: false });
  judge.addSchema({ $id: 'https://document.example/', components: document.components });
  const at = (name, part) => judge.compile({ $ref: `https://document.example/#/components/messages/${name}/${part}` });
  const fits = (address, subject) =>
    new RegExp(
      `^${address
        .split(/(\{type\}|\{subject\})/)
        .map((part) =>
          part === '{type}' ? '[^. ]+(\\.[^. ]+)*' : part === '{subject}' ? '[^. ]+' : part.replaceAll('.', '\\.'),
        )
        .join('')}$`,
    ).test(subject);
  for (const { subject, headers, data } of lines(of)) {
    const channels = Object.values(document.channels).filter(({ address }) => fits(address, subject));
    if (channels.length === 0) problem(`${subject}: on no channel`);
    const names = channels.flatMap(({ messages }) => Object.keys(messages));
    const found = names.map((name) => {
      const [head, body] = [at(name, 'headers'), at(name, 'payload')];
      const right = [head(headers), body(data)].every(Boolean);
      return { name, right, errors: [...(head.errors ?? []), ...(body.errors ?? [])] };
    });
    if (!found.some(({ right }) => right)) problem(`${subject}: ${JSON.stringify(found)}`);
    else console.log(`${subject} is ${found.filter(({ right }) => right).map(({ name }) => name)}`);
  }
}

await { asyncapi, schemas, valid, events }[task](files);
process.exitCode = problems ? 1 : 0;
