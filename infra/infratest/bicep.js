// Prints what the named Bicep files declare, as JSON, for the Go tests beside it.
// Syntax only: the grammar knows no types.
const fs = require("fs");
const Parser = require("tree-sitter");
const Bicep = require("tree-sitter-bicep");

const parser = new Parser();
parser.setLanguage(Bicep);

const named = (n) => n.namedChildren;
const first = (n, type) => named(n).find((c) => c.type === type);
const plain = (n) => n.text.replace(/^'|'$/g, "");

// Faults: every ERROR and every missing token.
function faults(n, out) {
  if (n.type === "ERROR" || n.isMissing) {
    const at = n.startPosition;
    out.push(`${at.row + 1}:${at.column + 1}: ${n.isMissing ? "missing " + n.type : "cannot be read"}: ${n.text.slice(0, 60)}`);
  }
  for (const c of n.children) faults(c, out);
  return out;
}

// The objects that an expression may turn into: through for, if, ?: and union().
function objects(n) {
  if (!n) return [];
  if (n.type === "object") return [n];
  if (n.type === "for_statement" || n.type === "if_statement" || n.type === "ternary_expression" || n.type === "parenthesized_expression" || n.type === "array") {
    return named(n).flatMap(objects);
  }
  if (n.type === "call_expression" && n.childForFieldName("function")?.text === "union") {
    return named(n.childForFieldName("arguments")).flatMap(objects);
  }
  return [];
}

// The names in an object and below it; a list stands for its elements.
function names(list) {
  const out = {};
  for (const o of list) {
    for (const p of named(o)) {
      if (p.type !== "object_property") continue;
      const [key, value] = [named(p)[0], named(p)[1]];
      const below = value ? names(objects(value)) : {};
      out[plain(key)] = Object.assign(out[plain(key)] ?? {}, below);
    }
  }
  return out;
}

// Comments may stand between the elements of a list.
const strings = (n) => named(n).filter((c) => c.type === "string").map(plain);

function declarations(n, file) {
  for (const c of named(n)) {
    const text = named(c);
    if (c.type === "resource_declaration") {
      const [symbol, type, ...rest] = text;
      const body = rest.flatMap(objects);
      const literals = {};
      for (const o of body) {
        for (const p of named(o)) if (p.type === "object_property" && named(p)[1]?.type === "string") literals[plain(named(p)[0])] = plain(named(p)[1]);
      }
      file.resources.push({ symbol: symbol.text, type: plain(type), existing: /\bexisting\s*=/.test(c.text.slice(0, 200)), names: names(body), literals });
    } else if (c.type === "module_declaration") {
      const [symbol, path, ...rest] = text;
      file.modules.push({ symbol: symbol.text, path: plain(path), params: Object.keys(names(rest.flatMap(objects)).params ?? {}) });
    } else if (c.type === "parameter_declaration") {
      const d = c.previousNamedSibling;
      file.params.push({ name: text[0].text, type: text[1]?.text ?? "", required: text.length < 3, decorators: d?.type === "decorators" ? d.text : "" });
    } else if (c.type === "variable_declaration" && text[1]?.type === "array") {
      file.lists[text[0].text] = strings(text[1]);
    } else if (c.type === "variable_declaration" && text[1]?.type === "object") {
      file.objects[text[0].text] = Object.keys(names([text[1]]));
    } else if (c.type === "output_declaration") {
      file.outputs.push(text[0].text);
    } else if (c.type === "infrastructure") {
      declarations(c, file);
    }
  }
}

// Names that are used and declared nowhere, and names that are declared and used
// nowhere: the compiler's two commonest complaints.
function scope(root) {
  const declared = new Set(), used = new Set(), called = new Set();
  const walk = (n) => {
    const kids = named(n);
    if (/^(parameter|variable|resource|module|type|output)_declaration$/.test(n.type) && kids.length > 0) {
      if (n.type !== "output_declaration") declared.add(kids[0].text);
      kids.slice(1).forEach(walk);
      return;
    }
    if (n.type === "for_statement") {
      const head = n.childForFieldName("initializer");
      if (head) declared.add(head.text);
      for (const v of kids.filter((k) => k.type === "for_loop_parameters")) named(v).forEach((k) => declared.add(k.text));
      kids.filter((k) => k.type !== "for_loop_parameters" && k.id !== head?.id).forEach(walk);
      return;
    }
    if (n.type === "object_property") {
      if (kids[0].type !== "identifier") walk(kids[0]);
      kids.slice(1).forEach(walk);
      return;
    }
    if (n.type === "call_expression") {
      const f = n.childForFieldName("function");
      if (f?.type === "identifier") called.add(f.text);
      else if (f) walk(f);
      kids.filter((k) => k.id !== f?.id).forEach(walk);
      return;
    }
    if (n.type === "identifier") used.add(n.text);
    kids.forEach(walk);
  };
  walk(root);
  const less = (a, b) => [...a].filter((x) => !b.has(x)).sort();
  return { undeclared: less(used, declared), unused: less(declared, used), called: [...called].sort() };
}

const out = {};
for (const path of process.argv.slice(2)) {
  const tree = parser.parse(fs.readFileSync(path, "utf8"));
  const file = { faults: faults(tree.rootNode, []), resources: [], modules: [], params: [], outputs: [], lists: {}, objects: {} };
  if (tree.rootNode.hasError && file.faults.length === 0) file.faults.push("1:1: cannot be read");
  declarations(tree.rootNode, file);
  Object.assign(file, scope(tree.rootNode));
  out[path] = file;
}
process.stdout.write(JSON.stringify(out));
