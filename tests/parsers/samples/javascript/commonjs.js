// --- path: lib/tool.js ---
exports.trim = function (text) {
  //    ^^^^ defines function trim
  return text;
};
exports.count = 3;
//      ^^^^^ defines variable count
function fill() {}
exports.pad = fill;
// --- path: lib/engine.js ---
module.exports = Engine;
//               ^^^^^^ refers read; resolves lib/engine.js:Engine

function Engine() {}
Engine.prototype.run = function () {};
// --- path: lib/index.js ---
module.exports = {
  Engine: require("./engine"),
  //      ^^^^^^^ refers call
  create() {},
  // <- defines method create
};
// --- path: main.js ---
const tool = require("./lib/tool");
//    ^^^^ defines constant tool
//                   ^^^^^^^^^^^^ refers import; resolves lib/tool.js:1
const Engine = require("./lib/engine.js");
const { create, Engine: Motor } = require("./lib");
//      ^^^^^^ defines constant create
//              ^^^^^^ refers import
//                      ^^^^^ defines constant Motor
const fs = require("node:fs");
const colors = require("colors/safe");
const trim = require("./lib/tool").trim;
//                                 ^^^^ refers import; resolves lib/tool.js:trim

tool.trim("x");
// <- resolves lib/tool.js:1
//   ^^^^ refers call; resolves lib/tool.js:trim
tool.count;
//   ^^^^^ refers read; resolves lib/tool.js:count
tool.pad();
//   ^^^ refers call; resolves lib/tool.js:fill
new Engine().run();
//  ^^^^^^ refers construct; resolves lib/engine.js:Engine
//           ^^^ refers call; resolves lib/engine.js:Engine.prototype.run
new Motor();
//  ^^^^^ refers construct; resolves lib/index.js:Engine; resolves lib/engine.js:Engine
create();
// <- refers call; resolves lib/index.js:create
fs.readFileSync;
// ^^^^^^^^^^^^ resolves external node:fs.readFileSync
colors.red("x");
// <- refers read; resolves main.js:colors
//     ^^^ resolves external colors/safe.red
trim("y");
// <- refers call; resolves lib/tool.js:trim

async function load() {
  const late = await import("./lib/tool.js");
  //                        ^^^^^^^^^^^^^^^ refers import; resolves lib/tool.js:1
  return late.trim();
  //          ^^^^ refers call; resolves lib/tool.js:trim
}
